"""Promises and timers: what a workflow waits for that is neither a task nor a child."""

from __future__ import annotations

from rescind.model.commands import Refused, Reply
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId, task_id_from_key
from rescind.model.payload import Payload
from rescind.model.workflow_events import (
    AnyWorkflowEvent,
    PromiseRejected,
    PromiseResolved,
    PromiseTimeout,
    TimerFired,
)
from rescind.model.workflows import PromiseSettled, SettlePromise
from rescind_server.engine import workflow_checks, workflow_keys
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import State, record
from rescind_server.engine.workflow_entities import Due, Promise, Workflow, WorkflowTimer, workflow_of
from rescind_server.engine.workflow_log import tell


def promise_id_of(execution_id: ExecutionId, name: str) -> str:
    """The id of a promise: the same for the same workflow and name, also after a restart."""
    return task_id_from_key(f"promise:{execution_id}:{name}")


def watch(state: State, execution: Execution) -> None:
    """Set the deadlines of all timers and promises that have none: after a restart, or a retry by hand."""
    workflow = workflow_of(execution)
    for timer in workflow.timers.values():
        if not timer.is_over:
            watch_timer(state, execution, timer)
    for promise in workflow.promises.values():
        watch_promise(state, execution, promise)


def watch_timer(state: State, execution: Execution, timer: WorkflowTimer) -> None:
    """Let the timer fire when it is due, late rather than never."""
    timer.deadline = state.deadlines.set(timer.due, DeadlineKind.WORKFLOW_TIMER, Due(execution, timer))


def watch_promise(state: State, execution: Execution, promise: Promise) -> None:
    """Let the promise be found by its id, and time out when it is due."""
    remember(state, execution, promise)
    if promise.due is not None and not promise.is_settled:
        promise.deadline = state.deadlines.set(promise.due, DeadlineKind.PROMISE, Due(execution, promise))


def remember(state: State, execution: Execution, promise: Promise) -> None:
    """Let the promise be found by its id, for as long as its workflow is in memory."""
    state.workflows.promises[promise.promise_id] = execution


def forget(state: State, execution: Execution) -> None:
    """The execution leaves memory, and its promises with it."""
    for promise_id in execution.workflow.promises if execution.workflow is not None else ():
        state.workflows.promises.pop(promise_id, None)


def execution_of(state: State, command: SettlePromise) -> ExecutionId | None:
    """The workflow whose promise is named, as far as memory knows: a key is kept also when the workflow has left it."""
    if command.by_key:
        owner = workflow_keys.owner_of(state, command.organisation, command.promise)
        return owner.execution_id if owner is not None and owner.promise_id is not None else None
    execution = state.workflows.promises.get(command.promise)
    return execution.execution_id if execution is not None else command.execution_id


def come_due(state: State, due: Due) -> None:
    """A timer fires, or a promise times out. What was cancelled or settled before has no deadline any more."""
    match due.subject:
        case WorkflowTimer() as timer:
            record(state, due.execution, EventType.TIMER_FIRED, name=timer.timer_id)
            tell(state, due.execution, TimerFired(timer.timer_id))
        case Promise() as promise:
            tell(state, due.execution, PromiseTimeout(promise.promise_id, promise.name))


def settle_from_outside(state: State, command: SettlePromise) -> Reply:
    """Resolve or reject a promise; of several requests the first wins."""
    promise_id = _named(state, command)
    execution = state.workflows.promises.get(promise_id) if promise_id is not None else None
    if execution is None or promise_id is None or execution.organisation != command.organisation:
        return _not_found(command)
    promise = workflow_of(execution).promises[promise_id]
    already = promise.is_settled
    if not already and execution.ended:
        return workflow_checks.ended(execution)
    if not already:
        settle(state, execution, promise, value=command.value, error=command.error)
    return PromiseSettled(promise_id, execution.execution_id, already)


def answer_closed(state: State, command: SettlePromise, execution: Execution) -> Reply:
    """What is answered about a promise of a workflow that has ended and left memory: a late repeat changes nothing."""
    workflow = execution.workflow
    if workflow is None or execution.organisation != command.organisation:
        return _not_found(command)
    promise = workflow.promises.get(_named_in(state, command, workflow) or "")
    if promise is None:
        return _not_found(command)
    if not promise.is_settled:
        return workflow_checks.ended(execution)
    return PromiseSettled(promise.promise_id, execution.execution_id, already=True)


def settle(state: State, execution: Execution, promise: Promise, *, value: Payload, error: str | None) -> None:
    """Settle a promise that is not: it will not time out."""
    if promise.deadline is not None:
        state.deadlines.cancel(promise.deadline)
    event: AnyWorkflowEvent = PromiseResolved(promise.promise_id, promise.name, value)
    if error is not None:
        event = PromiseRejected(promise.promise_id, promise.name, error)
    tell(state, execution, event)


def _not_found(command: SettlePromise) -> Refused:
    what = "idempotency key" if command.by_key else "id"
    return Refused(
        "NotFound", f"no promise of a workflow has the {what} {command.promise!r}. Check it, or its workflow."
    )


def _named(state: State, command: SettlePromise) -> str | None:
    execution_id = execution_of(state, command)
    execution = state.executions.get(execution_id) if execution_id is not None else None
    if execution is None or execution.workflow is None:
        return None
    return _named_in(state, command, execution.workflow)


def _named_in(state: State, command: SettlePromise, workflow: Workflow) -> str | None:
    """The id of the promise that is named, among those of its workflow."""
    if command.by_key:
        owner = workflow_keys.owner_of(state, command.organisation, command.promise)
        return owner.promise_id if owner is not None else None
    if command.promise in workflow.promises:
        return command.promise
    return workflow.promise_ids.get(command.promise.partition("/")[2])
