"""The rules for what an agent asks about its children and its parent, one per operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rescind.model.child_operations import (
    AwaitChildren,
    CancelChild,
    ChildCancelAnswered,
    LeaveChildren,
    ReportUsage,
    SignalChild,
    SignalParent,
    SignalSent,
    SpawnChild,
)
from rescind.model.children import ChildEnded, SignalElsewhere, Spawned, SpawnElsewhere
from rescind.model.commands import ChildCancelTold, SignalAnswered
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId
from rescind.model.operations import AnyOperation, Signal
from rescind.model.outcome import Failure, Outcome
from rescind.model.payload import Payload
from rescind.model.status import CancelTaskResult, FailureKind, TaskStatus
from rescind_server.engine import activations, child_waits, execution_endings, signals, workflow_elsewhere
from rescind_server.engine.endings import ALREADY_ENDED
from rescind_server.engine.entities import Child, ElsewhereWait, Execution
from rescind_server.engine.naming import shared
from rescind_server.engine.open_operations import answer_at_once
from rescind_server.engine.state import State, record


def _spawn(state: State, parent: Execution, operation: SpawnChild) -> None:
    # The same id within one agent is the same child, whatever its state: ids derive from keys and positions.
    if operation.child_id in parent.children:
        return
    child = Child(
        operation.child_id, parent, shared(operation.kind), state.next_order(), parent_close=operation.parent_close
    )
    parent.children[child.child_id] = child
    state.decision.children[child.child_id] = child
    if child.goes_with_parent:
        parent.unsettled += 1
    queue = shared(operation.queue) if operation.queue else parent.queue
    record(state, parent, EventType.CHILD_SPAWNED, child_id=child.child_id, kind=child.kind, queue=queue)
    spawned = Spawned(parent.execution_id, operation.parent_close, operation.persistence, operation.budget)
    if not state.hosts_children:
        effect = SpawnElsewhere(child.child_id, child.kind, operation.input, queue, operation.labels, spawned)
        state.decision.effects.append((parent.execution_id, effect))
    elif child.child_id in state.executions or child.child_id in state.taken:
        execution_endings.end_child(state, child, _refused(child.child_id))
    else:
        _start(state, child, operation, queue, spawned)


def _start(state: State, child: Child, operation: SpawnChild, queue: str, spawned: Spawned) -> None:
    parent = child.parent
    execution = Execution(
        child.child_id,
        parent.organisation,
        child.kind,
        queue,
        operation.input,
        operation.labels,
        parent.created_by,
        state.now,
        child.order,
        trace_parent=parent.trace_parent,
        spawned=spawned,
    )
    state.executions[child.child_id] = execution
    by = f"agent:{parent.execution_id}"
    record(state, execution, EventType.EXECUTION_STARTED, kind=child.kind, queue=queue, by=by)
    activations.enqueue(state, execution)


def _refused(child_id: ExecutionId) -> Outcome:
    message = f"an execution {child_id!r} exists that is no child of this agent. Remove it, or use another key."
    failure = Failure(FailureKind.REJECTED, message, "AlreadyExists", retryable=False)
    return Outcome(TaskStatus.FAILED, failure=failure)


def _cancel(state: State, parent: Execution, operation: CancelChild) -> None:
    child = parent.children.get(operation.child_id)
    cause, hard = operation.cause, operation.hard
    if child is not None and child.outcome is None and not state.hosts_children:
        _record_cancel(state, parent, operation, "ASKED")
        execution_endings.cancel_elsewhere(
            state, child, cause, hard=hard, within_ms=operation.within_ms, position=operation.position
        )
        _wait_for_host(parent, operation)
        return
    execution = state.executions.get(operation.child_id) if child is not None else None
    if child is None:
        result = CancelTaskResult.NOT_FOUND
    elif child.outcome is not None:
        result = ALREADY_ENDED[child.outcome.status]
    elif execution is not None and execution.cause is None:
        result = CancelTaskResult.CANCELLED
    else:
        result = CancelTaskResult.ALREADY_CANCELLED
    _record_cancel(state, parent, operation, result.value)
    if execution is not None:
        execution_endings.request_cancel(state, execution, cause, hard=hard, within_ms=operation.within_ms)
    answer_at_once(parent, operation, ChildCancelAnswered(result))


def _record_cancel(state: State, parent: Execution, operation: CancelChild, result: str) -> None:
    details = execution_endings.request_details(operation.cause, result, hard=operation.hard)
    record(state, parent, EventType.CHILD_CANCEL_REQUESTED, child_id=operation.child_id, **details)


def _leave(state: State, parent: Execution, operation: LeaveChildren) -> None:
    left = [parent.children[child_id] for child_id in operation.child_ids if child_id in parent.children]
    by = operation.cause.by
    execution_endings.cancel_children(state, [(child, operation.cause) for child in left], asked_by=by)


def _signal_child(state: State, parent: Execution, operation: SignalChild) -> None:
    child = parent.children.get(operation.child_id)
    if child is not None and child.outcome is None and not state.hosts_children:
        _signal_elsewhere(state, parent, operation, child.child_id)
        return
    execution = state.executions.get(operation.child_id) if child is not None else None
    delivered = _deliver(state, execution, operation.name, operation.value, parent)
    details = {"child_id": operation.child_id, "name": operation.name, "delivered": delivered}
    record(state, parent, EventType.CHILD_SIGNALLED, **details)
    answer_at_once(parent, operation, SignalSent(delivered))


def _signal_parent(state: State, child: Execution, operation: SignalParent) -> None:
    if child.parent_id is not None and not state.hosts_children:
        _signal_elsewhere(state, child, operation, child.parent_id)
        return
    parent = state.executions.get(child.parent_id) if child.parent_id is not None else None
    delivered = _deliver(state, parent, operation.name, operation.value, child)
    record(state, child, EventType.PARENT_SIGNALLED, name=operation.name, delivered=delivered)
    answer_at_once(child, operation, SignalSent(delivered))


def _deliver(state: State, receiver: Execution | None, name: str, value: Payload, sender: Execution) -> bool:
    if receiver is None or receiver.ended:
        return False
    receive_signal(state, receiver, name, value, f"agent:{sender.execution_id}")
    return True


def receive_signal(state: State, execution: Execution, name: str, value: Payload, by: str) -> int:
    """A signal arrives, from whomever: one from a child is told to waits for children, too; returns its number."""
    event = execution.sequence + 1
    number = signals.receive(state, execution, name, value, by)
    child = execution.children.get(ExecutionId(by.removeprefix("agent:"))) if by.startswith("agent:") else None
    if child is not None:
        child_waits.signalled(state, child, event, Signal(name, value, number))
    return number


def _report_usage(state: State, execution: Execution, operation: ReportUsage) -> None:
    execution.usage += operation.usage
    used = operation.usage
    record(state, execution, EventType.USAGE_REPORTED, tokens=used.tokens, cost_usd=used.cost_usd)


# ── children, or a parent, that live elsewhere ──────────────────────────────────────────────────────────────────────


def _signal_elsewhere(
    state: State, sender: Execution, operation: SignalChild | SignalParent, receiver_id: ExecutionId
) -> None:
    effect = SignalElsewhere(receiver_id, operation.name, operation.value, operation.position)
    state.decision.effects.append((sender.execution_id, effect))
    _wait_for_host(sender, operation)


def _wait_for_host(execution: Execution, operation: CancelChild | SignalChild | SignalParent) -> None:
    wait = ElsewhereWait(execution=execution, position=operation.position, operation=operation)
    execution.open[operation.position] = wait


def child_ended(state: State, news: ChildEnded) -> None:
    """A child that lives elsewhere has ended, or could not be started."""
    parent = state.executions.get(news.parent_id)
    if parent is not None and parent.workflow is not None:
        workflow_elsewhere.child_ended(state, parent, news)
        return
    child = parent.children.get(news.child_id) if parent is not None else None
    if child is not None:
        if child.outcome is None:
            child.usage = news.usage
        execution_endings.end_child(state, child, news.outcome)


def cancel_told(state: State, news: ChildCancelTold) -> None:
    """The host tells what a request to cancel a child met."""
    parent = state.executions.get(news.parent_id)
    wait = parent.open.get(news.position) if parent is not None else None
    if isinstance(wait, ElsewhereWait) and isinstance(wait.operation, CancelChild):
        activations.answer(state, wait, ChildCancelAnswered(news.result))


def signal_answered(state: State, news: SignalAnswered) -> None:
    """The host tells whether a signal was queued."""
    sender = state.executions.get(news.sender_id)
    wait = sender.open.get(news.position) if sender is not None else None
    if sender is None or not isinstance(wait, ElsewhereWait) or isinstance(wait.operation, CancelChild):
        return
    operation = wait.operation
    if isinstance(operation, SignalChild):
        details = {"child_id": operation.child_id, "name": operation.name, "delivered": news.delivered}
        record(state, sender, EventType.CHILD_SIGNALLED, **details)
    else:
        record(state, sender, EventType.PARENT_SIGNALLED, name=operation.name, delivered=news.delivered)
    activations.answer(state, wait, SignalSent(news.delivered))


RULES: Final[Mapping[type[AnyOperation], Callable[[State, Execution, Any], None]]] = {
    SpawnChild: _spawn,
    CancelChild: _cancel,
    LeaveChildren: _leave,
    AwaitChildren: child_waits.await_children,
    SignalChild: _signal_child,
    SignalParent: _signal_parent,
    ReportUsage: _report_usage,
}
"""What is done for each."""
