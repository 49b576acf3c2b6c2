"""The operations on tasks. A task is found by its own id, in whatever execution it is."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from rescind.errors import NotFound, RequestError
from rescind.model.ids import ExecutionId
from rescind.model.overviews import ListedTask
from rescind.model.status import CancelMode, CancelTaskResult
from rescind.model.texts import checked_task_id
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.http.answers import TaskCancelledBody, TaskPage
from rescind_server.gateway.http.bodies import (
    CancelTaskBody,
    DeleteTaskQuery,
    ListTasksQuery,
)
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.http.problems import problem
from rescind_server.gateway.http.selections import labels_of, task_filter
from rescind_server.gateway.http.shown import task_body

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
        selection = task_filter(query, query.status, labels, stopping=query.stopping)
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
        return await self._cancel(call, query.execution_id, query)

    async def cancel(self, call: Call) -> Response:
        """As `delete`, with a body."""
        body: CancelTaskBody = call.body
        return await self._cancel(call, None, body)

    async def _cancel(self, call: Call, execution_id: str | None, how: DeleteTaskQuery | CancelTaskBody) -> Response:
        task_id = checked_task_id(call.path["task_id"])
        mode = CancelMode.FORCE if how.force else how.mode
        result = await self._requests.cancel_task(call.caller, execution_id, task_id, how.reason, mode)
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
