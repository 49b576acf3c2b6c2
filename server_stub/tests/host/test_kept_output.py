"""Who comes late sees what was written so far, and then what comes, without a gap and without a repeat."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from rescind import StoreError, TaskContext, agent, task
from rescind.client.client import ExecutionHandle
from rescind.model.agent_values import StreamEvent
from rescind.runtime.agent_context import AgentContext
from rescind.testing import Environment
from rescind_server.store.memory import MemoryStore
from rescind_server.store.outputs import Outputs


@task("counts")
async def counts(ctx: TaskContext, upto: int) -> None:
    for number in range(upto):
        ctx.stream(StreamEvent("output", {"stream": "stdout", "text": f"{number}\n"}))
        await asyncio.sleep(0.01)


@task("strange")
async def strange(ctx: TaskContext) -> None:
    ctx.stream(StreamEvent("output", {"stream": "stdlog", "text": 3}))
    ctx.stream(StreamEvent("output", "words"))


@agent("runs")
async def runs(ctx: AgentContext, upto: int) -> None:
    await ctx.schedule(counts, upto)


@agent("runs-strange")
async def runs_strange(ctx: AgentContext) -> None:
    await ctx.schedule(strange)


async def output_of(handle: ExecutionHandle[Any]) -> str:
    async with aclosing(handle.follow(output=True)) as events:
        seen = [event.value async for event in events if isinstance(event, StreamEvent)]
    return "".join(value["text"] for value in seen)


def counted(upto: int) -> str:
    return "".join(f"{number}\n" for number in range(upto))


@pytest.mark.rescind
@pytest.mark.parametrize("late", [0.0, 0.1, 0.25, 0.2501, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_whenever_one_comes_it_is_all_there_once(late: float, kind: str, tmp_path: Path) -> None:
    store = MemoryStore() if kind == "memory" else tmp_path / "store.db"
    async with Environment(agents=[runs], tasks=[counts], store=store) as env:
        handle = await env.start(runs, 200)
        await asyncio.sleep(late)
        assert await output_of(handle) == counted(200)


@pytest.mark.rescind
async def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with Environment(agents=[runs], tasks=[counts], store=path) as env:
        await (await env.start(runs, 3, id="one")).result()
    async with Environment(agents=[runs], tasks=[counts], store=path) as env:
        assert await output_of(env.handle("one")) == counted(3)


@pytest.mark.rescind
async def test_events_of_that_name_that_are_no_output_are_not_kept() -> None:
    async with Environment(agents=[runs_strange], tasks=[strange]) as env:
        handle = await env.start(runs_strange)
        await handle.result()
        await asyncio.sleep(1)
        assert await output_of(handle) == ""


class FullStore(MemoryStore):
    """Takes no output until there is room."""

    has_room = False

    async def keep_outputs(self, outputs: Outputs) -> None:
        if not self.has_room:
            raise StoreError("the disk is full")
        await super().keep_outputs(outputs)


@pytest.mark.rescind
async def test_what_the_store_did_not_take_is_counted_as_left_out() -> None:
    store = FullStore()
    async with Environment(agents=[runs], tasks=[counts], store=store) as env:
        handle = await env.start(runs, 5)
        await handle.result()
        await asyncio.sleep(1)
        store.has_room = True
        await asyncio.sleep(10)
        async with aclosing(handle.follow(output=True)) as events:
            values = [event.value async for event in events if isinstance(event, StreamEvent)]
        assert values == [{"stream": "stdout", "text": "", "left_out": len(counted(5))}]
