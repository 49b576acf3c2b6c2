"""The invariants of cancellation.md, section 10, as far as they show from outside. Pure functions over the evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from e2e.crash.acknowledged import (
    cancelled_is_answered_once,
    cancels_of_executions,
    cancels_of_many,
    cancels_of_tasks,
    signals,
    starts,
)
from e2e.crash.comparison import Comparison
from e2e.crash.evidence import Evidence, Histories, SeenTask
from e2e.crash.notes import Fact
from e2e.crash.outcomes import problems_of
from rescind.model.events import EXECUTION_ENDS, TASK_ENDS, EventType, HistoryEvent
from rescind.testing import BrokenRule, check_history

_STATUS_OF: Final = {
    EventType.TASK_COMPLETED: "COMPLETED",
    EventType.TASK_FAILED: "FAILED",
    EventType.TASK_CANCELLED: "CANCELLED",
    EventType.EXECUTION_COMPLETED: "COMPLETED",
    EventType.EXECUTION_FAILED: "FAILED",
    EventType.EXECUTION_CANCELLED: "CANCELLED",
}


def histories_obey(evidence: Evidence) -> Comparison:
    """Every history alone obeys the rules that hold for all histories (`rescind.testing.check_history`)."""
    problems = []
    for execution_id, history in evidence.histories.items():
        try:
            check_history(history)
        except BrokenRule as broken:
            problems.append(f"{execution_id}: {broken}")
    return Comparison("histories that obey the rules", len(evidence.histories), problems)


def numbers_have_no_gap(evidence: Evidence) -> Comparison:
    """The events of each history are numbered 1, 2, 3 …, as asked for and as followed."""
    problems = []
    count = 0
    for how, histories in (("history", evidence.histories), ("followed events", evidence.followed)):
        for execution_id, events in histories.items():
            count += len(events)
            numbers = [event.sequence for event in events]
            if numbers != list(range(1, len(events) + 1)):
                problems.append(f"{execution_id}: its {how} have a gap or a repeat: {_first_jump(numbers)}")
    return Comparison("events numbered without gap or repeat", count, problems)


def nothing_is_rewritten(evidence: Evidence) -> Comparison:
    """Invariant 7: what was ever told of a history is a prefix of what it is in the end."""
    problems = []
    count = 0
    told: Sequence[Histories] = [evidence.followed, *evidence.snapshots]
    for histories in told:
        for execution_id, events in histories.items():
            count += len(events)
            final = list(evidence.histories.get(execution_id, ()))[: len(events)]
            if list(events) != final:
                problems.append(f"{execution_id}: what was told is not what its history says: {_odd(events, final)}")
    return Comparison("events told before, found as they were", count, problems)


def the_file_says_the_same(evidence: Evidence) -> Comparison:
    """Invariant 2: histories and statuses stand in the file as the server showed them."""
    problems = []
    stored = evidence.stored
    for execution_id, history in evidence.histories.items():
        if list(stored.histories.get(execution_id, ())) != list(history):
            problems.append(f"{execution_id}: its history in the file is another one")
    for execution_id, execution in evidence.executions.items():
        if stored.executions.get(execution_id) != execution.status.value:
            problems.append(f"{execution_id}: in the file it is {stored.executions.get(execution_id)}")
        for task in execution.tasks:
            if stored.tasks.get(task.task_id) != task.status.value:
                problems.append(f"{execution_id}: in the file task {task.task_id} is {stored.tasks.get(task.task_id)}")
    for unknown in stored.executions.keys() - evidence.executions.keys():
        problems.append(f"{unknown}: the file has it, and nobody started it")
    return Comparison("events found in the file", sum(map(len, evidence.histories.values())), problems)


def one_end_each(evidence: Evidence) -> Comparison:
    """Invariant 1: every task and every execution has one terminal event, and has the status that it says."""
    problems = []
    count = 0
    for execution_id, history in evidence.histories.items():
        ends: dict[str, list[HistoryEvent]] = {execution_id: []}
        for event in history:
            if event.type is EventType.TASK_SCHEDULED:
                ends.setdefault(str(event.task_id), [])
            elif event.type in TASK_ENDS:
                ends.setdefault(str(event.task_id), []).append(event)
            elif event.type in EXECUTION_ENDS:
                ends[execution_id].append(event)
        count += len(ends)
        statuses = _statuses(evidence, execution_id)
        for subject, found in ends.items():
            if len(found) != 1:
                problems.append(f"{execution_id}: {subject} has {len(found)} ends")
            elif statuses.get(subject) != _STATUS_OF[found[0].type]:
                problems.append(f"{execution_id}: {subject} is shown as {statuses.get(subject)}, and ended {found[0]}")
    return Comparison("tasks and executions with one end", count, problems)


def stops_end(evidence: Evidence) -> Comparison:
    """Invariant 6: every stop record has reached its end, once."""
    problems = []
    count = 0
    for execution_id, history in evidence.histories.items():
        requested = Counter(_attempt(each) for each in history if each.type is EventType.STOP_REQUESTED)
        ended = Counter(_attempt(each) for each in history if each.type is EventType.STOP_ENDED)
        count += requested.total()
        problems += [
            f"{execution_id}: task {task_id}, attempt {attempt}: {requested[task_id, attempt]} orders to stop, and "
            f"{ended[task_id, attempt]} ends"
            for task_id, attempt in requested.keys() | ended.keys()
            if (requested[task_id, attempt], ended[task_id, attempt]) != (1, 1)
        ]
    return Comparison("stop records that reached their end", count, problems)


def code_starts_once(evidence: Evidence) -> Comparison:
    """Invariant 4: code starts at most once per attempt, and only where its start stands in the history."""
    started = Counter(
        (note.execution_id, note.subject, note.attempt) for note in evidence.notes if note.fact is Fact.STARTED
    )
    claimed = {
        (execution_id, str(event.task_id), event.attempt)
        for execution_id, history in evidence.histories.items()
        for event in history
        if event.type is EventType.TASK_STARTED
    }
    problems = []
    for attempt, count in started.items():
        if count > 1:
            problems.append(f"{attempt[0]}: code of task {attempt[1]} started {count} times as attempt {attempt[2]}")
        # What the history lacks was told before it was durable, or behind the end of its task.
        if attempt not in claimed:
            problems.append(f"{attempt[0]}: code of task {attempt[1]} ran as attempt {attempt[2]}, which never started")
    return Comparison("starts of code, each once and recorded", started.total(), problems)


def results_were_made(evidence: Evidence) -> Comparison:
    """Each completed attempt has run to its end, and what it gave is the task's output."""
    given = {
        (note.execution_id, note.subject, note.attempt): note.value
        for note in evidence.notes
        if note.fact is Fact.ENDED
    }
    problems = []
    count = 0
    for execution_id, history in evidence.histories.items():
        outputs = {task.task_id: task.output for task in _tasks(evidence, execution_id)}
        for event in history:
            if event.type is EventType.TASK_COMPLETED:
                count += 1
                made = given.get((execution_id, str(event.task_id), event.attempt))
                if made is None or made != outputs.get(str(event.task_id)):
                    problems.append(
                        f"{execution_id}: task {event.task_id} has the output {outputs.get(str(event.task_id))!r}; "
                        f"its attempt {event.attempt} gave {made!r}"
                    )
    return Comparison("results that their code gave", count, problems)


def only_the_cancelled_are_told(evidence: Evidence) -> Comparison:
    """Code is told to stop only if its task was cancelled, or its attempt was given up."""
    told = {(note.execution_id, note.subject, note.attempt) for note in evidence.notes if note.fact is Fact.TOLD}
    problems = []
    for execution_id, task_id, attempt in sorted(told):
        about = [event for event in evidence.histories.get(execution_id, ()) if event.task_id == task_id]
        was_asked = any(
            event.type in (EventType.STOP_REQUESTED, EventType.TASK_ATTEMPT_FAILED) and event.attempt == attempt
            for event in about
        ) or any(event.type is EventType.TASK_CANCEL_REQUESTED for event in about)
        if not was_asked:
            problems.append(
                f"{execution_id}: attempt {attempt} of task {task_id} was told to stop, and nobody wanted it"
            )
    return Comparison("attempts told to stop, each with a reason", len(told), problems)


def everything_ends(evidence: Evidence) -> Comparison:
    """Every execution that was started has reached an end."""
    started = {each.execution_id for each in evidence.calls if each.is_acknowledged} & evidence.planned.keys()
    problems = [
        f"{execution_id}: it has not ended"
        for execution_id in sorted(started)
        if not any(event.type in EXECUTION_ENDS for event in evidence.histories.get(execution_id, ()))
    ]
    return Comparison("executions that reached an end", len(started), problems)


def outputs_are_right(evidence: Evidence) -> Comparison:
    """Whatever happened on the way, an output is what the story says."""
    problems = [
        f"{planned.execution_id}: {problem}"
        for planned in evidence.planned.values()
        for problem in problems_of(evidence, planned)
    ]
    return Comparison("outputs as their stories say", len(evidence.executions), problems)


RULES: Final[Sequence[Callable[[Evidence], Comparison]]] = (
    starts,
    signals,
    cancels_of_executions,
    cancels_of_tasks,
    cancels_of_many,
    cancelled_is_answered_once,
    everything_ends,
    outputs_are_right,
    one_end_each,
    stops_end,
    code_starts_once,
    results_were_made,
    only_the_cancelled_are_told,
    histories_obey,
    numbers_have_no_gap,
    nothing_is_rewritten,
    the_file_says_the_same,
)


def compare(evidence: Evidence) -> Sequence[Comparison]:
    """Apply every rule."""
    return [rule(evidence) for rule in RULES]


def _attempt(event: HistoryEvent) -> tuple[str, int]:
    return str(event.task_id), event.attempt


def _tasks(evidence: Evidence, execution_id: str) -> Sequence[SeenTask]:
    execution = evidence.executions.get(execution_id)
    return execution.tasks if execution is not None else ()


def _statuses(evidence: Evidence, execution_id: str) -> dict[str, str]:
    execution = evidence.executions.get(execution_id)
    if execution is None:
        return {}
    return {execution_id: execution.status.value} | {task.task_id: task.status.value for task in execution.tasks}


def _first_jump(numbers: Sequence[int]) -> str:
    place = next((at for at, number in enumerate(numbers) if number != at + 1), len(numbers))
    return f"{numbers[max(0, place - 1) : place + 2]} at place {place + 1}"


def _odd(told: Sequence[HistoryEvent], final: Sequence[HistoryEvent]) -> str:
    for event, now in zip(told, final, strict=False):
        if event != now:
            return f"told was {event}, and it says {now}"
    return f"told were {len(told)} events, and it has {len(final)}"
