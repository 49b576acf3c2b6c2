"""Why something was cancelled: carried all the way to the code that it stops."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class CancelSource(StrEnum):
    """What brought a cancel about (cancellation.md, section 3)."""

    REQUEST = "request"
    RACE_LOST = "race_lost"
    DEADLINE = "deadline"
    SCOPE_LEFT = "scope_left"
    PARENT = "parent"
    DISCONNECT = "disconnect"
    REPLACED = "replaced"
    SHUTDOWN = "shutdown"


class CancelCause(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What, who, and why in words. Of several causes the first is kept.

    Attributes:
        source: what brought it about.
        by: who asked: ``agent:<id>``, ``client:<name>``, ``server``.
        reason: the words given with the request, if any.
        trace_parent: the span that asked, as W3C Trace Context writes it; None if nobody traced the request.
    """

    source: CancelSource
    by: str = "server"
    reason: str | None = None
    trace_parent: str | None = None

    def __str__(self) -> str:
        words = f": {self.reason}" if self.reason else ""
        return f"{self.source.value} by {self.by}{words}"
