"""What stands for a worker's message that is too large to be taken: the work fails, and the session goes on."""

from __future__ import annotations

import msgspec

from rescind.model.messages import (
    AgentFailed,
    AgentParked,
    AgentProgress,
    FromWorker,
    StepReported,
    TaskAlive,
    TaskReported,
)
from rescind.model.outcome import Failure
from rescind.model.status import FailureKind

_PROBLEM_KEPT = 1_000


def instead_of(message: FromWorker, problem: str) -> FromWorker:
    """The message that says of the same work that it failed, for good: another attempt would be too large again.

    Args:
        message: what is too large.
        problem: why, in words.
    """
    failure = Failure(FailureKind.REJECTED, problem, "PayloadTooLarge", retryable=False)
    match message:
        case AgentProgress():
            return AgentProgress(message.execution_id, message.run, message.number, ending=AgentFailed(failure))
        case TaskReported():
            return TaskReported(message.task_id, message.lease, failure=failure)
        case StepReported():
            return StepReported(message.execution_id, message.run, message.position, failure=failure)
        case TaskAlive():
            return msgspec.structs.replace(message, message=None, streamed=())
        case AgentParked():
            return msgspec.structs.replace(message, problem=message.problem[:_PROBLEM_KEPT])
        case _:
            return message
