"""The audit trail over gRPC, and those who follow what has ended."""

from __future__ import annotations

import asyncio

import pytest

from rescind import CancelTaskResult, ExecutionEnded, NotPermitted
from rescind.client.connecting import Client
from rescind.model.audit import AuditFilter
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import Instant
from rescind.worker.connecting import Worker
from rescind_server.access.token_file import TokenFile, beside
from rescind_server.access.tokens import Role
from rescind_server.app import Server

from .work import AGENTS, LONGEST, TASKS, gather

pytestmark = pytest.mark.asyncio


async def ended(server: Server, client: Client, execution_id: str) -> None:
    async with Worker(server.address, agents=AGENTS, tasks=TASKS, worker_id="w-1"):
        assert await (await client.start(gather, 1, id=execution_id)).result() == 0


async def test_the_trail_is_told_over_the_wire_in_pages(server: Server, client: Client) -> None:
    for number in range(250):
        await client.start("patient", id=f"p-{number}")
    await client.handle("p-0").cancel("not needed")
    records = [record async for record in client.audit()]
    assert [record.execution_id for record in records] == ["p-0", *(f"p-{number}" for number in reversed(range(250)))]
    last = records[0]
    assert (last.who, last.action, last.result, last.reason) == ("client:test", "CANCEL", "CANCELLED", "not needed")
    about_it = [record async for record in client.audit(AuditFilter(execution_id=records[-1].execution_id))]
    assert [(record.action, record.sequence) for record in about_it] == [("CANCEL", 2), ("START", 1)]


async def test_what_comes_too_late_is_in_the_history_and_in_the_trail(server: Server, client: Client) -> None:
    await ended(server, client, "g-1")
    handle = client.handle("g-1")
    assert await handle.cancel("too late") is CancelTaskResult.ALREADY_COMPLETED
    with pytest.raises(ExecutionEnded):
        await handle.signal("go")
    assert [event.type for event in (await handle.history())[-2:]] == [
        EventType.EXECUTION_CANCEL_REQUESTED,
        EventType.SIGNAL_REFUSED,
    ]
    refused, cancel = [record async for record in client.audit()][:2]
    assert (refused.action, refused.result, refused.subject) == ("SIGNAL", "REFUSED", "go")
    assert (cancel.action, cancel.result, cancel.reason) == ("CANCEL", "ALREADY_COMPLETED", "too late")


async def test_a_follower_from_behind_the_end_is_told_what_came_too_late_and_leaves(
    server: Server, client: Client
) -> None:
    await ended(server, client, "g-1")
    handle = client.handle("g-1")
    end = (await handle.history())[-1]
    await handle.cancel("too late")
    async with asyncio.timeout(LONGEST):
        seen = [event async for event in handle.follow(after=end.sequence)]
        assert [event.type for event in seen if isinstance(event, HistoryEvent)] == ["EXECUTION_CANCEL_REQUESTED"]
        assert [event async for event in handle.follow(after=end.sequence + 1)] == []


async def test_the_trail_is_for_operators_of_its_organisation(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = tmp_path_factory.mktemp("store") / "store.db"
    file = TokenFile(beside(store))
    tokens = {
        name: file.create(name, role, Instant(1), organisation=organisation, by="user:root")[1]
        for name, role, organisation in (
            ("web", Role.CLIENT, "default"),
            ("ops", Role.OPERATOR, "default"),
            ("far", Role.OPERATOR, "elsewhere"),
        )
    }
    async with Server(store, address="127.0.0.1:0") as server:
        async with Client(server.address, token=tokens["web"]) as web:
            await web.start("patient", id="p-1")
            with pytest.raises(NotPermitted):
                await anext(web.audit())
        async with Client(server.address, token=tokens["ops"]) as operator:
            seen = [(each.who, each.action) async for each in operator.audit()]
            assert seen == [("client:web", "START"), *[("user:root", "CREATE_TOKEN")] * 2]
        async with Client(server.address, token=tokens["far"]) as stranger:
            await stranger.start("patient", id="p-1")
            records = [each async for each in stranger.audit()]
            assert [(each.who, each.execution_id) for each in records] == [("operator:far", "p-1"), ("user:root", None)]
