"""Tasks that belong to nothing else, over flovyn's HTTP interface. Those of agents and workflows are not seen here."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from rescind.errors import InvalidInput, NotFound, NotSupported
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.status import TERMINAL_EXECUTION, TERMINAL_TASK, ExecutionStatus, TaskStatus
from rescind.model.views import ExecutionDetails, TaskView
from rescind_server.access.tokens import Role
from rescind_server.engine.entities import Execution
from rescind_server.engine.natures import Nature, NatureFilter, looked_nature
from rescind_server.engine.viewing import task_view
from rescind_server.gateway import organisations
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.flovyn.agent_messages import task_options
from rescind_server.gateway.flovyn.ids import organisation_id
from rescind_server.gateway.flovyn.owners import TaskOwners
from rescind_server.gateway.flovyn.rest_answers import AttemptsBody, TaskBody, TaskPage
from rescind_server.gateway.flovyn.rest_attempts import attempts_of
from rescind_server.gateway.flovyn.rest_bodies import MOST_RETRIES, CreateTaskBody, ListTasksQuery, queue_of
from rescind_server.gateway.flovyn.rest_calls import bad_id, no_such
from rescind_server.gateway.flovyn.rest_listing import count_of, part_of
from rescind_server.gateway.flovyn.rest_shown import task_body
from rescind_server.gateway.flovyn.rest_task_looks import Noted, answer_logs, noted
from rescind_server.gateway.flovyn.standalone_tasks import StandaloneTask, StandaloneTasks
from rescind_server.gateway.flovyn.values import is_uuid
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.http.shown import payload_of
from rescind_server.host.driver import Host

_OPEN: Final = tuple(status for status in ExecutionStatus if status not in TERMINAL_EXECUTION)
_STATUSES: Final = {
    TaskStatus.PENDING: _OPEN,
    TaskStatus.RUNNING: _OPEN,
    TaskStatus.COMPLETED: (ExecutionStatus.COMPLETED,),
    TaskStatus.FAILED: (ExecutionStatus.FAILED,),
    TaskStatus.CANCELLED: (ExecutionStatus.CANCELLED,),
}

Shown = tuple[TaskView, Noted]
"""A task, and what is known of it beyond its view."""


class RestTasks:
    """Carries out what is asked about them."""

    def __init__(self, host: Host, requests: ClientRequests) -> None:
        self._host = host
        self._requests = requests
        self._standalone = StandaloneTasks(host, TaskOwners(host))

    async def create(self, call: Call) -> Response:
        """Start a task."""
        body: CreateTaskBody = call.body
        call.caller.require(Role.CLIENT, Role.OPERATOR)
        if body.scheduled_at is not None:
            raise NotSupported("a task cannot be scheduled for later. Start it then, or let a workflow wait for it.")
        retries = max(0, min(body.max_retries, MOST_RETRIES))
        task = StandaloneTask(
            kind=body.kind,
            input=payload_of(body.input),
            queue=queue_of(body.queue),
            options=task_options(retries, None, {}),
        )
        task_id, _ = await self._standalone.submit(call.caller, task)
        return answer(await self._shown(call, task_id), HTTPStatus.CREATED)

    async def get(self, call: Call) -> Response:
        """A task as it stands."""
        await self.found(call)
        return answer(await self._shown(call, call.path["task_id"]))

    async def list_page(self, call: Call) -> Response:
        """Some of the tasks, the newest first."""
        query: ListTasksQuery = call.query
        statuses = _STATUSES[query.status] if query.status is not None else ()
        selection = NatureFilter(statuses=statuses, kind=query.kind, queue=query.queue, nature=Nature.TASK)

        async def read(size: int, token: str) -> tuple[Sequence[TaskBody], str]:
            views, after = await self._requests.list_executions(call.caller, selection, size, token)
            shown = [await self._shown(call, view.execution_id) for view in views]
            # What has not ended is one status to the store.
            return [each for each in shown if query.status in (None, each.status)], after

        shown = await part_of(read, query.limit, query.offset)
        if query.status is not None and query.status not in TERMINAL_TASK:
            total = await count_of(read)
        else:
            total = sum((await self._requests.counts(call.caller, selection)).values())
        return answer(TaskPage(tuple(shown), total, query.limit, query.offset))

    async def cancel(self, call: Call) -> Response:
        """Cancel a task: 204 if this cancelled it, 400 if it has ended."""
        details = await self.found(call)
        task_id = call.path["task_id"]
        result = await self._requests.cancel_task(call.caller, details.execution.execution_id, task_id)
        if not result.ok:
            raise InvalidInput(f"task {task_id} has ended already ({result}); its end stands.")
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def attempts(self, call: Call) -> Response:
        """All attempts at a task."""
        details = await self.found(call)
        (task,) = details.tasks
        return answer(AttemptsBody(await attempts_of(self._host, self._inner_id(call), task)))

    async def logs(self, call: Call) -> Response:
        """What a task has logged."""
        await self.found(call)
        return await answer_logs(self._host, self._inner_id(call), call.path["task_id"], call.query)

    async def found(self, call: Call) -> ExecutionDetails:
        """The task that a path names. Raises NotFound, or InvalidInput for what cannot be an id."""
        task_id = call.path["task_id"]
        if not is_uuid(task_id):
            raise bad_id("task", task_id)
        try:
            details = await self._requests.details(call.caller, task_id)
        except NotFound:
            raise no_such("task", task_id) from None
        if await self._host.look(self._inner_id(call), looked_nature) is not Nature.TASK:
            raise no_such("task", task_id)
        return details

    def _inner_id(self, call: Call) -> ExecutionId:
        return organisations.inner_id(call.caller.organisation, call.path["task_id"])

    async def _shown(self, call: Call, task_id: str) -> TaskBody:
        inner_id = organisations.inner_id(call.caller.organisation, task_id)
        looked = await self._host.look(inner_id, lambda found: _task_of(found, TaskId(task_id)))
        if looked is None:
            raise no_such("task", task_id)
        view, extra = looked
        return task_body(organisations.outer_task(view), organisation_id(call.caller), extra)


def _task_of(execution: Execution | None, task_id: TaskId) -> Shown | None:
    task = execution.tasks.get(task_id) if execution is not None else None
    return (task_view(task), noted(task)) if task is not None else None
