"""What becomes of work that is to stop: left alone, ended by force, or ended with its agent."""

from __future__ import annotations

import asyncio

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, CancelMode, agent
from rescind.model.status import ParentClosePolicy

from .functions import ignores_its_end
from .world import its_code_runs, nap, stopped, world

pytestmark = pytest.mark.asyncio


@agent("abandons")
async def abandons(ctx: AgentContext) -> str:
    future = ctx.schedule(nap, 1.0)
    await ctx.wait_for_signal_raw("enough")
    return (await future.cancel(mode=CancelMode.ABANDON)).value


@agent("leaves-work-behind")
async def leaves_work_behind(ctx: AgentContext) -> None:
    ctx.schedule(nap, 0.5, parent_close=ParentClosePolicy.ABANDON)
    ctx.schedule(nap, 60.0)
    await ctx.checkpoint({})


@agent("stops-slowly")
async def stops_slowly(ctx: AgentContext) -> None:
    future = ctx.schedule(ignores_its_end, grace=60.0)
    await ctx.wait_for_signal_raw("enough")
    await future.cancel("gently")
    await ctx.wait_for_signal_raw("really")
    await future.cancel("by force", mode=CancelMode.FORCE)


async def test_abandoned_work_goes_on_and_its_agent_does_not_wait(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [abandons]) as here:
        handle = await here.start(abandons)
        await handle.signal("enough")
        assert await handle.result() == "CANCELLED"
        (task,) = await handle.tasks()
        # The workflow is open as long as something of the execution is at work.
        assert await here.client.port.client.get_workflow_handle(handle.id).result() == "CANCELLED"
    assert (task.status, task.stop_state) == ("CANCELLED", None)


async def test_open_tasks_go_by_their_policy_when_their_agent_ends(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [leaves_work_behind]) as here:
        handle = await here.start(leaves_work_behind)
        await handle.result()
        await here.client.port.client.get_workflow_handle(handle.id).result()
        tasks = await stopped(handle)
    assert [each.status for each in tasks] == ["COMPLETED", "CANCELLED"]


async def test_work_that_is_being_stopped_can_be_ended_by_force(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [stops_slowly], [ignores_its_end]) as here:
        handle = await here.start(stops_slowly)
        await its_code_runs(handle)
        await handle.signal("enough")
        while (await handle.tasks())[0].stop_state != "DELIVERED":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await handle.signal("really")
        await handle.result()
        (task,) = await stopped(handle)
    assert task.stop_state == "KILLED"
