"""What is answered to those who come too late: their execution has ended, and left the engine's memory."""

from __future__ import annotations

from rescind.model.commands import (
    CancelAnswered,
    CancelExecution,
    CancelTaskFromOutside,
    FromClient,
    Reply,
    SignalExecution,
    StartExecution,
)
from rescind.model.ids import TaskId
from rescind.model.status import CancelTaskResult
from rescind.model.views import ExecutionDetails
from rescind_server.engine import endings, executions


def answer(command: FromClient, details: ExecutionDetails) -> Reply:
    """Answer as if the execution were still in memory; nothing changes, and nothing is recorded."""
    execution = details.execution
    match command:
        case StartExecution():
            return executions.same_start(command, execution.execution_id, execution.kind, execution.input)
        case SignalExecution():
            return executions.ended(execution.execution_id, execution.status)
        case CancelExecution():
            return CancelAnswered(executions.ALREADY_ENDED[execution.status])
        case CancelTaskFromOutside():
            return CancelAnswered(_cancel_task(details, command.task_id))


def _cancel_task(details: ExecutionDetails, task_id: TaskId) -> CancelTaskResult:
    for task in details.tasks:
        if task.task_id == task_id:
            return endings.ALREADY_ENDED[task.status]
    return CancelTaskResult.NOT_FOUND
