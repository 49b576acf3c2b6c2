"""Every state as a table; what is terminal follows from it (cancellation.md, sections 2 to 4)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class TaskStatus(StrEnum):
    """Where a task stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


TASK_TRANSITIONS: Final[Mapping[TaskStatus, frozenset[TaskStatus]]] = {
    # FAILED without a start: schedule_to_start or schedule_to_close ran out.
    TaskStatus.PENDING: frozenset({TaskStatus.RUNNING, TaskStatus.CANCELLED, TaskStatus.FAILED}),
    # PENDING again: the next attempt after a failure or a lost lease.
    TaskStatus.RUNNING: frozenset({TaskStatus.PENDING, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED}),
    TaskStatus.COMPLETED: frozenset(),
    TaskStatus.FAILED: frozenset(),
    TaskStatus.CANCELLED: frozenset(),
}
TERMINAL_TASK: Final = frozenset(status for status, onward in TASK_TRANSITIONS.items() if not onward)


class ExecutionStatus(StrEnum):
    """Where an agent (later also a workflow) stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


_ENDS: Final = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED})
EXECUTION_TRANSITIONS: Final[Mapping[ExecutionStatus, frozenset[ExecutionStatus]]] = {
    ExecutionStatus.PENDING: frozenset(
        {ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING, ExecutionStatus.CANCELLED}
    ),
    ExecutionStatus.RUNNING: _ENDS
    | {ExecutionStatus.WAITING, ExecutionStatus.PENDING, ExecutionStatus.CANCELLING, ExecutionStatus.CANCELLED},
    ExecutionStatus.WAITING: frozenset(
        {ExecutionStatus.PENDING, ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING, ExecutionStatus.CANCELLED}
    ),
    # FAILED: the clean-up raised.
    ExecutionStatus.CANCELLING: frozenset({ExecutionStatus.CANCELLED, ExecutionStatus.FAILED}),
    ExecutionStatus.COMPLETED: frozenset(),
    ExecutionStatus.FAILED: frozenset(),
    ExecutionStatus.CANCELLED: frozenset(),
}
TERMINAL_EXECUTION: Final = frozenset(status for status, onward in EXECUTION_TRANSITIONS.items() if not onward)


class StopState(StrEnum):
    """How far the stopping of one attempt has come."""

    REQUESTED = "REQUESTED"
    DELIVERED = "DELIVERED"
    STOPPED = "STOPPED"
    KILLED = "KILLED"
    LOST = "LOST"


STOP_TRANSITIONS: Final[Mapping[StopState, frozenset[StopState]]] = {
    # Straight to an end: the work stopped before the order's arrival was reported.
    StopState.REQUESTED: frozenset({StopState.DELIVERED, StopState.STOPPED, StopState.KILLED, StopState.LOST}),
    StopState.DELIVERED: frozenset({StopState.STOPPED, StopState.KILLED, StopState.LOST}),
    StopState.STOPPED: frozenset(),
    StopState.KILLED: frozenset(),
    StopState.LOST: frozenset(),
}
STOP_ENDED: Final = frozenset(state for state, onward in STOP_TRANSITIONS.items() if not onward)


class CancelTaskResult(StrEnum):
    """What a request to cancel met. Each is an answer; none is an error."""

    CANCELLED = "CANCELLED"
    ALREADY_CANCELLED = "ALREADY_CANCELLED"
    ALREADY_COMPLETED = "ALREADY_COMPLETED"
    ALREADY_FAILED = "ALREADY_FAILED"
    NOT_FOUND = "NOT_FOUND"

    @property
    def ok(self) -> bool:
        """True if the target is cancelled now, by this request or by an earlier one."""
        return self in (CancelTaskResult.CANCELLED, CancelTaskResult.ALREADY_CANCELLED)


class CancelMode(StrEnum):
    """How a task is cancelled."""

    TRY = "TRY"
    """Decide at once, then stop the work."""
    WAIT = "WAIT"
    """Ask the work to stop, and let it decide."""
    ABANDON = "ABANDON"
    """Decide at once, and leave the work alone."""
    FORCE = "FORCE"
    """Decide at once, and end the work by force, without its grace; also work that is being stopped already."""


class ParentClosePolicy(StrEnum):
    """What becomes of a task that is still open when its agent ends."""

    CANCEL = "CANCEL"
    ABANDON = "ABANDON"


class FailureKind(StrEnum):
    """Why a task is FAILED."""

    ERROR = "ERROR"
    TIMED_OUT = "TIMED_OUT"
    WORKER_LOST = "WORKER_LOST"
    REJECTED = "REJECTED"
