"""The course that an execution took: what must be the same wherever it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rescind.authoring.conversion import decode
from rescind.model.events import EventType, HistoryEvent
from rescind.model.views import ExecutionDetails, TaskView

from .playing import Part

# How soon a worker hears that it is to stop, and says that it has, is not part of a course.
STOPPING: Final = frozenset({EventType.STOP_DELIVERED, EventType.STOP_ENDED, EventType.RESULT_DISCARDED})
# Names of workers, callers and bytes, and times.
_BESIDE: Final = frozenset({"worker", "by", "in_ms", "entry_id", "bytes", "queue", "retry_in_ms", "run_at", "pause_ms"})

Told = tuple[str, int | None, Any]
"""An event: its type, its part, and what else it tells."""


@dataclass(frozen=True, slots=True)
class Course:
    """The course of one execution.

    Attributes:
        status: how it ended.
        output: what it gave.
        failure: the class and text of what ended it, if it failed.
        tasks: by part: the task's status, attempts, stop states, and last failure.
        entries: role and content of each.
        events: the history in its order, without what is only about workers.
    """

    status: str
    output: Any
    failure: tuple[str, str] | None
    tasks: dict[int, tuple[Any, ...]]
    entries: list[tuple[str, Any]]
    events: list[Told]


def course_of(details: ExecutionDetails, history: Sequence[HistoryEvent]) -> Course:
    """The course of an execution that has ended, and of which nothing is at work any more."""
    execution = details.execution
    parts = parts_of(details)
    failure = execution.failure
    return Course(
        execution.status.value,
        None if execution.output is None else decode(execution.output, None, what="output"),
        None if failure is None else (failure.error_type, _with_parts(failure.message, parts)),
        {parts[task.task_id]: _ended(task) for task in details.tasks},
        [(entry.role, decode(entry.content, None, what="entry")) for entry in details.entries],
        [_told(event, parts) for event in history if event.type not in STOPPING],
    )


def parts_of(details: ExecutionDetails) -> dict[str, int]:
    """The part that each task plays, by the task's id."""
    return {task.task_id: decode(task.input, Part, what="part").part for task in details.tasks}


def _ended(task: TaskView) -> tuple[Any, ...]:
    failure = None if task.failure is None else (task.failure.kind.value, task.failure.message)
    cause = None if task.cause is None else (task.cause.source.value, task.cause.reason)
    return task.status.value, task.attempts, [stop.state.value for stop in task.stops], failure, cause


def _told(event: HistoryEvent, parts: dict[str, int]) -> Told:
    details = {name: value for name, value in (event.details or {}).items() if name not in _BESIDE}
    part = None if event.task_id is None else parts[event.task_id]
    return event.type.value, part, _with_parts(details, parts)


def _with_parts(value: Any, parts: dict[str, int]) -> Any:
    match value:
        case str():
            for task_id, part in parts.items():
                value = value.replace(task_id, f"part {part}")
            return value
        case list() | tuple():
            return [_with_parts(each, parts) for each in value]
        case dict():
            return {name: _with_parts(each, parts) for name, each in value.items()}
        case _:
            return value
