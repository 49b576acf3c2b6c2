"""What an attempt tells of itself to those who trace it."""

from __future__ import annotations

from rescind.model.cause import CancelCause
from rescind.model.outcome import Failure


class AttemptSpan:
    """The span of an attempt, and that of its stopping. This one is of an attempt that nobody traces."""

    def enter(self) -> str | None:
        """Let what runs from now on in this context be inside it. Returns what it carries on; None if not traced."""
        return None

    def begin_stop(self, cause: CancelCause) -> None:
        """It is told to stop: of several times, the first counts."""

    def end(self, status: str, failure: Failure | None = None) -> None:
        """Its work has ended: ``COMPLETED``, ``FAILED``, or as its stop record says. Once."""
