"""All that a filter selects: counted, or cancelled step by step."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from rescind.model.events import iso_time
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import Instant
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.http.bodies import CancelManyBody, CancelManyTasksBody
from rescind_server.gateway.http.cancel_bodies import CancelCounts
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.http.selections import execution_filter, task_filter
from rescind_server.gateway.http.shown import reach_body
from rescind_server.host.driver import Host


class BulkCancels:
    """Carries out what is asked about many at once."""

    def __init__(self, host: Host, requests: ClientRequests) -> None:
        self._host = host
        self._requests = requests

    async def executions(self, call: Call) -> Response:
        """Cancel all executions that a filter selects, or count them."""
        body: CancelManyBody = call.body
        return await self._cancel(call, execution_filter(body.where, body.where.statuses, body.where.labels))

    async def tasks(self, call: Call) -> Response:
        """Cancel all open tasks that a filter selects, or count them."""
        body: CancelManyTasksBody = call.body
        return await self._cancel(call, task_filter(body.where, body.where.statuses, body.where.labels))

    async def _cancel(self, call: Call, selection: ExecutionFilter | TaskFilter) -> Response:
        body: CancelManyBody | CancelManyTasksBody = call.body
        if body.dry_run:
            as_of = self._host.now()
            reach = await self._requests.reach(call.caller, _before(selection, as_of), hard=body.force)
            selected = reach.executions if isinstance(selection, ExecutionFilter) else reach.tasks
            return answer(CancelCounts(selected, {}, True, iso_time(as_of), reach_body(reach)))
        counts: dict[str, int] = {}
        async for so_far in self._requests.cancel_where(call.caller, selection, body.reason, hard=body.force):
            counts = {result.value: count for result, count in so_far.items()}
        return answer(CancelCounts(sum(counts.values()), counts, False))


def _before(selection: ExecutionFilter | TaskFilter, as_of: Instant) -> ExecutionFilter | TaskFilter:
    """What of it was there before a time."""
    if isinstance(selection, ExecutionFilter):
        created_before = min(as_of, selection.created_before or as_of)
        return msgspec.structs.replace(selection, created_before=created_before)
    scheduled_before = min(as_of, selection.scheduled_before or as_of)
    return msgspec.structs.replace(selection, scheduled_before=scheduled_before)
