"""What every outbox promises, asked of each one; and that a file keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rescind.errors import StoreError
from rescind.model.audit import AuditAction
from rescind.model.commands import StartExecution
from rescind.model.ids import ExecutionId, Instant
from rescind.model.payload import NULL_PAYLOAD
from rescind_server.engine.machine import Engine
from rescind_server.store.memory import MemoryStore
from rescind_server.store.outbox import (
    THE_LATEST,
    Change,
    ChangePlace,
    DeadPlace,
    Delivery,
    Depth,
    Secret,
    Settled,
    Webhook,
)
from rescind_server.store.port import Store
from rescind_server.store.sqlite import SqliteStore

pytestmark = pytest.mark.rescind

LAST_OF_ALL = ChangePlace(2**62, 2**62)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store.db")
    yield opened
    opened.close()


def webhook(webhook_id: str, created_at: int = 1) -> Webhook:
    return Webhook(webhook_id, "default", "https://example.com/", ("a",), "ops", Instant(created_at), (Secret("s"),))


def delivery(name: str, due: int, webhook_id: str = "wh_1", **fields: Any) -> Delivery:
    return Delivery(name, webhook_id, "a", "x", Instant(1), b"{}", Instant(due), **fields)


async def waiting(store: Store, webhook_id: str = "wh_1", limit: int = 100) -> list[str]:
    return [each.delivery_id for each in await store.outbox.waiting(webhook_id, limit)]


async def dead(store: Store, before: DeadPlace = THE_LATEST, limit: int = 100) -> list[Delivery]:
    return list(await store.outbox.dead(["wh_1", "wh_2"], before, limit))


async def test_webhooks_are_kept_changed_and_removed_the_oldest_first(store: Store) -> None:
    for name, at in (("wh_2", 2), ("wh_1", 1)):
        await store.outbox.put_webhook(webhook(name, at))
    changed = msgspec.structs.replace(webhook("wh_2", 2), disabled="gone")
    await store.outbox.put_webhook(changed)
    assert {each.webhook_id: each for each in store.outbox.webhooks()} == {"wh_1": webhook("wh_1"), "wh_2": changed}
    await store.outbox.add(delivery("m", 1, "wh_2"))
    await store.outbox.remove_webhook("wh_2")
    assert list(store.outbox.webhooks()) == [webhook("wh_1")]
    assert await waiting(store, "wh_2") == []


async def test_what_waits_is_given_by_when_it_is_due_then_as_it_was_written(store: Store) -> None:
    for name, due in (("late", 9), ("first", 5), ("second", 5)):
        await store.outbox.add(delivery(name, due))
    await store.outbox.add(delivery("of another", 1, "wh_2"))
    assert await waiting(store) == ["first", "second", "late"]
    assert await waiting(store, limit=1) == ["first"]


async def test_a_delivery_is_forgotten_tried_again_or_given_up(store: Store) -> None:
    for name in ("delivered", "again", "given up"):
        await store.outbox.add(delivery(name, 5))
    await store.outbox.settle(
        [
            Settled("delivered"),
            Settled("again", 1, Instant(7), None, "it answered 500"),
            Settled("given up", 10, None, Instant(6), "it answered 404"),
            Settled("of nobody"),
        ]
    )
    (again,) = await store.outbox.waiting("wh_1", 10)
    assert (again.delivery_id, again.attempts, again.due, again.problem) == ("again", 1, 7, "it answered 500")
    (letter,) = await dead(store)
    assert (letter.delivery_id, letter.attempts, letter.dead_at, letter.due) == ("given up", 10, 6, None)
    assert letter == await store.outbox.dead_letter("given up")
    assert await store.outbox.dead_letter("again") is None
    assert await store.outbox.depths() == {"wh_1": Depth(1, 1)}


async def test_dead_letters_are_given_in_pages_the_last_first(store: Store) -> None:
    for number in range(5):
        await store.outbox.add(delivery(f"m-{number}", 5, f"wh_{number % 2 + 1}"))
        await store.outbox.settle([Settled(f"m-{number}", 1, None, Instant(10 + number // 2), "no")])
    first = await dead(store, limit=2)
    rest = await dead(store, DeadPlace(first[-1].dead_at or 0, first[-1].number))
    assert [each.delivery_id for each in (*first, *rest)] == ["m-4", "m-3", "m-2", "m-1", "m-0"]


async def test_dead_letters_are_tried_anew_one_or_all_of_some_webhooks(store: Store) -> None:
    for name, of in (("a", "wh_1"), ("b", "wh_1"), ("c", "wh_2")):
        await store.outbox.add(delivery(name, 5, of))
    for of in ("wh_1", "wh_2"):
        await store.outbox.bury(of, Instant(6), "gone")
    assert await store.outbox.revive(["wh_1"], "a", Instant(8)) == 1
    (revived,) = await store.outbox.waiting("wh_1", 10)
    assert (revived.delivery_id, revived.due, revived.attempts, revived.dead_at) == ("a", 8, 0, None)
    assert await store.outbox.revive(["wh_1"], "c", Instant(8)) == 0
    assert await store.outbox.revive(["wh_1", "wh_2"], None, Instant(9)) == 2
    assert await dead(store) == []


async def test_dead_letters_go_with_the_executions_of_their_time(store: Store) -> None:
    for name, at in (("old", 10), ("young", 20)):
        await store.outbox.add(delivery(name, 5))
        await store.outbox.settle([Settled(name, 1, None, Instant(at), "no")])
    await store.outbox.add(delivery("waiting", 5))
    await store.remove_closed(Instant(20), 100)
    assert [each.delivery_id for each in await dead(store)] == ["young"]
    assert await waiting(store) == ["waiting"]


async def test_what_was_done_with_webhooks_is_kept_in_pages_and_goes_with_its_time(store: Store) -> None:
    def done(at: int, organisation: str = "default") -> Change:
        return Change(Instant(at), organisation, "ops", AuditAction.ADD_WEBHOOK, f"wh_1 at {at}")

    async def kept(since: int = 0, before: ChangePlace = LAST_OF_ALL, limit: int = 100) -> list[Change]:
        return list(await store.outbox.changes("default", Instant(since), before, limit))

    for each in (done(10), done(20), done(20), done(20, "acme")):
        await store.outbox.put_webhook(webhook("wh_1"), each)
    await store.outbox.remove_webhook("wh_1", done(30))
    found = await kept()
    assert [each.at for each in found] == [30, 20, 20, 10]
    assert await kept(since=20) == found[:3]
    assert await kept(before=ChangePlace(20, found[1].number), limit=1) == found[2:3]
    await store.remove_closed(Instant(20), 100)
    assert await kept() == found[:3]


async def test_a_file_keeps_it_all(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.outbox.put_webhook(webhook("wh_1"))
    await store.outbox.add(delivery("m", 5))
    store.close()
    store = SqliteStore(tmp_path / "store.db")
    assert list(store.outbox.webhooks()) == [webhook("wh_1")]
    assert await waiting(store) == ["m"]
    store.close()


async def test_what_is_told_is_in_the_commit_or_nothing_of_it_is(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    started = Engine().decide(StartExecution("agent", NULL_PAYLOAD, ExecutionId("x")), Instant(1))
    # The file refuses the second one, behind all that the commit has written before.
    store.outbox.told = lambda _: [delivery("m", 5), delivery("m", 5)]
    with pytest.raises(StoreError):
        await store.commit([started])
    assert (store.execution_ids(), await waiting(store)) == ((), [])
    store.load()  # what a commit that failed has left behind is put right
    store.outbox.told = lambda _: [delivery("m", 5)]
    await store.commit([started])
    assert (store.execution_ids(), await waiting(store)) == (("x",), ["m"])
    store.close()
