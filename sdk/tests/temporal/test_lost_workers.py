"""Workers that die, leave or come back, and histories that are played again: nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, TaskContext, agent, task
from rescind.authoring.agent import AgentDefinition
from rescind.authoring.registry import Registry
from rescind.authoring.workflow import WorkflowDefinition
from rescind.temporal.hosting import Known
from rescind.temporal.workflow import agent_workflow

from . import worker_program
from .worker_program import remembers, survives
from .world import World, nap, world

pytestmark = pytest.mark.asyncio


@agent("goes-on")
async def goes_on(ctx: AgentContext) -> list[Any]:
    said: list[Any] = []
    for name in ("first", "second"):
        said.append(await ctx.wait_for_signal_raw(name))
        await ctx.append_entry("assistant", name)
        await ctx.schedule(nap, 0.0)
        said.append(await ctx.run(lambda: "effect", name="effect"))
    return said


@task("is-left")
async def is_left(ctx: TaskContext) -> int:
    if ctx.attempt == 1:
        await asyncio.Event().wait()
    return ctx.attempt


@agent("leaves")
async def leaves(ctx: AgentContext) -> int:
    return await ctx.schedule(is_left)


@asynccontextmanager
async def worker_process(here: World) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process of its own, that can be killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", worker_program.__file__, here.address, here.queue
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_an_agent_goes_on_where_it_stood_on_another_worker(development_server: DevelopmentServer) -> None:
    async with world(development_server.address) as here:
        handle = await here.start(goes_on)
        async with here.worker([goes_on]):
            await handle.signal("first", 1)
            while len(await handle.entries()) < 1:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        async with here.worker([goes_on]):
            await handle.signal("second", 2)
            assert await handle.result() == [1, "effect", 2, "effect"]
            assert [each.content for each in await handle.entries()] == ["first", "second"]


async def test_a_worker_that_leaves_in_order_hands_its_attempts_on(development_server: DevelopmentServer) -> None:
    async with world(development_server.address) as here:
        handle = await here.start(leaves)
        async with here.worker([leaves], [is_left]):
            while not await handle.tasks():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.2)
        async with here.worker([leaves], [is_left]):
            assert await handle.result() == 2


async def test_the_attempts_of_a_killed_worker_are_tried_again_when_its_lease_has_ended(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    async with world(development_server.address) as here:
        handle = await here.start(survives, str(tmp_path))
        async with worker_process(here) as process:
            while not (tmp_path / "attempt-1").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            process.kill()
            await process.wait()
        async with here.worker([survives], [remembers], lease_ms=1_000):
            assert await handle.result() == 2
            (task_record,) = await handle.tasks()
    assert task_record.attempts == 2


async def test_every_history_is_played_again_to_the_same_effect(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [goes_on]) as here:
        handle = await here.start(goes_on)
        await handle.signal("first")
        await handle.signal("second")
        await handle.result()
        history = await here.client.port.client.get_workflow_handle(handle.id).fetch_history()
    await replayed(history, goes_on)


async def test_another_path_than_the_history_is_caught(development_server: DevelopmentServer) -> None:
    @agent("goes-on")
    async def goes_elsewhere(ctx: AgentContext) -> None:
        await ctx.wait_for_signal_raw("first")
        await ctx.sleep(1)

    async with world(development_server.address, [goes_on]) as here:
        handle = await here.start(goes_on)
        await handle.signal("first")
        await handle.signal("second")
        await handle.result()
        history = await here.client.port.client.get_workflow_handle(handle.id).fetch_history()
    with pytest.raises(Exception, match=r"[Nn]ondeterminism"):
        await replayed(history, goes_elsewhere)


async def replayed(history: WorkflowHistory, definition: AgentDefinition) -> None:  # type: ignore[type-arg]
    """Play a history again with Temporal's own replayer."""
    agents: Registry[AgentDefinition] = Registry(AgentDefinition)  # type: ignore[type-arg]
    agents.register(definition)
    await Replayer(workflows=[agent_workflow(Known(agents, Registry(WorkflowDefinition)))]).replay_workflow(history)
