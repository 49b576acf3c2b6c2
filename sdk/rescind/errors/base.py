"""The root of the tree, and the two errors of no branch: what a task raises, and what cancels an agent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rescind.model.cause import CancelCause


class RescindError(Exception):
    """Anything that Rescind itself raises, except the cancellation of the running code."""


class NonRetryable(RescindError):
    """Raised by a task to say that another attempt cannot help."""


class ExecutionCancelled(asyncio.CancelledError):
    """This agent is being cancelled. Clean up if you must, then let it pass.

    Raised at the await where the agent stands, and again at each further await outside ``ctx.shield()``
    (cancellation.md, section 7).

    Attributes:
        cause: why, by whom.
    """

    def __init__(self, cause: CancelCause | None = None) -> None:
        super().__init__(*(() if cause is None else (str(cause),)))
        self.cause = cause
