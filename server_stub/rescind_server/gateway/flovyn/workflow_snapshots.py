"""Changes of a workflow and of its tasks, as the snapshots that its streams send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rescind.model import workflow_events as logged
from rescind.model.events import EventType, HistoryEvent
from rescind_server.gateway.flovyn.values import milliseconds
from rescind_server.gateway.http.shown import value
from rescind_server.gateway.organisations import outer

Snapshot = tuple[str, Mapping[str, Any]]
"""The name of a change, and what stands so then."""

_TASKS: Final = {
    EventType.TASK_SCHEDULED: ("TASK_CREATED", "PENDING"),
    EventType.TASK_STARTED: ("TASK_STARTED", "RUNNING"),
    EventType.TASK_COMPLETED: ("TASK_COMPLETED", "COMPLETED"),
    EventType.TASK_FAILED: ("TASK_FAILED", "FAILED"),
    EventType.TASK_CANCELLED: ("TASK_CANCELLED", "CANCELLED"),
}


def task_snapshot(event: HistoryEvent, kind: str) -> Snapshot:
    """A change of a task."""
    name, status = _TASKS[event.type]
    details = event.details or {}
    found: dict[str, Any] = {"id": event.task_id, "kind": kind, "status": status, "executionCount": event.attempt}
    if "worker" in details:
        found["workerId"] = outer(details["worker"])
    if "error" in details:
        found["error"] = details["error"]
    return name, found


def snapshot_of_log(workflow_id: str, entry: logged.LoggedEvent) -> Snapshot | None:
    """A change of a workflow, as its log tells it; None if that is told otherwise."""
    event = entry.event
    found = _of_workflow(workflow_id, event) or _of_child(event) or _of_promise(event)
    if found is not None:
        return found
    match event:
        case logged.TimerStarted():
            due = milliseconds(entry.at) + max(0, event.duration_ms)
            return event.event_type, {"timerId": event.timer_id, "fireAtMs": due}
        case logged.TimerFired() | logged.TimerCancelled():
            return event.event_type, {"timerId": event.timer_id}
        case logged.OperationCompleted():
            return event.event_type, {"operationId": event.operation_name, "result": value(event.result)}
        case logged.StateSet():
            return event.event_type, {"key": event.key, "value": value(event.value)}
        case logged.StateCleared():
            return event.event_type, {"key": event.key}
        case _:
            return None


def _of_workflow(workflow_id: str, event: logged.AnyWorkflowEvent) -> Snapshot | None:
    match event:
        case logged.WorkflowStarted():
            return "WORKFLOW_CREATED", {"id": workflow_id, "kind": event.workflow_kind, "status": "PENDING"}
        case logged.WorkflowCompleted():
            return "WORKFLOW_COMPLETED", {"id": workflow_id, "status": "COMPLETED"}
        case logged.WorkflowExecutionFailed():
            return "WORKFLOW_FAILED", {"id": workflow_id, "status": "FAILED", "error": event.error}
        case logged.WorkflowCancelled():
            return "WORKFLOW_CANCELLED", {"id": workflow_id, "status": "CANCELLED"}
        case logged.WorkflowSuspended():
            return "WORKFLOW_SUSPENDED", {"id": workflow_id, "status": "WAITING"}
        case logged.CancellationRequested():
            return event.event_type, {"workflowExecutionId": workflow_id, "reason": event.reason}
        case logged.RetryRequested():
            return event.event_type, {"targetId": workflow_id, "targetType": "WORKFLOW"}
        case _:
            return None


def _of_child(event: logged.AnyWorkflowEvent) -> Snapshot | None:
    child_id = getattr(event, "child_workflow_execution_id", None)
    if child_id is None:
        return None
    found: dict[str, Any] = {"childWorkflowId": outer(child_id)}
    if isinstance(event, logged.ChildWorkflowInitiated):
        found["kind"] = event.child_workflow_kind
    error = getattr(event, "error", None)
    if error is not None:
        found["error"] = error
    return event.event_type, found


def _of_promise(event: logged.AnyWorkflowEvent) -> Snapshot | None:
    match event:
        case logged.PromiseCreated():
            return event.event_type, {"promiseId": event.promise_id}
        case logged.PromiseResolved():
            return event.event_type, {"promiseId": event.promise_id, "result": value(event.value)}
        case logged.PromiseRejected():
            return event.event_type, {"promiseId": event.promise_id, "error": event.error}
        case logged.PromiseTimeout():
            return "PROMISE_REJECTED", {"promiseId": event.promise_id, "error": "timeout"}
        case _:
            return None
