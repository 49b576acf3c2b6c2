"""Operators' calls about webhooks over gRPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rescind_proto.rescind.v1 import webhooks_pb2

from rescind.errors import InvalidInput
from rescind.model.webhooks import WebhookRequest
from rescind.transport.conversion.pairs import fill, from_message, to_message
from rescind.transport.grpc_methods import WEBHOOK_METHODS
from rescind_server.access.tokens import Role
from rescind_server.gateway.client_requests import LARGEST_PAGE, PAGE
from rescind_server.gateway.identity import Caller, Identify
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.serving import Answer, answering
from rescind_server.webhooks.operating import Webhooks


class WebhookGateway:
    """The Webhooks service. Operators alone may use it, each for its organisation."""

    def __init__(self, webhooks: Webhooks, limits: Limits, identify: Identify) -> None:
        self._webhooks = webhooks
        self._limits = limits
        self._identify = identify

    def handlers(self) -> Mapping[str, Any]:
        """The handlers of the service's calls, by their names."""
        answers: dict[str, Answer] = {
            "AddWebhook": self._add,
            "ListWebhooks": self._list,
            "GetWebhook": self._get,
            "RemoveWebhook": self._remove,
            "EnableWebhook": self._enable,
            "RotateWebhookSecret": self._rotate,
            "TestWebhook": self._test,
            "ListDeadDeliveries": self._list_dead,
            "RetryDeadDeliveries": self._retry,
        }
        return {
            name: answering(WEBHOOK_METHODS[name], _for_operators(answer), self._identify, self._limits)
            for name, answer in answers.items()
        }

    async def _add(self, request: webhooks_pb2.AddWebhookRequest, caller: Caller) -> Any:
        wanted: WebhookRequest = from_message(request.webhook, WebhookRequest)
        return to_message(await self._webhooks.add(caller.organisation, wanted, caller.name_for(request.by)))

    async def _list(self, request: webhooks_pb2.ListWebhooksRequest, caller: Caller) -> Any:
        reply = webhooks_pb2.ListWebhooksReply()
        for each in await self._webhooks.all(caller.organisation):
            fill(each, reply.webhooks.add())
        return reply

    async def _get(self, request: webhooks_pb2.GetWebhookRequest, caller: Caller) -> Any:
        return to_message(await self._webhooks.show(caller.organisation, request.webhook_id))

    async def _remove(self, request: webhooks_pb2.RemoveWebhookRequest, caller: Caller) -> Any:
        by = caller.name_for(request.by)
        return to_message(await self._webhooks.remove(caller.organisation, request.webhook_id, by))

    async def _enable(self, request: webhooks_pb2.EnableWebhookRequest, caller: Caller) -> Any:
        by = caller.name_for(request.by)
        return to_message(await self._webhooks.enable(caller.organisation, request.webhook_id, by))

    async def _rotate(self, request: webhooks_pb2.RotateWebhookSecretRequest, caller: Caller) -> Any:
        by = caller.name_for(request.by)
        overlap_ms = request.overlap_ms if request.HasField("overlap_ms") else None
        return to_message(await self._webhooks.rotate(caller.organisation, request.webhook_id, by, overlap_ms))

    async def _test(self, request: webhooks_pb2.TestWebhookRequest, caller: Caller) -> Any:
        delivery_id = await self._webhooks.test(caller.organisation, request.webhook_id)
        return webhooks_pb2.TestWebhookReply(delivery_id=delivery_id)

    async def _list_dead(self, request: webhooks_pb2.ListDeadDeliveriesRequest, caller: Caller) -> Any:
        size = request.page_size if request.HasField("page_size") else PAGE
        if not 1 <= size <= LARGEST_PAGE:
            raise InvalidInput(f"page_size is {size}. Give 1 to {LARGEST_PAGE}.")
        letters, token = await self._webhooks.dead(caller.organisation, request.webhook_id, size, request.page_token)
        reply = webhooks_pb2.ListDeadDeliveriesReply(next_page_token=token)
        for each in letters:
            fill(each, reply.deliveries.add())
        return reply

    async def _retry(self, request: webhooks_pb2.RetryDeadDeliveriesRequest, caller: Caller) -> Any:
        count = await self._webhooks.retry(caller.organisation, request.webhook_id, request.delivery_id)
        return webhooks_pb2.RetryDeadDeliveriesReply(count=count)


def _for_operators(answer: Answer) -> Answer:
    async def checked(request: Any, caller: Caller) -> Any:
        caller.require(Role.OPERATOR)
        return await answer(request, caller)

    return checked
