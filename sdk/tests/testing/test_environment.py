"""The environment: the real engine, in virtual time, inside a test."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from rescind import (
    AgentContext,
    ExecutionWasCancelled,
    TaskContext,
    TaskFailed,
    UnknownKind,
    WrongEventLoop,
    agent,
    task,
)
from rescind.testing import Environment, run


@task("nap")
async def nap(ctx: TaskContext, seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@task("hang")
async def hang(ctx: TaskContext) -> None:
    await asyncio.Event().wait()


@task("breaks", max_retries=0)
async def breaks(ctx: TaskContext) -> None:
    raise ValueError("no such carrier")


@agent("race")
async def race(ctx: AgentContext, naps: list[float]) -> float:
    winner, _ = await ctx.select_ok_with_cancel([ctx.schedule(nap, seconds) for seconds in naps])
    return winner


@agent("hanging")
async def hanging(ctx: AgentContext) -> None:
    await ctx.schedule(hang, start_to_close=timedelta(days=7))


@agent("breaking")
async def breaking(ctx: AgentContext) -> None:
    await ctx.schedule(breaks)


@agent("sleeper")
async def sleeper(ctx: AgentContext) -> str:
    await asyncio.sleep(86_400)
    return ctx.now().isoformat()


@pytest.mark.rescind(agents=[race], tasks=[nap])
async def test_the_losers_of_a_race_are_cancelled_and_stopped(rescind_env: Environment) -> None:
    handle = await rescind_env.start(race, [0.1, 3.0, 10.0])
    assert await handle.result() == 0.1
    assert [each.status for each in await handle.tasks()] == ["COMPLETED", "CANCELLED", "CANCELLED"]
    assert [each.stop_state for each in await handle.tasks()] == [None, "STOPPED", "STOPPED"]
    assert rescind_env.elapsed() == timedelta(milliseconds=100)


@pytest.mark.rescind(agents=[hanging], tasks=[hang])
async def test_a_hung_task_times_out_after_a_week_that_takes_no_time(rescind_env: Environment) -> None:
    handle = await rescind_env.start(hanging)
    with pytest.raises(TaskFailed, match="timed out"):
        await handle.result()
    assert rescind_env.elapsed() == timedelta(days=7)


async def test_agents_registered_in_the_test_are_known_to_its_environment(rescind_env: Environment) -> None:
    rescind_env.register(sleeper)
    handle = await rescind_env.start(sleeper)
    assert await handle.result() == "2026-01-02T00:00:00+00:00"


@pytest.mark.rescind(start=datetime(2030, 5, 1, tzinfo=UTC), agents=[sleeper])
async def test_the_wall_clock_follows_the_virtual_one(rescind_env: Environment) -> None:
    handle = await rescind_env.start("sleeper")
    await handle.result()
    assert datetime.now(UTC) == datetime(2030, 5, 2, tzinfo=UTC)
    assert time.time() == datetime(2030, 5, 2, tzinfo=UTC).timestamp()
    assert rescind_env.now() == datetime.now(UTC)


@pytest.mark.rescind(agents=[breaking], tasks=[breaks])
async def test_the_caller_gets_the_error_that_ended_the_agent(rescind_env: Environment) -> None:
    handle = await rescind_env.start(breaking)
    with pytest.raises(TaskFailed) as caught:
        await handle.result()
    assert (caught.value.kind, caught.value.error) == ("breaks", "no such carrier")


@pytest.mark.rescind(agents=[sleeper])
async def test_the_caller_of_a_cancelled_agent_gets_its_cause(rescind_env: Environment) -> None:
    handle = await rescind_env.start(sleeper)
    await asyncio.sleep(1)
    assert await handle.cancel(reason="the customer hung up") == "CANCELLED"
    assert await handle.cancel() == "ALREADY_CANCELLED"
    with pytest.raises(ExecutionWasCancelled) as caught:
        await handle.result()
    assert caught.value.cause is not None
    assert (caught.value.cause.source, caught.value.cause.reason) == ("request", "the customer hung up")


@pytest.mark.rescind(agents=[race], tasks=[nap])
async def test_a_fresh_worker_recovers_what_a_lost_one_left(rescind_env: Environment) -> None:
    handle = await rescind_env.start(race, [60.0, 70.0], id="q-1")
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    assert await handle.result() == 60.0
    assert [each.attempts for each in await handle.tasks()] == [2, 2]


@pytest.mark.rescind(agents=[race], tasks=[nap])
async def test_an_unknown_kind_is_refused_with_the_known_ones(rescind_env: Environment) -> None:
    with pytest.raises(UnknownKind, match="race"):
        await rescind_env.start("rac")


def test_the_same_seed_gives_the_same_history_byte_for_byte() -> None:
    async def scenario() -> str:
        async with Environment(agents=[race], tasks=[nap], seed=7) as env:
            handle = await env.start(race, [0.1, 3.0])
            await handle.result()
            return (await handle.history()).to_jsonl()

    assert run(scenario()) == run(scenario())


def test_an_environment_on_another_event_loop_says_how_to_mend_it() -> None:
    async def scenario() -> None:
        async with Environment():
            pass

    with pytest.raises(WrongEventLoop, match=r"rescind\.testing\.run"):
        asyncio.run(scenario())


def test_several_environments_in_one_program_do_not_disturb_each_other() -> None:
    async def scenario() -> list[float]:
        async with Environment(agents=[race], tasks=[nap]) as one, Environment(agents=[race], tasks=[nap]) as other:
            first, second = await one.start(race, [5.0, 9.0], id="same"), await other.start(race, [1.0], id="same")
            return [await first.result(), await second.result()]

    assert run(scenario()) == [5.0, 1.0]


class TestInAClass:
    async def test_async_fixtures_run_on_the_tests_event_loop(self, opened: Environment) -> None:
        handle = await opened.start(race, [2.0])
        assert await handle.result() == 2.0

    @pytest.fixture
    async def opened(self, rescind_env: Environment) -> Environment:
        rescind_env.register(race, nap)
        await asyncio.sleep(1)
        return rescind_env
