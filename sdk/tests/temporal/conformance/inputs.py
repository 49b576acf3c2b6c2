"""What comes to an agent from outside, and when: ends of its parts, and times that it waits for.

An agent does nothing by itself. Given the same inputs in the same order it must take the same course; so where two of
them nearly meet, their order is a matter of chance, and no two worlds can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rescind.authoring.conversion import decode
from rescind.model.events import EventType, HistoryEvent
from rescind.model.views import ExecutionDetails

from .courses import parts_of
from .programs import Program, schedules

Name = tuple[str, int, int]
"""Which input: its sort, its part or position, and its attempt if it has one."""

_ENDS = frozenset({EventType.TASK_COMPLETED, EventType.TASK_FAILED, EventType.TASK_ATTEMPT_FAILED})


@dataclass(frozen=True, slots=True)
class Input:
    """One input.

    Attributes:
        name: which it is.
        at: when it comes, or would have come, in microseconds.
        came: False if the agent took back what would have brought it.
    """

    name: Name
    at: int
    came: bool


def times_of(program: Program, details: ExecutionDetails, history: Sequence[HistoryEvent]) -> dict[Name, int]:
    """The times that the agent has begun to wait for, whether they came or not, in microseconds."""
    unit, parts = program.unit_ms * 1_000, parts_of(details)
    entries = iter(details.entries)
    times: dict[Name, int] = {}
    for event in history:
        told = event.details or {}
        match event.type:
            case EventType.TIMER_STARTED:
                times["timer", told["position"], 0] = event.at + told["in_ms"] * 1_000
            case EventType.TASK_ATTEMPT_FAILED if event.task_id is not None:
                times["retry", parts[event.task_id], event.attempt] = event.at + told["retry_in_ms"] * 1_000
            case EventType.ENTRY_APPENDED:
                said = decode(next(entries).content, None, what="entry")
                if "deadline" in said:
                    times["deadline", len(times), 0] = event.at + said["deadline"] * unit
    return times


def inputs_of(program: Program, details: ExecutionDetails, history: Sequence[HistoryEvent]) -> list[Input]:
    """All inputs of an execution in virtual time, in their order; also those that it did not live to see."""
    parts = parts_of(details)
    units = {each.part: each.units for each in schedules(program.steps)}
    times = times_of(program, details, history)
    inputs = [(at, 0, Input(name, at, _has_come(history, name, at))) for name, at in times.items()]
    ends = {(parts[event.task_id], event.attempt) for event in history if event.task_id and event.type in _ENDS}
    asked: set[str] = set()
    for event in history:
        if event.task_id is None:
            continue
        part = parts[event.task_id]
        match event.type:
            case EventType.TASK_STARTED:
                at = event.at + units[part] * program.unit_ms * 1_000
                name = ("end", part, event.attempt)
                inputs.append((at, 0, Input(name, at, (part, event.attempt) in ends)))
            case EventType.TASK_CANCEL_REQUESTED if (event.details or {})["result"] == "ASKED":
                asked.add(event.task_id)
            case EventType.TASK_CANCEL_REQUESTED if (event.details or {})["result"] == "CANCELLED":
                asked.discard(event.task_id)
            case EventType.TASK_CANCELLED if event.task_id in asked:
                inputs.append((event.at, event.sequence, Input(("stopped", part, 0), event.at, came=True)))
    return [each for _, _, each in sorted(inputs, key=lambda found: found[:2])]


def are_apart(inputs: Sequence[Input], gap: int) -> bool:
    """Whether no two of them come within this time of each other, in microseconds.

    That somebody has stopped follows from the input at which they were asked to, and may come together with it.
    """
    return all(
        later.at - earlier.at >= gap or (later.name[0] == "stopped" and earlier.name[0] != "stopped")
        for earlier, later in pairwise(inputs)
    )


def came_in_order(expected: Sequence[Input], seen: Sequence[Name]) -> bool:
    """Whether the inputs that came in another world came in this order, and all that were to come did."""
    order = {each.name: place for place, each in enumerate(expected)}
    places = [order.get(name, -1) for name in seen]
    return places == sorted(set(places)) and -1 not in places and {e.name for e in expected if e.came} <= set(seen)


def _has_come(history: Sequence[HistoryEvent], name: Name, at: int) -> bool:
    sort, number, _ = name
    for event in history:
        if event.at == at:
            told = event.details or {}
            match sort, event.type:
                case "timer", EventType.TIMER_FIRED if told["position"] == number:
                    return True
                case "deadline", EventType.WAIT_SETTLED if told.get("timed_out"):
                    return True
                case "retry", EventType.TASK_STARTED if event.attempt > 1:
                    return True
    return False
