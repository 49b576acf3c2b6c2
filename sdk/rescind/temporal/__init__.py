"""Rescind on a Temporal cluster: an agent is a workflow, a task is an activity, and neither can tell.

`TemporalWorker` runs them, `TemporalClient` starts, follows and cancels them, `TemporalReplayer` tells whether changed
code still fits what runs; `TemporalBackend` is the first two in one process. ``pip install 'rescind[temporal]'``
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rescind.temporal.backend import TemporalBackend
    from rescind.temporal.client import TemporalClient
    from rescind.temporal.client_port import TemporalClientPort
    from rescind.temporal.replaying import TemporalReplayer
    from rescind.temporal.worker import TemporalWorker

PASSED_THROUGH: Final = ("rescind", "rescind_server", "rescind_proto", "msgspec")
"""The modules that Temporal's sandbox must let through, for workflows of one's own that use Rescind in it."""

_HOME: Final = {
    "TemporalBackend": "rescind.temporal.backend",
    "TemporalClient": "rescind.temporal.client",
    "TemporalClientPort": "rescind.temporal.client_port",
    "TemporalReplayer": "rescind.temporal.replaying",
    "TemporalWorker": "rescind.temporal.worker",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(home), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "temporalio":
            raise
        raise ImportError(f"{error}. Temporal's SDK is missing: pip install 'rescind[temporal]'") from error


__all__ = [
    "PASSED_THROUGH",
    "TemporalBackend",
    "TemporalClient",
    "TemporalClientPort",
    "TemporalReplayer",
    "TemporalWorker",
]
