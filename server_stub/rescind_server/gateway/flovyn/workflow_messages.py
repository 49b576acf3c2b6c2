"""The messages of WorkflowDispatch as the engine's values, and back. What cannot be meant is refused here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rescind_proto.flovyn.v1 import flovyn_pb2 as wire

from rescind.errors import InvalidInput
from rescind.model import workflow_commands as commands
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflow_json import event_data
from rescind.model.workflows import WorkflowClaimed
from rescind_server.gateway.flovyn.values import checked_uuid, milliseconds, named, payload
from rescind_server.gateway.organisations import outer

_STATUSES: Final[Mapping[int, commands.PassStatus]] = {
    wire.WorkflowStatus.RUNNING: commands.PassStatus.RUNNING,
    wire.WorkflowStatus.SUSPENDED: commands.PassStatus.SUSPENDED,
    wire.WorkflowStatus.COMPLETED: commands.PassStatus.COMPLETED,
    wire.WorkflowStatus.CANCELLED: commands.PassStatus.CANCELLED,
    wire.WorkflowStatus.FAILED: commands.PassStatus.FAILED,
}


def pass_status(number: int) -> commands.PassStatus:
    """How a pass ended. Raises InvalidInput: it is not said."""
    status = _STATUSES.get(number)
    if status is None:
        raise InvalidInput(f"the status of the submission is {number}, which is none. Say how the pass ended.")
    return status


def command_of(message: wire.WorkflowCommand) -> commands.AnyWorkflowCommand | None:
    """The command that a message says; None if it is of no type, as clients write what they do not send.

    Raises:
        InvalidInput: it is of a type that nobody here knows, its data are of another type, or something in it cannot be
            meant. To pass such a command over would lose what its code has asked for.
    """
    number = message.command_type
    if number == wire.CommandType.COMMAND_TYPE_UNSPECIFIED:
        return None
    reader = _READERS.get(number)
    if reader is None:
        raise InvalidInput(f"command type {number} is not known. Known are 1 to {max(_READERS)}.")
    field, read = reader
    given = message.WhichOneof("command_data")
    if given not in (None, field):
        raise InvalidInput(
            f"a command of type {wire.CommandType.Name(number)} has {given!r} as its data, not {field!r}."
        )
    made: commands.AnyWorkflowCommand = read(getattr(message, field))
    return made


def event_message(logged: LoggedEvent) -> wire.WorkflowEvent:
    """An event of a log."""
    return wire.WorkflowEvent(
        sequence_number=logged.sequence,
        event_type=logged.event.event_type,
        event_data=event_data(logged.event),
    )


def claimed_message(claimed: WorkflowClaimed, organisation_id: str) -> wire.PollResponse:
    """A claimed workflow."""
    execution = wire.WorkflowExecution(
        id=outer(claimed.execution_id),
        kind=claimed.kind,
        org_id=organisation_id,
        input=claimed.input.data,
        queue=outer(claimed.queue),
        priority_ms=claimed.priority_ms,
        created_at_ms=milliseconds(claimed.created_at),
        current_sequence=claimed.sequence,
        workflow_task_time_millis=milliseconds(claimed.now),
    )
    if claimed.version is not None:
        execution.workflow_version = claimed.version
    return wire.PollResponse(workflow_execution=execution, traceparent=claimed.trace_parent or "")


def _record_operation(data: wire.RecordOperationCommand) -> commands.RecordOperation:
    name = named(data.operation_name, "the operation's name")
    return commands.RecordOperation(name, payload(data.result, "an operation's result"))


def _set_state(data: wire.SetStateCommand) -> commands.SetState:
    return commands.SetState(named(data.key, "the key of the state"), payload(data.value, "a value of the state"))


def _clear_state(data: wire.ClearStateCommand) -> commands.ClearState:
    return commands.ClearState(named(data.key, "the key of the state"))


def _schedule_task(data: wire.ScheduleTaskCommand) -> commands.ScheduleTask:
    return commands.ScheduleTask(
        kind=named(data.kind, "the task's kind"),
        task_execution_id=TaskId(checked_uuid(data.task_execution_id, "task_execution_id")),
        input=payload(data.input, "a task's input"),
        max_retries=_given(data, "max_retries"),
        timeout_ms=_given(data, "timeout_ms"),
        queue=_given(data, "queue") or None,
        priority_seconds=_given(data, "priority_seconds"),
        idempotency_key=_given(data, "idempotency_key") or None,
        idempotency_key_ttl_seconds=_given(data, "idempotency_key_ttl_seconds"),
    )


def _complete(data: wire.CompleteWorkflowCommand) -> commands.CompleteWorkflow:
    return commands.CompleteWorkflow(payload(data.output, "the workflow's output"))


def _fail(data: wire.FailWorkflowCommand) -> commands.FailWorkflow:
    return commands.FailWorkflow(data.error, data.stack_trace, data.failure_type or "ERROR")


def _suspend(data: wire.SuspendWorkflowCommand) -> commands.SuspendWorkflow:
    return commands.SuspendWorkflow(data.reason)


def _cancel(data: wire.CancelWorkflowCommand) -> commands.CancelWorkflow:
    return commands.CancelWorkflow(data.reason)


def _create_promise(data: wire.CreatePromiseCommand) -> commands.CreatePromise:
    return commands.CreatePromise(
        promise_name=named(data.promise_id, "the promise's name"),
        timeout_ms=_given(data, "timeout_ms"),
        idempotency_key=_given(data, "idempotency_key") or None,
        idempotency_key_ttl_seconds=_given(data, "idempotency_key_ttl_seconds"),
    )


def _resolve_promise(data: wire.ResolvePromiseCommand) -> commands.ResolvePromise:
    return commands.ResolvePromise(named(data.promise_id, "the promise's id"), payload(data.value, "a promise's value"))


def _schedule_child(data: wire.ScheduleChildWorkflowCommand) -> commands.ScheduleChildWorkflow:
    return commands.ScheduleChildWorkflow(
        child_execution_name=named(data.child_execution_name, "the child's name"),
        workflow_kind=_given(data, "workflow_kind") or "",
        child_workflow_execution_id=ExecutionId(
            checked_uuid(data.child_workflow_execution_id, "child_workflow_execution_id")
        ),
        input=payload(data.input, "a child's input"),
        queue=data.queue,
        priority_seconds=data.priority_seconds,
        workflow_definition_id=_given(data, "workflow_definition_id") or None,
    )


def _start_timer(data: wire.StartTimerCommand) -> commands.StartTimer:
    return commands.StartTimer(named(data.timer_id, "the timer's id"), data.duration_ms)


def _cancel_timer(data: wire.CancelTimerCommand) -> commands.CancelTimer:
    return commands.CancelTimer(named(data.timer_id, "the timer's id"))


def _cancel_child(data: wire.RequestCancelChildWorkflowCommand) -> commands.RequestCancelChildWorkflow:
    return commands.RequestCancelChildWorkflow(
        ExecutionId(checked_uuid(data.child_workflow_execution_id, "child_workflow_execution_id")),
        data.child_execution_name,
        data.reason,
    )


def _given(data: Any, field: str) -> Any:
    return getattr(data, field) if data.HasField(field) else None


_READERS: Final[Mapping[int, tuple[str, Callable[[Any], commands.AnyWorkflowCommand]]]] = {
    wire.CommandType.RECORD_OPERATION: ("record_operation", _record_operation),
    wire.CommandType.SET_STATE: ("set_state", _set_state),
    wire.CommandType.CLEAR_STATE: ("clear_state", _clear_state),
    wire.CommandType.SCHEDULE_TASK: ("schedule_task", _schedule_task),
    wire.CommandType.COMPLETE_WORKFLOW: ("complete_workflow", _complete),
    wire.CommandType.FAIL_WORKFLOW: ("fail_workflow", _fail),
    wire.CommandType.SUSPEND_WORKFLOW: ("suspend_workflow", _suspend),
    wire.CommandType.CANCEL_WORKFLOW: ("cancel_workflow", _cancel),
    wire.CommandType.CREATE_PROMISE: ("create_promise", _create_promise),
    wire.CommandType.RESOLVE_PROMISE: ("resolve_promise", _resolve_promise),
    wire.CommandType.SCHEDULE_CHILD_WORKFLOW: ("schedule_child_workflow", _schedule_child),
    wire.CommandType.START_TIMER: ("start_timer", _start_timer),
    wire.CommandType.CANCEL_TIMER: ("cancel_timer", _cancel_timer),
    wire.CommandType.REQUEST_CANCEL_CHILD_WORKFLOW: ("request_cancel_child_workflow", _cancel_child),
}
