"""The first success of several: select_ok and its kin, by cancellation.md, section 6."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from rescind import AgentContext, AllTasksFailed, InvalidInput, Losers, TaskCancelled, TaskFailed
from rescind.testing import Environment
from sdk.tests.agents.work import breaks, hang, lingers, nap, nap_or_break, play, result_of, task_id


async def test_the_winner_is_the_first_to_complete_not_the_first_in_the_list(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        futures = [ctx.schedule(nap, 3.0), ctx.schedule(nap, 1.0), ctx.schedule(nap, 2.0)]
        value, remaining = await ctx.select_ok(futures)
        return [value, [str(each.task_id) for each in remaining], await ctx.join_all(remaining)]

    handle = await play(rescind_env, body)
    assert await handle.result() == [1.0, [str(task_id(1)), str(task_id(3))], [3.0, 2.0]]
    assert [each.status for each in await handle.tasks()] == ["COMPLETED"] * 3


async def test_of_two_that_have_both_completed_the_earlier_end_wins(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        later, earlier = ctx.schedule(nap, 2.0), ctx.schedule(nap, 1.0)
        await ctx.sleep(5)
        return (await ctx.select_ok([later, earlier]))[0]

    assert await result_of(rescind_env, body) == 1.0


async def test_failures_and_cancelled_members_are_skipped(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        futures = [ctx.schedule(nap_or_break, seconds) for seconds in (-0.1, 9.0, 2.0)]
        await futures[1].cancel()
        value, remaining = await ctx.select_ok(futures)
        return [value, [str(each.task_id) for each in remaining]]

    assert await result_of(rescind_env, body) == [2.0, [str(task_id(1)), str(task_id(2))]]


async def test_when_none_can_succeed_every_cause_is_told_in_input_order(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        futures = [ctx.schedule(breaks, 2.0), ctx.schedule(hang), ctx.schedule(breaks, 1.0)]
        await futures[1].cancel("gone")
        with pytest.raises(AllTasksFailed) as caught:
            await ctx.select_ok(futures)
        kinds = [type(error) for error in caught.value.errors]
        assert kinds == [TaskFailed, TaskCancelled, TaskFailed]
        return [str(error.task_id) for error in caught.value.errors]

    assert await result_of(rescind_env, body) == [str(task_id(1)), str(task_id(2)), str(task_id(3))]


async def test_a_race_of_nothing_is_refused(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        races: tuple[Awaitable[Any], ...] = (
            ctx.select_ok([]),
            ctx.select_ok_with_cancel([]),
            ctx.select_n_ok([], 1),
            ctx.hedge("nap", [], 10),
        )
        refusals = []
        for race in races:
            with pytest.raises(ValueError, match="nothing to choose from") as caught:
                await race
            refusals.append(type(caught.value) is InvalidInput)
        return refusals

    assert await result_of(rescind_env, body) == [True] * 4


async def test_a_race_cancels_the_tasks_that_were_still_open_and_names_only_those(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        futures = [ctx.schedule(hang), ctx.schedule(breaks, 0.5), ctx.schedule(nap, 1.0), ctx.schedule(hang)]
        dropped = ctx.schedule(hang)
        await dropped.cancel()
        value, cancelled = await ctx.select_ok_with_cancel([*futures, dropped])
        return [value, [str(each) for each in cancelled]]

    handle = await play(rescind_env, body)
    assert await handle.result() == [1.0, [str(task_id(1)), str(task_id(4))]]
    tasks = await handle.tasks()
    assert [each.status for each in tasks] == ["CANCELLED", "FAILED", "COMPLETED", "CANCELLED", "CANCELLED"]
    assert [each.cause.source if each.cause else None for each in tasks] == [
        "race_lost",
        None,
        None,
        "race_lost",
        "request",
    ]


async def test_two_that_end_at_one_instant_have_one_winner_and_none_is_cancelled_in_vain(
    rescind_env: Environment,
) -> None:
    async def body(ctx: AgentContext) -> Any:
        futures = [ctx.schedule(nap, 1.0), ctx.schedule(nap, 1.0)]
        value, cancelled = await ctx.select_ok_with_cancel(futures)
        return [value, [str(each) for each in cancelled]]

    handle = await play(rescind_env, body)
    cancelled = [str(each.task_id) for each in await handle.tasks() if each.status == "CANCELLED"]
    assert await handle.result() == [1.0, cancelled]
    assert len(cancelled) <= 1


async def test_a_duplicate_of_the_winner_remains_and_is_not_cancelled(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        one = ctx.schedule(nap, 1.0)
        _, remaining = await ctx.select_ok([one, one])
        _, cancelled = await ctx.select_ok_with_cancel([one, one])
        return [len(remaining), remaining[0] is one, cancelled]

    assert await result_of(rescind_env, body) == [1, True, []]


async def test_a_duplicate_of_a_loser_is_named_once(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        loser = ctx.schedule(hang)
        _, cancelled = await ctx.select_ok_with_cancel([loser, ctx.schedule_raw("nap", 1.0), loser])
        return [str(each) for each in cancelled]

    assert await result_of(rescind_env, body) == [str(task_id(1))]


async def test_cancelling_a_race_cancels_no_loser(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        futures = [ctx.schedule(nap, 5.0), ctx.schedule(nap, 6.0)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await ctx.select_ok_with_cancel(futures)
        return await ctx.join_all(futures)

    assert await result_of(rescind_env, body) == [5.0, 6.0]


async def test_confirm_ms_waits_until_the_losers_have_stopped(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        _, cancelled = await ctx.select_ok_with_cancel(
            [ctx.schedule_raw("nap", 1.0), ctx.schedule(lingers, 2.0)], confirm_ms=5_000
        )
        states = await ctx.wait_stopped(cancelled, 0)
        return [[str(each), state] for each, state in states.items()]

    assert await result_of(rescind_env, body) == [[str(task_id(2)), "STOPPED"]]
    assert rescind_env.elapsed() == timedelta(seconds=3)


async def test_confirm_ms_waits_no_longer_than_it_says(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        _, cancelled = await ctx.select_ok_with_cancel(
            [ctx.schedule_raw("nap", 1.0), ctx.schedule(lingers, 2.0)], confirm_ms=500
        )
        states = await ctx.wait_stopped(cancelled, 0)
        return [list(states.values()), ctx.now().isoformat()]

    assert await result_of(rescind_env, body) == [["DELIVERED"], "2026-01-01T00:00:01.500000+00:00"]


async def test_the_first_n_successes_come_with_their_futures_in_their_order(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        futures = [ctx.schedule(nap_or_break, seconds) for seconds in (4.0, 2.0, -1.0, 1.5)]
        winners = await ctx.select_n_ok(futures, 2)
        return [[str(future.task_id), value] for future, value in winners]

    handle = await play(rescind_env, body)
    assert await handle.result() == [[str(task_id(4)), 1.5], [str(task_id(2)), 2.0]]


async def test_the_losers_of_select_n_ok_are_left_or_cancelled_as_asked(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        left = [ctx.schedule(nap, seconds) for seconds in (1.0, 3.0)]
        await ctx.select_n_ok(left, 1)
        cancelled = [ctx.schedule(nap, seconds) for seconds in (1.0, 3.0)]
        await ctx.select_n_ok(cancelled, 1, losers=Losers.CANCEL)
        settled = await ctx.join_all_settled([*left, *cancelled])
        return [len(settled.completed), settled.cancelled]

    assert await result_of(rescind_env, body) == [3, [str(task_id(5))]]


async def test_select_n_ok_gives_up_as_soon_as_n_cannot_be_reached(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        futures = [ctx.schedule(nap_or_break, seconds) for seconds in (-2.0, 9.0, -1.0)]
        with pytest.raises(AllTasksFailed) as caught:
            await ctx.select_n_ok(futures, 2)
        return [[str(error.task_id) for error in caught.value.errors], ctx.now().second]

    assert await result_of(rescind_env, body) == [[str(task_id(1)), str(task_id(3))], 2]


@pytest.mark.parametrize("count", [0, 3, -1, True, 1.5])
async def test_a_number_of_winners_that_cannot_be_is_refused(rescind_env: Environment, count: int) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput, match="ask for 1 to 2"):
            await ctx.select_n_ok([ctx.schedule(nap, 1.0), ctx.schedule(nap, 1.0)], count)
        return "refused"

    assert await result_of(rescind_env, body) == "refused"


async def test_a_future_given_twice_to_select_n_ok_counts_once_per_position(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        one = ctx.schedule(nap, 1.0)
        return [value for _, value in await ctx.select_n_ok([one, one], 2)]

    assert await result_of(rescind_env, body) == [1.0, 1.0]


async def test_losers_that_nobody_knows_are_refused(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput, match="LEAVE, CANCEL"):
            await ctx.select_n_ok([ctx.schedule(nap, 1.0)], 1, losers="KILL")  # type: ignore[arg-type]
        return "refused"

    assert await result_of(rescind_env, body) == "refused"
