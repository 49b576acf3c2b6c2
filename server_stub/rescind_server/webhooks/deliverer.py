"""Delivers what is in the outbox: each webhook on a lane of its own, so that a slow one is in nobody's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from random import Random
from typing import Final

from msgspec.structs import replace

from rescind.errors import StoreError
from rescind.model.ids import Instant
from rescind_server.engine.state import Decision
from rescind_server.host.clock import Clock
from rescind_server.store.outbox import Delivery, Outbox, Settled, Webhook
from rescind_server.webhooks.addresses import shown_url
from rescind_server.webhooks.attempts import Answer, Send
from rescind_server.webhooks.figures import DeliveryCounts
from rescind_server.webhooks.registry import Registry
from rescind_server.webhooks.schedule import next_due

AT_ONCE: Final = 4
"""How many deliveries to one webhook are under way at once."""
_PAGE: Final = 16
"""How many waiting deliveries are looked at, beside those under way."""
_STORE_PAUSE: Final = 2_000_000
"""How long to wait for a store that takes nothing, in microseconds."""

_LOG: Final = logging.getLogger(__name__)


class Settling:
    """Writes down what became of attempts: those of all webhooks together, while others are under way."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._waiting: list[tuple[Settled, asyncio.Future[None]]] = []
        self._work = asyncio.Event()

    async def settle(self, settled: Settled) -> None:
        """Write it down; durable when this returns. While the store takes nothing, this waits."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((settled, future))
        self._work.set()
        await future

    async def run(self) -> None:
        """Write what comes in, until cancelled."""
        while True:
            await self._work.wait()
            self._work.clear()
            waiting, self._waiting = self._waiting, []
            # They were delivered: they are not to be sent anew only because the store takes nothing.
            while not await self._is_written([settled for settled, _ in waiting]):
                await pause(self._clock, _STORE_PAUSE)
            for _, future in waiting:
                if not future.done():
                    future.set_result(None)

    async def _is_written(self, settled: Sequence[Settled]) -> bool:
        try:
            await self._outbox.settle(settled)
        except StoreError as error:
            # Whoever commits says it louder.
            _LOG.debug("what became of deliveries is not written down yet: %s", error)
            return False
        return True


class Deliverer:
    """Delivers to all webhooks. It sleeps until something is written for one of them, or is due.

    Attributes:
        counts: what became of attempts.
    """

    def __init__(self, registry: Registry, send: Send, clock: Clock, random: Random) -> None:
        """Make one that does not deliver yet.

        Args:
            registry: the webhooks, and where their deliveries are kept.
            send: makes an attempt.
            clock: what the time is.
            random: draws the jitter of pauses.
        """
        self.counts = DeliveryCounts()
        self._registry = registry
        self._send = send
        self._clock = clock
        self._random = random
        self._lanes: dict[str, _Lane] = {}
        self._settling = Settling(registry.outbox, clock)

    async def run(self) -> None:
        """Deliver, until cancelled; what is under way then is delivered anew by the next server."""
        settling = asyncio.create_task(self._settling.run(), name="rescind webhooks")
        for webhook in self._registry.all():
            self.wake(webhook.webhook_id)
        try:
            await settling
        finally:
            lanes, self._lanes = self._lanes, {}
            ending = [settling, *(lane.end() for lane in lanes.values())]
            settling.cancel()
            await asyncio.wait(ending)

    def note(self, _: Sequence[Decision]) -> None:
        """Wake those for whom commits have written something: a listener of the host."""
        for webhook_id in self._registry.take_told():
            self.wake(webhook_id)

    def wake(self, webhook_id: str) -> None:
        """Something may be due to this webhook now."""
        lane = self._lanes.get(webhook_id)
        if lane is None or lane.is_over:
            if self._registry.get(webhook_id) is None:
                return
            lane = _Lane(webhook_id, self._registry, self._settling, self._send, self._clock, self._random, self.counts)
            self._lanes[webhook_id] = lane
        lane.work.set()

    async def leave(self, webhook_id: str) -> None:
        """Deliver nothing more to this webhook; returns when nothing is under way."""
        lane = self._lanes.pop(webhook_id, None)
        if lane is not None:
            await asyncio.wait([lane.end()])


class _Lane:
    """Delivers to one webhook.

    Events of one execution are tried in their order, one at a time. One that has to be tried again does not keep back
    those behind it: a receiver that refuses one event would hear nothing of that execution for more than a day.
    """

    def __init__(
        self,
        webhook_id: str,
        registry: Registry,
        settling: Settling,
        send: Send,
        clock: Clock,
        random: Random,
        counts: DeliveryCounts,
    ) -> None:
        self.work = asyncio.Event()
        self._webhook_id = webhook_id
        self._registry = registry
        self._outbox = registry.outbox
        self._settling = settling
        self._send = send
        self._clock = clock
        self._random = random
        self._counts = counts
        # The execution of each delivery that is under way.
        self._under_way: dict[str, str] = {}
        self._attempts: set[asyncio.Task[None]] = set()
        self._problem = ""
        self._running = asyncio.create_task(self._run(), name=f"rescind webhook {webhook_id}")
        self._running.add_done_callback(_log_failure)

    @property
    def is_over(self) -> bool:
        """Whether it delivers nothing more."""
        return self._running.done()

    def end(self) -> asyncio.Task[None]:
        """Stop, and what is under way with it; returns what to wait for."""
        self._running.cancel()
        return self._running

    async def _run(self) -> None:
        try:
            while True:
                await self.work.wait()
                self.work.clear()
                due = await self._begin_due()
                alarm = self._clock.call_at(due, self.work.set) if due is not None else None
                try:
                    await self.work.wait()
                finally:
                    if alarm is not None:
                        alarm.cancel()
        finally:
            for attempt in self._attempts:
                attempt.cancel()
            if self._attempts:
                await asyncio.wait(self._attempts)

    async def _begin_due(self) -> Instant | None:
        """Begin what is due, as far as there is room; returns when to look again. What ends wakes the lane, too."""
        webhook = self._registry.get(self._webhook_id)
        if webhook is None or webhook.disabled is not None or len(self._under_way) >= AT_ONCE:
            return None
        try:
            waiting = await self._outbox.waiting(self._webhook_id, _PAGE + len(self._under_way))
        except StoreError as error:
            _LOG.debug("what is due to webhook %s cannot be read: %s", self._webhook_id, error)
            return Instant(self._clock.now() + _STORE_PAUSE)
        now = self._clock.now()
        for delivery in waiting:
            assert delivery.due is not None
            if delivery.delivery_id in self._under_way:
                continue
            if delivery.due > now:
                return delivery.due
            if len(self._under_way) >= AT_ONCE:
                return None
            if delivery.execution_id not in self._under_way.values():
                self._begin(delivery)
        return None

    def _begin(self, delivery: Delivery) -> None:
        self._under_way[delivery.delivery_id] = delivery.execution_id
        attempt = asyncio.create_task(self._attempt(delivery))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            # As it stands now: its secret may be a new one.
            webhook = self._registry.get(self._webhook_id)
            if webhook is None:
                return
            answer = await self._answer(webhook, delivery)
            if answer.is_gone:
                # First, so that nobody finds its dead letter and not why it is one.
                await self._disable(webhook, answer)
            await self._settling.settle(self._settled(webhook, delivery, answer))
            if answer.is_gone:
                await self._bury(answer)
        finally:
            del self._under_way[delivery.delivery_id]
            self.work.set()

    async def _answer(self, webhook: Webhook, delivery: Delivery) -> Answer:
        try:
            return await self._send(webhook, delivery, self._clock.now())
        except Exception as error:
            # A fault of ours: it is tried again like any other, and not at once.
            _LOG.exception("delivery %s to webhook %s could not be tried", delivery.delivery_id, self._webhook_id)
            return Answer(f"the server failed to send it: {type(error).__name__}")

    def _settled(self, webhook: Webhook, delivery: Delivery, answer: Answer) -> Settled:
        attempts, now = delivery.attempts + 1, self._clock.now()
        # A receiver may be away for long: what was said of it already is said again to those alone who look closely.
        level = logging.DEBUG if answer.problem == self._problem else logging.INFO
        self._problem = answer.problem
        if not answer.problem:
            self._counts.note(webhook.organisation, "delivered")
            return Settled(delivery.delivery_id)
        due = None if answer.is_gone else next_due(attempts, now, self._random, answer.wait_s)
        self._counts.note(webhook.organisation, "failed" if due is not None else "dead")
        where = (delivery.delivery_id, webhook.webhook_id, shown_url(webhook.url))
        if due is None:
            _LOG.warning("delivery %s to webhook %s at %s was given up: %s", *where, answer.problem)
            return Settled(delivery.delivery_id, attempts, None, now, answer.problem)
        _LOG.log(level, "delivery %s to webhook %s at %s failed, attempt %d: %s", *where, attempts, answer.problem)
        return Settled(delivery.delivery_id, attempts, due, None, answer.problem)

    async def _disable(self, webhook: Webhook, answer: Answer) -> None:
        _LOG.warning("webhook %s at %s is disabled: %s", webhook.webhook_id, shown_url(webhook.url), answer.problem)
        try:
            await self._registry.change(webhook.webhook_id, lambda each: replace(each, disabled=answer.problem))
        except StoreError as error:
            # The next delivery meets the same answer.
            _LOG.debug("webhook %s could not be disabled: %s", webhook.webhook_id, error)

    async def _bury(self, answer: Answer) -> None:
        webhook = self._registry.get(self._webhook_id)
        if webhook is None or webhook.disabled is None:
            return
        try:
            await self._outbox.bury(self._webhook_id, self._clock.now(), answer.problem)
        except StoreError as error:
            _LOG.debug("what waits for webhook %s could not be given up: %s", self._webhook_id, error)


def _log_failure(lane: asyncio.Task[None]) -> None:
    if not lane.cancelled() and lane.exception() is not None:
        _LOG.critical("%s failed; it goes on with what is told next", lane.get_name(), exc_info=lane.exception())


async def pause(clock: Clock, microseconds: int) -> None:
    """Return when so much time has passed by this clock."""
    come = asyncio.Event()
    alarm = clock.call_at(Instant(clock.now() + microseconds), come.set)
    try:
        await come.wait()
    finally:
        alarm.cancel()
