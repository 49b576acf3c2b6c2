"""Ends of claims that no sign of life puts off: behind a restart, and of a pass that takes too long.

A worker that polls on lives. It need not know any more of what it has claimed: its report may have met a server that
was gone, or the claim itself never have reached it.
"""

from __future__ import annotations

from typing import Final

from rescind.model.ids import Instant
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Attempt, Execution
from rescind_server.engine.state import State

PASS_RESTART_GRACE_MS: Final = 10_000
"""How long the claim of a workflow stands behind a restart if nothing is submitted, in milliseconds.

A pass is short: that is time enough for a worker to find the server again.
"""

RESTART_GRACE_MS: Final = 60_000
"""How long that of an agent or a task stands if nobody speaks of it, in milliseconds.

Their work may be long, and many workers send no heartbeats for it; whoever waits for a lost result waits as long.
"""


def limit(state: State, execution: Execution, limit_ms: int) -> None:
    """Let the claim of a workflow, or of an agent that is run by calls, end in so many milliseconds."""
    drop(state, execution)
    due = Instant(state.now + limit_ms * 1_000)
    execution.claim_end = state.deadlines.set(due, DeadlineKind.CLAIM_END, execution)


def drop(state: State, execution: Execution) -> None:
    """The claim is over, or somebody has spoken of it."""
    if execution.claim_end is not None:
        state.deadlines.cancel(execution.claim_end)
        execution.claim_end = None


def limit_attempt(state: State, attempt: Attempt) -> None:
    """Let an attempt of before a restart be lost, unless somebody speaks of it."""
    due = Instant(state.now + RESTART_GRACE_MS * 1_000)
    deadline = state.deadlines.set(due, DeadlineKind.RESTART_GRACE, attempt)
    attempt.deadlines = [*(attempt.deadlines or ()), deadline]


def drop_of_attempt(state: State, attempt: Attempt) -> None:
    """Somebody has spoken of the attempt: it is at work."""
    for deadline in attempt.deadlines or ():
        if deadline.kind is DeadlineKind.RESTART_GRACE:
            state.deadlines.cancel(deadline)
