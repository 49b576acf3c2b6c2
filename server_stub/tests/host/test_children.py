"""Children across the host, the store and restarts: found by their parent, known when away, never two of one id."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rescind import AgentContext, AgentDefinition, ChildFailed, ParentClosePolicy, agent
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, child_id_from_key
from rescind.testing import Environment
from rescind_server.store.port import Store


@agent("waits")
async def waits(ctx: AgentContext) -> Any:
    return await ctx.wait_for_signal_raw("go")


@agent("spawns")
async def spawns(ctx: AgentContext, count: int) -> list[Any]:
    children = [await ctx.spawn_agent(waits) for _ in range(count)]
    return [await child for child in children]


@agent("abandons")
async def abandons(ctx: AgentContext) -> None:
    await ctx.spawn_agent(waits, parent_close=ParentClosePolicy.ABANDON)


@agent("collides")
async def collides(ctx: AgentContext) -> str:
    child = await ctx.spawn_agent(waits, idempotency_key="k")
    try:
        await child
    except ChildFailed as error:
        return error.error_type
    return "no error"


AGENTS: list[AgentDefinition[Any, Any]] = [waits, spawns, abandons, collides]


async def ids_of(store: Store, parent_id: str) -> list[str]:
    found = await store.find_executions(ExecutionFilter(parent_id=ExecutionId(parent_id)), None, 100)
    return [each.view.execution_id for each in reversed(found)]


@pytest.fixture(params=["memory", "sqlite"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "store.db" if request.param == "sqlite" else None


@pytest.mark.rescind
async def test_children_are_found_by_their_parent_and_counted(file: Path | None) -> None:
    async with Environment(AGENTS, store=file) as env:
        for name, count in (("one", 3), ("two", 1)):
            await env.start(spawns, count, id=name)
        await asyncio.sleep(1)
        store = env.host._store
        children = await env.handle("one").children()
        assert await ids_of(store, "one") == [child.execution_id for child in children]
        assert len(await ids_of(store, "two")) == 1
        assert await ids_of(store, "nobody") == []
        counts = await store.count_executions(ExecutionFilter(parent_id=ExecutionId("one")))
        assert sum(counts.values()) == 3


@pytest.mark.rescind
async def test_the_status_of_an_abandoned_child_is_known_though_its_parent_was_not_told(file: Path | None) -> None:
    async with Environment(AGENTS, store=file) as env:
        parent = await env.start(abandons, id="p")
        await parent.result()
        await env.settled()
        (child,) = await parent.children()
        assert child.status == "WAITING"
        await env.handle(child.execution_id).signal("go")
        await env.handle(child.execution_id).result()
        assert [each.status for each in await parent.children()] == ["COMPLETED"]


@pytest.mark.rescind
@pytest.mark.parametrize("closed", [False, True])
async def test_an_id_that_exists_already_is_a_child_that_failed(file: Path | None, closed: bool) -> None:
    async with Environment(AGENTS, store=file) as env:
        taken = child_id_from_key(ExecutionId("p"), "key:k")
        other = await env.start(waits, id=taken)
        if closed:
            await other.signal("go")
            await other.result()
        assert await (await env.start(collides, id="p")).result() == "AlreadyExists"
        assert (await other.describe()).parent_id is None


@pytest.mark.rescind
async def test_children_that_rest_are_cancelled_with_their_parent_also_behind_a_restart(file: Path | None) -> None:
    @agent("spawns-many")
    async def spawns_many(ctx: AgentContext, count: int) -> None:
        await ctx.join_children([await ctx.spawn_agent("nobody-runs-this") for _ in range(count)])

    # More than the engine keeps in memory of those that never ran.
    count = 1_200
    async with Environment([spawns_many], store=file) as env:
        parent = await env.start(spawns_many, count, id="p")
        await asyncio.sleep(1)
        if file is None:
            await parent.cancel("enough")
            await env.settled()
            assert {child.status for child in await parent.children()} == {"CANCELLED"}
            return
    async with Environment([spawns_many], store=file) as env:
        parent = env.handle("p")
        assert {child.status for child in await parent.children()} == {"PENDING"}
        await parent.cancel("enough")
        await env.settled()
        children = await parent.children()
        assert len(children) == count
        assert {child.status for child in children} == {"CANCELLED"}


@pytest.mark.rescind
async def test_what_is_kept_of_children_goes_with_their_parent(tmp_path: Path) -> None:
    async with Environment(AGENTS, store=tmp_path / "store.db") as env:
        parent = await env.start(spawns, 2, id="p")
        await asyncio.sleep(1)
        for child in await parent.children():
            await env.handle(child.execution_id).signal("go")
        await parent.result()
        await asyncio.sleep(timedelta(days=1).total_seconds())
        store = env.host._store
        while await store.remove_closed(env.host.now(), 1):
            pass
        assert await ids_of(store, "p") == []
        assert store.execution_ids() == ()
