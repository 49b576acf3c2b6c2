"""What a caller reads: tasks, histories, with values decoded and times as people write them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, overload
from uuid import UUID

from rescind.authoring.conversion import decode
from rescind.model.cause import CancelCause
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import Instant
from rescind.model.status import StopState, TaskStatus
from rescind.model.views import StopView, TaskView

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TaskRecord:
    """A task as it stood when it was asked for.

    Attributes:
        view: the bare record, payloads as bytes.
    """

    __slots__ = ("view",)

    def __init__(self, view: TaskView) -> None:
        self.view = view

    @property
    def task_id(self) -> UUID:
        """The task's id."""
        return UUID(self.view.task_id)

    @property
    def kind(self) -> str:
        """The task's kind."""
        return self.view.kind

    @property
    def queue(self) -> str:
        """The queue that it was put on."""
        return self.view.queue

    @property
    def status(self) -> TaskStatus:
        """Where it stands."""
        return self.view.status

    @property
    def stop_state(self) -> StopState | None:
        """How far the stopping of its last attempt has come; None if there was nothing to stop."""
        return self.view.stop_state

    @property
    def stops(self) -> tuple[StopView, ...]:
        """The stop records of all its attempts."""
        return self.view.stops

    @property
    def attempts(self) -> int:
        """How many attempts were started."""
        return self.view.attempts

    @property
    def input(self) -> Any:
        """Its input, as JSON. Raises InvalidInput if it is no JSON; its bytes are in `view`."""
        return decode(self.view.input, None, what=f"input of task {self.kind!r} (id={self.view.task_id})")

    @property
    def output(self) -> Any:
        """Its result, as JSON; None unless COMPLETED. Raises InvalidInput if it is no JSON; its bytes are in `view`."""
        if self.view.output is None:
            return None
        return decode(self.view.output, None, what=f"output of task {self.kind!r} (id={self.view.task_id})")

    @property
    def error(self) -> str | None:
        """The text of its last failure."""
        return self.view.failure.message if self.view.failure is not None else None

    @property
    def cause(self) -> CancelCause | None:
        """Why it was cancelled, or asked to stop."""
        return self.view.cause

    @property
    def progress(self) -> float | None:
        """The last progress that its code reported, between 0 and 1."""
        return self.view.progress

    @property
    def labels(self) -> dict[str, str]:
        """The labels given when it was scheduled."""
        return dict(self.view.labels)

    @property
    def scheduled_at(self) -> datetime:
        """When it was scheduled, in UTC."""
        return moment(self.view.scheduled_at)

    @property
    def started_at(self) -> datetime | None:
        """When its last attempt was claimed, in UTC."""
        return moment(self.view.started_at) if self.view.started_at is not None else None

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, in UTC."""
        return moment(self.view.ended_at) if self.view.ended_at is not None else None

    def __repr__(self) -> str:
        cause = f", {self.cause}" if self.cause is not None else ""
        stop = f", {self.stop_state.value}" if self.stop_state is not None else ""
        return f"<Task {self.view.task_id[:8]} {self.kind!r} {self.status.value}{cause}, attempt {self.attempts}{stop}>"


class History(Sequence[HistoryEvent]):
    """The events of an execution, in their order."""

    __slots__ = ("_events",)

    def __init__(self, events: Sequence[HistoryEvent]) -> None:
        self._events = tuple(events)

    @overload
    def __getitem__(self, index: int) -> HistoryEvent: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[HistoryEvent]: ...

    def __getitem__(self, index: int | slice) -> HistoryEvent | Sequence[HistoryEvent]:
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[HistoryEvent]:
        return iter(self._events)

    def types(self) -> list[EventType]:
        """What happened, in order."""
        return [event.type for event in self._events]

    def to_jsonl(self) -> str:
        """One JSON object per line and event; the same history gives the same text."""
        return "".join(json.dumps(event.to_json(), ensure_ascii=False) + "\n" for event in self._events)

    def __repr__(self) -> str:
        return f"<History of {len(self._events)} events>"


def moment(at: Instant) -> datetime:
    """An instant as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=at)
