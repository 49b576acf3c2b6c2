"""Webhooks, put together: what a server opens, runs and closes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from rescind.model.ids import Instant
from rescind_server.engine.state import Decision
from rescind_server.host.clock import Clock
from rescind_server.store.outbox import Delivery, Outbox, Webhook
from rescind_server.webhooks.attempts import Answer
from rescind_server.webhooks.deliverer import Deliverer
from rescind_server.webhooks.notices import Outer
from rescind_server.webhooks.operating import Webhooks
from rescind_server.webhooks.registry import Registry

if TYPE_CHECKING:
    from rescind_server.webhooks.sending import HttpSender


class WebhookService:
    """The webhooks of a server. Make it before the first commit: what that brings about is told, too.

    Attributes:
        webhooks: what operators do with them.
    """

    def __init__(self, outbox: Outbox, clock: Clock, outer: Outer, *, allow_private: bool = True) -> None:
        """Put the parts together; nothing is delivered before `run`.

        Args:
            outbox: where webhooks and deliveries are kept.
            clock: what the time is.
            outer: turns the engine's names into those of an organisation.
            allow_private: whether webhooks may lead to the server's own machine and network.
        """
        self._allow_private = allow_private
        registry = Registry(outbox, outer)
        self._deliverer = Deliverer(registry, self._send, clock, Random())
        self.webhooks = Webhooks(registry, self._deliverer, clock, outer, allow_private=allow_private)
        self._sender: HttpSender | None = None
        self._making = asyncio.Lock()

    async def run(self) -> None:
        """Deliver, until cancelled."""
        try:
            await self._deliverer.run()
        finally:
            if self._sender is not None:
                await self._sender.close()

    def note(self, decisions: Sequence[Decision]) -> None:
        """Some decisions have become durable: a listener of the host."""
        self._deliverer.note(decisions)

    async def _send(self, webhook: Webhook, delivery: Delivery, now: Instant) -> Answer:
        sender = self._sender or await self._made()
        return await sender.send(webhook, delivery, now)

    async def _made(self) -> HttpSender:
        async with self._making:
            if self._sender is None:
                self._sender = await asyncio.to_thread(_make_sender, self._allow_private)
            return self._sender


def _make_sender(allow_private: bool) -> HttpSender:
    # An HTTP client and its certificates take a moment and some memory: most servers tell nobody.
    from rescind_server.webhooks.sending import HttpSender  # noqa: PLC0415

    return HttpSender(allow_private=allow_private)
