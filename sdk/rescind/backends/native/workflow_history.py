"""What a workflow's log says about its code's own commands, and whether the code asks for the same again.

Events are matched per category, in log order: the n-th task that the code schedules is that of the n-th TASK_SCHEDULED,
and so on for timers, promises, children, recorded operations, and state (set and cleared together). More commands than
events are new ones. An event that is reached in the log before the code has asked for it is a divergence, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from rescind.errors import DeterminismViolation
from rescind.model import workflow_events as events
from rescind.model.workflow_commands import (
    AnyWorkflowCommand,
    ClearState,
    CreatePromise,
    RecordOperation,
    ScheduleChildWorkflow,
    ScheduleTask,
    SetState,
    StartTimer,
)
from rescind.model.workflow_events import AnyWorkflowEvent, LoggedEvent


class Category(StrEnum):
    """What is counted by itself."""

    OPERATION = "OPERATION"
    STATE = "STATE"
    TASK = "TASK"
    TIMER = "TIMER"
    PROMISE = "PROMISE"
    CHILD = "CHILD"


MatchedCommand = (
    RecordOperation | SetState | ClearState | ScheduleTask | StartTimer | CreatePromise | ScheduleChildWorkflow
)

_RECORDS: Final[dict[type[Any], type[Any]]] = {
    events.OperationCompleted: RecordOperation,
    events.StateSet: SetState,
    events.StateCleared: ClearState,
    events.TaskScheduled: ScheduleTask,
    events.TimerStarted: StartTimer,
    events.PromiseCreated: CreatePromise,
    events.ChildWorkflowInitiated: ScheduleChildWorkflow,
}
"""Which command each of these events records."""

_CATEGORY_OF_COMMAND: Final[dict[type[Any], Category]] = {
    RecordOperation: Category.OPERATION,
    SetState: Category.STATE,
    ClearState: Category.STATE,
    ScheduleTask: Category.TASK,
    StartTimer: Category.TIMER,
    CreatePromise: Category.PROMISE,
    ScheduleChildWorkflow: Category.CHILD,
}
_CATEGORIES: Final = _CATEGORY_OF_COMMAND | {
    event: _CATEGORY_OF_COMMAND[command] for event, command in _RECORDS.items()
}

# Of each event: the mismatch, the event's attribute, the command's.
_COMPARED: Final[dict[type[Any], tuple[tuple[str, str, str], ...]]] = {
    events.OperationCompleted: (("OperationNameMismatch", "operation_name", "operation_name"),),
    events.StateSet: (("StateKeyMismatch", "key", "key"),),
    events.StateCleared: (("StateKeyMismatch", "key", "key"),),
    events.TaskScheduled: (("TaskTypeMismatch", "kind", "kind"),),
    events.TimerStarted: (("TimerIdMismatch", "timer_id", "timer_id"),),
    events.PromiseCreated: (("PromiseNameMismatch", "promise_name", "promise_name"),),
    events.ChildWorkflowInitiated: (
        ("ChildWorkflowMismatch", "child_execution_name", "child_execution_name"),
        ("ChildWorkflowMismatch", "child_workflow_kind", "workflow_kind"),
    ),
}


class WorkflowHistory:
    """A log as far as it is known, by category; and how many commands the code has given of each."""

    __slots__ = ("_counts", "_reached", "_recorded", "_settled", "sequence")

    def __init__(self) -> None:
        """Know nothing yet."""
        self._recorded: dict[Category, list[LoggedEvent]] = {category: [] for category in Category}
        self._counts = dict.fromkeys(Category, 0)
        self._reached = dict.fromkeys(Category, 0)
        self._settled: set[tuple[str, str]] = set()
        self.sequence = 0
        """The number of the last event that is known."""

    def learn(self, logged: Iterable[LoggedEvent]) -> None:
        """Know more of the log."""
        for one in logged:
            self.sequence = one.sequence
            category = _CATEGORIES.get(type(one.event))
            if category is not None:
                self._recorded[category].append(one)
            else:
                self._settled.update(_settled_by(one.event))

    def is_settled(self, sort: str, name: str) -> bool:
        """Whether the log, as far as it is known, says that a ``timer``, ``task``, ``child`` or ``promise`` is over.

        For a child it is enough that its cancel was asked for.
        """
        return (sort, name) in self._settled

    def is_ahead(self, category: Category) -> bool:
        """Whether the log holds a command of this category that the code has not given yet."""
        return self._counts[category] < len(self._recorded[category])

    def recorded_operation(self) -> events.OperationCompleted | None:
        """The record of the operation that the code is about to ask for, if there is one."""
        recorded = self._recorded[Category.OPERATION]
        at = self._counts[Category.OPERATION]
        event = recorded[at].event if at < len(recorded) else None
        assert event is None or isinstance(event, events.OperationCompleted)
        return event

    def give(self, command: MatchedCommand, place: str) -> AnyWorkflowEvent | None:
        """Count a command that the code gave; returns the event that records it, or None: then it is new.

        Raises:
            DeterminismViolation: the log holds something else in its place.
        """
        category = _CATEGORIES[type(command)]
        recorded = self._recorded[category]
        at = self._counts[category]
        self._counts[category] += 1
        if at >= len(recorded):
            return None
        compare(recorded[at], command, place)
        return recorded[at].event

    def reach(self, logged: LoggedEvent) -> int | None:
        """Come to an event of the log, in order; returns the place of its command within its category, from 0.

        None if it records no command. `has_been_given` tells whether the code has given that command.
        """
        category = _CATEGORIES.get(type(logged.event))
        if category is None:
            return None
        at = self._reached[category]
        self._reached[category] += 1
        return at

    def has_been_given(self, logged: LoggedEvent, at: int) -> bool:
        """Whether the code has given the command of an event that was reached."""
        return at < self._counts[_CATEGORIES[type(logged.event)]]


def missing(logged: LoggedEvent, place: str) -> DeterminismViolation:
    """The log holds what the code has not asked for when its turn came."""
    return DeterminismViolation("MissingCommand", logged.sequence, described(logged.event), "", place)


def compare(logged: LoggedEvent, command: MatchedCommand, place: str) -> None:
    """A command must be that of the event in its place. Raises DeterminismViolation."""
    event = logged.event
    if not isinstance(command, _RECORDS[type(event)]):
        raise DeterminismViolation("TypeMismatch", logged.sequence, described(event), described(command), place)
    for mismatch, of_event, of_command in _COMPARED[type(event)]:
        expected, actual = getattr(event, of_event), getattr(command, of_command)
        if expected != actual:
            raise DeterminismViolation(mismatch, logged.sequence, expected, actual, place)


def described(thing: AnyWorkflowEvent | AnyWorkflowCommand) -> str:
    """A command or an event in a few words: ``TASK_SCHEDULED ship``."""
    subject = ""
    for name in ("operation_name", "key", "kind", "timer_id", "promise_name", "child_execution_name"):
        subject = subject or getattr(thing, name, "")
    return f"{type(thing).__struct_config__.tag} {subject}".strip()


def _settled_by(event: AnyWorkflowEvent) -> list[tuple[str, str]]:
    match event:
        case events.TimerFired() | events.TimerCancelled():
            return [("timer", event.timer_id)]
        case events.TaskCompleted() | events.TaskFailed() | events.TaskCancelled():
            return [("task", event.task_execution_id)]
        case events.PromiseResolved() | events.PromiseRejected() | events.PromiseTimeout():
            return [("promise", event.promise_name)]
        case (
            events.ChildWorkflowCompleted()
            | events.ChildWorkflowFailed()
            | events.ChildWorkflowCancelled()
            | events.ChildWorkflowCancellationRequested()
            | events.ChildWorkflowCancellationFailed()
        ):
            return [("child", event.child_workflow_execution_id), ("child", event.child_execution_name)]
        case _:
            return []
