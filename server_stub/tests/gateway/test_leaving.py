"""A worker that is told to stop while its server is away: what has just ended is reported, if the server comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rescind import AgentContext, TaskContext, agent, task
from rescind.client.connecting import Client
from rescind.worker import connecting
from rescind.worker.connecting import Worker
from rescind_server.app import Server

from .work import LONGEST, WATCHED, eventually

pytestmark = pytest.mark.asyncio


@task("held")
async def held(ctx: TaskContext, name: str) -> str:
    WATCHED[f"{name} runs"].set()
    try:
        await WATCHED[f"{name} may end"].wait()
        return f"{name}, attempt {ctx.attempt}"
    finally:
        WATCHED[f"{name} ended"].set()


@agent("holds")
async def holds(ctx: AgentContext, name: str) -> str:
    return await ctx.schedule(held, name)


@asynccontextmanager
async def server_gone_while_it_works(
    store: Path, name: str, log: pytest.LogCaptureFixture
) -> AsyncIterator[tuple[str, Worker, Client]]:
    """A worker that runs a task, and has noticed that its server is gone; where that was; and a client."""
    for what in ("runs", "may end", "ended"):
        WATCHED[f"{name} {what}"] = asyncio.Event()
    async with Server(store, "127.0.0.1:0") as server:
        address = server.address
        worker = Worker(address, agents=[holds], tasks=[held], worker_id="w-1")
        working = asyncio.create_task(worker.run())
        client = Client(address, by="client:test", patience=LONGEST)
        await client.start(holds, name, id=name)
        await WATCHED[f"{name} runs"].wait()
    try:
        await eventually(lambda: "worker w-1 is not connected" in log.text)
        yield address, worker, client
    finally:
        async with asyncio.timeout(LONGEST):
            await working
        await client.close()


async def test_a_result_that_came_while_the_server_was_away_is_reported_before_the_worker_leaves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "store.db"
    async with server_gone_while_it_works(store, "kept", caplog) as (address, worker, client):
        stopping = asyncio.create_task(worker.stop())
        WATCHED["kept may end"].set()
        await WATCHED["kept ended"].wait()
        async with Server(store, address):
            async with asyncio.timeout(LONGEST):
                await stopping
            assert [listed async for listed in client.workers()] == []
            async with Worker(address, agents=[holds], tasks=[held], worker_id="w-2"):
                assert await client.handle("kept").result() == "kept, attempt 1"


async def test_a_worker_whose_server_stays_away_leaves_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connecting, "_LONGEST_REPORTING", 0.0)
    async with server_gone_while_it_works(tmp_path / "store.db", "lost", caplog) as (_, worker, _):
        WATCHED["lost may end"].set()
        async with asyncio.timeout(LONGEST):
            await worker.stop()
    assert "ends without having reported everything" in caplog.text
