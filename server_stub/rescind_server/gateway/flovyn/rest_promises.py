"""Promises over flovyn's HTTP interface: settled from outside, by their id or their key."""

from __future__ import annotations

from starlette.responses import Response

from rescind.errors import InvalidInput
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind_server.gateway.flovyn.rest_answers import PromiseSettledBody
from rescind_server.gateway.flovyn.rest_bodies import RejectPromiseBody, ResolvePromiseBody
from rescind_server.gateway.flovyn.values import checked_uuid
from rescind_server.gateway.flovyn.workflow_requests import WorkflowRequests
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.http.shown import payload_of


class RestPromises:
    """Settles promises."""

    def __init__(self, workflows: WorkflowRequests) -> None:
        self._workflows = workflows

    async def resolve(self, call: Call) -> Response:
        """Give a promise its value."""
        body: ResolvePromiseBody = call.body
        return await self._settle(call, payload_of(body.value), None)

    async def reject(self, call: Call) -> Response:
        """Give a promise an error instead."""
        body: RejectPromiseBody = call.body
        return await self._settle(call, NULL_PAYLOAD, body.error)

    async def _settle(self, call: Call, value: Payload, error: str | None) -> Response:
        form, colon, name = call.path["ref"].partition(":")
        if not colon or not name or form not in ("id", "key"):
            raise InvalidInput(f"{call.path['ref'][:100]!r} names no promise. Write id:UUID or key:KEY.")
        by_key = form == "key"
        promise = name if by_key else checked_uuid(name, "the promise's id")
        settled = await self._workflows.settle(call.caller, promise, value, error, by_key=by_key)
        return answer(
            PromiseSettledBody(settled.promise_id, resolved=not settled.already, already_resolved=settled.already)
        )
