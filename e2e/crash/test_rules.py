"""The checker itself: a run in which all is well passes every rule, and each fault is noticed by its rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
import pytest

from e2e.crash.evidence import Evidence, SeenExecution, SeenTask, Stored
from e2e.crash.ledger import Call, Operation
from e2e.crash.notes import Fact, Note
from e2e.crash.plan import Planned
from e2e.crash.rules import RULES, compare
from e2e.crash.stories import result_of
from rescind import ExecutionStatus, TaskStatus
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import Instant, TaskId

RACE: Final = "1-race"
HELD: Final = "2-signals"
WINNER, LOSER = "task-w", "task-l"
GIVEN: Final = {"works": [{"value": 3, "sleep_ms": 0}, {"value": 4, "sleep_ms": 60_000}]}


def event(
    sequence: int, event_type: EventType, task_id: str | None = None, attempt: int = 0, **details: Any
) -> HistoryEvent:
    return HistoryEvent(
        sequence, Instant(sequence), event_type, TaskId(task_id) if task_id else None, attempt, details or None
    )


def numbered(*events: tuple[Any, ...]) -> tuple[HistoryEvent, ...]:
    """Events from their types, tasks, attempts and details."""
    made = []
    for sequence, (event_type, *rest) in enumerate(events, start=1):
        details = rest.pop() if rest and isinstance(rest[-1], dict) else {}
        made.append(event(sequence, event_type, *rest, **details))
    return tuple(made)


CANCELLED_BY_RACE: Final = {"result": "CANCELLED", "source": "race_lost", "by": f"agent:{RACE}"}
CANCELLED_BY_CLIENT: Final = {"result": "CANCELLED", "source": "request", "by": "client", "reason": "request 5"}
TOO_LATE: Final = {"result": "ALREADY_CANCELLED", "source": "request", "by": "client"}
RACED: Final = numbered(
    (EventType.EXECUTION_STARTED,),
    (EventType.EXECUTION_ACTIVATED,),
    (EventType.TASK_SCHEDULED, WINNER),
    (EventType.TASK_SCHEDULED, LOSER),
    (EventType.TASK_STARTED, WINNER, 1),
    (EventType.TASK_STARTED, LOSER, 1),
    (EventType.TASK_COMPLETED, WINNER, 1),
    (EventType.TASK_CANCEL_REQUESTED, LOSER, CANCELLED_BY_RACE),
    (EventType.TASK_CANCELLED, LOSER, 1),
    (EventType.STOP_REQUESTED, LOSER, 1),
    (EventType.STOP_ENDED, LOSER, 1),
    (EventType.EXECUTION_COMPLETED,),
    (EventType.TASK_CANCEL_REQUESTED, LOSER, {**TOO_LATE, "reason": "request 7"}),
)
SIGNALLED: Final = numbered(
    (EventType.EXECUTION_STARTED,),
    (EventType.SIGNAL_RECEIVED, {"name": "item-0", "number": 1}),
    (EventType.EXECUTION_CANCEL_REQUESTED, CANCELLED_BY_CLIENT),
    (EventType.EXECUTION_CANCELLED,),
    (EventType.EXECUTION_CANCEL_REQUESTED, {**TOO_LATE, "reason": "request 6"}),
)
CALLS: Final = (
    Call(1, Operation.START, RACE, answer=RACE),
    Call(2, Operation.START, HELD, error="cut"),
    Call(3, Operation.START, HELD, answer=HELD),
    Call(4, Operation.SIGNAL, HELD, "item-0", answer="ACCEPTED"),
    Call(5, Operation.CANCEL_WHERE, "", reason="request 5", answer="DONE", counts={"CANCELLED": 1}),
    Call(6, Operation.CANCEL, HELD, reason="request 6", answer="ALREADY_CANCELLED"),
    Call(7, Operation.CANCEL_TASK, RACE, LOSER, reason="request 7", answer="ALREADY_CANCELLED"),
)
NOTES: Final = (
    Note(Fact.STARTED, RACE, WINNER, 1, 5, "w"),
    Note(Fact.STARTED, RACE, LOSER, 1, 6, "w"),
    Note(Fact.ENDED, RACE, WINNER, 1, 7, "w", result_of(3)),
    Note(Fact.TOLD, RACE, LOSER, 1, 8, "w"),
)
TASKS: Final = (
    SeenTask(WINNER, TaskStatus.COMPLETED, 3, result_of(3)),
    SeenTask(LOSER, TaskStatus.CANCELLED, 4, None, "race_lost"),
)
HISTORIES: Final[Mapping[str, Sequence[HistoryEvent]]] = {RACE: RACED, HELD: SIGNALLED}
RIGHT: Final = Evidence(
    planned={
        RACE: Planned(RACE, "race", GIVEN),
        HELD: Planned(HELD, "signals", {"count": 2, "values": []}, labels={"herd": "one"}),
    },
    calls=CALLS,
    notes=NOTES,
    followed=HISTORIES,
    snapshots=[{RACE: RACED[:7], HELD: SIGNALLED[:2]}],
    histories=HISTORIES,
    executions={
        RACE: SeenExecution(ExecutionStatus.COMPLETED, {"winner": result_of(3), "cancelled": [LOSER]}, TASKS),
        HELD: SeenExecution(ExecutionStatus.CANCELLED, None),
    },
    stored=Stored(HISTORIES, {RACE: "COMPLETED", HELD: "CANCELLED"}, {WINNER: "COMPLETED", LOSER: "CANCELLED"}),
)


def broken(evidence: Evidence) -> set[str]:
    """What does not hold."""
    return {comparison.what for comparison in compare(evidence) if comparison.problems}


def with_history(execution_id: str, history: Sequence[HistoryEvent]) -> Evidence:
    return replace(RIGHT, histories={**HISTORIES, execution_id: history})


def with_execution(execution_id: str, **changes: Any) -> Evidence:
    seen = replace(RIGHT.executions[execution_id], **changes)
    return replace(RIGHT, executions={**RIGHT.executions, execution_id: seen})


def with_call(number: int, **changes: Any) -> Evidence:
    calls = [msgspec.structs.replace(call, **changes) if call.number == number else call for call in CALLS]
    return replace(RIGHT, calls=calls)


def without(history: Sequence[HistoryEvent], event_type: EventType) -> Sequence[HistoryEvent]:
    kept = [each for each in history if each.type is not event_type]
    return [msgspec.structs.replace(each, sequence=number) for number, each in enumerate(kept, start=1)]


def and_then(
    history: Sequence[HistoryEvent], event_type: EventType, *rest: Any, **details: Any
) -> Sequence[HistoryEvent]:
    return [*history, event(len(history) + 1, event_type, *rest, **details)]


def test_a_run_in_which_all_is_well_passes_every_rule() -> None:
    assert {comparison.what: list(comparison.problems) for comparison in compare(RIGHT)} == {
        comparison.what: [] for comparison in compare(RIGHT)
    }


def test_each_rule_tells_how_much_it_compared() -> None:
    assert all(comparison.count > 0 for comparison in compare(RIGHT) if "cancels of executions" not in comparison.what)
    assert len({comparison.what for comparison in compare(RIGHT)}) == len(RULES)


FAULTS: Final[Mapping[str, tuple[str, Callable[[], Evidence]]]] = {
    "an acknowledged start is lost": (
        "acknowledged starts found",
        lambda: replace(RIGHT, histories={HELD: SIGNALLED}),
    ),
    "an execution is started twice": (
        "acknowledged starts found",
        lambda: with_history(HELD, and_then(SIGNALLED, EventType.EXECUTION_STARTED)),
    ),
    "an acknowledged signal is lost": (
        "acknowledged signals found",
        lambda: with_history(HELD, without(SIGNALLED, EventType.SIGNAL_RECEIVED)),
    ),
    "a signal is received more often than it was sent": (
        "acknowledged signals found",
        lambda: with_history(HELD, and_then(SIGNALLED, EventType.SIGNAL_RECEIVED, name="item-0", number=2)),
    ),
    "a signal is refused by an execution that goes on": (
        "acknowledged signals found",
        lambda: replace(
            with_history(HELD, without(SIGNALLED, EventType.EXECUTION_CANCELLED)),
            calls=[*CALLS, Call(8, Operation.SIGNAL, HELD, "item-1", answer="EXECUTION_ENDED")],
        ),
    ),
    "a cancel of an execution is answered what did not happen": (
        "acknowledged cancels of executions agree",
        lambda: with_call(6, answer="ALREADY_COMPLETED"),
    ),
    "a cancel of an execution is answered CANCELLED and not recorded": (
        "acknowledged cancels of executions agree",
        lambda: with_call(6, answer="CANCELLED"),
    ),
    "a cancel of a task is answered what did not happen": (
        "acknowledged cancels of tasks agree",
        lambda: with_call(7, answer="ALREADY_FAILED"),
    ),
    "a cancel of a task is recorded with another result": (
        "acknowledged cancels of tasks agree",
        lambda: with_history(
            RACE,
            and_then(
                RACED,
                EventType.TASK_CANCEL_REQUESTED,
                LOSER,
                result="CANCELLED",
                source="request",
                reason="request 7",
            ),
        ),
    ),
    "a cancel of an execution that came too late is not recorded": (
        "acknowledged cancels of executions agree",
        lambda: with_history(HELD, SIGNALLED[:4]),
    ),
    "a cancel of a task that came too late is not recorded": (
        "acknowledged cancels of tasks agree",
        lambda: with_history(RACE, RACED[:12]),
    ),
    "a cancel of many is answered more than it did": (
        "cancelled by requests to many, recorded",
        lambda: with_call(5, counts={"CANCELLED": 2}),
    ),
    "CANCELLED is answered twice": (
        "cancelled tasks and executions told to one request",
        lambda: replace(
            RIGHT,
            calls=[
                *CALLS,
                Call(8, Operation.CANCEL_TASK, RACE, LOSER, "request 8", "CANCELLED"),
                Call(9, Operation.CANCEL_TASK, RACE, LOSER, "request 9", "CANCELLED"),
            ],
        ),
    ),
    "an execution never ends": (
        "executions that reached an end",
        lambda: with_history(RACE, without(RACED, EventType.EXECUTION_COMPLETED)),
    ),
    "an output is another one": (
        "outputs as their stories say",
        lambda: with_execution(RACE, output={"winner": 0, "cancelled": [LOSER]}),
    ),
    "an execution is cancelled that nobody was to cancel": (
        "outputs as their stories say",
        lambda: with_execution(RACE, status=ExecutionStatus.CANCELLED, output=None),
    ),
    "an execution has failed": (
        "outputs as their stories say",
        lambda: with_execution(RACE, status=ExecutionStatus.FAILED, output=None, failure="it is parked"),
    ),
    "a task ends twice": (
        "tasks and executions with one end",
        lambda: with_history(RACE, and_then(RACED, EventType.TASK_COMPLETED, LOSER, 1)),
    ),
    "a task never ends": (
        "tasks and executions with one end",
        lambda: with_history(RACE, without(RACED, EventType.TASK_CANCELLED)),
    ),
    "a status changes behind the end": (
        "tasks and executions with one end",
        lambda: with_execution(RACE, tasks=(TASKS[0], replace(TASKS[1], status=TaskStatus.COMPLETED))),
    ),
    "a stop record never ends": (
        "stop records that reached their end",
        lambda: with_history(RACE, without(RACED, EventType.STOP_ENDED)),
    ),
    "code starts twice as one attempt": (
        "starts of code, each once and recorded",
        lambda: replace(RIGHT, notes=[*NOTES, NOTES[0]]),
    ),
    "code starts of which the history knows nothing": (
        "starts of code, each once and recorded",
        lambda: replace(RIGHT, notes=[*NOTES, Note(Fact.STARTED, RACE, LOSER, 2, 9, "w")]),
    ),
    "a result was made by nobody": (
        "results that their code gave",
        lambda: replace(RIGHT, notes=[note for note in NOTES if note.fact is not Fact.ENDED]),
    ),
    "code is told to stop that nobody cancelled": (
        "attempts told to stop, each with a reason",
        lambda: replace(RIGHT, notes=[*NOTES, Note(Fact.TOLD, RACE, WINNER, 1, 9, "w")]),
    ),
    "a history breaks a rule of all histories": (
        "histories that obey the rules",
        lambda: with_history(RACE, and_then(RACED, EventType.TASK_STARTED, LOSER, 2)),
    ),
    "an event is followed twice": (
        "events numbered without gap or repeat",
        lambda: replace(RIGHT, followed={RACE: [*RACED[:3], *RACED[2:]]}),
    ),
    "an event is not followed": (
        "events numbered without gap or repeat",
        lambda: replace(RIGHT, followed={RACE: [*RACED[:3], *RACED[4:]]}),
    ),
    "a history is rewritten by a crash": (
        "events told before, found as they were",
        lambda: replace(RIGHT, snapshots=[{HELD: [*SIGNALLED[:1], event(2, EventType.EXECUTION_ACTIVATED)]}]),
    ),
    "a history loses its end by a crash": (
        "events told before, found as they were",
        lambda: replace(RIGHT, snapshots=[{HELD: [*SIGNALLED, event(6, EventType.SIGNAL_RETURNED)]}]),
    ),
    "the file has another history": (
        "events found in the file",
        lambda: replace(RIGHT, stored=replace(RIGHT.stored, histories={RACE: RACED})),
    ),
    "the file has another status": (
        "events found in the file",
        lambda: replace(RIGHT, stored=replace(RIGHT.stored, tasks={WINNER: "COMPLETED", LOSER: "RUNNING"})),
    ),
    "the file has an execution that nobody started": (
        "events found in the file",
        lambda: replace(RIGHT, stored=replace(RIGHT.stored, executions={**RIGHT.stored.executions, "x": "PENDING"})),
    ),
}


@pytest.mark.parametrize(("rule", "faulty"), FAULTS.values(), ids=FAULTS)
def test_its_rule_notices_that(rule: str, faulty: Callable[[], Evidence]) -> None:
    assert rule in broken(faulty())


def test_every_rule_has_a_fault_that_it_notices() -> None:
    assert {rule for rule, _ in FAULTS.values()} == {comparison.what for comparison in compare(RIGHT)}
