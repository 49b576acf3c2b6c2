"""An execution's history, told as the life of each of its tasks: what they did, when, and how they were stopped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from rescind.model.events import EXECUTION_ENDS, EventType, HistoryEvent
from rescind.model.ids import Instant
from rescind.model.status import ExecutionStatus, TaskStatus


class Doing(Enum):
    """What a task does for a while."""

    WAITING = auto()
    RUNNING = auto()
    PAUSING = auto()
    """Between a failure and the next attempt."""


@dataclass(slots=True)
class Span:
    """A while. It has no end as long as it lasts."""

    doing: Doing
    begin: Instant
    end: Instant | None = None


@dataclass(slots=True)
class Stopping:
    """The stopping of one attempt: asked for, and really done.

    Attributes:
        attempt: which attempt.
        source: what brought the cancel about.
        requested_at: when it was asked for.
        ended_at: when nothing of the attempt ran any more; None as long as something may.
        state: how it ended: STOPPED, KILLED or LOST.
    """

    attempt: int
    source: str
    requested_at: Instant
    ended_at: Instant | None = None
    state: str | None = None

    @property
    def latency(self) -> int | None:
        """Microseconds from the request to the stop."""
        return None if self.ended_at is None else self.ended_at - self.requested_at


@dataclass(slots=True)
class TaskLife:
    """One task: its whiles, and how it stands.

    Attributes:
        task_id: its id.
        status: where it stands.
        attempts: how many were started.
        is_winner: whether a race was won by it.
        cancelled_by: what brought its cancel about, if it is CANCELLED.
        spans: what it did, in order.
        stoppings: the stopping of its attempts, in order.
    """

    task_id: str
    status: TaskStatus = TaskStatus.PENDING
    attempts: int = 0
    is_winner: bool = False
    cancelled_by: str | None = None
    spans: list[Span] = field(default_factory=list)
    stoppings: list[Stopping] = field(default_factory=list)

    def begin(self, doing: Doing | None, at: Instant) -> None:
        """From now on the task does this, or nothing any more."""
        if self.spans and self.spans[-1].end is None:
            self.spans[-1].end = at
        if doing is not None:
            self.spans.append(Span(doing, at))

    def time_at_work(self, now: Instant) -> int:
        """The microseconds during which its code ran, up to `now`."""
        worked = [span for span in self.spans if span.doing is Doing.RUNNING]
        return sum((now if span.end is None else span.end) - span.begin for span in worked)


class Timeline:
    """What a history says, up to the event that was seen last.

    Attributes:
        tasks: by id, in the order in which they were scheduled.
        began_at: when the execution was started.
        ended_at: when it ended; None before.
        status: how it ended; None before.
        seen_at: the time of the last event.
    """

    def __init__(self) -> None:
        self.tasks: dict[str, TaskLife] = {}
        self.began_at: Instant | None = None
        self.ended_at: Instant | None = None
        self.status: ExecutionStatus | None = None
        self.seen_at = Instant(0)
        self._sequence = 0

    @classmethod
    def of(cls, events: Iterable[HistoryEvent]) -> Timeline:
        """The timeline of these events."""
        timeline = cls()
        for event in events:
            timeline.see(event)
        return timeline

    def see(self, event: HistoryEvent) -> None:
        """Go on by one event. One that was seen before changes nothing."""
        if event.sequence <= self._sequence:
            return
        self._sequence, self.seen_at = event.sequence, event.at
        if self.began_at is None:
            self.began_at = event.at
        if event.type in EXECUTION_ENDS:
            self.ended_at = event.at
            self.status = ExecutionStatus(event.type.value.removeprefix("EXECUTION_"))
        elif event.type is EventType.WAIT_SETTLED:
            for task_id in (event.details or {}).get("winners", ()):
                self.tasks[task_id].is_winner = True
        elif event.task_id is not None:
            life = self.tasks.setdefault(event.task_id, TaskLife(event.task_id))
            _go_on(life, event, event.details or {})

    def elapsed_until(self, at: Instant | None) -> int:
        """The microseconds from the start to an instant; to the last event if there is none."""
        begin = self.seen_at if self.began_at is None else self.began_at
        return (self.seen_at if at is None else at) - begin

    def stoppings(self) -> list[tuple[TaskLife, Stopping]]:
        """All that was ordered to stop."""
        return [(life, stopping) for life in self.tasks.values() for stopping in life.stoppings]


def _go_on(life: TaskLife, event: HistoryEvent, details: dict[str, Any]) -> None:
    match event.type:
        case EventType.TASK_SCHEDULED:
            life.begin(Doing.WAITING, event.at)
        case EventType.TASK_STARTED:
            life.status, life.attempts = TaskStatus.RUNNING, event.attempt
            life.begin(Doing.RUNNING, event.at)
        case EventType.TASK_ATTEMPT_FAILED:
            life.status = TaskStatus.PENDING
            life.begin(Doing.PAUSING, event.at)
        case EventType.TASK_COMPLETED | EventType.TASK_FAILED | EventType.TASK_CANCELLED:
            life.status = TaskStatus(event.type.value.removeprefix("TASK_"))
            life.cancelled_by = details.get("source")
            life.begin(None, event.at)
        case EventType.STOP_REQUESTED:
            life.stoppings.append(Stopping(event.attempt, details["source"], event.at))
        case EventType.STOP_ENDED:
            for stopping in life.stoppings:
                if stopping.attempt == event.attempt:
                    stopping.ended_at, stopping.state = event.at, details["state"]
