"""One attempt after the other, and one task in the place of another: cancellation.md, section 6."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from rescind import AgentContext, AllTasksFailed, InvalidInput, ReplaceAfter, TaskCancelled, TaskStatus
from rescind.testing import Environment
from sdk.tests.agents.work import echo, hang, lingers, nap, nap_or_break, play, result_of, task_id


async def test_the_next_starts_after_each_stagger_and_the_losers_are_cancelled(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        return await ctx.hedge(nap, [9.0, 3.0, 5.0], 1_000)

    handle = await play(rescind_env, body)
    assert await handle.result() == 3.0
    assert rescind_env.elapsed() == timedelta(seconds=4)
    tasks = await handle.tasks()
    assert [each.scheduled_at.second for each in tasks] == [0, 1, 2]
    assert [each.status for each in tasks] == ["CANCELLED", "COMPLETED", "CANCELLED"]
    assert [each.cause.source if each.cause else None for each in tasks] == ["race_lost", None, "race_lost"]


async def test_a_success_before_the_stagger_starts_no_other(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        return await ctx.hedge("nap", [0.5, 0.1], 1_000)

    handle = await play(rescind_env, body)
    assert await handle.result() == 0.5
    assert len(await handle.tasks()) == 1


async def test_a_failure_starts_the_next_at_once(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        return await ctx.hedge(nap_or_break, [-0.25, -0.25, 1.0], 10_000)

    handle = await play(rescind_env, body)
    assert await handle.result() == 1.0
    assert rescind_env.elapsed() == timedelta(seconds=1.5)


async def test_when_every_hedge_fails_every_cause_is_told_in_input_order(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        with pytest.raises(AllTasksFailed) as caught:
            await ctx.hedge(nap_or_break, [-3.0, -1.0], 1_000)
        return [[error.error for error in caught.value.errors if hasattr(error, "error")], ctx.now().second]

    assert await result_of(rescind_env, body) == [["broken after 3.0 s", "broken after 1.0 s"], 3]


async def test_a_stagger_of_zero_starts_all_at_once(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        return await ctx.hedge(nap, [3.0, 2.0, 1.0], 0)

    handle = await play(rescind_env, body)
    assert await handle.result() == 1.0
    assert rescind_env.elapsed() == timedelta(seconds=1)
    assert len(await handle.tasks()) == 3


async def test_a_hedge_that_is_cancelled_leaves_no_task_behind(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await ctx.hedge("nap", [90.0, 91.0, 92.0, 93.0], 1_000)
        await ctx.sleep(5)
        return "went on"

    handle = await play(rescind_env, body)
    assert await handle.result() == "went on"
    assert [each.status for each in await handle.tasks()] == ["CANCELLED"] * 3


async def test_a_hedge_refuses_a_negative_stagger_before_it_starts_anything(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput, match="stagger_ms"):
            await ctx.hedge(nap, [1.0], -1)
        return "refused"

    handle = await play(rescind_env, body)
    assert (await handle.result(), await handle.tasks()) == ("refused", [])


async def test_a_hedge_with_confirm_waits_for_its_losers_to_stop(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        return await ctx.hedge("lingers-or-naps", [True, False], 1_000, confirm_ms=9_000)

    assert await result_of(rescind_env, body) == "woke"
    # The second begins after 1 s and takes 1 s; the first then needs 2 s to stop.
    assert rescind_env.elapsed() == timedelta(seconds=4)


async def test_replace_cancels_the_old_task_and_schedules_the_new_one_at_once(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        old = ctx.schedule(lingers, 5.0)
        await ctx.sleep(1)
        new = await ctx.replace(old, echo, "new")
        return [await new, str(new.task_id), ctx.now().second]

    handle = await play(rescind_env, body)
    assert await handle.result() == ["new", str(task_id(4)), 1]
    old, _ = await handle.tasks()
    assert old.status is TaskStatus.CANCELLED
    assert old.cause is not None
    assert old.cause.source == "replaced"


async def test_replace_after_stopped_begins_when_the_old_work_has_ended(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        old = ctx.schedule(lingers, 5.0)
        await ctx.sleep(1)
        await (await ctx.replace(old, "echo", "new", after=ReplaceAfter.STOPPED))
        return ctx.now().second

    assert await result_of(rescind_env, body) == 6


async def test_replace_after_stopped_waits_no_longer_than_confirm_ms(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        old = ctx.schedule(lingers, 5.0)
        await ctx.sleep(1)
        await (await ctx.replace(old, "echo", "new", after=ReplaceAfter.STOPPED, confirm_ms=2_000))
        return ctx.now().second

    assert await result_of(rescind_env, body) == 3


async def test_replacing_a_task_that_never_ran_means_that_it_never_will(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        return await (await ctx.replace(ctx.schedule(hang), echo, 1, after=ReplaceAfter.STOPPED))

    handle = await play(rescind_env, body)
    assert await handle.result() == 1
    assert [each.attempts for each in await handle.tasks()] == [0, 1]


async def test_a_task_that_has_ended_is_replaced_all_the_same(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        old = ctx.schedule(echo, "old")
        value = await old
        return [value, await (await ctx.replace(old, echo, "new", after=ReplaceAfter.STOPPED))]

    handle = await play(rescind_env, body)
    assert await handle.result() == ["old", "new"]
    assert [each.status for each in await handle.tasks()] == ["COMPLETED", "COMPLETED"]


async def test_replace_refuses_what_it_does_not_know_before_it_cancels(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        old = ctx.schedule(nap, 1.0)
        with pytest.raises(InvalidInput, match="DECIDED, STOPPED"):
            await ctx.replace(old, echo, 1, after="SOON")  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="confirm_ms"):
            await ctx.replace(old, echo, 1, confirm_ms=-1)
        return await old

    assert await result_of(rescind_env, body) == 1.0


async def test_a_replacement_that_cannot_be_scheduled_leaves_the_old_task_alone(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        old = ctx.schedule(nap, 5.0)
        with pytest.raises(InvalidInput):
            await ctx.replace(old, nap, "not a number")
        with pytest.raises(InvalidInput, match="no option tiemout"):
            await ctx.replace(old, nap, 1.0, tiemout=3)  # type: ignore[call-arg]
        return await old

    assert await result_of(rescind_env, body) == 5.0


async def test_a_hedge_with_one_input_that_cannot_be_meant_starts_nothing(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        with pytest.raises(InvalidInput):
            await ctx.hedge(nap, [1.0, "not a number"], 10)
        return ctx.now().second

    assert await result_of(rescind_env, body) == 0


async def test_a_task_can_be_looked_at_without_waiting_for_it(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        quick, slow = ctx.schedule(nap, 1.0), ctx.schedule(nap, 60.0)
        before = (await quick.outcome()).is_terminal
        await ctx.sleep(2)
        await slow.cancel()
        outcomes = [await quick.outcome(), await slow.outcome()]
        with pytest.raises(TaskCancelled):
            outcomes[1].into_result()
        return [before, outcomes[0].into_result(), outcomes[1].is_cancelled, ctx.now().second]

    assert await result_of(rescind_env, body) == [False, 1.0, True, 2]
