"""From how a task ended to what its agent is given: a value, or the error that names it."""

from __future__ import annotations

from typing import Any

from rescind.authoring.conversion import decode
from rescind.errors import TaskCancelled, TaskFailed, TaskTimedOut
from rescind.model.agent_values import TaskOutcome
from rescind.model.outcome import Outcome
from rescind.model.status import FailureKind, TaskStatus
from rescind.runtime.future import AgentTaskFutureRaw


def value_of(future: AgentTaskFutureRaw, outcome: Outcome) -> Any:
    """The value of a completed task, checked against the future's type; no output is None."""
    assert outcome.status is TaskStatus.COMPLETED
    if outcome.output is None:
        return None
    return decode(outcome.output, future.result_type, what=f"output of task {future.kind!r} (id={future.task_id})")


def error_of(future: AgentTaskFutureRaw, outcome: Outcome) -> TaskFailed | TaskCancelled:
    """The error that tells why a task has no value."""
    if outcome.status is TaskStatus.CANCELLED:
        return TaskCancelled(future.task_id, future.kind, outcome.cause)
    failure = outcome.failure
    assert failure is not None
    error_class = TaskTimedOut if failure.kind is FailureKind.TIMED_OUT else TaskFailed
    return error_class(future.task_id, future.kind, failure.message, failure.kind, outcome.attempts)


def outcome_of(future: AgentTaskFutureRaw, outcome: Outcome) -> TaskOutcome:
    """How an ended task stands, as its agent looks at it."""
    match outcome.status:
        case TaskStatus.COMPLETED:
            return TaskOutcome.completed(value_of(future, outcome))
        case TaskStatus.CANCELLED:
            return TaskOutcome.cancelled(error_of(future, outcome))
        case _:
            return TaskOutcome.failed(error_of(future, outcome))
