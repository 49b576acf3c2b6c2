"""What operators and those who watch over the server ask: is it well, who works, what is stuck."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from rescind.model.audit import AuditFilter
from rescind.model.ids import ExecutionId
from rescind_server.access.tokens import Role
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.http.answers import AuditPage, HealthBody, WhoBody, WorkerPage
from rescind_server.gateway.http.bodies import AuditQuery, PageQuery, StuckQuery
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.http.shown import audit_body, instant, stuck_body, worker_body
from rescind_server.gateway.identity import Caller
from rescind_server.host.driver import Host

_MOST_WORK: Final = 50
"""How much of what a worker runs is shown."""


class ServerState:
    """Carries out what is asked about the server."""

    def __init__(self, host: Host, requests: ClientRequests) -> None:
        self._host = host
        self._requests = requests
        self._is_stopping = False

    def begin_close(self) -> None:
        """From now on the server is not ready."""
        self._is_stopping = True

    async def health(self, call: Call) -> Response:
        """Whether it is alive: it answers, and can go on."""
        if self._host.failure is not None:
            return answer(HealthBody("failed"), HTTPStatus.SERVICE_UNAVAILABLE)
        return answer(HealthBody("ok"))

    async def ready(self, call: Call) -> Response:
        """Whether it takes requests. It does not tell why not: that is for operators."""
        if self._is_stopping:
            return answer(HealthBody("stopping"), HTTPStatus.SERVICE_UNAVAILABLE)
        if self._host.failure is not None or not self._host.availability.is_open():
            return answer(HealthBody("unavailable"), HTTPStatus.SERVICE_UNAVAILABLE)
        return answer(HealthBody("ok"))

    async def workers(self, call: Call) -> Response:
        """A page of workers."""
        query: PageQuery = call.query
        workers, token = await self._requests.list_workers(call.caller, query.page_size, query.page_token)
        work = await self._requests.work_of(call.caller, [worker.worker_id for worker in workers], _MOST_WORK)
        return answer(WorkerPage(tuple(worker_body(each, work[each.worker_id]) for each in workers), token))

    async def audit(self, call: Call) -> Response:
        """A page of who asked for what."""
        query: AuditQuery = call.query
        execution_id = ExecutionId(query.execution_id) if query.execution_id is not None else None
        selection = AuditFilter(instant(query.since), query.who, execution_id)
        records, token = await self._requests.list_audit(call.caller, selection, query.page_size, query.page_token)
        return answer(AuditPage(tuple(audit_body(record) for record in records), token))

    async def who_am_i(self, call: Call) -> Response:
        """Who the caller is, and what it may do."""
        return answer(who_body(call.caller))

    async def stuck(self, call: Call) -> Response:
        """What does not go on by itself."""
        query: StuckQuery = call.query
        return answer(stuck_body(await self._requests.stuck(call.caller, query.limit, query.quiet_ms)))


def who_body(caller: Caller) -> WhoBody:
    """Who a caller is."""
    roles = tuple(role for role in Role if role in caller.roles)
    return WhoBody(caller.by, caller.organisation, roles, caller.by is not None)
