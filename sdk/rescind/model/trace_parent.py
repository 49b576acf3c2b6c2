"""The trace that a request is part of, as W3C Trace Context writes it: carried along, and looked at by nobody else."""

from __future__ import annotations

import re
from typing import Final

HEADER: Final = "traceparent"
"""The name of the header, and of gRPC's metadata, that says it."""
VARIABLE: Final = "TRACEPARENT"
"""The variable that says it to a program."""

_FORM: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace_parent_of(given: str | None) -> str | None:
    """What was given, if it is a trace parent: ``00-<trace>-<span>-<flags>``. Else None: a trace then begins anew."""
    return given if given is not None and _FORM.fullmatch(given) else None


def trace_id_of(trace_parent: str) -> str:
    """The id of the trace: 32 hexadecimal digits."""
    return trace_parent[3:35]
