"""The test server skips time where only timers are waited for: an agent that sleeps for an hour is tested at once."""

from __future__ import annotations

import pytest
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest

from fixtures.temporal_servers.running import TimeSkippingServer
from rescind import AgentContext, agent
from rescind.errors import ExecutionWasCancelled, InvalidInput

from .world import nap, stopped, world

pytestmark = pytest.mark.asyncio


@agent("sleeps-for-an-hour")
async def sleeps_for_an_hour(ctx: AgentContext) -> float:
    before = ctx.now()
    await ctx.sleep(3_600)
    return (ctx.now() - before).total_seconds()


@agent("races-there")
async def races_there(ctx: AgentContext) -> float:
    winner, _ = await ctx.select_ok_with_cancel([ctx.schedule(nap, 0.1), ctx.schedule(nap, 60.0)])
    return float(winner)


@agent("waits-there")
async def waits_there(ctx: AgentContext) -> None:
    await ctx.wait_for_signal_raw("never")


async def test_an_hour_passes_at_once(time_skipping_server: TimeSkippingServer) -> None:
    async with world(time_skipping_server.address, [sleeps_for_an_hour]) as here:
        handle = await here.start(sleeps_for_an_hour)
        service = here.client.port.client.test_service
        await service.unlock_time_skipping(UnlockTimeSkippingRequest())
        try:
            assert await handle.result() >= 3_600
        finally:
            await service.lock_time_skipping(LockTimeSkippingRequest())


async def test_a_race_is_decided_there_as_everywhere(time_skipping_server: TimeSkippingServer) -> None:
    async with world(time_skipping_server.address, [races_there]) as here:
        handle = await here.start(races_there)
        assert await handle.result() == 0.1
        assert [each.stop_state for each in await stopped(handle)] == [None, "STOPPED"]


async def test_a_cancelled_agent_ends_there_as_everywhere(time_skipping_server: TimeSkippingServer) -> None:
    async with world(time_skipping_server.address, [waits_there]) as here:
        handle = await here.start(waits_there)
        await handle.cancel("enough")
        with pytest.raises(ExecutionWasCancelled, match="enough"):
            await handle.result()


async def test_that_it_has_no_lists_is_said(time_skipping_server: TimeSkippingServer) -> None:
    async with world(time_skipping_server.address) as here:
        with pytest.raises(InvalidInput, match="This server cannot do it"):
            [each async for each in here.client.list()]
