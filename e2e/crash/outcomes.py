"""What each story's output must be, whatever happened on its way; and how it must agree with its tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from e2e.crash.evidence import Evidence, SeenExecution, SeenTask
from e2e.crash.notes import Fact
from e2e.crash.plan import Planned
from e2e.crash.stories import result_of
from rescind import ExecutionStatus, TaskStatus


def problems_of(evidence: Evidence, planned: Planned) -> Iterator[str]:
    """What is wrong with the end of one execution."""
    seen = evidence.executions.get(planned.execution_id)
    if seen is None:
        return
    if seen.status is ExecutionStatus.CANCELLED:
        if not planned.may_be_cancelled:
            yield "it is CANCELLED, and nobody was to cancel it"
    elif seen.status is not ExecutionStatus.COMPLETED:
        yield f"it is {seen.status}: {seen.failure}"
    elif planned.kind == "steps":
        yield from _steps(evidence, planned, seen)
    else:
        yield from _JUDGES[planned.kind](planned.given, seen)


def _value(value: int, works: int = 1) -> int:
    for _ in range(works):
        value = result_of(value)
    return value


def _unlike(seen: SeenExecution, expected: Any) -> Iterator[str]:
    if seen.output != expected:
        yield f"its output is {seen.output!r}, and should be {expected!r}"


def _chain(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    count = len(given["sleeps"])
    yield from _unlike(seen, _value(given["start"], count))
    yield from _all_completed(seen.tasks, count)
    if seen.entries != count:
        yield f"its conversation has {seen.entries} entries, and should have {count}"


def _checkpointed(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    count = len(given["sleeps"])
    yield from _unlike(seen, _value(given["start"], count))
    yield from _all_completed(seen.tasks, count)


def _fan_out(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    yield from _unlike(seen, [result_of(each["value"]) for each in given["works"]])
    yield from _all_completed(seen.tasks, len(given["works"]))


def _race(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    completed = [task.output for task in seen.tasks if task.status is TaskStatus.COMPLETED]
    if completed != [seen.output["winner"]]:
        yield f"its winner gave {seen.output['winner']!r}, and the results of its tasks are {completed!r}"
    yield from _listed(seen.output["cancelled"], seen.tasks, TaskStatus.CANCELLED)
    yield from _cancelled_by(seen.tasks, "race_lost")


def _deadline(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    if seen.output["timed_out"] is not True:
        yield "its deadline did not end its wait, and there are tasks that never end"
    yield from _listed(seen.output["completed"], seen.tasks, TaskStatus.COMPLETED)
    yield from _listed(seen.output["cancelled"], seen.tasks, TaskStatus.CANCELLED)
    yield from _listed(seen.output["failed"], seen.tasks, TaskStatus.FAILED)
    yield from _cancelled_by(seen.tasks, "deadline")
    if any(task.status is not TaskStatus.CANCELLED for task in seen.tasks[len(given["works"]) :]):
        yield "a task that never ends was not cancelled"


def _scoped(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    yield from _unlike(seen, result_of(given["work"]["value"]))
    yield from _all_completed(seen.tasks[:1], 1)
    yield from _cancelled_by(seen.tasks, "scope_left")
    if [task.status for task in seen.tasks[1:]] != [TaskStatus.CANCELLED] * given["stuck"]:
        yield "what was open when its scope was left was not cancelled"


def _replacing(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    yield from _unlike(seen, _value(given["work"]["value"], 2))
    if [task.source for task in seen.tasks[:1]] != ["replaced"]:
        yield f"its first task was not replaced: {seen.tasks[:1]}"
    yield from _all_completed(seen.tasks[1:2], 1)


def _signals(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    yield from _unlike(seen, given["values"])


def _settled(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    if len(seen.tasks) != len(given["works"]):
        yield f"it has {len(seen.tasks)} tasks, and should have {len(given['works'])}"
    results = {task.task_id: task.output for task in seen.tasks if task.status is TaskStatus.COMPLETED}
    if dict(seen.output["completed"]) != results:
        yield f"its results are {seen.output['completed']!r}, and those of its tasks {results!r}"
    yield from _listed(seen.output["cancelled"], seen.tasks, TaskStatus.CANCELLED)
    yield from _listed(seen.output["failed"], seen.tasks, TaskStatus.FAILED)
    yield from _right_results(seen.tasks)


def _branches(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    yield from _unlike(seen, [_value(each["value"], 2) for each in given["works"]])
    yield from _cancelled_by(seen.tasks, "deadline")
    yield from _right_results(seen.tasks)
    if seen.entries != len(given["works"]):
        yield f"its conversation has {seen.entries} entries, and should have {len(given['works'])}"


def _bulky(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    expected = [given["text"] + "." * (count - len(given["text"])) for count in given["counts"]]
    if seen.output != expected or [task.output for task in seen.tasks] != expected:
        lengths = [len(task.output or "") for task in seen.tasks]
        yield f"its results have {lengths} characters, and {given['counts']} were asked for; or they are others"


def _cleaning(given: Mapping[str, Any], seen: SeenExecution) -> Iterator[str]:
    yield "it waits for what never comes, and has completed"


def _steps(evidence: Evidence, planned: Planned, seen: SeenExecution) -> Iterator[str]:
    drawn = {
        (note.subject, note.value)
        for note in evidence.notes
        if note.fact is Fact.STEP and note.execution_id == planned.execution_id
    }
    if len(seen.output) != planned.given["count"]:
        yield f"it has {len(seen.output)} results, and should have {planned.given['count']}"
    for place, value in enumerate(seen.output):
        if (str(place), value) not in drawn:
            yield f"no side effect gave {value!r} at place {place}"


def _all_completed(tasks: Sequence[SeenTask], count: int) -> Iterator[str]:
    if [task.status for task in tasks] != [TaskStatus.COMPLETED] * count:
        yield f"its tasks are {[task.status.value for task in tasks]}, and should be {count} that completed"
    yield from _right_results(tasks)


def _right_results(tasks: Sequence[SeenTask]) -> Iterator[str]:
    for task in tasks:
        if task.status is TaskStatus.COMPLETED and task.output != result_of(task.value):
            yield f"task {task.task_id} made {task.output!r} of {task.value}"


def _listed(told: Sequence[str], tasks: Sequence[SeenTask], status: TaskStatus) -> Iterator[str]:
    expected = [task.task_id for task in tasks if task.status is status]
    if list(told) != expected:
        yield f"it was told that {list(told)} are {status.value}, and they are {expected}"


def _cancelled_by(tasks: Sequence[SeenTask], source: str) -> Iterator[str]:
    for task in tasks:
        if task.status is TaskStatus.CANCELLED and task.source != source:
            yield f"task {task.task_id} was cancelled by {task.source}, and not by {source}"


_JUDGES: Final[Mapping[str, Callable[[Mapping[str, Any], SeenExecution], Iterator[str]]]] = {
    "chain": _chain,
    "checkpointed": _checkpointed,
    "fan-out": _fan_out,
    "race": _race,
    "deadline": _deadline,
    "scoped": _scoped,
    "replacing": _replacing,
    "signals": _signals,
    "settled": _settled,
    "branches": _branches,
    "bulky": _bulky,
    "cleaning": _cleaning,
}
