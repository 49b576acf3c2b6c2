"""Time-outs and retries on a cluster: the engine decides them, by times that are measured where the work runs."""

from __future__ import annotations

import asyncio

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, TaskContext, agent, task
from rescind.errors import TaskFailed, TaskTimedOut
from rescind.model.events import EventType
from rescind.model.options import RetryPolicy

from .world import TASKS, nap, stopped, world

pytestmark = pytest.mark.asyncio


@task("fails-twice", retry=RetryPolicy(max_attempts=3, initial_interval_ms=50))
async def fails_twice(ctx: TaskContext) -> int:
    if ctx.attempt < 3:
        raise ValueError(f"attempt {ctx.attempt}")
    return ctx.attempt


@task("says-something")
async def says_something(ctx: TaskContext, times: int) -> int:
    for each in range(times):
        ctx.report_progress(each / times)
        await asyncio.sleep(0.2)
    return times


@task("is-quiet")
async def is_quiet(ctx: TaskContext) -> None:
    ctx.report_progress(0.5)
    await asyncio.Event().wait()


@agent("retries")
async def retries(ctx: AgentContext) -> int:
    return await ctx.schedule(fails_twice)


@agent("takes-too-long")
async def takes_too_long(ctx: AgentContext, limit: str) -> None:
    options = {limit: 0.4}
    await ctx.schedule(nap, 60.0, **options)  # type: ignore[call-overload]


@agent("nobody-takes-it")
async def nobody_takes_it(ctx: AgentContext) -> None:
    await ctx.schedule(nap, 0.0, queue=f"{ctx.execution_id}-nobody", schedule_to_start=0.5)


@agent("reports-in-time")
async def reports_in_time(ctx: AgentContext) -> int:
    return await ctx.schedule(says_something, 4, idle=0.6, heartbeat=0.6)


@agent("goes-quiet")
async def goes_quiet(ctx: AgentContext, limit: str) -> None:
    options = {limit: 0.4}
    await ctx.schedule(is_quiet, **options)  # type: ignore[call-overload]


@agent("sleeps")
async def sleeps(ctx: AgentContext) -> float:
    before = ctx.now()
    await asyncio.wait([asyncio.ensure_future(asyncio.sleep(each)) for each in (0.3, 0.1, 0.2)])
    return (ctx.now() - before).total_seconds()


async def test_a_failure_is_tried_again_by_the_engines_rules(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [retries], [*TASKS, fails_twice]) as here:
        handle = await here.start(retries)
        assert await handle.result() == 3
        (task,) = await handle.tasks()
        assert (task.attempts, task.status) == (3, "COMPLETED")


@pytest.mark.parametrize("limit", ["start_to_close", "schedule_to_close", "heartbeat", "idle"])
async def test_a_limit_fails_the_task_and_stops_its_work(development_server: DevelopmentServer, limit: str) -> None:
    async with world(development_server.address, [takes_too_long]) as here:
        handle = await here.start(takes_too_long, limit)
        with pytest.raises(TaskTimedOut, match=rf"timed out after 400 ms \({limit}\)"):
            await handle.result()
        (task,) = await stopped(handle)
    assert (task.status, task.stop_state) == ("FAILED", "STOPPED")


async def test_a_task_that_no_worker_takes_in_time_has_timed_out(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [nobody_takes_it]) as here:
        handle = await here.start(nobody_takes_it)
        with pytest.raises(TaskTimedOut, match=r"timed out after 500 ms \(schedule_to_start\)"):
            await handle.result()


async def test_work_that_reports_in_time_is_not_silent(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [reports_in_time], [says_something]) as here:
        assert await (await here.start(reports_in_time)).result() == 4


@pytest.mark.parametrize("limit", ["heartbeat", "idle"])
async def test_work_that_goes_quiet_has_timed_out(development_server: DevelopmentServer, limit: str) -> None:
    async with world(development_server.address, [goes_quiet], [is_quiet]) as here:
        with pytest.raises(TaskFailed, match=rf"timed out after 400 ms \({limit}\)"):
            await (await here.start(goes_quiet, limit)).result()


async def test_the_timers_of_an_agent_are_durable_and_side_by_side(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [sleeps]) as here:
        handle = await here.start(sleeps)
        # Late rather than never: a cluster's timers may fire up to a second late.
        assert await handle.result() >= 0.3
        assert (await handle.history()).types().count(EventType.TIMER_FIRED) == 3
