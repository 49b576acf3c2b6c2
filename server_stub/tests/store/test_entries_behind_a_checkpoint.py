"""What was appended beside a checkpoint is taken back with the run that did it, in the file as in memory."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from rescind import AgentContext, agent
from rescind.model.events import EventType, HistoryEvent
from rescind.testing import Environment
from rescind_server.store.port import Store
from rescind_server.store.sqlite import SqliteStore


@agent("keeper", recovery="checkpoint")
async def keeper(ctx: AgentContext) -> str:
    if ctx.state() is None:
        await asyncio.gather(ctx.checkpoint("begun"), ctx.append_entry("assistant", "beside it"))
    await ctx.append_entry("assistant", "behind it")
    await asyncio.sleep(1)
    return "done"


async def entries_when_its_worker_is_lost_at_the_checkpoint(store: Store | Path | None) -> list[object]:
    async with Environment(agents=[keeper], store=store) as env:
        handle = await env.start(keeper, id="k-1")
        async for event in handle.follow():
            if isinstance(event, HistoryEvent) and event.type is EventType.CHECKPOINT_SAVED:
                break
        await env.kill_worker()
        env.start_worker()
        assert await handle.result() == "done"
        return [entry.content for entry in await handle.entries()]


@pytest.mark.rescind
async def test_a_run_that_begins_at_a_checkpoint_appends_in_a_file_what_it_appends_in_memory(tmp_path: Path) -> None:
    in_memory = await entries_when_its_worker_is_lost_at_the_checkpoint(None)
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        assert await entries_when_its_worker_is_lost_at_the_checkpoint(store) == in_memory
