"""The operations on executions."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from rescind.model.ids import ExecutionId
from rescind.model.status import TERMINAL_EXECUTION, CancelTaskResult
from rescind_server.gateway.client_requests import ClientRequests, not_found
from rescind_server.gateway.http.answers import (
    CancelledBody,
    CheckpointPage,
    EntryPage,
    ExecutionCounts,
    ExecutionPage,
    ExecutionRetriedBody,
    HistoryPage,
    SignalledBody,
    StartedBody,
)
from rescind_server.gateway.http.bodies import (
    CancelBody,
    CancelExecutionMode,
    CountsQuery,
    ListQuery,
    PlaceQuery,
    RetryExecutionBody,
    SignalBody,
    StartBody,
)
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.http.problems import problem
from rescind_server.gateway.http.selections import execution_filter, labels_of
from rescind_server.gateway.http.shown import (
    checkpoint_body,
    entry_body,
    event_body,
    execution_body,
    payload_of,
)
from rescind_server.gateway.organisations import outer_event
from rescind_server.gateway.starts import StartRequest
from rescind_server.host.driver import Host

EXECUTIONS: Final = "/api/v1/executions"


class Executions:
    """Carries out what is asked about executions."""

    def __init__(self, host: Host, requests: ClientRequests) -> None:
        self._host = host
        self._requests = requests

    async def start(self, call: Call) -> Response:
        """Start an agent or a workflow: 201 if this created it, 200 if it was there."""
        body: StartBody = call.body
        request = StartRequest(
            body.kind, payload_of(body.input), body.execution_id, body.queue, body.labels, workflow=body.workflow
        )
        started = await self._requests.start(call.caller, request)
        status = HTTPStatus.CREATED if started.created else HTTPStatus.OK
        where = f"{EXECUTIONS}/{quote(started.execution_id, safe='')}"
        return answer(StartedBody(started.execution_id, started.created), status, {"location": where})

    async def list_page(self, call: Call) -> Response:
        """A page of executions."""
        query: ListQuery = call.query
        labels = labels_of(query.label)
        if labels is None:
            return answer(ExecutionPage((), ""))
        selection = execution_filter(query, query.status, labels, stopping=query.stopping)
        views, token = await self._requests.list_executions(call.caller, selection, query.page_size, query.page_token)
        return answer(ExecutionPage(tuple(map(execution_body, views)), token))

    async def counts(self, call: Call) -> Response:
        """How many executions there are of each status."""
        query: CountsQuery = call.query
        labels = labels_of(query.label)
        if labels is None:
            return answer(ExecutionCounts({}, 0, 0))
        selection = execution_filter(query, query.status, labels, stopping=query.stopping)
        found = await self._requests.counts(call.caller, selection)
        counts = {status.value: count for status, count in found.items()}
        stopping = await self._requests.count_stopping(call.caller, selection)
        return answer(ExecutionCounts(counts, sum(counts.values()), stopping))

    async def get(self, call: Call) -> Response:
        """An execution as it stands."""
        details = await self._requests.details(call.caller, call.path["execution_id"])
        return answer(execution_body(details.execution))

    async def history(self, call: Call) -> Response:
        """Events of its history."""
        query: PlaceQuery = call.query
        execution_id = await self._known(call)
        events = self._host.history(execution_id, query.after, query.limit + 1)
        page = events[: query.limit]
        more = page[-1].sequence if len(events) > query.limit else None
        return answer(HistoryPage(tuple(event_body(outer_event(event)) for event in page), more))

    async def entries(self, call: Call) -> Response:
        """Its conversation."""
        query: PlaceQuery = call.query
        entries = (await self._requests.details(call.caller, call.path["execution_id"])).entries
        page = entries[query.after : query.after + query.limit]
        return answer(EntryPage(tuple(entry_body(entry) for entry in page), len(entries)))

    async def checkpoints(self, call: Call) -> Response:
        """Its checkpoints."""
        query: PlaceQuery = call.query
        checkpoints = (await self._requests.details(call.caller, call.path["execution_id"])).checkpoints
        page = checkpoints[query.after : query.after + query.limit]
        return answer(CheckpointPage(tuple(checkpoint_body(each) for each in page), len(checkpoints)))

    async def signal(self, call: Call) -> Response:
        """Send it a signal."""
        body: SignalBody = call.body
        signalled = await self._requests.signal(
            call.caller, call.path["execution_id"], body.name, payload_of(body.value)
        )
        return answer(SignalledBody(signalled.sequence))

    async def retry(self, call: Call) -> Response:
        """Let a workflow that has failed go on."""
        body: RetryExecutionBody = call.body
        attempt = await self._requests.retry(call.caller, call.path["execution_id"], body.reason)
        return answer(ExecutionRetriedBody(attempt))

    async def cancel(self, call: Call) -> Response:
        """Cancel it; with mode WAIT, answer when it has ended."""
        body: CancelBody = call.body
        execution_id = call.path["execution_id"]
        result = await self._requests.cancel_execution(call.caller, execution_id, body.reason, hard=body.force)
        if result is CancelTaskResult.NOT_FOUND:
            return problem(HTTPStatus.NOT_FOUND, not_found(execution_id), "Check the id, or list them.", result=result)
        view = (await self._requests.details(call.caller, execution_id)).execution
        if body.mode is CancelExecutionMode.WAIT and view.status not in TERMINAL_EXECUTION:
            view = await self._requests.wait_ended(call.caller, execution_id)
        return answer(CancelledBody(result, view.status))

    async def _known(self, call: Call) -> ExecutionId:
        await self._requests.details(call.caller, call.path["execution_id"])
        return self._requests.inner_id(call.caller, call.path["execution_id"])
