"""The agent itself is cancelled: told where it stands, told again, and what becomes of its work. Section 7."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from rescind import (
    AgentContext,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionWasCancelled,
    ParentClosePolicy,
    TaskStatus,
    agent,
)
from rescind.testing import Environment
from sdk.tests.agents.work import EXECUTION, begin, ended, hang, lingers, nap

Seen = list[Any]


async def _join(ctx: AgentContext) -> None:
    await ctx.join_all([ctx.schedule(hang)])


async def _await_future(ctx: AgentContext) -> None:
    await ctx.schedule(hang)


async def _select(ctx: AgentContext) -> None:
    await ctx.select_ok([ctx.schedule(hang)])


async def _sleep(ctx: AgentContext) -> None:
    await ctx.sleep(1_000)


async def _asyncio_sleep(ctx: AgentContext) -> None:
    await asyncio.sleep(1_000)


async def _signal(ctx: AgentContext) -> None:
    await ctx.wait_for_signal_raw("never")


async def _event(ctx: AgentContext) -> None:
    await asyncio.Event().wait()


async def _gather(ctx: AgentContext) -> None:
    await asyncio.gather(ctx.sleep(1_000), ctx.schedule(hang))


async def _group(ctx: AgentContext) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(ctx.sleep(1_000))
        await ctx.wait_for_signal_raw("never")


async def _timeout(ctx: AgentContext) -> None:
    async with asyncio.timeout(1_000):
        await ctx.sleep(2_000)


async def _scope(ctx: AgentContext) -> None:
    async with ctx.scope():
        await ctx.schedule(hang)


async def _run(ctx: AgentContext) -> None:
    await ctx.run(asyncio.sleep, 1_000)


async def _hedge(ctx: AgentContext) -> None:
    await ctx.hedge("nap", [1_000.0, 1_000.0], 5_000)


@pytest.mark.parametrize(
    "stand",
    [
        *(_join, _await_future, _select, _sleep, _asyncio_sleep, _signal, _event, _gather, _group, _timeout, _scope),
        *(_run, _hedge),
    ],
)
async def test_the_cancel_is_told_at_the_await_where_the_agent_stands(
    rescind_env: Environment, stand: Callable[[AgentContext], Awaitable[None]]
) -> None:
    seen: Seen = []

    @agent("standing")
    async def standing(ctx: AgentContext) -> None:
        try:
            await stand(ctx)
        except ExecutionCancelled as told:
            cause = ctx.cancel_cause()
            seen.append((ctx.now().second, str(told), cause == told.cause, ctx.is_cancellation_requested))
            raise

    handle = await begin(rescind_env, standing)
    await asyncio.sleep(2)
    assert await handle.cancel("enough") == "CANCELLED"
    with pytest.raises(ExecutionWasCancelled, match="enough"):
        await handle.result()
    assert seen == [(2, "request by client:local: enough", True, True)]
    assert rescind_env.elapsed() == timedelta(seconds=2)
    assert all(each.status is TaskStatus.CANCELLED for each in await handle.tasks())


async def test_except_exception_does_not_catch_it(rescind_env: Environment) -> None:
    @agent("careless")
    async def careless(ctx: AgentContext) -> str:
        try:
            await ctx.sleep(1_000)
        except Exception:
            return "swallowed"
        return "slept"

    handle = await begin(rescind_env, careless)
    await asyncio.sleep(1)
    await handle.cancel()
    with pytest.raises(ExecutionWasCancelled):
        await handle.result()


async def test_an_agent_that_swallows_it_is_told_again_at_its_next_await(rescind_env: Environment) -> None:
    seen: Seen = []

    @agent("deaf")
    async def deaf(ctx: AgentContext) -> None:
        for _ in range(3):
            try:
                await ctx.sleep(1_000)
            except ExecutionCancelled:
                seen.append(ctx.now().second)
        await ctx.sleep(1_000)

    handle = await begin(rescind_env, deaf)
    await asyncio.sleep(1)
    await handle.cancel()
    await ended(handle)
    assert (await handle.status(), seen) == ("CANCELLED", [1, 1, 1])


async def test_an_agent_that_swallows_it_and_returns_is_cancelled_all_the_same(rescind_env: Environment) -> None:
    @agent("stubborn")
    async def stubborn(ctx: AgentContext) -> str:
        try:
            await ctx.sleep(1_000)
        except ExecutionCancelled:
            return "a result that nobody wants"
        return "slept"

    handle = await begin(rescind_env, stubborn)
    await asyncio.sleep(1)
    await handle.cancel()
    await ended(handle)
    assert (await handle.status(), (await handle.describe()).output) == ("CANCELLED", None)


async def test_an_agent_that_swallows_it_for_ever_ends_with_its_budget(rescind_env: Environment) -> None:
    @agent("mad", cleanup_budget=7)
    async def mad(ctx: AgentContext) -> None:
        while True:
            try:
                await ctx.sleep(0.5)
            except BaseException:
                continue

    handle = await begin(rescind_env, mad)
    await asyncio.sleep(1)
    await handle.cancel()
    await ended(handle)
    assert (await handle.status(), rescind_env.elapsed()) == ("CANCELLED", timedelta(seconds=8))
    await rescind_env.settled()


async def test_every_branch_is_told_and_tasks_are_cancelled_as_children_of_the_agent(rescind_env: Environment) -> None:
    seen: Seen = []

    async def branch(ctx: AgentContext, name: str) -> None:
        try:
            await ctx.sleep(1_000)
        except ExecutionCancelled:
            seen.append(name)
            raise

    @agent("branching")
    async def branching(ctx: AgentContext) -> None:
        ctx.schedule(lingers, 1.0)
        ctx.schedule(hang, queue="nowhere")
        one = asyncio.create_task(branch(ctx, "one"))
        await asyncio.gather(one, branch(ctx, "two"))

    handle = await begin(rescind_env, branching)
    await asyncio.sleep(1)
    await handle.cancel("out of money")
    await ended(handle)
    assert sorted(seen) == ["one", "two"]
    assert [each.status for each in await handle.tasks()] == ["CANCELLED", "CANCELLED"]
    causes = [each.cause for each in await handle.tasks()]
    assert [(each.source, each.reason) for each in causes if each] == [("parent", "out of money")] * 2


async def test_a_task_to_be_abandoned_outlives_the_cancel_of_its_agent(rescind_env: Environment) -> None:
    @agent("leaving")
    async def leaving(ctx: AgentContext) -> None:
        await ctx.schedule(nap, 9.0, parent_close=ParentClosePolicy.ABANDON)

    handle = await begin(rescind_env, leaving)
    await asyncio.sleep(1)
    await handle.cancel()
    await ended(handle)
    assert (await handle.status(), (await handle.tasks())[0].status) == ("CANCELLED", "RUNNING")
    await asyncio.sleep(10)
    assert (await handle.tasks())[0].status is TaskStatus.COMPLETED


async def test_open_tasks_of_an_agent_that_returns_are_cancelled_with_source_parent(rescind_env: Environment) -> None:
    @agent("careful")
    async def careful(ctx: AgentContext) -> str:
        ctx.schedule(hang)
        ctx.schedule(nap, 3.0, parent_close=ParentClosePolicy.ABANDON)
        await ctx.sleep(1)
        return "done"

    handle = await begin(rescind_env, careful)
    assert await handle.result() == "done"
    await asyncio.sleep(5)
    dropped, abandoned = await handle.tasks()
    assert (dropped.status, dropped.cause and dropped.cause.source) == ("CANCELLED", "parent")
    assert abandoned.status is TaskStatus.COMPLETED


async def test_clean_up_that_raises_makes_it_failed(rescind_env: Environment) -> None:
    @agent("clumsy")
    async def clumsy(ctx: AgentContext) -> None:
        try:
            await ctx.sleep(1_000)
        finally:
            raise RuntimeError("cannot give the lock back")

    handle = await begin(rescind_env, clumsy)
    await asyncio.sleep(1)
    await handle.cancel()
    with pytest.raises(ExecutionFailed, match="cannot give the lock back"):
        await handle.result()


async def test_an_agent_cancelled_before_any_worker_took_it_never_runs(rescind_env: Environment) -> None:
    ran: Seen = []

    @agent("late")
    async def late(ctx: AgentContext) -> None:
        ran.append(1)

    rescind_env.register(late)
    handle = await rescind_env.start(late, queue="nowhere")
    assert await handle.cancel() == "CANCELLED"
    assert await handle.status() == "CANCELLED"
    rescind_env.start_worker(queues=["nowhere"])
    await asyncio.sleep(1)
    assert ran == []


async def test_an_agent_cancelled_at_the_instant_of_its_start_ends_once(rescind_env: Environment) -> None:
    @agent("brief")
    async def brief(ctx: AgentContext) -> None:
        await ctx.sleep(1)

    handle = await begin(rescind_env, brief)
    assert await handle.cancel() == "CANCELLED"
    await ended(handle)
    assert await handle.status() == "CANCELLED"
    assert rescind_env.elapsed() == timedelta(0)


async def test_at_a_cancel_that_meets_the_agents_end_exactly_one_of_the_two_wins(rescind_env: Environment) -> None:
    @agent("meeting")
    async def meeting(ctx: AgentContext) -> str:
        await ctx.sleep(1)
        return "done"

    handle = await begin(rescind_env, meeting)
    await asyncio.sleep(1)
    answer = await handle.cancel()
    await ended(handle)
    ends = {"CANCELLED": "CANCELLED", "ALREADY_COMPLETED": "COMPLETED"}
    assert await handle.status() == ends[answer]


async def test_after_its_end_a_cancel_answers_how_it_ended(rescind_env: Environment) -> None:
    @agent("done")
    async def done(ctx: AgentContext, fails: bool) -> None:
        if fails:
            raise ValueError("no")

    rescind_env.register(done)
    completed, failed = await rescind_env.start(done, False), await rescind_env.start(done, True)
    await ended(completed)
    await ended(failed)
    assert [await completed.cancel(), await failed.cancel()] == ["ALREADY_COMPLETED", "ALREADY_FAILED"]
    assert await rescind_env.handle("nobody").cancel() == "NOT_FOUND"


async def test_hard_ends_it_at_once_without_clean_up(rescind_env: Environment) -> None:
    seen: Seen = []

    @agent("tidy")
    async def tidy(ctx: AgentContext) -> None:
        try:
            await ctx.schedule(hang)
        finally:
            async with ctx.shield():
                await ctx.sleep(1)
                seen.append("cleaned up")

    handle = await begin(rescind_env, tidy)
    await asyncio.sleep(1)
    assert await handle.cancel("now", hard=True) == "CANCELLED"
    assert await handle.status() == "CANCELLED"
    await asyncio.sleep(60)
    assert seen == []
    assert [(each.status, each.stop_state) for each in await handle.tasks()] == [("CANCELLED", "STOPPED")]


async def test_hard_also_ends_an_agent_that_is_waiting_for_a_cancel_of_its_own(rescind_env: Environment) -> None:
    @agent("patient")
    async def patient(ctx: AgentContext) -> None:
        future = ctx.schedule(lingers, 100.0)
        await ctx.sleep(1)
        await future.cancel(mode="WAIT")  # type: ignore[arg-type]

    handle = await begin(rescind_env, patient)
    await asyncio.sleep(2)
    assert await handle.cancel(hard=True) == "CANCELLED"
    assert (await handle.status(), (await handle.tasks())[0].status) == ("CANCELLED", "CANCELLED")


async def test_a_cancelled_error_of_the_agents_own_making_is_a_failure(rescind_env: Environment) -> None:
    @agent("confused")
    async def confused(ctx: AgentContext) -> None:
        raise asyncio.CancelledError

    handle = await begin(rescind_env, confused)
    with pytest.raises(ExecutionFailed, match="nobody cancelled it"):
        await handle.result()


async def test_an_agent_that_exits_the_interpreter_ends_itself_and_not_its_worker(rescind_env: Environment) -> None:
    @agent("exits")
    async def exits(ctx: AgentContext, code: int) -> str:
        await ctx.sleep(1)
        if code:
            raise SystemExit(code)
        return "lives"

    rescind_env.register(exits)
    exiting, living = await rescind_env.start(exits, 3), await rescind_env.start(exits, 0)
    assert await living.result() == "lives"
    with pytest.raises(ExecutionFailed, match="SystemExit: 3"):
        await exiting.result()


async def test_without_a_cancel_there_is_no_cause_and_nothing_to_check(rescind_env: Environment) -> None:
    @agent("fine")
    async def fine(ctx: AgentContext) -> list[Any]:
        await ctx.check_cancellation()
        return [ctx.cancel_cause(), ctx.is_cancellation_requested]

    assert await (await begin(rescind_env, fine)).result() == [None, False]


async def test_check_cancellation_raises_where_nothing_else_waits(rescind_env: Environment) -> None:
    seen: Seen = []

    @agent("checking")
    async def checking(ctx: AgentContext) -> None:
        with suppress(ExecutionCancelled):
            await ctx.sleep(1_000)
        try:
            await ctx.check_cancellation()
        finally:
            seen.append("checked")
        seen.append("went on")

    handle = await begin(rescind_env, checking)
    await asyncio.sleep(1)
    await handle.cancel()
    await ended(handle)
    assert seen == ["checked"]
    assert handle.id == EXECUTION
