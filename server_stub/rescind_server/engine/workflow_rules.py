"""The rules for what a workflow's code asks for, one per command, applied in the order of its submission."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.events import EventType
from rescind.model.options import DEFAULT_TASK_OPTIONS, LONGEST_MS, MOST_RETRIES, RetryPolicy, TaskOptions
from rescind.model.status import ExecutionStatus
from rescind.model.workflow_commands import (
    DEFAULT_WORKFLOW_TASK_RETRIES,
    AnyWorkflowCommand,
    CancelTask,
    CancelTimer,
    ClearState,
    CreatePromise,
    RecordOperation,
    RequestCancelChildWorkflow,
    ResolvePromise,
    ScheduleChildWorkflow,
    ScheduleTask,
    SetState,
    StartTimer,
    SuspendWorkflow,
)
from rescind.model.workflow_events import (
    ChildWorkflowCancellationFailed,
    ChildWorkflowCancellationRequested,
    ChildWorkflowInitiated,
    OperationCompleted,
    PromiseCreated,
    StateCleared,
    StateSet,
    TaskScheduled,
    TimerCancelled,
    TimerStarted,
    WorkflowSuspended,
)
from rescind.model.workflows import StartWorkflow
from rescind_server.engine import (
    claims,
    endings,
    workflow_elsewhere,
    workflow_endings,
    workflow_keys,
    workflow_promises,
    workflow_starts,
)
from rescind_server.engine.entities import Execution, Task
from rescind_server.engine.naming import shared
from rescind_server.engine.state import State, record
from rescind_server.engine.workflow_entities import workflow_of
from rescind_server.engine.workflow_log import append, tell


def apply(state: State, execution: Execution, command: AnyWorkflowCommand) -> None:
    """Carry out one command that was checked. Those that end a workflow are their submission's (`PassStatus`)."""
    rule = _RULES.get(type(command))
    if rule is not None:
        rule(state, execution, command)


def _record_operation(state: State, execution: Execution, command: RecordOperation) -> None:
    append(state, execution, OperationCompleted(command.operation_name, command.result, command.failure))


def _set_state(state: State, execution: Execution, command: SetState) -> None:
    append(state, execution, StateSet(command.key, command.value))


def _clear_state(state: State, execution: Execution, command: ClearState) -> None:
    append(state, execution, StateCleared(command.key))


def _suspend(state: State, execution: Execution, command: SuspendWorkflow) -> None:
    append(state, execution, WorkflowSuspended(command.reason))


def _schedule_task(state: State, execution: Execution, command: ScheduleTask) -> None:
    append(state, execution, TaskScheduled(command.kind, command.task_execution_id, command.input))
    if command.task_execution_id in execution.tasks:
        return
    task = Task(
        command.task_execution_id,
        execution,
        shared(command.kind),
        shared(command.queue) if command.queue else execution.queue,
        command.input,
        state.shared_options(_options(command)),
        state.next_order(),
        state.now,
    )
    execution.tasks[task.task_id] = task
    execution.unsettled += 1
    state.workflows.tasks[task.task_id] = execution
    record(state, execution, EventType.TASK_SCHEDULED, task, kind=task.kind, queue=task.queue)
    claims.watch(state, task)
    if command.idempotency_key is not None:
        _bind_if_free(state, execution, command, task)
    claims.offer(state, task)


def _options(command: ScheduleTask) -> TaskOptions:
    if command.options is not None:
        return command.options
    wanted = DEFAULT_WORKFLOW_TASK_RETRIES if command.max_retries is None else command.max_retries
    retries = min(max(0, wanted), MOST_RETRIES)
    if retries == DEFAULT_WORKFLOW_TASK_RETRIES and command.timeout_ms is None:
        return DEFAULT_TASK_OPTIONS
    limit = None if command.timeout_ms is None else min(max(0, command.timeout_ms), LONGEST_MS)
    return TaskOptions(retry=RetryPolicy(max_attempts=retries + 1), schedule_to_close_ms=limit)


def _bind_if_free(state: State, execution: Execution, command: ScheduleTask, task: Task) -> None:
    key = command.idempotency_key
    if key and workflow_keys.owner_of(state, execution.organisation, key) is None:
        workflow_keys.bind(state, execution, key, command.idempotency_key_ttl_seconds, task_id=task.task_id)


def _cancel_task(state: State, execution: Execution, command: CancelTask) -> None:
    task = execution.tasks.get(command.task_execution_id)
    if task is not None and task.outcome is None:
        endings.request_cancel(state, task, command.cause, command.mode)


def _create_promise(state: State, execution: Execution, command: CreatePromise) -> None:
    promise_id = workflow_promises.promise_id_of(execution.execution_id, command.promise_name)
    key = command.idempotency_key or None
    # A key that belongs to something else is not given to the promise; it has none then.
    if key is not None and workflow_keys.owner_of(state, execution.organisation, key) is not None:
        key = None
    limit = None if command.timeout_ms is None else min(command.timeout_ms, LONGEST_MS)
    append(state, execution, PromiseCreated(promise_id, command.promise_name, limit, key))
    if key is not None:
        workflow_keys.bind(state, execution, key, command.idempotency_key_ttl_seconds, promise_id=promise_id)
    workflow_promises.watch_promise(state, execution, workflow_of(execution).promises[promise_id])


def _resolve_promise(state: State, execution: Execution, command: ResolvePromise) -> None:
    workflow = workflow_of(execution)
    promise = workflow.promises[workflow.promise_ids.get(command.promise_id, command.promise_id)]
    if not promise.is_settled:
        workflow_promises.settle(state, execution, promise, value=command.value, error=None)


def _start_timer(state: State, execution: Execution, command: StartTimer) -> None:
    append(state, execution, TimerStarted(command.timer_id, min(command.duration_ms, LONGEST_MS)))
    record(state, execution, EventType.TIMER_STARTED, name=command.timer_id, in_ms=max(0, command.duration_ms))
    workflow_promises.watch_timer(state, execution, workflow_of(execution).timers[command.timer_id])


def _cancel_timer(state: State, execution: Execution, command: CancelTimer) -> None:
    """Exactly one event tells how a timer ended. Of one that nobody knows it is harmless."""
    timer = workflow_of(execution).timers.get(command.timer_id)
    if timer is not None and timer.is_over:
        return
    if timer is not None and timer.deadline is not None:
        state.deadlines.cancel(timer.deadline)
    append(state, execution, TimerCancelled(command.timer_id))
    if timer is not None:
        record(state, execution, EventType.WITHDRAWN, name=command.timer_id)


def _schedule_child(state: State, execution: Execution, command: ScheduleChildWorkflow) -> None:
    workflow = workflow_of(execution)
    name, child_id = command.child_execution_name, command.child_workflow_execution_id
    kind = command.workflow_kind
    known = workflow.children.get(child_id)
    append(state, execution, ChildWorkflowInitiated(name, kind, child_id, command.input))
    if known is not None:
        return
    if not state.hosts_children:
        workflow_elsewhere.spawn(state, execution, command)
        return
    start = StartWorkflow(
        kind=kind,
        input=command.input,
        queue=command.queue or execution.queue,
        version=workflow.version,
        priority_ms=command.priority_seconds * 1_000,
        parent_id=execution.execution_id,
        child_execution_name=name,
        by=f"workflow:{execution.execution_id}",
        organisation=execution.organisation,
        trace_parent=execution.trace_parent,
    )
    workflow_starts.create(state, start, child_id, is_told=True, is_abandoned=command.abandon)


def _cancel_child(state: State, execution: Execution, command: RequestCancelChildWorkflow) -> None:
    child_id = command.child_workflow_execution_id
    known = workflow_of(execution).children.get(child_id)
    name = known.name if known is not None else command.child_execution_name
    append(state, execution, ChildWorkflowCancellationRequested(name, child_id, command.reason))
    child = state.executions.get(child_id) if known is not None else None
    if known is None:
        tell(state, execution, ChildWorkflowCancellationFailed(name, child_id, "this workflow has no such child"))
    elif not state.hosts_children and not known.is_over:
        workflow_elsewhere.cancel(state, execution, child_id, command.reason or None)
    elif child is None or child.ended:
        status = child.status if child is not None else ExecutionStatus.COMPLETED
        told = f"the child has ended already: {status.value}" if child is not None else "the child has ended already"
        tell(state, execution, ChildWorkflowCancellationFailed(name, child_id, told))
    else:
        parent_id = execution.execution_id
        cause = CancelCause(CancelSource.PARENT, f"workflow:{parent_id}", command.reason or None)
        workflow_endings.cancel_tree(state, child, cause, parent_id)


_RULES: Final[Mapping[type[AnyWorkflowCommand], Callable[[State, Execution, Any], None]]] = {
    RecordOperation: _record_operation,
    SetState: _set_state,
    ClearState: _clear_state,
    SuspendWorkflow: _suspend,
    ScheduleTask: _schedule_task,
    CancelTask: _cancel_task,
    CreatePromise: _create_promise,
    ResolvePromise: _resolve_promise,
    StartTimer: _start_timer,
    CancelTimer: _cancel_timer,
    ScheduleChildWorkflow: _schedule_child,
    RequestCancelChildWorkflow: _cancel_child,
}
