"""What belongs to an execution, for people: stop records, conversation, checkpoints, and what its agent did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.text import Text

from rescind.cli.columns import columns
from rescind.cli.demo_words import length_of_time
from rescind.cli.execution_json import value_of
from rescind.client.records import TaskRecord
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import Instant
from rescind.model.messages import EntryRecord
from rescind.model.views import CheckpointView, ExecutionView

MARGIN: Final = "  "
_LONGEST_JOURNAL: Final = 30
_LONGEST_STATE: Final = 200
# What the parts above tell in other words.
_TOLD_ELSEWHERE: Final = {EventType.ENTRY_APPENDED, EventType.CHECKPOINT_SAVED, EventType.EXECUTION_STARTED}


def stop_lines(tasks: Sequence[TaskRecord]) -> list[Text]:
    """The stop record of each attempt that was ordered to stop, with how long each step took."""
    rows = [
        (
            f"{number} {task.kind}",
            str(stop.attempt),
            stop.state.value,
            _after(stop.requested_at, stop.delivered_at),
            _after(stop.requested_at, stop.ended_at),
        )
        for number, task in enumerate(tasks, start=1)
        for stop in task.stops
    ]
    return columns(("STOPS", "ATTEMPT", "STATE", "DELIVERED", "ENDED"), rows, margin=MARGIN) if rows else []


def entry_lines(entries: Sequence[EntryRecord]) -> list[Text]:
    """The conversation, oldest first."""
    rows = [(entry.role, as_json(value_of(entry.content))) for entry in entries]
    return columns(("ENTRIES", ""), rows, margin=MARGIN) if rows else []


def checkpoint_lines(checkpoints: Sequence[CheckpointView], began_at: Instant) -> list[Text]:
    """The checkpoints, oldest first."""
    rows = [(str(each.sequence), _after(began_at, each.at), _shortened(each)) for each in checkpoints]
    return columns(("CHECKPOINTS", "AFTER", "STATE"), rows, margin=MARGIN) if rows else []


def journal_lines(told: Iterable[HistoryEvent], view: ExecutionView) -> list[Text]:
    """What the agent itself did and was told: waits, timers, signals, steps, its cancel; the last of it."""
    own = [event for event in told if event.task_id is None and event.type not in _TOLD_ELSEWHERE]
    shown = own[-_LONGEST_JOURNAL:]
    if not shown:
        return []
    rows = [(event.type.value, _after(view.created_at, event.at), details_in_words(event)) for event in shown]
    lines = columns(("JOURNAL", "AFTER", ""), rows, margin=MARGIN)
    if len(own) > len(shown):
        lines.append(Text(f"{MARGIN}… and {len(own) - len(shown)} before these: rescind history {view.execution_id}"))
    return lines


def details_in_words(event: HistoryEvent) -> str:
    """What else an event says: ``name=value``, in its order."""
    return " ".join(f"{name}={as_json(value)}" for name, value in (event.details or {}).items())


def as_json(value: Any) -> str:
    """A value on one line."""
    return json.dumps(value, ensure_ascii=False)


def _after(begin: Instant, at: Instant | None) -> str:
    return "" if at is None else length_of_time(at - begin)


def _shortened(checkpoint: CheckpointView) -> str:
    text = as_json(value_of(checkpoint.state))
    return text if len(text) <= _LONGEST_STATE else f"{text[:_LONGEST_STATE]}… ({len(text):,} characters)"
