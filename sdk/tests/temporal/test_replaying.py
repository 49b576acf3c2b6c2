"""Code that takes another path than an execution took is found out before it is deployed, and said so clearly."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowHistory

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, agent
from rescind.errors import NonDeterminismError
from rescind.temporal import TemporalReplayer

from .world import breaks, nap, world

pytestmark = pytest.mark.asyncio


@agent("naps-twice")
async def naps_twice(ctx: AgentContext) -> float:
    first = await ctx.schedule(nap, 0.01)
    return first + await ctx.schedule(nap, 0.02)


@agent("naps-twice")
async def schedules_another_task(ctx: AgentContext) -> float:
    first = await ctx.schedule(nap, 0.01)
    await ctx.schedule(breaks, 0.02)
    return first


@agent("naps-twice")
async def schedules_one_task_more(ctx: AgentContext) -> float:
    ctx.schedule(nap, 0.0)
    return await naps_twice.run(ctx, None)


@agent("naps-twice")
async def schedules_one_task_less(ctx: AgentContext) -> float:
    return await ctx.schedule(nap, 0.01)


@agent("naps-twice")
async def sleeps_in_between(ctx: AgentContext) -> float:
    first = await ctx.schedule(nap, 0.01)
    await ctx.sleep(1)
    return first + await ctx.schedule(nap, 0.02)


async def history_of_naps(server: DevelopmentServer) -> WorkflowHistory:
    async with world(server.address, [naps_twice]) as here:
        handle = await here.start(naps_twice)
        assert await handle.result() == pytest.approx(0.03)
        return await here.client.port.client.get_workflow_handle(handle.id).fetch_history()


async def test_the_same_code_takes_the_same_path(development_server: DevelopmentServer) -> None:
    await TemporalReplayer([naps_twice]).replay(await history_of_naps(development_server))


async def test_changed_code_is_caught(development_server: DevelopmentServer) -> None:
    history = await history_of_naps(development_server)
    for changed in (schedules_another_task, schedules_one_task_more, schedules_one_task_less, sleeps_in_between):
        with pytest.raises(NonDeterminismError, match=rf"^execution '{history.workflow_id}' took another path"):
            await TemporalReplayer([changed]).replay(history)
