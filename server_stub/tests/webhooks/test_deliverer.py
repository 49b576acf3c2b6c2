"""Delivering, in virtual time: again and again by its schedule, each webhook for itself, in the order of events."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from rescind.errors import StoreError
from rescind.model.ids import Instant
from rescind.testing.virtual_time import virtual_loop
from rescind_server.host.clock import WallClock
from rescind_server.store.memory_outbox import MemoryOutbox
from rescind_server.store.outbox import THE_LATEST, Delivery, Settled, Webhook
from rescind_server.webhooks.attempts import Answer
from rescind_server.webhooks.deliverer import AT_ONCE, Deliverer
from rescind_server.webhooks.registry import Registry
from rescind_server.webhooks.schedule import JITTER, LONGEST_WISH_S, PAUSES_S, next_due

from .test_notices import a_webhook

pytestmark = pytest.mark.rescind

REFUSED = Answer("it answered 500")
DAY = 86_400.0


class Outbox(MemoryOutbox):
    """One that counts how often it is read, and may be in trouble."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.trouble = False

    async def waiting(self, webhook_id: str, limit: int) -> Sequence[Delivery]:
        self.reads += 1
        return await super().waiting(webhook_id, limit)

    async def settle(self, settled: Sequence[Settled]) -> None:
        if self.trouble:
            raise StoreError("the disk is full.")
        await super().settle(settled)


@dataclass
class Scene:
    """A deliverer, and receivers that answer as they are told to.

    Attributes:
        sent: the attempts, each with its time in seconds since the beginning.
        answers: what the attempts at a delivery meet, in order; where none is left they are taken.
        closed: webhooks whose receivers do not answer before their event is set.
    """

    outbox: Outbox
    registry: Registry
    deliverer: Deliverer
    clock: WallClock
    sent: list[tuple[float, str]] = field(default_factory=list)
    answers: defaultdict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    closed: dict[str, asyncio.Event] = field(default_factory=dict)
    under_way: int = 0
    most_under_way: int = 0

    async def send(self, webhook: Webhook, delivery: Delivery, now: Instant) -> Answer:
        self.sent.append((asyncio.get_running_loop().time(), delivery.delivery_id))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if webhook.webhook_id in self.closed:
                await self.closed[webhook.webhook_id].wait()
        finally:
            self.under_way -= 1
        answers = self.answers[delivery.delivery_id]
        return answers.pop(0) if answers else Answer()

    async def put(self, *names: str, webhook_id: str = "wh_1", execution_id: str | None = None) -> None:
        for name in names:
            now = self.clock.now()
            await self.outbox.add(Delivery(name, webhook_id, "a", execution_id or name, now, b"{}", now))
        self.deliverer.wake(webhook_id)
        await settled()

    async def dead(self) -> list[tuple[str, int, str]]:
        letters = await self.outbox.dead(["wh_1"], THE_LATEST, 100)
        return [(each.delivery_id, each.attempts, each.problem) for each in letters]

    def names(self) -> list[str]:
        return [name for _, name in self.sent]


async def settled() -> None:
    await virtual_loop().settled()


@asynccontextmanager
async def scene(*webhooks: str, outbox: Outbox | None = None) -> AsyncIterator[Scene]:
    box = outbox or Outbox()
    registry = Registry(box, str)
    for name in webhooks or ("wh_1",):
        if registry.get(name) is None:
            await registry.add(a_webhook(name))
    clock = WallClock()

    async def send(webhook: Webhook, delivery: Delivery, now: Instant) -> Answer:
        return await opened.send(webhook, delivery, now)

    deliverer = Deliverer(registry, send, clock, Random(1))
    opened = Scene(box, registry, deliverer, clock)
    running = asyncio.create_task(deliverer.run())
    await settled()
    try:
        yield opened
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_what_is_delivered_is_forgotten() -> None:
    async with scene() as now:
        await now.put("m")
        assert now.names() == ["m"]
        assert await now.outbox.depths() == {}
        assert now.deliverer.counts.attempts("default") == {"delivered": 1}


async def test_what_fails_is_tried_again_by_the_schedule_and_given_up_in_the_end() -> None:
    async with scene() as now:
        now.answers["m"] = [REFUSED] * 20
        await now.put("m")
        await asyncio.sleep(7 * DAY)
        times = [at for at, _ in now.sent]
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert len(pauses) == len(PAUSES_S)
        for pause, planned in zip(pauses, PAUSES_S, strict=True):
            assert planned <= pause <= planned * (1 + JITTER) + 0.001
        assert await now.dead() == [("m", len(PAUSES_S) + 1, "it answered 500")]
        assert now.deliverer.counts.attempts("default") == {"failed": len(PAUSES_S), "dead": 1}


async def test_what_fails_and_then_is_taken_is_over() -> None:
    async with scene() as now:
        now.answers["m"] = [REFUSED, REFUSED]
        await now.put("m")
        await asyncio.sleep(DAY)
        assert now.names() == ["m"] * 3
        assert await now.outbox.depths() == {}


@pytest.mark.parametrize(("asked", "waited"), [(600.0, 600.0), (1.0, PAUSES_S[0]), (-5.0, PAUSES_S[0]), (1e9, DAY)])
async def test_a_receiver_may_ask_for_a_longer_pause_and_not_for_a_shorter_one(asked: float, waited: float) -> None:
    due = next_due(1, Instant(0), Random(1), asked)
    assert due is not None
    assert waited <= due / 1e6 <= waited * (1 + JITTER)
    assert LONGEST_WISH_S == DAY


async def test_a_dead_letter_that_is_tried_anew_has_its_whole_schedule_before_it() -> None:
    async with scene() as now:
        now.answers["m"] = [REFUSED] * (len(PAUSES_S) + 1)
        await now.put("m")
        await asyncio.sleep(7 * DAY)
        assert await now.dead()
        await now.outbox.revive(["wh_1"], "m", now.clock.now())
        now.deliverer.wake("wh_1")
        await settled()
        assert await now.outbox.depths() == {}


async def test_a_receiver_that_is_gone_is_told_no_more_and_what_waited_is_kept() -> None:
    async with scene() as now:
        now.answers["first"] = [Answer("it answered 410 Gone", is_gone=True)]
        await now.put("first")
        await now.put("second")
        await asyncio.sleep(DAY)
        assert now.names() == ["first"]
        webhook = now.registry.get("wh_1")
        assert webhook is not None
        assert webhook.disabled == "it answered 410 Gone"
        assert now.outbox.told is None


async def test_what_waits_when_a_receiver_is_gone_becomes_dead_letters() -> None:
    async with scene() as now:
        now.answers["slow"] = [REFUSED]
        await now.put("slow")
        now.answers["gone"] = [Answer("it answered 410 Gone", is_gone=True)]
        await now.put("gone")
        assert {name for name, *_ in await now.dead()} == {"slow", "gone"}


async def test_a_receiver_that_hangs_delays_no_other() -> None:
    async with scene("wh_1", "wh_2") as now:
        now.closed["wh_1"] = asyncio.Event()
        await now.put(*(f"slow-{number}" for number in range(50)))
        await now.put(*(f"quick-{number}" for number in range(50)), webhook_id="wh_2")
        assert len([name for name in now.names() if name.startswith("quick")]) == 50
        assert len([name for name in now.names() if name.startswith("slow")]) == AT_ONCE
        now.closed["wh_1"].set()
        await settled()
        assert await now.outbox.depths() == {}
        assert now.most_under_way <= 2 * AT_ONCE


async def test_events_of_one_execution_are_tried_one_after_the_other() -> None:
    async with scene() as now:
        now.closed["wh_1"] = asyncio.Event()
        await now.put("x-1", "x-2", "x-3", execution_id="x")
        await now.put("y-1", execution_id="y")
        assert now.names() == ["x-1", "y-1"]
        now.closed["wh_1"].set()
        await settled()
        assert [name for name in now.names() if name.startswith("x")] == ["x-1", "x-2", "x-3"]


async def test_an_event_that_is_refused_does_not_keep_back_those_behind_it() -> None:
    async with scene() as now:
        now.answers["x-1"] = [REFUSED]
        await now.put("x-1", "x-2", execution_id="x")
        assert now.names() == ["x-1", "x-2"]
        await asyncio.sleep(60)
        assert now.names() == ["x-1", "x-2", "x-1"]


async def test_while_nothing_is_due_nothing_is_looked_for() -> None:
    async with scene() as now:
        now.answers["m"] = [Answer("it answered 503", wait_s=DAY)]
        await now.put("m")
        reads = now.outbox.reads
        await asyncio.sleep(DAY - 60)
        assert now.outbox.reads == reads


async def test_what_was_delivered_is_not_sent_anew_because_the_store_takes_nothing() -> None:
    async with scene() as now:
        now.outbox.trouble = True
        await now.put("m")
        await asyncio.sleep(600)
        assert await now.outbox.depths() != {}
        now.outbox.trouble = False
        await asyncio.sleep(60)
        assert await now.outbox.depths() == {}
        assert now.names() == ["m"]


async def test_the_next_server_delivers_what_was_left() -> None:
    outbox = Outbox()
    async with scene(outbox=outbox) as now:
        now.closed["wh_1"] = asyncio.Event()
        await now.put("m")
        assert now.names() == ["m"]
    async with scene(outbox=outbox) as later:
        assert later.names() == ["m"]
        assert await outbox.depths() == {}


async def test_a_webhook_that_is_removed_is_told_no_more() -> None:
    async with scene() as now:
        now.closed["wh_1"] = asyncio.Event()
        await now.put("under-way", "behind", execution_id="x")
        await now.registry.remove("wh_1")
        await now.deliverer.leave("wh_1")
        assert now.under_way == 0
        now.closed["wh_1"].set()
        await asyncio.sleep(DAY)
        assert now.names() == ["under-way"]


async def test_a_fault_in_sending_is_tried_again_and_not_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async with scene() as now:

        def broken(*_: Any) -> list[Answer]:
            raise ValueError("a fault")

        answers, now.answers = now.answers, defaultdict(broken)
        await now.put("m")
        assert now.names() == ["m"]
        now.answers = answers
        await asyncio.sleep(60)
        assert now.names() == ["m", "m"]
        assert "could not be tried" in caplog.text


async def test_the_log_says_once_that_a_receiver_fails_and_again_when_it_fails_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with scene() as now:
        now.answers |= {"a": [REFUSED], "b": [REFUSED], "c": []}
        await now.put("a", "b")
        assert [record.message.split()[1] for record in caplog.records if "failed" in record.message] == ["a"]
        caplog.clear()
        await now.put("c")
        now.answers["d"] = [REFUSED]
        await now.put("d")
        assert [record.message.split()[1] for record in caplog.records if "failed" in record.message] == ["d"]
