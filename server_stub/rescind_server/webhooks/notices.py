"""What webhooks are told of, and in which words."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.events import EventType, HistoryEvent, iso_time
from rescind.model.ids import Instant
from rescind.model.outcome import Failure
from rescind.model.payload import JSON_ENCODING, Payload
from rescind.model.webhooks import WebhookEvent
from rescind_server.engine.entities import Execution, Task

LARGEST_RESULT: Final = 256 * 1024
"""The largest result in bytes that is told; of a larger one its size is."""

Outer = Callable[[str], str]
"""A name as its organisation knows it, of one that the engine knows."""

_NAMES: Final[Mapping[EventType, WebhookEvent]] = {
    EventType.EXECUTION_COMPLETED: WebhookEvent.EXECUTION_COMPLETED,
    EventType.EXECUTION_FAILED: WebhookEvent.EXECUTION_FAILED,
    EventType.EXECUTION_CANCELLED: WebhookEvent.EXECUTION_CANCELLED,
    EventType.EXECUTION_CANCEL_REQUESTED: WebhookEvent.EXECUTION_CANCEL_REQUESTED,
    EventType.TASK_COMPLETED: WebhookEvent.TASK_COMPLETED,
    EventType.TASK_FAILED: WebhookEvent.TASK_FAILED,
    EventType.TASK_CANCELLED: WebhookEvent.TASK_CANCELLED,
    EventType.TASK_CANCEL_REQUESTED: WebhookEvent.TASK_CANCEL_REQUESTED,
}
_STOPS: Final[Mapping[str, WebhookEvent]] = {
    "STOPPED": WebhookEvent.TASK_STOPPED,
    "KILLED": WebhookEvent.TASK_KILLED,
    "LOST": WebhookEvent.TASK_LOST,
}
_ENDS: Final[Mapping[EventType, str]] = {
    EventType.EXECUTION_COMPLETED: "COMPLETED",
    EventType.EXECUTION_FAILED: "FAILED",
    EventType.EXECUTION_CANCELLED: "CANCELLED",
    EventType.TASK_COMPLETED: "COMPLETED",
    EventType.TASK_FAILED: "FAILED",
    EventType.TASK_CANCELLED: "CANCELLED",
}
_EXECUTION_ENDED: Final = (
    EventType.EXECUTION_COMPLETED,
    EventType.EXECUTION_FAILED,
    EventType.EXECUTION_CANCELLED,
)


def name_of(event: HistoryEvent) -> WebhookEvent | None:
    """What a webhook is told that this event is; None if it is told nothing of it."""
    if event.type is EventType.STOP_ENDED:
        return _STOPS.get((event.details or {}).get("state", ""))
    return _NAMES.get(event.type)


def body_of(
    name: WebhookEvent, execution: Execution, event: HistoryEvent, task: Task | None, outer: Outer, *, with_result: bool
) -> bytes:
    """What is sent of an event: JSON as Standard Webhooks has it.

    Args:
        name: what it is.
        execution: whose event it is; what stands in it may be later than the event.
        event: the event.
        task: the task that it happened to, if one.
        outer: turns the engine's names into those of the organisation.
        with_result: whether results, and the texts of failures, go with it.
    """
    data: dict[str, Any] = {
        "execution_id": outer(execution.execution_id),
        "kind": execution.kind,
        "queue": outer(execution.queue),
        "labels": execution.labels,
        "created_by": execution.created_by,
        "sequence": event.sequence,
    }
    if event.type in _ENDS:
        data["status"] = _ENDS[event.type]
    if event.type in _EXECUTION_ENDED:
        data |= _end(execution.cause, execution.output, execution.failure, with_result=with_result)
    elif task is not None:
        data |= {"task_id": task.task_id, "task_kind": task.kind}
        if event.type in _ENDS and task.outcome is not None:
            outcome = task.outcome
            data |= {"attempts": outcome.attempts}
            data |= _end(outcome.cause or task.cancel_cause, outcome.output, outcome.failure, with_result=with_result)
    data |= _request(event) if "result" in (event.details or {}) else {}
    data |= _stop(event, task) if event.type is EventType.STOP_ENDED else {}
    return envelope(name, event.at, data)


def envelope(name: WebhookEvent, at: Instant, data: Mapping[str, Any]) -> bytes:
    """JSON with what happened, when, and what there is to say of it."""
    return msgspec.json.encode({"type": name.value, "timestamp": iso_time(at), "data": data})


def _end(
    cause: CancelCause | None, output: Payload | None, failure: Failure | None, *, with_result: bool
) -> dict[str, Any]:
    end: dict[str, Any] = {}
    if cause is not None:
        end["cause"] = _cause(cause)
    if failure is not None:
        end["failure"] = {"kind": failure.kind.value, "error_type": failure.error_type}
        if with_result:
            end["failure"]["message"] = failure.message.encode("utf-8", "replace").decode()
    if with_result and output is not None:
        end |= _result(output)
    return end


def _request(event: HistoryEvent) -> dict[str, Any]:
    """A request to cancel, with what it was told."""
    details = event.details or {}
    cause = {name: details[name] for name in ("source", "by", "reason") if details.get(name) is not None}
    return {"cause": cause, "result": details["result"]}


def _stop(event: HistoryEvent, task: Task | None) -> dict[str, Any]:
    """How the stopping of an attempt ended."""
    details = event.details or {}
    attempts = (task.attempts or []) if task is not None else []
    cause = next((each.stop_cause for each in attempts if each.number == event.attempt), None)
    stop = {"attempt": event.attempt, "stop_state": details.get("state", ""), "executor": details.get("executor", "")}
    return stop if cause is None else {**stop, "cause": _cause(cause)}


def _cause(cause: CancelCause) -> dict[str, str]:
    words = {"reason": cause.reason} if cause.reason is not None else {}
    return {"source": cause.source.value, "by": cause.by, **words}


def _result(output: Payload) -> dict[str, Any]:
    if len(output.data) > LARGEST_RESULT:
        return {"output_bytes": len(output.data)}
    if output.encoding == JSON_ENCODING:
        try:
            msgspec.json.decode(output.data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        else:
            return {"output": msgspec.Raw(output.data)}
    return {"output": {"encoding": output.encoding, "base64": base64.b64encode(output.data).decode()}}
