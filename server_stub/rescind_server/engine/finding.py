"""Finds open tasks by what they are: for those who cancel many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rescind.model.filters import TaskFilter
from rescind.model.ids import ExecutionId, TaskId
from rescind_server.engine.entities import Execution, Task

if TYPE_CHECKING:
    from rescind_server.engine.machine import Engine


def find_tasks(engine: Engine, selection: TaskFilter, step: int) -> Iterator[Sequence[tuple[ExecutionId, TaskId]]]:
    """The open tasks that a filter selects, in steps: after about `step` tasks were looked at, what was found there.

    The engine may decide between two steps. A task that is scheduled meanwhile need not be found.

    An index over open tasks would cost every task twice, when it is scheduled and when it ends, for a call that an
    operator makes once a week; and what it selects it goes through one by one anyway.
    """
    executions = engine._state.executions
    wanted = [selection.execution_id] if selection.execution_id is not None else list(executions)
    found: list[tuple[ExecutionId, TaskId]] = []
    seen = 0
    for execution_id in wanted:
        execution = executions.get(execution_id)
        if execution is None or not _selects_execution(selection, execution):
            continue
        for task in list(execution.tasks.values()):
            if task.outcome is None and _selects(selection, task):
                found.append((execution_id, task.task_id))
            seen += 1
            if seen >= step:
                yield found
                found, seen = [], 0
    yield found


def _selects_execution(selection: TaskFilter, execution: Execution) -> bool:
    return selection.created_by in (None, execution.created_by) and selection.organisation in (
        None,
        execution.organisation,
    )


def _selects(selection: TaskFilter, task: Task) -> bool:
    return (
        (not selection.statuses or task.status in selection.statuses)
        and selection.kind in (None, task.kind)
        and selection.queue in (None, task.queue)
        and (selection.scheduled_before is None or task.scheduled_at < selection.scheduled_before)
        and selection.labels.items() <= task.options.labels.items()
        and (selection.worker_id is None or _held_by(task) == selection.worker_id)
    )


def _held_by(task: Task) -> str | None:
    attempt = task.current
    return attempt.worker_id if attempt is not None else None
