"""The attempts at a task, out of what its execution's history says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rescind.model.events import TASK_ENDS, EventType, HistoryEvent, iso_time
from rescind.model.ids import ExecutionId
from rescind.model.views import TaskView
from rescind_server.gateway.flovyn.rest_answers import AttemptBody
from rescind_server.gateway.history_pages import history_pages
from rescind_server.gateway.http.shown import value
from rescind_server.gateway.organisations import outer_event
from rescind_server.host.driver import Host

_RUNNING: Final = "RUNNING"
_FAILED: Final = "FAILED"
_TIMED_OUT: Final = "TIMED_OUT"
_STATUS: Final = {
    EventType.TASK_COMPLETED: "COMPLETED",
    EventType.TASK_FAILED: _FAILED,
    EventType.TASK_CANCELLED: "CANCELLED",
}


async def attempts_of(host: Host, execution_id: ExecutionId, task: TaskView) -> tuple[AttemptBody, ...]:
    """All attempts at a task, in their order.

    Args:
        host: where the history is.
        execution_id: the task's execution, by the engine's name.
        task: the task as it stands.
    """
    own: list[HistoryEvent] = []
    async for events in history_pages(host, execution_id, 0):
        own += [outer_event(event) for event in events if event.task_id == task.task_id]
    starts = [event for event in own if event.type is EventType.TASK_STARTED]
    return tuple(_attempt(start, own, task) for start in starts)


def _attempt(start: HistoryEvent, own: Sequence[HistoryEvent], task: TaskView) -> AttemptBody:
    end = next((event for event in own if _ends(event, start)), None)
    details = (end.details or {}) if end is not None else {}
    completed = end is not None and end.type is EventType.TASK_COMPLETED
    return AttemptBody(
        attempt=start.attempt,
        started_at=iso_time(start.at),
        finished_at=iso_time(end.at) if end is not None else None,
        duration_ms=(end.at - start.at) // 1_000 if end is not None else None,
        status=_status(end),
        output=value(task.output) if completed and task.output is not None else None,
        error=details.get("error"),
        worker_id=(start.details or {}).get("worker"),
    )


def _ends(event: HistoryEvent, start: HistoryEvent) -> bool:
    if event.sequence < start.sequence:
        return False
    if event.type is EventType.TASK_ATTEMPT_FAILED:
        return event.attempt == start.attempt
    # What ends the task from outside ends the attempt that runs.
    return event.type in TASK_ENDS and event.attempt in (0, start.attempt)


def _status(end: HistoryEvent | None) -> str:
    if end is None:
        return _RUNNING
    if (end.details or {}).get("kind") == _TIMED_OUT:
        return "TIMEOUT"
    return _STATUS.get(end.type, _FAILED)
