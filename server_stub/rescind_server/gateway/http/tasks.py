"""The operations on tasks. A task is found by its own id, in whatever execution it is."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from rescind.errors import NotFound, RequestError
from rescind.model.filters import TaskFilter
from rescind.model.ids import ExecutionId, WorkerId
from rescind.model.overviews import ListedTask
from rescind.model.status import CancelMode, CancelTaskResult
from rescind.model.texts import checked_task_id
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.http.answers import CancelCounts, TaskCancelledBody, TaskPage
from rescind_server.gateway.http.bodies import (
    CancelManyTasksBody,
    CancelTaskBody,
    DeleteTaskQuery,
    ListTasksQuery,
    TaskSelection,
)
from rescind_server.gateway.http.executions import labels_of
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.http.problems import problem
from rescind_server.gateway.http.shown import instant, task_body

_ALREADY: Final = {
    CancelTaskResult.ALREADY_CANCELLED: "task is already cancelled",
    CancelTaskResult.ALREADY_COMPLETED: "task has already completed",
    CancelTaskResult.ALREADY_FAILED: "task has already failed",
}


class Tasks:
    """Carries out what is asked about tasks."""

    def __init__(self, requests: ClientRequests) -> None:
        self._requests = requests

    async def list_page(self, call: Call) -> Response:
        """A page of tasks: those of open executions, or all of one execution."""
        query: ListTasksQuery = call.query
        labels = labels_of(query.label)
        if labels is None:
            return answer(TaskPage((), ""))
        selection = TaskFilter(
            statuses=query.status,
            kind=query.kind,
            queue=query.queue,
            agent=query.agent,
            worker_id=WorkerId(query.worker_id) if query.worker_id is not None else None,
            execution_id=ExecutionId(query.execution_id) if query.execution_id is not None else None,
            created_by=query.created_by,
            labels=labels,
            scheduled_before=instant(query.scheduled_before),
            scheduled_after=instant(query.scheduled_after),
            stopping=query.stopping,
        )
        listed, token = await self._requests.list_tasks(call.caller, selection, query.page_size, query.page_token)
        return answer(TaskPage(tuple(task_body(each) for each in listed), token))

    async def get(self, call: Call) -> Response:
        """A task as it stands."""
        task_id = checked_task_id(call.path["task_id"])
        execution_id = await self._requests.execution_of_task(call.caller, task_id)
        if execution_id is not None:
            details = await self._requests.details(call.caller, execution_id)
            for task in details.tasks:
                if task.task_id == task_id:
                    listed = ListedTask(ExecutionId(execution_id), details.execution.kind, task)
                    return answer(task_body(listed))
        raise _no_task(task_id)

    async def delete(self, call: Call) -> Response:
        """Cancel a task: 200 if this cancelled it, 404 if there is none, 400 if it has ended."""
        query: DeleteTaskQuery = call.query
        return await self._cancel(call, query.execution_id, query.reason, query.mode)

    async def cancel(self, call: Call) -> Response:
        """As `delete`, with a body."""
        body: CancelTaskBody = call.body
        return await self._cancel(call, None, body.reason, body.mode)

    async def cancel_many(self, call: Call) -> Response:
        """Cancel all that a filter selects, or count them."""
        body: CancelManyTasksBody = call.body
        selection = _filter(body.where)
        if body.dry_run:
            return answer(CancelCounts(await self._requests.count(call.caller, selection), {}, True))
        counts: dict[str, int] = {}
        async for so_far in self._requests.cancel_where(call.caller, selection, body.reason, hard=False):
            counts = {result.value: count for result, count in so_far.items()}
        return answer(CancelCounts(sum(counts.values()), counts, False))

    async def _cancel(self, call: Call, execution_id: str | None, reason: str | None, mode: CancelMode) -> Response:
        task_id = checked_task_id(call.path["task_id"])
        result = await self._requests.cancel_task(call.caller, execution_id, task_id, reason, mode)
        if result is CancelTaskResult.CANCELLED:
            return answer(TaskCancelledBody("task cancelled", result))
        if result is CancelTaskResult.NOT_FOUND:
            return _not_found(task_id)
        ended = RequestError(f"{_ALREADY[result]}; its end stands.")
        return problem(HTTPStatus.BAD_REQUEST, ended, "Nothing can be done: it has ended.", result=result)


def _no_task(task_id: str) -> NotFound:
    return NotFound(f"no task {task_id!r}. Check the id, or list the tasks.")


def _not_found(task_id: str) -> Response:
    return problem(
        HTTPStatus.NOT_FOUND,
        _no_task(task_id),
        "Check the id, or list the tasks.",
        result=CancelTaskResult.NOT_FOUND,
    )


def _filter(where: TaskSelection) -> TaskFilter:
    return TaskFilter(
        statuses=where.statuses,
        kind=where.kind,
        queue=where.queue,
        agent=where.agent,
        worker_id=WorkerId(where.worker_id) if where.worker_id is not None else None,
        execution_id=ExecutionId(where.execution_id) if where.execution_id is not None else None,
        created_by=where.created_by,
        labels=where.labels,
        scheduled_before=instant(where.scheduled_before),
        scheduled_after=instant(where.scheduled_after),
    )
