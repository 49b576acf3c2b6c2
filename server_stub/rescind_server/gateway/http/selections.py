"""What selects executions and tasks, out of queries and bodies, as the host's filters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId, WorkerId
from rescind.model.status import ExecutionStatus, TaskStatus
from rescind_server.gateway.http.bodies import ExecutionMarks, TaskMarks
from rescind_server.gateway.http.shown import instant


def labels_of(given: Iterable[str]) -> dict[str, str] | None:
    """Labels out of NAME=VALUE; None if one has two values, which nothing has."""
    labels: dict[str, str] = {}
    for each in given:
        name, _, value = each.partition("=")
        if labels.setdefault(name, value) != value:
            return None
    return labels


def execution_filter(
    marks: ExecutionMarks, statuses: tuple[ExecutionStatus, ...], labels: Mapping[str, str], *, stopping: bool = False
) -> ExecutionFilter:
    """A filter of executions."""
    return ExecutionFilter(
        statuses=statuses,
        kind=marks.kind,
        queue=marks.queue,
        created_by=marks.created_by,
        labels=dict(labels),
        created_before=instant(marks.created_before),
        created_after=instant(marks.created_after),
        worker_id=WorkerId(marks.worker_id) if marks.worker_id is not None else None,
        id_prefix=marks.id_prefix,
        parent_id=ExecutionId(marks.parent_id) if marks.parent_id is not None else None,
        stopping=stopping,
    )


def task_filter(
    marks: TaskMarks, statuses: tuple[TaskStatus, ...], labels: Mapping[str, str], *, stopping: bool = False
) -> TaskFilter:
    """A filter of tasks."""
    return TaskFilter(
        statuses=statuses,
        kind=marks.kind,
        queue=marks.queue,
        agent=marks.agent,
        worker_id=WorkerId(marks.worker_id) if marks.worker_id is not None else None,
        execution_id=ExecutionId(marks.execution_id) if marks.execution_id is not None else None,
        created_by=marks.created_by,
        labels=dict(labels),
        scheduled_before=instant(marks.scheduled_before),
        scheduled_after=instant(marks.scheduled_after),
        stopping=stopping,
    )
