"""What the engine knows of tasks beyond what every client is shown: their retries, and what their code has noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from starlette.responses import Response

from rescind.model.events import iso_time
from rescind.model.ids import ExecutionId, TaskId
from rescind_server.engine.entities import Execution, LogLine, Task
from rescind_server.gateway.flovyn.rest_answers import LogLineBody, LogsBody
from rescind_server.gateway.flovyn.rest_bodies import LogsQuery
from rescind_server.gateway.flovyn.rest_calls import no_such
from rescind_server.gateway.http.operations import answer
from rescind_server.host.driver import Host


class Noted(NamedTuple):
    """How often a task is tried again, and what its code said last of its progress."""

    max_retries: int | None = None
    progress_details: str | None = None


UNKNOWN = Noted()
"""Of a task that is not there any more."""


async def noted_of(host: Host, execution_id: ExecutionId) -> Mapping[str, Noted]:
    """What is known of the tasks of an execution, by their ids."""

    def look(execution: Execution | None) -> Mapping[str, Noted]:
        return {task.task_id: noted(task) for task in execution.tasks.values()} if execution is not None else {}

    return await host.look(execution_id, look)


def noted(task: Task) -> Noted:
    """What is known of a task."""
    details = task.notes.progress_details if task.notes is not None else ""
    return Noted(task.options.retry.max_attempts - 1, details or None)


async def answer_logs(host: Host, execution_id: ExecutionId, task_id: str, query: LogsQuery) -> Response:
    """Some of the lines that a task has logged, the oldest first. Raises NotFound: there is no such task."""

    def look(execution: Execution | None) -> list[LogLine] | None:
        task = execution.tasks.get(TaskId(task_id)) if execution is not None else None
        if task is None:
            return None
        return list(task.notes.log) if task.notes is not None else []

    lines = await host.look(execution_id, look)
    if lines is None:
        raise no_such("task", task_id)
    found = [
        LogLineBody(str(number), line.level, line.message, iso_time(line.at))
        for number, line in enumerate(lines, 1)
        if query.level in (None, line.level)
    ]
    page = tuple(found[query.offset : query.offset + query.limit])
    return answer(LogsBody(task_id, page, len(found), query.limit, query.offset))
