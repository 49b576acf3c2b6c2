"""Signals: in order, each to one reader, never lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from rescind import AgentContext, ExecutionEnded, ExecutionHandle, InvalidInput, NotFound, agent
from rescind.model.events import EventType
from rescind.testing import Environment
from sdk.tests.agents.work import begin, ended, nap, result_of


async def test_signals_are_taken_oldest_first_each_once(rescind_env: Environment) -> None:
    @agent("reading")
    async def reading(ctx: AgentContext) -> list[Any]:
        await ctx.sleep(1)
        return [await ctx.wait_for_signal_raw("order") for _ in range(3)]

    handle = await begin(rescind_env, reading)
    for value in (1, {"two": 2}, None):
        await handle.signal("order", value)
    assert await handle.result() == [1, {"two": 2}, None]


async def test_a_signal_wakes_the_agent_that_waits_for_it(rescind_env: Environment) -> None:
    @agent("waiting")
    async def waiting(ctx: AgentContext) -> Any:
        return [await ctx.wait_for_signal("price", float), ctx.now().second]

    handle = await begin(rescind_env, waiting)
    await asyncio.sleep(3)
    await handle.signal("another", 0)
    await asyncio.sleep(1)
    await handle.signal("price", 2)
    assert await handle.result() == [2.0, 4]


async def test_several_waiters_are_served_in_the_order_in_which_they_began_to_wait(rescind_env: Environment) -> None:
    @agent("serving")
    async def serving(ctx: AgentContext) -> Any:
        return await asyncio.gather(*(ctx.wait_for_signal_raw("number") for _ in range(3)))

    handle = await begin(rescind_env, serving)
    await asyncio.sleep(1)
    for value in (1, 2, 3):
        await handle.signal("number", value)
    assert await handle.result() == [1, 2, 3]


async def test_a_signal_that_is_not_of_the_type_is_used_up(rescind_env: Environment) -> None:
    @agent("strict")
    async def strict(ctx: AgentContext) -> Any:
        await ctx.sleep(1)
        with pytest.raises(InvalidInput, match="signal 'count'"):
            await ctx.wait_for_signal("count", int)
        return await ctx.wait_for_signal("count", int)

    handle = await begin(rescind_env, strict)
    await handle.signal("count", "many")
    await handle.signal("count", 7)
    assert await handle.result() == 7


async def test_has_signal_looks_and_takes_nothing(rescind_env: Environment) -> None:
    @agent("looking")
    async def looking(ctx: AgentContext) -> Any:
        before = await ctx.has_signal("x")
        await ctx.sleep(2)
        there = [await ctx.has_signal("x"), await ctx.has_signal("x")]
        return [before, *there, await ctx.wait_for_signal_raw("x"), await ctx.has_signal("x")]

    handle = await begin(rescind_env, looking)
    await asyncio.sleep(1)
    await handle.signal("x", "there")
    assert await handle.result() == [False, True, True, "there", False]


async def test_drain_takes_all_of_a_name_oldest_first_and_does_not_wait(rescind_env: Environment) -> None:
    @agent("draining")
    async def draining(ctx: AgentContext) -> Any:
        empty = await ctx.drain_signals_raw("a")
        await ctx.sleep(2)
        return [empty, await ctx.drain_signals("a", int), await ctx.drain_signals_raw("a"), await ctx.has_signal("b")]

    handle = await begin(rescind_env, draining)
    await asyncio.sleep(1)
    for name, value in (("a", 1), ("b", 0), ("a", 2), ("a", 3)):
        await handle.signal(name, value)
    assert await handle.result() == [[], [1, 2, 3], [], True]


async def test_a_glob_selects_by_name_and_stops_at_dots(rescind_env: Environment) -> None:
    @agent("globbing")
    async def globbing(ctx: AgentContext) -> Any:
        await ctx.sleep(1)
        first = await ctx.wait_for_signal_by_pattern("quote.*")
        every = await ctx.drain_signals_by_pattern("quote.**")
        return [first, every, await ctx.has_signal("quotes")]

    handle = await begin(rescind_env, globbing)
    for name in ("quotes", "quote.eu.de", "quote.us", "quote.uk"):
        await handle.signal(name, name[-2:])
    assert await handle.result() == [["quote.us", "us"], [["quote.eu.de", "de"], ["quote.uk", "uk"]], True]


async def test_a_cancelled_wait_takes_no_signal(rescind_env: Environment) -> None:
    @agent("impatient")
    async def impatient(ctx: AgentContext) -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await ctx.wait_for_signal_raw("x")
        await ctx.sleep(5)
        return await ctx.wait_for_signal_raw("x")

    handle = await begin(rescind_env, impatient)
    await asyncio.sleep(3)
    await handle.signal("x", "kept")
    assert await handle.result() == "kept"


@agent("meeting")
async def meeting(ctx: AgentContext) -> list[Any]:
    """Wait for a signal, no longer than two seconds; tell what came, and what there still is."""
    taken: list[Any] = []
    try:
        async with asyncio.timeout(2):
            taken.append(await ctx.wait_for_signal_raw("x"))
    except TimeoutError:
        taken.append("timed out")
    waited = ctx.schedule(nap, 1.0)
    await waited
    return [*taken, *await ctx.drain_signals_raw("x")]


async def test_a_signal_at_the_very_instant_of_the_time_out_is_taken_or_kept(rescind_env: Environment) -> None:
    handle = await begin(rescind_env, meeting)
    await asyncio.sleep(2)
    await handle.signal("x", "here")
    assert await handle.result() in (["here"], ["timed out", "here"])


async def test_a_signal_that_came_together_with_the_time_out_is_kept_in_a_recovery_too(
    rescind_env: Environment,
) -> None:
    handle = await begin(rescind_env, meeting)
    await asyncio.sleep(2)
    await handle.signal("x", "here")
    await asyncio.sleep(0.5)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    assert await handle.result() in (["here"], ["timed out", "here"])


@agent("stopping")
async def stopping(ctx: AgentContext) -> list[Any]:
    """Cancel one of two readers at the instant at which its signal is handed over."""

    async def reader() -> Any:
        return await ctx.wait_for_signal_raw("x")

    keeps_busy = asyncio.create_task(ctx.wait_for_signal_raw("busy"))
    first, second = asyncio.create_task(reader()), asyncio.create_task(reader())
    await ctx.wait_for_signal_raw("stop")
    first.cancel()
    await asyncio.wait([first, keeps_busy])
    got = await asyncio.wait_for(second, 5)
    return [first.cancelled(), got]


async def send_together(handle: ExecutionHandle[Any]) -> None:
    """Send what wakes the agent, and what stops a reader with what it reads: these two reach it in one activation."""
    await asyncio.gather(handle.signal("busy"), handle.signal("stop"), handle.signal("x", "left behind"))


async def test_a_signal_that_its_reader_left_behind_goes_to_the_next_reader(rescind_env: Environment) -> None:
    handle = await begin(rescind_env, stopping)
    await asyncio.sleep(1)
    await send_together(handle)
    assert await handle.result() == [True, "left behind"]
    types = (await handle.history()).types()
    assert (types.count(EventType.SIGNAL_RETURNED), types.count(EventType.SIGNALS_TAKEN)) == (1, 4)


async def test_so_does_one_whose_wait_was_withdrawn_before_it_was_handed_over(rescind_env: Environment) -> None:
    handle = await begin(rescind_env, stopping)
    await asyncio.sleep(1)
    await asyncio.gather(handle.signal("stop"), handle.signal("x", "left behind"), handle.signal("busy"))
    assert await handle.result() == [True, "left behind"]


async def test_what_a_reader_left_behind_is_left_behind_in_a_recovery_too(rescind_env: Environment) -> None:
    @agent("stopping-later")
    async def stopping_later(ctx: AgentContext) -> Any:
        keeps_busy = asyncio.create_task(ctx.wait_for_signal_raw("busy"))
        reader = asyncio.create_task(ctx.wait_for_signal_raw("x"))
        await ctx.wait_for_signal_raw("stop")
        reader.cancel()
        await keeps_busy
        await ctx.schedule(nap, 5.0)
        return [await ctx.has_signal("x"), await ctx.wait_for_signal_raw("x")]

    handle = await begin(rescind_env, stopping_later)
    await asyncio.sleep(1)
    await send_together(handle)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    assert await handle.result() == [True, "left behind"]


async def test_what_a_reader_left_behind_outlives_a_checkpoint_that_drops_the_journal(
    rescind_env: Environment,
) -> None:
    @agent("dropping", recovery="checkpoint")
    async def dropping(ctx: AgentContext) -> Any:
        if ctx.state() is None:
            keeps_busy = asyncio.create_task(ctx.wait_for_signal_raw("busy"))
            reader = asyncio.create_task(ctx.wait_for_signal_raw("x"))
            await ctx.wait_for_signal_raw("stop")
            reader.cancel()
            await asyncio.wait([reader, keeps_busy])
            await ctx.checkpoint("read")
        await ctx.sleep(5)
        return [ctx.state(), await ctx.drain_signals_raw("x")]

    handle = await begin(rescind_env, dropping)
    await asyncio.sleep(1)
    await send_together(handle)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    assert await handle.result() == ["read", ["left behind"]]


async def test_signals_that_came_while_no_worker_was_there_are_waiting(rescind_env: Environment) -> None:
    @agent("away")
    async def away(ctx: AgentContext) -> Any:
        return [await ctx.wait_for_signal_raw("x"), await ctx.wait_for_signal_raw("x")]

    handle = await begin(rescind_env, away)
    await asyncio.sleep(1)
    await handle.signal("x", 1)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    await handle.signal("x", 2)
    await asyncio.sleep(10)
    rescind_env.start_worker()
    assert await handle.result() == [1, 2]
    assert rescind_env.elapsed() == timedelta(seconds=12)


async def test_an_agent_that_has_ended_takes_no_signals_and_a_stranger_has_none(rescind_env: Environment) -> None:
    @agent("over")
    async def over(ctx: AgentContext) -> None:
        pass

    handle = await begin(rescind_env, over)
    await ended(handle)
    with pytest.raises(ExecutionEnded, match="COMPLETED"):
        await handle.signal("x")
    with pytest.raises(NotFound):
        await rescind_env.handle("nobody").signal("x")


async def test_a_signal_needs_a_name(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> str:
        for wait in (ctx.wait_for_signal_raw, ctx.has_signal, ctx.drain_signals_raw, ctx.wait_for_signal_by_pattern):
            with pytest.raises(InvalidInput, match="not empty"):
                await wait("")
        return "refused"

    assert await result_of(rescind_env, body) == "refused"
    with pytest.raises(InvalidInput, match="not empty"):
        await rescind_env.handle("a-1").signal("")
