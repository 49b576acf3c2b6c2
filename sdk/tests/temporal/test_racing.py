"""Races and joins on a cluster: the engine decides them there as everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, agent
from rescind.errors import AllTasksFailed, TaskFailed

from .world import CAUSES, breaks, nap, stopped, world

pytestmark = pytest.mark.asyncio


@agent("races")
async def races(ctx: AgentContext, seconds: list[float]) -> Any:
    winner, _ = await ctx.select_ok_with_cancel([ctx.schedule(nap, each) for each in seconds])
    return winner


@agent("races-a-failure")
async def races_a_failure(ctx: AgentContext) -> Any:
    winner, _ = await ctx.select_ok([ctx.schedule(breaks, 0.0), ctx.schedule(nap, 0.1)])
    return winner


@agent("races-failures")
async def races_failures(ctx: AgentContext) -> None:
    await ctx.select_ok([ctx.schedule(breaks, 0.0), ctx.schedule(breaks, 0.01)])


@agent("joins-in-time")
async def joins_in_time(ctx: AgentContext) -> list[int]:
    joined = await ctx.join_all_with_timeout([ctx.schedule(nap, 0.1), ctx.schedule(nap, 60.0)], timeout_ms=500)
    return [len(joined.completed), len(joined.cancelled)]


@agent("awaits-a-failure")
async def awaits_a_failure(ctx: AgentContext) -> None:
    await ctx.schedule(breaks, 0.0)


async def test_the_first_success_wins_and_the_losers_are_cancelled_and_have_really_stopped(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [races]) as here:
        handle = await here.start(races, [0.1, 60.0, 60.0])
        assert await handle.result() == 0.1
        tasks = await stopped(handle)
    assert [each.status for each in tasks] == ["COMPLETED", "CANCELLED", "CANCELLED"]
    assert [each.stop_state for each in tasks] == [None, "STOPPED", "STOPPED"]


async def test_a_losers_code_sees_why_it_is_cancelled_though_temporal_tells_no_reason(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [races]) as here:
        handle = await here.start(races, [0.1, 60.0])
        await handle.result()
        _, loser = await stopped(handle)
    assert CAUSES[str(loser.task_id)] == f"race_lost by agent:{handle.id}"


async def test_a_failure_does_not_win_a_race(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [races_a_failure]) as here:
        assert await (await here.start(races_a_failure)).result() == 0.1


async def test_a_race_that_nobody_can_win_ends_with_all_causes(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [races_failures]) as here:
        with pytest.raises(AllTasksFailed) as caught:
            await (await here.start(races_failures)).result()
    assert [each.error for each in caught.value.errors if isinstance(each, TaskFailed)] == [
        "broken after 0.0 s",
        "broken after 0.01 s",
    ]


async def test_the_deadline_of_a_join_cancels_what_is_open(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [joins_in_time]) as here:
        handle = await here.start(joins_in_time)
        assert await handle.result() == [1, 1]
        assert [each.status for each in await handle.tasks()] == ["COMPLETED", "CANCELLED"]


async def test_an_agent_that_fails_tells_its_caller_what_ended_it(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [awaits_a_failure]) as here:
        with pytest.raises(TaskFailed, match=r"broken after 0\.0 s"):
            await (await here.start(awaits_a_failure)).result()
