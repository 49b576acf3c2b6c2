"""What a workflow's log says is so: each event folded into what was before, at once and again after a restart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rescind.model.ids import Instant
from rescind.model.workflow_events import (
    ChildWorkflowCompleted,
    ChildWorkflowFailed,
    ChildWorkflowInitiated,
    LoggedEvent,
    PromiseCreated,
    PromiseRejected,
    PromiseResolved,
    PromiseTimeout,
    RetryRequested,
    SignalReceived,
    StateCleared,
    StateSet,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from rescind_server.engine.workflow_entities import ChildWorkflow, Promise, Workflow, WorkflowTimer


def fold(workflow: Workflow, logged: LoggedEvent) -> None:
    """Let an event be so."""
    rule = _RULES.get(type(logged.event))
    if rule is not None:
        rule(workflow, logged.event, logged.at)


def _state_set(workflow: Workflow, event: StateSet, at: Instant) -> None:
    workflow.state[event.key] = event.value


def _state_cleared(workflow: Workflow, event: StateCleared, at: Instant) -> None:
    workflow.state.pop(event.key, None)


def _task_ended(workflow: Workflow, event: TaskCompleted | TaskFailed | TaskCancelled, at: Instant) -> None:
    workflow.ended_tasks.add(event.task_execution_id)


def _timer_started(workflow: Workflow, event: TimerStarted, at: Instant) -> None:
    due = Instant(at + max(0, event.duration_ms) * 1_000)
    workflow.timers[event.timer_id] = WorkflowTimer(event.timer_id, due)


def _timer_over(workflow: Workflow, event: TimerFired | TimerCancelled, at: Instant) -> None:
    timer = workflow.timers.get(event.timer_id)
    if timer is not None:
        timer.is_over = True


def _promise_created(workflow: Workflow, event: PromiseCreated, at: Instant) -> None:
    due = None if event.timeout_ms is None else Instant(at + max(0, event.timeout_ms) * 1_000)
    workflow.promises[event.promise_id] = Promise(event.promise_id, event.promise_name, due)
    workflow.promise_ids[event.promise_name] = event.promise_id


def _promise_settled(
    workflow: Workflow, event: PromiseResolved | PromiseRejected | PromiseTimeout, at: Instant
) -> None:
    workflow.promises[event.promise_id].is_settled = True


def _child_initiated(workflow: Workflow, event: ChildWorkflowInitiated, at: Instant) -> None:
    name, child_id = event.child_execution_name, event.child_workflow_execution_id
    if child_id not in workflow.children:
        workflow.children[child_id] = ChildWorkflow(name, child_id)
        workflow.child_names.add(name)


def _child_over(workflow: Workflow, event: ChildWorkflowCompleted | ChildWorkflowFailed, at: Instant) -> None:
    child = workflow.children.get(event.child_workflow_execution_id)
    if child is not None:
        child.is_over = True


def _signalled(workflow: Workflow, event: SignalReceived, at: Instant) -> None:
    workflow.signals += 1


def _retried(workflow: Workflow, event: RetryRequested, at: Instant) -> None:
    workflow.retries += 1


_RULES: Final[Mapping[type, Callable[[Workflow, Any, Instant], None]]] = {
    StateSet: _state_set,
    StateCleared: _state_cleared,
    TaskCompleted: _task_ended,
    TaskFailed: _task_ended,
    TaskCancelled: _task_ended,
    TimerStarted: _timer_started,
    TimerFired: _timer_over,
    TimerCancelled: _timer_over,
    PromiseCreated: _promise_created,
    PromiseResolved: _promise_settled,
    PromiseRejected: _promise_settled,
    PromiseTimeout: _promise_settled,
    ChildWorkflowInitiated: _child_initiated,
    ChildWorkflowCompleted: _child_over,
    ChildWorkflowFailed: _child_over,
    SignalReceived: _signalled,
    RetryRequested: _retried,
}
