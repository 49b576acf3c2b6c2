"""Agents over flovyn's HTTP interface."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from rescind.errors import ExecutionEnded, InvalidInput, NotFound
from rescind.model.payload import Payload
from rescind.model.status import TERMINAL_EXECUTION, CancelTaskResult, ExecutionStatus
from rescind.model.texts import checked_task_id
from rescind.model.views import ExecutionDetails, ExecutionView
from rescind_server.engine.natures import Nature, NatureFilter, looked_nature
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.flovyn.ids import organisation_id
from rescind_server.gateway.flovyn.rest_answers import (
    AgentPage,
    AgentSignalledBody,
    AttemptsBody,
    CheckpointsBody,
    ChildAgentsBody,
    EntriesBody,
    EntryBody,
    TasksBody,
)
from rescind_server.gateway.flovyn.rest_attempts import attempts_of
from rescind_server.gateway.flovyn.rest_bodies import (
    CancelTaskBody,
    CreateAgentBody,
    ListAgentsQuery,
    PageQuery,
    SignalAgentBody,
    queue_of,
)
from rescind_server.gateway.flovyn.rest_calls import bad_id, no_such
from rescind_server.gateway.flovyn.rest_listing import part_of
from rescind_server.gateway.flovyn.rest_shown import agent_body, checkpoint_body, entry_body, task_body
from rescind_server.gateway.flovyn.rest_task_looks import UNKNOWN, noted_of
from rescind_server.gateway.flovyn.values import is_uuid
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.http.shown import payload_of
from rescind_server.gateway.identity import Caller
from rescind_server.gateway.starts import StartRequest
from rescind_server.host.driver import Host

LATEST: Final = "latest"
_ENDED: Final = frozenset({CancelTaskResult.ALREADY_COMPLETED, CancelTaskResult.ALREADY_FAILED})


class RestAgents:
    """Carries out what is asked about agents."""

    def __init__(self, host: Host, requests: ClientRequests) -> None:
        self._host = host
        self._requests = requests

    async def create(self, call: Call) -> Response:
        """Start an agent."""
        body: CreateAgentBody = call.body
        if body.kind is None:
            raise InvalidInput("`kind` is missing. Agent definitions are not offered here; name the agent's kind.")
        request = StartRequest(
            body.kind,
            payload_of(body.input),
            queue=queue_of(body.queue),
            labels=dict(body.metadata or {}),
            workflow=False,
        )
        started = await self._requests.start(call.caller, request)
        view = (await self._requests.details(call.caller, started.execution_id)).execution
        return answer(agent_body(view, organisation_id(call.caller)), HTTPStatus.CREATED)

    async def get(self, call: Call) -> Response:
        """An agent as it stands."""
        return self._answer_agent(call, await self.found(call))

    async def list_page(self, call: Call) -> Response:
        """Some of the agents, the newest first."""
        query: ListAgentsQuery = call.query
        statuses = (query.status,) if query.status is not None else ()
        selection = NatureFilter(statuses=statuses, kind=query.kind, nature=Nature.AGENT)

        async def read(size: int, token: str) -> tuple[tuple[ExecutionView, ...], str]:
            page, after = await self._requests.list_executions(call.caller, selection, size, token)
            return tuple(page), after

        views = await part_of(read, query.limit, query.offset)
        total = sum((await self._requests.counts(call.caller, selection)).values())
        of = organisation_id(call.caller)
        shown = tuple(agent_body(view, of) for view in views)
        return answer(AgentPage(shown, total, query.limit, query.offset))

    async def signal(self, call: Call) -> Response:
        """Send an agent a signal."""
        body: SignalAgentBody = call.body
        before = (await self.found(call)).execution
        value: Payload = payload_of(body.signal_value)
        await self._requests.signal(call.caller, before.execution_id, body.signal_name, value)
        after = (await self._requests.details(call.caller, before.execution_id)).execution
        resumed = before.status is ExecutionStatus.WAITING and after.status is not ExecutionStatus.WAITING
        return answer(AgentSignalledBody(signaled=True, agent_resumed=resumed))

    async def cancel(self, call: Call) -> Response:
        """Cancel an agent: 204 if it is cancelled, 202 while its code cleans up, 409 if it has ended otherwise."""
        execution_id = (await self.found(call)).execution.execution_id
        result = await self._requests.cancel_execution(call.caller, execution_id)
        if result in _ENDED:
            raise ExecutionEnded(f"agent {execution_id} has ended already; its end stands.")
        details = await self._requests.details(call.caller, execution_id)
        if details.execution.status in TERMINAL_EXECUTION:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return self._answer_agent(call, details, HTTPStatus.ACCEPTED)

    async def checkpoints(self, call: Call) -> Response:
        """All checkpoints of an agent."""
        details = await self.found(call)
        execution_id = details.execution.execution_id
        inner_id = self._requests.inner_id(call.caller, execution_id)
        return answer(
            CheckpointsBody(tuple(checkpoint_body(each, execution_id, inner_id) for each in details.checkpoints))
        )

    async def checkpoint(self, call: Call) -> Response:
        """One checkpoint, by its number, or the latest."""
        details = await self.found(call)
        wanted = call.path["sequence"]
        if wanted != LATEST and not (wanted.isascii() and wanted.isdigit()):
            raise InvalidInput(f"{wanted[:100]!r} is no checkpoint. Give its number, or {LATEST!r}.")
        for each in reversed(details.checkpoints):
            if wanted in (LATEST, str(each.sequence)):
                execution_id = details.execution.execution_id
                inner_id = self._requests.inner_id(call.caller, execution_id)
                return answer(checkpoint_body(each, execution_id, inner_id))
        raise no_such("checkpoint", wanted)

    async def entries(self, call: Call) -> Response:
        """The conversation of an agent."""
        shown: list[EntryBody] = []
        for entry in (await self.found(call)).entries:
            shown.append(entry_body(entry, shown[-1].id if shown else None))
        return answer(EntriesBody(tuple(shown)))

    async def children(self, call: Call) -> Response:
        """Some of the agents that an agent has started, the newest first."""
        query: PageQuery = call.query
        details = await self.found(call)
        selection = NatureFilter(parent_id=details.execution.execution_id, nature=Nature.AGENT)

        async def read(size: int, token: str) -> tuple[Sequence[ExecutionView], str]:
            return await self._requests.list_executions(call.caller, selection, size, token)

        views = await part_of(read, query.limit, query.offset)
        of = organisation_id(call.caller)
        return answer(ChildAgentsBody(tuple(agent_body(view, of) for view in views)))

    async def tasks(self, call: Call) -> Response:
        """The tasks of an agent, in the order of their scheduling."""
        of = organisation_id(call.caller)
        details = await self.found(call)
        known = await noted_of(self._host, self._requests.inner_id(call.caller, details.execution.execution_id))
        shown = (task_body(each, of, known.get(each.task_id, UNKNOWN)) for each in details.tasks)
        return answer(TasksBody(tuple(shown)))

    async def attempts(self, call: Call) -> Response:
        """All attempts at a task of an agent."""
        details = await self.found(call)
        task = next((each for each in details.tasks if each.task_id == call.path["task_id"]), None)
        if task is None:
            raise no_such("task", call.path["task_id"])
        inner_id = self._requests.inner_id(call.caller, details.execution.execution_id)
        return answer(AttemptsBody(await attempts_of(self._host, inner_id, task)))

    async def cancel_task(self, call: Call) -> Response:
        """Cancel a task of an agent: 204 if it is cancelled, 409 if it has ended otherwise."""
        body: CancelTaskBody = call.body
        task_id = checked_task_id(call.path["task_id"])
        execution_id = (await self.found(call)).execution.execution_id
        result = await self._requests.cancel_task(call.caller, execution_id, task_id, body.reason)
        if result is CancelTaskResult.NOT_FOUND:
            raise no_such("task", task_id)
        if not result.ok:
            raise ExecutionEnded(f"task {task_id} has ended already; its end stands.")
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def found(self, call: Call) -> ExecutionDetails:
        """The agent that a path names. Raises NotFound, or InvalidInput for what cannot be an id."""
        execution_id = call.path["id"]
        details = await found(self._requests, call.caller, execution_id, "agent")
        inner_id = self._requests.inner_id(call.caller, execution_id)
        if await self._host.look(inner_id, looked_nature) is not Nature.AGENT:
            raise no_such("agent", execution_id)
        return details

    def _answer_agent(self, call: Call, details: ExecutionDetails, status: int = HTTPStatus.OK) -> Response:
        return answer(agent_body(details.execution, organisation_id(call.caller)), status)


async def found(requests: ClientRequests, caller: Caller, execution_id: str, what: str) -> ExecutionDetails:
    """An execution by the id that a path has, also one whose starter gave it an id that is no UUID.

    Raises:
        InvalidInput: there is none, and it is no UUID either.
        NotFound: there is none.
    """
    try:
        return await requests.details(caller, execution_id)
    except NotFound:
        raise (no_such(what, execution_id) if is_uuid(execution_id) else bad_id(what, execution_id)) from None
