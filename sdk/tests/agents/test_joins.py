"""Waiting for all of several tasks: the first three rows of cancellation.md, section 6."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from rescind import AgentContext, AgentTaskFutureRaw, InvalidInput, TaskCancelled, TaskFailed
from rescind.testing import Environment
from sdk.tests.agents.work import EXECUTION, breaks, hang, nap, play, result_of, task_id


async def test_join_all_gives_values_in_input_order_not_in_the_order_of_ends(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> list[float]:
        return await ctx.join_all([ctx.schedule(nap, 3.0), ctx.schedule(nap, 1.0), ctx.schedule(nap, 2.0)])

    assert await result_of(rescind_env, body) == [3.0, 1.0, 2.0]
    assert rescind_env.elapsed() == timedelta(seconds=3)


async def test_join_all_raises_at_the_first_failure_and_leaves_the_others_running(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        slow, broken = ctx.schedule(nap, 5.0), ctx.schedule(breaks, 1.0)
        with pytest.raises(TaskFailed, match=r"broken after 1\.0 s") as caught:
            await ctx.join_all([slow, broken])
        at = ctx.now().timestamp()
        return [str(caught.value.task_id), caught.value.kind, await slow, ctx.now().timestamp() - at]

    assert await result_of(rescind_env, body) == [str(task_id(2)), "breaks", 5.0, 4.0]


async def test_join_all_of_a_task_that_failed_before_raises_at_once(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> bool:
        broken, never = ctx.schedule(breaks, 1.0), ctx.schedule(hang)
        await ctx.sleep(10)
        with pytest.raises(TaskFailed):
            await ctx.join_all([never, broken])
        return (await never.cancel()).ok

    assert await result_of(rescind_env, body) is True
    assert rescind_env.elapsed() == timedelta(seconds=10)


async def test_join_all_raises_for_a_cancelled_member_and_names_it(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> list[str]:
        kept, dropped = ctx.schedule(nap, 1.0), ctx.schedule(hang)
        await dropped.cancel("no longer wanted")
        with pytest.raises(TaskCancelled) as caught:
            await ctx.join_all([kept, dropped])
        assert caught.value.cause is not None
        return [str(caught.value.task_id), caught.value.kind, str(caught.value.cause)]

    assert await result_of(rescind_env, body) == [
        str(task_id(2)),
        "hang",
        f"request by agent:{EXECUTION}: no longer wanted",
    ]


async def test_cancelling_a_join_leaves_its_tasks_running(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> float:
        future = ctx.schedule(nap, 5.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await ctx.join_all([future])
        return await future

    assert await result_of(rescind_env, body) == 5.0
    assert rescind_env.elapsed() == timedelta(seconds=5)


async def test_joins_of_nothing_give_nothing_and_take_no_time(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        nothing: list[AgentTaskFutureRaw] = []
        settled, timed = await ctx.join_all_settled(nothing), await ctx.join_all_with_timeout(nothing, 5_000)
        return [await ctx.join_all(nothing), settled.total(), settled.all_succeeded(), timed.total(), timed.timed_out]

    handle = await play(rescind_env, body)
    assert await handle.result() == [[], 0, True, 0, False]
    assert rescind_env.elapsed() == timedelta(0)


async def test_a_future_given_twice_counts_once_per_position(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        one, other = ctx.schedule(nap, 1.0), ctx.schedule(nap, 2.0)
        settled = await ctx.join_all_settled([one, one])
        return [await ctx.join_all([one, other, one]), [value for _, value in settled.completed]]

    assert await result_of(rescind_env, body) == [[1.0, 2.0, 1.0], [1.0, 1.0]]


async def test_join_all_settled_sorts_every_end_in_input_order(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        futures = [ctx.schedule(breaks, 2.0), ctx.schedule(nap, 1.0), ctx.schedule(hang), ctx.schedule(breaks, 0.5)]
        await futures[2].cancel()
        last = ctx.schedule(nap, 0.1)
        settled = await ctx.join_all_settled([*futures, last])
        return [settled.completed, settled.failed, settled.cancelled, settled.total(), settled.all_failed()]

    assert await result_of(rescind_env, body) == [
        [[str(task_id(2)), 1.0], [str(task_id(6)), 0.1]],
        [[str(task_id(1)), "broken after 2.0 s"], [str(task_id(4)), "broken after 0.5 s"]],
        [str(task_id(3))],
        5,
        False,
    ]


async def test_the_deadline_of_a_join_cancels_what_is_open_and_nothing_else(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        futures = [ctx.schedule(hang), ctx.schedule(nap, 1.0), ctx.schedule(breaks, 1.5), ctx.schedule(hang)]
        result = await ctx.join_all_with_timeout(futures, 2_000)
        return [result.completed, result.failed, result.cancelled, result.timed_out]

    handle = await play(rescind_env, body)
    assert await handle.result() == [
        [[str(task_id(2)), 1.0]],
        [[str(task_id(3)), "broken after 1.5 s"]],
        [str(task_id(1)), str(task_id(4))],
        True,
    ]
    assert rescind_env.elapsed() == timedelta(seconds=2)
    causes = [each.cause.source if each.cause else None for each in await handle.tasks()]
    assert causes == ["deadline", None, None, "deadline"]


async def test_a_join_whose_members_end_in_time_does_not_time_out(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        result = await ctx.join_all_with_timeout([ctx.schedule(nap, 1.0)], 2_000)
        return [len(result.completed), result.timed_out]

    handle = await play(rescind_env, body)
    assert await handle.result() == [1, False]
    assert rescind_env.elapsed() == timedelta(seconds=1)


async def test_a_time_out_of_zero_looks_once_and_cancels_the_rest(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        done, open_one = ctx.schedule(nap, 1.0), ctx.schedule(hang)
        await done
        result = await ctx.join_all_with_timeout([open_one, done], 0)
        return [result.completed, result.cancelled, result.timed_out]

    assert await result_of(rescind_env, body) == [[[str(task_id(1)), 1.0]], [str(task_id(2))], True]
    assert rescind_env.elapsed() == timedelta(seconds=1)


async def test_a_time_out_of_zero_over_ended_tasks_is_no_time_out(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> bool:
        done = ctx.schedule(nap, 1.0)
        await done
        return (await ctx.join_all_with_timeout([done], 0)).timed_out

    assert await result_of(rescind_env, body) is False


async def test_at_an_end_that_meets_the_deadline_exactly_one_of_the_two_wins(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        result = await ctx.join_all_with_timeout([ctx.schedule(nap, 2.0)], 2_000)
        return [len(result.completed), len(result.cancelled), result.timed_out]

    handle = await play(rescind_env, body)
    assert await handle.result() in ([1, 0, False], [0, 1, True])
    (record,) = await handle.tasks()
    assert (record.status == "CANCELLED") is (await handle.result() == [0, 1, True])
    assert rescind_env.elapsed() == timedelta(seconds=2)


async def test_what_this_join_or_an_earlier_cancel_ended_is_told_as_cancelled(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        earlier, now = ctx.schedule(hang), ctx.schedule(hang)
        await earlier.cancel()
        result = await ctx.join_all_with_timeout([now, earlier], 1_000)
        return [result.cancelled, result.timed_out]

    assert await result_of(rescind_env, body) == [[str(task_id(2)), str(task_id(1))], True]


@pytest.mark.parametrize("timeout_ms", [-1, 1.5, True, None, "10"])
async def test_a_time_that_is_none_is_refused_before_anything_is_cancelled(
    rescind_env: Environment, timeout_ms: int
) -> None:
    async def body(ctx: AgentContext) -> list[str]:
        future = ctx.schedule(nap, 1.0)
        refusals = []
        for attempt in (
            ctx.join_all_with_timeout([future], timeout_ms),
            ctx.join_all_with_timeout([future], 0, confirm_ms=timeout_ms if timeout_ms is not None else -1),
        ):
            with pytest.raises(InvalidInput) as caught:
                await attempt
            refusals.append(str(caught.value).split()[0])
        return [*refusals, str(await future)]

    assert await result_of(rescind_env, body) == ["timeout_ms", "confirm_ms", "1.0"]


async def test_awaiting_a_future_joins_its_task_alone_and_again(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> list[float]:
        future = ctx.schedule(nap, 1.0)
        return [await future, await future]

    assert await result_of(rescind_env, body) == [1.0, 1.0]


async def test_asyncio_gathers_groups_and_orders_futures_as_any_awaitables(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        gathered = await asyncio.gather(ctx.schedule(nap, 2.0), ctx.schedule(nap, 1.0))
        async with asyncio.TaskGroup() as group:
            grouped = [group.create_task(ctx.schedule_task("nap", seconds, float)) for seconds in (0.5, 0.2)]
        futures = [ctx.schedule(nap, seconds) for seconds in (3.0, 1.0, 2.0)]
        ordered = [await each for each in asyncio.as_completed(futures)]
        return [gathered, [each.result() for each in grouped], ordered]

    assert await result_of(rescind_env, body) == [[2.0, 1.0], [0.5, 0.2], [1.0, 2.0, 3.0]]
    assert rescind_env.elapsed() == timedelta(seconds=5.5)


async def test_a_failure_in_a_gather_and_in_a_group_is_the_tasks_own_error(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        with pytest.raises(TaskFailed):
            await asyncio.gather(ctx.schedule(nap, 2.0), ctx.schedule(breaks, 1.0))
        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - the block is what is tested
            async with asyncio.TaskGroup() as group:
                group.create_task(ctx.schedule_task("breaks", 1.0, float))
                group.create_task(ctx.schedule_task("nap", 9.0, float))
        return [type(error).__name__ for error in caught.value.exceptions]

    assert await result_of(rescind_env, body) == ["TaskFailed"]
