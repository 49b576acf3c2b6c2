"""What is answered to those who come too late: their execution has ended, and left the engine's memory.

Nothing changes by it any more, but who asked, why, and what they were told goes on being recorded, as it was before.
"""

from __future__ import annotations

from rescind.model.commands import (
    Call,
    CancelAnswered,
    CancelExecution,
    CancelTaskFromOutside,
    FromClient,
    Reply,
    SignalExecution,
    StartExecution,
)
from rescind.model.events import EventType
from rescind.model.status import CancelTaskResult
from rescind_server.engine import calling, endings, execution_endings, executions
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import State, annotate


def answer(state: State, command: FromClient, execution: Execution) -> Reply:
    """Answer as if the execution were still in memory, and record the request.

    A repeated start is the same request as the first one, and recorded with it.
    """
    match command:
        case StartExecution():
            return executions.same_start(command, execution.execution_id, execution.kind, execution.input)
        case SignalExecution():
            annotate(state, execution, EventType.SIGNAL_REFUSED, name=command.name, by=command.by)
            return executions.ended(execution.execution_id, execution.status)
        case CancelExecution():
            result = execution_endings.ALREADY_ENDED[execution.status]
            details = execution_endings.request_details(command.cause, result.value, hard=command.hard)
            annotate(state, execution, EventType.EXECUTION_CANCEL_REQUESTED, **details)
            return CancelAnswered(result)
        case CancelTaskFromOutside():
            return CancelAnswered(_cancel_task(state, command, execution))
        case Call():
            return calling.decide(state, command, execution)


def _cancel_task(state: State, command: CancelTaskFromOutside, execution: Execution) -> CancelTaskResult:
    task = execution.tasks.get(command.task_id)
    if task is None:
        return CancelTaskResult.NOT_FOUND
    result = endings.ALREADY_ENDED[task.status]
    details = endings.request_details(command.cause, command.mode, result.value)
    annotate(state, execution, EventType.TASK_CANCEL_REQUESTED, task.task_id, **details)
    return result
