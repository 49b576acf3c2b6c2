"""Webhooks of a whole server: real calls, real files, real processes, real receivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from rescind import InvalidInput, NotFound, NotPermitted, RequestError
from rescind.client.connecting import Client
from rescind.model.ids import Instant
from rescind.model.webhooks import DeadDelivery, WebhookView
from rescind_server.access.token_file import TokenFile, beside
from rescind_server.access.tokens import Role
from rescind_server.app import Server
from rescind_server.webhooks import schedule
from server_stub.tests.gateway.test_killed import kill, processes, reachable

from .receiver import LONGEST, Receiver, receiver

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as opened:
        yield opened


@pytest_asyncio.fixture(params=["memory", "file"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    """An operator of a server in this process."""
    store = tmp_path / "store.db" if request.param == "file" else None
    async with Server(store, "127.0.0.1:0") as server, Client(server.address, by="client:ops") as connected:
        yield connected


async def shown_as(client: Client, webhook_id: str, *, waiting: int, dead: int = 0) -> WebhookView:
    """Wait until so much of a webhook is left."""
    async with asyncio.timeout(LONGEST):
        while True:
            shown = await client.webhooks.show(webhook_id)
            if (shown.waiting, shown.dead) == (waiting, dead):
                return shown
            await asyncio.sleep(0.01)


async def dead_letters(client: Client, webhook_id: str = "") -> list[DeadDelivery]:
    return [each async for each in client.webhooks.dead(webhook_id)]


async def test_a_cancel_is_told_signed_and_in_order(client: Client, there: Receiver) -> None:
    added = await client.webhooks.add(there.url, description="for the shop")
    handle = await client.start("agent", id="order-1", labels={"team": "a"})
    await handle.cancel("wrong address")
    asked, ended = (await there.wait_for(2))[:2]
    assert (asked.type, ended.type) == ("execution.cancel_requested", "execution.cancelled")
    assert asked.is_signed_with(added.secret)
    assert ended.is_signed_with(added.secret)
    data = ended.document["data"]
    assert (data["execution_id"], data["kind"], data["labels"]) == ("order-1", "agent", {"team": "a"})
    assert data["cause"] == {"source": "request", "by": "client:ops", "reason": "wrong address"}
    await shown_as(client, added.webhook.webhook_id, waiting=0)


async def test_a_webhook_is_added_shown_tested_and_removed(client: Client, there: Receiver) -> None:
    added = await client.webhooks.add(
        there.url, events=["execution.*"], kinds=["agent"], labels={"team": "a"}, with_result=True
    )
    webhook_id = added.webhook.webhook_id
    assert await client.webhooks.all() == [await client.webhooks.show(webhook_id)] == [added.webhook]
    assert all(each.startswith("execution.") for each in added.webhook.events)
    delivery_id = await client.webhooks.test(webhook_id)
    (ping,) = await there.wait_for(1)
    assert (ping.id, ping.type) == (delivery_id, "webhook.ping")
    await client.webhooks.remove(webhook_id)
    assert await client.webhooks.all() == []
    await (await client.start("agent")).cancel()
    for call in (client.webhooks.show, client.webhooks.remove, client.webhooks.rotate, client.webhooks.test):
        with pytest.raises(NotFound, match=webhook_id):
            await call(webhook_id)
    assert len(there.received) == 1


async def test_what_cannot_be_meant_is_refused(client: Client) -> None:
    with pytest.raises(InvalidInput, match=r"no event 'execution\.finished'"):
        await client.webhooks.add("https://example.com/", events=["execution.finished"])
    with pytest.raises(InvalidInput, match="Give https"):
        await client.webhooks.add("http://example.com/")


async def test_what_fails_becomes_a_dead_letter_and_is_tried_anew_by_hand(
    client: Client, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "PAUSES_S", (0.01,))
    webhook_id = (await client.webhooks.add(there.url)).webhook.webhook_id
    there.answers = ["500 No", "302 Found\r\nlocation: /elsewhere", "500 No"]
    delivery_id = await client.webhooks.test(webhook_id)
    await shown_as(client, webhook_id, waiting=0, dead=1)
    (letter,) = await dead_letters(client)
    assert (letter.delivery_id, letter.attempts, letter.event) == (delivery_id, 2, "webhook.ping")
    assert letter.problem == "it answered 302, and redirects are not followed"
    assert await client.webhooks.retry(delivery_id) == 1
    await shown_as(client, webhook_id, waiting=0)
    assert await dead_letters(client, webhook_id) == []
    assert [each.id for each in there.received] == [delivery_id] * 4
    assert {each.target for each in there.received} == {"/hook?key=k-1"}
    with pytest.raises(NotFound, match="no dead letter"):
        await client.webhooks.retry(delivery_id)


async def test_a_receiver_that_is_gone_is_told_again_when_an_operator_says_so(client: Client, there: Receiver) -> None:
    webhook_id = (await client.webhooks.add(there.url)).webhook.webhook_id
    there.answers = ["410 Gone"]
    await client.webhooks.test(webhook_id)
    shown = await shown_as(client, webhook_id, waiting=0, dead=1)
    assert shown.disabled == "it answered 410 Gone"
    for call in (client.webhooks.test(webhook_id), client.webhooks.retry(webhook_id=webhook_id)):
        with pytest.raises(RequestError, match="is disabled"):
            await call
    assert await client.webhooks.retry() == 0
    assert (await client.webhooks.enable(webhook_id)).disabled is None
    assert await client.webhooks.retry() == 1
    await there.wait_for(2)
    await shown_as(client, webhook_id, waiting=0)


async def test_a_new_secret_signs_beside_the_old_one_for_as_long_as_was_said(client: Client, there: Receiver) -> None:
    added = await client.webhooks.add(there.url)
    webhook_id = added.webhook.webhook_id
    rotated = await client.webhooks.rotate(webhook_id, timedelta(hours=1))
    assert rotated.webhook.old_secret_until is not None
    await client.webhooks.test(webhook_id)
    both = (await there.wait_for(1))[0]
    assert both.is_signed_with(added.secret)
    assert both.is_signed_with(rotated.secret)
    last = await client.webhooks.rotate(webhook_id, timedelta())
    await client.webhooks.test(webhook_id)
    alone = (await there.wait_for(2))[1]
    assert alone.is_signed_with(last.secret)
    assert not alone.is_signed_with(rotated.secret)
    with pytest.raises(InvalidInput, match="0 to 30 days"):
        await client.webhooks.rotate(webhook_id, timedelta(days=31))


async def test_a_receiver_that_hangs_keeps_nobody_waiting(client: Client, there: Receiver) -> None:
    async with receiver() as stuck:
        stuck.answers = [None] * 100
        await client.webhooks.add(stuck.url)
        await client.webhooks.add(there.url)
        for number in range(20):
            await (await client.start("agent", id=f"a-{number}")).cancel()
        received = await there.wait_for(40)
        assert len({each.id for each in received}) == 40


@asynccontextmanager
async def callers(folder: Path) -> AsyncIterator[dict[str, Client]]:
    store = folder / "store.db"
    file = TokenFile(beside(store))
    roles = {
        "web": (Role.CLIENT, "default"),
        "worker": (Role.WORKER, "default"),
        "ops": (Role.OPERATOR, "default"),
        "far": (Role.OPERATOR, "elsewhere"),
    }
    tokens = {
        name: file.create(name, role, Instant(1), organisation=organisation, by="user:root")[1]
        for name, (role, organisation) in roles.items()
    }
    async with Server(store, "127.0.0.1:0") as server:
        clients = {name: Client(server.address, token=token) for name, token in tokens.items()}
        try:
            yield clients
        finally:
            for each in clients.values():
                await each.close()


async def test_webhooks_are_for_operators(tmp_path: Path) -> None:
    async with callers(tmp_path) as by_name:
        for name in ("web", "worker"):
            webhooks = by_name[name].webhooks
            for call in (webhooks.add("https://example.com/"), webhooks.all(), webhooks.retry(), webhooks.show("wh")):
                with pytest.raises(NotPermitted):
                    await call
            with pytest.raises(NotPermitted):
                await dead_letters(by_name[name])


async def test_organisations_see_and_are_told_of_their_own_alone(tmp_path: Path, there: Receiver) -> None:
    async with callers(tmp_path) as by_name, receiver() as elsewhere:
        own = await by_name["ops"].webhooks.add(there.url)
        await by_name["far"].webhooks.add(elsewhere.url)
        assert own.webhook.created_by == "operator:ops"
        for name in ("ops", "far"):
            await (await by_name[name].start("agent", id=f"of-{name}")).cancel()
        assert {each.document["data"]["execution_id"] for each in await there.wait_for(2)} == {"of-ops"}
        assert {each.document["data"]["execution_id"] for each in await elsewhere.wait_for(2)} == {"of-far"}
        stranger = by_name["far"].webhooks
        assert [each.url for each in await stranger.all()] == [elsewhere.url]
        calls = (stranger.show, stranger.remove, stranger.rotate, stranger.test, stranger.enable)
        for call in calls:
            with pytest.raises(NotFound):
                await call(own.webhook.webhook_id)
        with pytest.raises(NotFound):
            await dead_letters(by_name["far"], own.webhook.webhook_id)


async def test_what_was_committed_when_the_server_was_killed_is_told_by_the_next_one(
    tmp_path: Path, there: Receiver
) -> None:
    there.answers = [None]
    async with processes(tmp_path) as (started, client):
        server = await started.server()
        await reachable(client)
        added = await client.webhooks.add(there.url, events=["execution.cancelled"])
        await (await client.start("agent", id="a-1")).cancel("killed behind this")
        (before,) = await there.wait_for(1)
        await kill(server)
        await started.server()
        await reachable(client)
        after = (await there.wait_for(2))[1]
        assert (after.id, after.body) == (before.id, before.body)
        assert after.is_signed_with(added.secret)
        await shown_as(client, added.webhook.webhook_id, waiting=0)
        assert len(there.received) == 2
