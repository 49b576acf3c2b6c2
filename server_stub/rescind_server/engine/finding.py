"""Finds tasks and executions in memory by what they are: for those who list them, or cancel many at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.overviews import StillStopping
from rescind.model.status import TaskStatus
from rescind_server.engine.entities import Execution, Task
from rescind_server.engine.viewing import is_stopping, still_stopping

if TYPE_CHECKING:
    from rescind_server.engine.machine import Engine
    from rescind_server.engine.state import State

Place = tuple[int, int]
"""Where a task stands in a list: the place of its execution in the order of starting, and its own."""

_BEGINNING: Final = (-1, -1)


def place_of(task: Task) -> Place:
    """Where a task stands in every list; it never changes."""
    return task.execution.order, task.order


def find_tasks(
    engine: Engine, selection: TaskFilter, step: int, after: Place | None = None
) -> Iterator[Sequence[Task]]:
    """The tasks in memory that a filter selects, in steps: after about `step` were looked at, what was found there.

    The engine may decide between two steps. A task that is scheduled meanwhile need not be found.

    What runs, or is being stopped, is found by index. For all else there is none: it would cost every task twice, when
    it is scheduled and when it ends, for a question that an operator asks now and then.

    Args:
        engine: in whose memory to look.
        selection: which.
        step: how many to look at before something is yielded.
        after: the place behind which to begin; None begins with the first.
    """
    found: list[Task] = []
    seen = 0
    for task in _candidates(engine._state, selection, after or _BEGINNING):
        if _selects(selection, task):
            found.append(task)
        seen += 1
        if seen >= step:
            yield found
            found, seen = [], 0
    yield found


def find_execution_of(engine: Engine, task_id: TaskId, step: int) -> Iterator[ExecutionId | None]:
    """The execution in memory that has a task, as soon as it is found; None after every `step` that have not."""
    executions = engine._state.executions
    for number, execution_id in enumerate(list(executions), 1):
        execution = executions.get(execution_id)
        if execution is not None and task_id in execution.tasks:
            yield execution_id
            return
        if number % step == 0:
            yield None


def find_held(engine: Engine, selection: ExecutionFilter) -> Sequence[Execution]:
    """The executions in the memory of the filter's worker that it selects, the newest first."""
    assert selection.worker_id is not None
    worker = engine._state.workers.get(selection.worker_id)
    held = worker.held.values() if worker is not None else ()
    found = [execution for execution in held if _selects_in_memory(selection, execution)]
    return sorted(found, key=_order, reverse=True)


def find_still_stopping(engine: Engine, selection: ExecutionFilter) -> Sequence[Execution]:
    """The executions that it selects of those that have ended while something of them stops; the newest first."""
    ended = engine._state.still_stopping.values()
    found = [execution for execution in ended if _selects_in_memory(selection, execution)]
    return sorted(found, key=_order, reverse=True)


def stopping_of(engine: Engine, execution_ids: Iterable[ExecutionId]) -> Mapping[ExecutionId, StillStopping]:
    """What is still being stopped of those that are cancelled or have ended; where that is nothing, it is left out."""
    executions = engine._state.executions
    known = ((each, executions.get(each)) for each in execution_ids)
    found = {each: still_stopping(execution) for each, execution in known if execution is not None}
    return {each: stopping for each, stopping in found.items() if stopping.total}


def _candidates(state: State, selection: TaskFilter, after: Place) -> Iterable[Task]:
    executions = state.executions
    if selection.execution_id is not None:
        execution = executions.get(selection.execution_id)
        return _tasks_of([execution] if execution is not None else [], selection, after)
    if selection.worker_id is not None:
        worker = state.workers.get(selection.worker_id)
        at_work: Iterable[Task] = (attempt.task for attempt in (worker.running.values() if worker else ()))
    elif selection.stopping or set(selection.statuses) == {TaskStatus.RUNNING}:
        at_work = (attempt.task for attempt in state.attempts.values())
    else:
        # An execution that rested stands behind younger ones in memory.
        ordered = sorted(executions.values(), key=_order)
        first = max(0, bisect_right(ordered, after[0], key=_order) - 1)
        return _tasks_of(ordered[first:], selection, after)
    # A task may be at work more than once: an attempt that was given up, and the next one.
    once = {place_of(task): task for task in at_work if _selects_execution(selection, task.execution)}
    return [task for place, task in sorted(once.items(), key=lambda item: item[0]) if place > after]


def _tasks_of(executions: Iterable[Execution], selection: TaskFilter, after: Place) -> Iterator[Task]:
    for execution in executions:
        if _selects_execution(selection, execution) and execution.order >= after[0]:
            tasks = list(execution.tasks.values())
            begun = bisect_right(tasks, after[1], key=_order) if execution.order == after[0] else 0
            yield from tasks[begun:] if begun else tasks


def _order(entity: Execution | Task) -> int:
    return entity.order


def _selects_execution(selection: TaskFilter, execution: Execution) -> bool:
    return (
        selection.created_by in (None, execution.created_by)
        and selection.organisation in (None, execution.organisation)
        and selection.agent in (None, execution.kind)
    )


def _selects(selection: TaskFilter, task: Task) -> bool:
    return (
        (not selection.statuses or task.status in selection.statuses)
        and selection.kind in (None, task.kind)
        and selection.queue in (None, task.queue)
        and (selection.scheduled_before is None or task.scheduled_at < selection.scheduled_before)
        and (selection.scheduled_after is None or task.scheduled_at >= selection.scheduled_after)
        and selection.labels.items() <= task.options.labels.items()
        and (selection.worker_id is None or selection.worker_id in _workers_of(task))
        and (not selection.stopping or is_stopping(task))
        and (not selection.unsettled or task.outcome is None or task.at_work)
    )


def _workers_of(task: Task) -> Iterable[str]:
    return (attempt.worker_id for attempt in task.attempts or () if attempt.live)


def _selects_in_memory(selection: ExecutionFilter, execution: Execution) -> bool:
    return (
        (not selection.statuses or execution.status in selection.statuses)
        and selection.kind in (None, execution.kind)
        and selection.queue in (None, execution.queue)
        and selection.created_by in (None, execution.created_by)
        and selection.organisation in (None, execution.organisation)
        and (selection.created_before is None or execution.created_at < selection.created_before)
        and (selection.created_after is None or execution.created_at >= selection.created_after)
        and selection.labels.items() <= execution.labels.items()
        and (selection.id_prefix is None or execution.execution_id.startswith(selection.id_prefix))
        and selection.parent_id in (None, execution.parent_id)
        and (not selection.stopping or (execution.ended and still_stopping(execution).total > 0))
    )
