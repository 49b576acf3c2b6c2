"""Leaving a block cancels what was begun in it, by whatever door: cancellation.md, section 7."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from rescind import AgentContext, DeadlineExceeded, InvalidInput, agent
from rescind.testing import Environment
from sdk.tests.agents.work import begin, echo, ended, hang, nap, play, result_of, task_id


async def _normally(ctx: AgentContext) -> None:
    async with ctx.scope():
        ctx.schedule(hang)
        await ctx.schedule(echo, 1)


async def _by_return(ctx: AgentContext) -> Any:
    while True:
        async with ctx.scope():
            ctx.schedule(hang)
            return await ctx.schedule(echo, 1)


async def _by_exception(ctx: AgentContext) -> None:
    with pytest.raises(LookupError):  # noqa: PT012 - the block is what is tested
        async with ctx.scope():
            ctx.schedule(hang)
            await ctx.schedule(echo, 1)
            raise LookupError


async def _by_break(ctx: AgentContext) -> None:
    for _ in range(3):
        async with ctx.scope():
            ctx.schedule(hang)
            await ctx.schedule(echo, 1)
            break


async def _by_time_out(ctx: AgentContext) -> None:
    with pytest.raises(TimeoutError):  # noqa: PT012 - likewise
        async with asyncio.timeout(1), ctx.scope():
            ctx.schedule(hang)
            await ctx.schedule(echo, 1)
            await ctx.sleep(5)


async def _by_cancel(ctx: AgentContext) -> None:
    branch = asyncio.create_task(_normally_but_slowly(ctx))
    await ctx.sleep(1)
    branch.cancel()
    await asyncio.wait([branch])


async def _normally_but_slowly(ctx: AgentContext) -> None:
    async with ctx.scope():
        ctx.schedule(hang)
        await ctx.schedule(echo, 1)
        await ctx.sleep(5)


@pytest.mark.parametrize("leave", [_normally, _by_return, _by_exception, _by_break, _by_time_out, _by_cancel])
async def test_what_is_open_when_a_scope_is_left_is_cancelled_by_whatever_door(
    rescind_env: Environment, leave: Callable[[AgentContext], Awaitable[Any]]
) -> None:
    async def body(ctx: AgentContext) -> str:
        await leave(ctx)
        await ctx.sleep(1)
        return "went on"

    handle = await play(rescind_env, body)
    assert await handle.result() == "went on"
    left, done = await handle.tasks()
    assert (left.status, left.stop_state, done.status) == ("CANCELLED", "STOPPED", "COMPLETED")
    assert left.cause is not None
    assert left.cause.source == "scope_left"


async def test_a_scope_cancels_only_what_was_scheduled_in_it(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> float:
        before = ctx.schedule(nap, 2.0)
        async with ctx.scope():
            ctx.schedule(hang)
        after = ctx.schedule(nap, 1.0)
        return sum(await ctx.join_all([before, after]))

    handle = await play(rescind_env, body)
    assert await handle.result() == 3.0
    assert [each.status for each in await handle.tasks()] == ["COMPLETED", "CANCELLED", "COMPLETED"]


async def test_a_task_that_is_scheduled_and_left_at_once_never_runs(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> None:
        async with ctx.scope():
            ctx.schedule(hang)

    handle = await play(rescind_env, body)
    assert [(each.status, each.attempts) for each in await handle.tasks()] == [("CANCELLED", 0)]


async def test_leaving_an_inner_scope_leaves_the_outer_ones_tasks_alone(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> list[str]:
        async with ctx.scope():
            outer = ctx.schedule(hang)
            async with ctx.scope():
                inner = ctx.schedule(hang)
            again = ctx.schedule(hang)
            states = await ctx.join_all_with_timeout([inner], 0)
            assert states.cancelled == [str(inner.task_id)]
            await ctx.sleep(1)
        return [str(each.task_id) for each in (outer, inner, again)]

    handle = await play(rescind_env, body)
    assert [event.at % 60_000_000 for event in await handle.history() if event.type == "TASK_CANCELLED"] == [
        0,
        1_000_000,
        1_000_000,
    ]


async def test_a_branch_that_was_started_in_a_scope_schedules_into_it(rescind_env: Environment) -> None:
    async def branch(ctx: AgentContext) -> None:
        await ctx.sleep(1)
        ctx.schedule(hang)

    async def body(ctx: AgentContext) -> None:
        async with ctx.scope():
            await asyncio.create_task(branch(ctx))
            await ctx.sleep(1)

    handle = await play(rescind_env, body)
    (record,) = await handle.tasks()
    assert record.cause is not None
    assert record.cause.source == "scope_left"


async def test_a_branch_that_outlives_its_scope_schedules_into_the_one_around_it(rescind_env: Environment) -> None:
    async def branch(ctx: AgentContext) -> None:
        await ctx.sleep(2)
        ctx.schedule(hang)

    async def body(ctx: AgentContext) -> str:
        async with ctx.scope():
            async with ctx.scope():
                late = asyncio.create_task(branch(ctx))
            await late
            await ctx.sleep(1)
        await ctx.sleep(1)
        return "went on"

    handle = await play(rescind_env, body)
    assert await handle.result() == "went on"
    (record,) = await handle.tasks()
    assert record.cause is not None
    assert record.cause.source == "scope_left"


async def test_a_hedge_in_a_scope_belongs_to_it(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> None:
        async with ctx.move_on_after(1):
            await ctx.hedge("nap", [90.0, 90.0], 500)
        await ctx.sleep(1)

    handle = await play(rescind_env, body)
    assert [each.status for each in await handle.tasks()] == ["CANCELLED", "CANCELLED"]


async def test_move_on_after_ends_the_block_at_its_deadline_and_goes_on(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        async with ctx.move_on_after(1.5) as scope:
            await ctx.schedule(hang)
        return [scope.expired, ctx.now().isoformat()]

    handle = await play(rescind_env, body)
    assert await handle.result() == [True, "2026-01-01T00:00:01.500000+00:00"]
    (record,) = await handle.tasks()
    assert record.cause is not None
    assert record.cause.source == "deadline"


async def test_move_on_after_a_block_that_ends_in_time_did_not_expire(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        async with ctx.move_on_after(timedelta(seconds=5)) as scope:
            value = await ctx.schedule(nap, 1.0)
        await ctx.sleep(10)
        return [value, scope.expired]

    assert await result_of(rescind_env, body) == [1.0, False]


async def test_move_on_after_zero_ends_the_block_at_its_first_wait(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        async with ctx.move_on_after(0) as scope:
            await ctx.schedule(hang)
        return scope.expired

    assert await result_of(rescind_env, body) is True
    assert rescind_env.elapsed() == timedelta(0)


async def test_fail_after_raises_at_its_deadline(rescind_env: Environment) -> None:
    @agent("failing")
    async def failing(ctx: AgentContext) -> None:
        async with ctx.fail_after(2):
            await ctx.schedule(hang)

    handle = await begin(rescind_env, failing)
    with pytest.raises(DeadlineExceeded, match=r"the block took longer than 2\.0 s"):
        await handle.result()
    assert rescind_env.elapsed() == timedelta(seconds=2)
    assert [each.status for each in await handle.tasks()] == ["CANCELLED"]


async def test_fail_after_is_a_time_out_error_and_not_the_agents_cancel(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        with pytest.raises(TimeoutError) as caught:
            async with ctx.fail_after(2):
                await ctx.sleep(5)
        async with ctx.fail_after(2) as scope:
            await ctx.sleep(1)
        return [isinstance(caught.value, DeadlineExceeded), scope.expired, ctx.now().second]

    assert await result_of(rescind_env, body) == [True, False, 3]


async def test_of_nested_deadlines_the_earlier_ends_its_own_block_only(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        async with ctx.move_on_after(3) as outer:
            async with ctx.move_on_after(1) as inner:
                await ctx.sleep(10)
            first = ctx.now().second
            await ctx.sleep(10)
        async with ctx.move_on_after(1) as tight, ctx.move_on_after(3) as loose:
            await ctx.sleep(10)
        return [inner.expired, first, outer.expired, ctx.now().second, tight.expired, loose.expired]

    assert await result_of(rescind_env, body) == [True, 1, True, 4, True, False]


async def test_an_error_of_the_block_is_not_taken_for_its_deadline(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        with pytest.raises(TimeoutError, match="mine"):
            async with ctx.move_on_after(3) as scope:
                raise TimeoutError("mine")
        return scope.expired

    assert await result_of(rescind_env, body) is False


async def test_the_agents_cancel_is_not_taken_for_the_deadline_of_the_same_instant(rescind_env: Environment) -> None:
    seen: list[Any] = []

    @agent("both")
    async def both(ctx: AgentContext) -> None:
        async with ctx.move_on_after(2):
            await ctx.sleep(10)
        seen.append(ctx.is_cancellation_requested)
        await ctx.sleep(1)
        seen.append("never")

    handle = await begin(rescind_env, both)
    await asyncio.sleep(2)
    await handle.cancel()
    await ended(handle)
    assert await handle.status() == "CANCELLED"
    assert "never" not in seen


async def test_a_deadline_counts_on_while_the_worker_is_lost(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        async with ctx.move_on_after(10) as scope:
            await ctx.schedule(hang)
        return [scope.expired, ctx.now().second]

    handle = await begin(rescind_env, agent("durable")(body))
    await asyncio.sleep(4)
    await rescind_env.kill_worker()
    await asyncio.sleep(4)
    rescind_env.start_worker()
    assert await handle.result() == [True, 10]
    assert str((await handle.tasks())[0].task_id) == str(task_id(2))


async def test_a_deadline_that_passed_while_no_worker_was_there_fires_late_and_once(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        async with ctx.move_on_after(10) as scope:
            await ctx.schedule(hang)
        return [scope.expired, ctx.now().second]

    handle = await begin(rescind_env, agent("late")(body))
    await asyncio.sleep(4)
    await rescind_env.kill_worker()
    await asyncio.sleep(20)
    rescind_env.start_worker()
    assert await handle.result() == [True, 24]


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "1", None])
async def test_a_scope_refuses_a_time_that_is_none(rescind_env: Environment, seconds: float) -> None:
    async def body(ctx: AgentContext) -> str:
        for scope in (ctx.move_on_after, ctx.fail_after):
            with pytest.raises(InvalidInput, match="seconds"):
                scope(seconds)
        with pytest.raises(InvalidInput, match="duration"):
            await ctx.sleep(seconds)
        return "refused"

    assert await result_of(rescind_env, body) == "refused"
