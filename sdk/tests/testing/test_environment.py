"""The environment: the real engine, in virtual time, inside a test."""

import asyncio
import re
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rescind import (
    AgentContext,
    ExecutionFailed,
    ExecutionWasCancelled,
    InvalidInput,
    TaskContext,
    TaskFailed,
    UnknownKind,
    WrongEventLoop,
    agent,
    task,
)
from rescind.testing import Deadlock, Environment, run


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


# -- standing still --


@agent("misspelt")
async def misspelt(ctx: AgentContext) -> None:
    await ctx.schedule_raw("npa", 1)


@agent("deaf")
async def deaf(ctx: AgentContext) -> None:
    await asyncio.Event().wait()


def standstill(program: Coroutine[Any, Any, object]) -> str:
    with pytest.raises(Deadlock) as caught:
        run(program)
    return str(caught.value)


def test_a_standstill_names_the_kind_that_no_worker_knows() -> None:
    async def main() -> None:
        async with Environment(agents=[misspelt], tasks=[nap]) as env:
            await (await env.start(misspelt, id="x")).result()

    text = standstill(main())
    assert (
        "execution 'x' waits: task 'npa' is PENDING on queue 'default', and no worker here knows that kind "
        "(did you mean 'nap'?)"
    ) in text
    assert f"{__file__}:" in text
    assert "rescind_server" not in text


def test_a_standstill_names_the_queue_that_nobody_serves() -> None:
    async def main() -> None:
        async with Environment(agents=[deaf]) as env:
            await (await env.start(deaf, id="x", queue="typo")).result()

    assert "execution 'x' waits on queue 'typo', which no worker serves (served: 'default')" in standstill(main())


def test_a_standstill_without_a_worker_says_so() -> None:
    async def main() -> None:
        async with Environment(agents=[deaf]) as env:
            handle = await env.start(deaf, id="x")
            await env.settled()
            await env.kill_worker()
            await handle.result()

    assert "no worker serves: none is left" in standstill(main())


def test_a_standstill_names_a_parked_execution_and_the_worker_has_logged_it(caplog: pytest.LogCaptureFixture) -> None:
    deployed = ["first version"]

    @agent("changing")
    async def changing(ctx: AgentContext) -> None:
        if deployed == ["first version"]:
            await ctx.schedule(nap, 1)
        await ctx.sleep(60)

    async def main() -> None:
        async with Environment(agents=[changing], tasks=[nap]) as env:
            handle = await env.start(changing, id="x")
            await asyncio.sleep(10)
            await env.kill_worker()
            deployed[0] = "second version"
            env.start_worker()
            await handle.result()

    assert "execution 'x' is parked: agent 'x' takes another path than its journal" in standstill(main())
    [record] = [record for record in caplog.records if "is parked" in record.message]
    assert (record.name, record.levelname) == ("rescind.worker", "WARNING")


def test_a_standstill_tells_of_an_agent_that_waits_for_an_event_and_of_no_execution_that_ended() -> None:
    async def main() -> None:
        async with Environment(agents=[deaf, race], tasks=[nap]) as env:
            await (await env.start(race, [1.0], id="over")).result()
            await (await env.start(deaf, id="x")).result()

    text = standstill(main())
    assert "execution 'x' is " in text
    assert "waits for a signal or an event that nobody sends" in text
    assert "'over'" not in text


def test_an_environment_that_was_left_explains_nothing() -> None:
    async def main() -> None:
        async with Environment(agents=[deaf]) as env:
            await env.start(deaf, id="x")
        await asyncio.Event().wait()

    assert "execution" not in standstill(main())


async def test_a_sleep_beyond_a_hundred_years_lasts_for_ever(rescind_env: Environment) -> None:
    @agent("patient")
    async def patient(ctx: AgentContext) -> str:
        try:
            async with asyncio.timeout(5):
                await asyncio.sleep(1e300)
        except TimeoutError:
            return "given up"
        return "never"

    rescind_env.register(patient)
    assert await (await rescind_env.start(patient)).result() == "given up"


def test_a_timer_beyond_a_hundred_years_does_not_spin() -> None:
    async def main() -> None:
        await asyncio.sleep(2.0**34)

    assert "Nothing can run any more" in standstill(main())


# -- an agent that spins --


async def test_an_agent_that_spins_fails_with_its_line(rescind_env: Environment) -> None:
    @agent("spinning")
    async def spinning(ctx: AgentContext) -> None:
        while True:  # noqa: ASYNC110 - the mistake that is met
            await asyncio.sleep(0)

    rescind_env.register(spinning, sleeper)
    handle = await rescind_env.start(spinning)
    with pytest.raises(ExecutionFailed, match=rf"AuthoringError: the agent spins at {re.escape(__file__)}:\d+ without"):
        await handle.result()
    assert await (await rescind_env.start(sleeper)).result() == "2026-01-02T00:00:00+00:00"


# -- options --


async def bare(ctx: AgentContext) -> None: ...


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"queues": "default"}, r"queues is 'default'; give a list: queues=\['default'\]"),
        ({"queues": [""]}, "not empty"),
        ({"agents": sleeper}, r"give a list: agents=\[…\]"),
        ({"tasks": nap}, r"give a list: tasks=\[…\]"),
        ({"agents": [bare]}, r"bare \(.*\) is no agent, task or workflow yet: decorate it with @agent"),
        ({"agents": [7]}, "7 is no agent, task or workflow"),
        ({"store": 5}, "store is 5; give the path of a file"),
        ({"lease_ms": -1}, "lease_ms is -1"),
        ({"payload_limit": -1}, "payload_limit is -1"),
        ({"slots": 0}, "slots is 0"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        Environment(**options)


def test_an_environment_shows_its_seed_its_time_and_its_executions() -> None:
    async def main() -> list[str]:
        env = Environment(agents=[sleeper], seed=7)
        shown = [repr(env)]
        async with env:
            await env.start(sleeper)
            await asyncio.sleep(3.2)
            shown.append(repr(env))
            await env.start(sleeper)
            shown.append(repr(env))
        return [*shown, repr(env)]

    assert run(main()) == [
        "<Environment seed=7, not open>",
        "<Environment seed=7, open, +3.2 s, 1 execution>",
        "<Environment seed=7, open, +3.2 s, 2 executions>",
        "<Environment seed=7, not open>",
    ]
