"""A server's webhooks, for its operators: ``client.webhooks``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from rescind_proto.rescind.v1 import webhooks_pb2

from rescind.model.webhooks import DeadDelivery, WebhookRequest, WebhookSecret, WebhookView
from rescind.transport.conversion.pairs import fill, from_message
from rescind.transport.grpc_client import GrpcConnection

_PAGE = 100
_MILLISECOND = timedelta(milliseconds=1)


class WebhookClient:
    """Adds, shows, changes and removes webhooks. Operators alone may, each for its organisation.

    Every call raises NotPermitted for others than operators, and NotFound for a webhook that there is not.
    """

    def __init__(self, connection: GrpcConnection, by: str, timeout: float) -> None:
        self._connection = connection
        self._by = by
        self._timeout = timeout

    async def add(
        self,
        url: str,
        *,
        events: Sequence[str] = (),
        kinds: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        description: str = "",
        with_result: bool = False,
        allow_http: bool = False,
    ) -> WebhookSecret:
        """Add a webhook: what happens from now on is told to it.

        Args:
            url: where to: ``https``, or ``http`` to the server's own machine.
            events: what it is told of; ``execution.*`` is all of those. Empty: ends of executions, and all about
                cancels.
            kinds: only what is about executions of these kinds; empty is all.
            labels: only what is about executions with each of these labels.
            description: what it is for, in words.
            with_result: tell it results, and the texts of failures, too.
            allow_http: allow ``http`` to other machines, too.

        Returns:
            The webhook with its secret, which is shown this once.

        Raises:
            InvalidInput: a URL or an event that cannot be meant.
        """
        wanted = WebhookRequest(
            url, tuple(events), tuple(kinds), dict(labels or {}), description, with_result, allow_http
        )
        request = webhooks_pb2.AddWebhookRequest(by=self._by)
        fill(wanted, request.webhook)
        added: WebhookSecret = from_message(await self._call("AddWebhook", request), WebhookSecret)
        return added

    async def all(self) -> list[WebhookView]:
        """All webhooks, the oldest first."""
        reply = await self._call("ListWebhooks", webhooks_pb2.ListWebhooksRequest())
        return [from_message(each, WebhookView) for each in reply.webhooks]

    async def show(self, webhook_id: str) -> WebhookView:
        """One webhook."""
        return await self._view("GetWebhook", webhooks_pb2.GetWebhookRequest(webhook_id=webhook_id))

    async def remove(self, webhook_id: str) -> WebhookView:
        """Remove a webhook with all that it was still to be told; returns it as it was."""
        return await self._view("RemoveWebhook", webhooks_pb2.RemoveWebhookRequest(webhook_id=webhook_id, by=self._by))

    async def enable(self, webhook_id: str) -> WebhookView:
        """Tell a webhook again that was disabled. What happened meanwhile is not told."""
        return await self._view("EnableWebhook", webhooks_pb2.EnableWebhookRequest(webhook_id=webhook_id, by=self._by))

    async def rotate(self, webhook_id: str, overlap: timedelta | None = None) -> WebhookSecret:
        """Give a webhook a new secret.

        Args:
            webhook_id: which.
            overlap: for how long what it is sent is signed with the old one, too; None is a day.
        """
        request = webhooks_pb2.RotateWebhookSecretRequest(webhook_id=webhook_id, by=self._by)
        if overlap is not None:
            request.overlap_ms = overlap // _MILLISECOND
        rotated: WebhookSecret = from_message(await self._call("RotateWebhookSecret", request), WebhookSecret)
        return rotated

    async def test(self, webhook_id: str) -> str:
        """Send a webhook a ping; returns the id of its delivery."""
        reply = await self._call("TestWebhook", webhooks_pb2.TestWebhookRequest(webhook_id=webhook_id))
        return str(reply.delivery_id)

    async def dead(self, webhook_id: str = "") -> AsyncGenerator[DeadDelivery, None]:
        """What was given up, the last first; fetched in pages, as they are read.

        Args:
            webhook_id: of this webhook; "" is all.
        """
        token = ""
        while True:
            request = webhooks_pb2.ListDeadDeliveriesRequest(webhook_id=webhook_id, page_size=_PAGE, page_token=token)
            reply = await self._call("ListDeadDeliveries", request)
            for each in reply.deliveries:
                yield from_message(each, DeadDelivery)
            token = reply.next_page_token
            if not token:
                return

    async def retry(self, delivery_id: str = "", *, webhook_id: str = "") -> int:
        """Try anew what was given up, from the first attempt on; returns how many.

        Args:
            delivery_id: this one; "" is all.
            webhook_id: those of this webhook; "" is all webhooks that are not disabled.
        """
        request = webhooks_pb2.RetryDeadDeliveriesRequest(delivery_id=delivery_id, webhook_id=webhook_id)
        return int((await self._call("RetryDeadDeliveries", request)).count)

    async def _view(self, name: str, request: Any) -> WebhookView:
        view: WebhookView = from_message(await self._call(name, request), WebhookView)
        return view

    async def _call(self, name: str, request: Any) -> Any:
        return await self._connection.call(name, request, timeout=self._timeout)
