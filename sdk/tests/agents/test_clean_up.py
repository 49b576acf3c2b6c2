"""What an agent may do when it is cancelled: durable steps in a shield, under a budget. cancellation.md, section 7."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from rescind import (
    AgentContext,
    DeadlineExceeded,
    EntryRole,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionWasCancelled,
    InvalidInput,
    agent,
)
from rescind.model.events import EventType
from rescind.testing import Environment
from sdk.tests.agents.work import begin, echo, ended, hang, nap, result_of

Seen = list[Any]


@agent("releasing")
async def releasing(ctx: AgentContext) -> None:
    """Give something back by a task, and say so."""
    try:
        await ctx.schedule(hang)
    finally:
        async with ctx.shield(within_ms=20_000):
            released = await ctx.schedule(nap, 5.0)
            await ctx.append_entry(EntryRole.ASSISTANT, {"released": released})
            await ctx.checkpoint({"released": True})


async def test_durable_steps_work_in_a_shield_and_what_they_did_is_kept(rescind_env: Environment) -> None:
    handle = await begin(rescind_env, releasing)
    await asyncio.sleep(1)
    await handle.cancel()
    assert await handle.status() == "CANCELLING"
    with pytest.raises(ExecutionWasCancelled):
        await handle.result()
    assert rescind_env.elapsed() == timedelta(seconds=6)
    assert [each.content for each in await handle.entries()] == [{"released": 5.0}]
    assert [each.status for each in await handle.tasks()] == ["CANCELLED", "COMPLETED"]
    assert (await handle.describe()).checkpoint == 1


async def test_a_second_cancel_does_not_interrupt_the_clean_up(rescind_env: Environment) -> None:
    handle = await begin(rescind_env, releasing)
    await asyncio.sleep(1)
    await handle.cancel("first")
    await asyncio.sleep(1)
    assert await handle.cancel("second") == "ALREADY_CANCELLED"
    with pytest.raises(ExecutionWasCancelled, match="first"):
        await handle.result()
    assert len(await handle.entries()) == 1


async def test_a_clean_up_goes_on_where_its_lost_worker_left_it(rescind_env: Environment) -> None:
    handle = await begin(rescind_env, releasing)
    await asyncio.sleep(1)
    await handle.cancel("first")
    await asyncio.sleep(2)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    with pytest.raises(ExecutionWasCancelled, match="first"):
        await handle.result()
    assert [each.content for each in await handle.entries()] == [{"released": 5.0}]
    assert [each.attempts for each in await handle.tasks()] == [1, 2]


async def test_a_cancel_that_comes_while_no_worker_is_there_is_told_to_the_next(rescind_env: Environment) -> None:
    handle = await begin(rescind_env, releasing)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    await handle.cancel("nobody hears it yet")
    await asyncio.sleep(3)
    rescind_env.start_worker()
    with pytest.raises(ExecutionWasCancelled, match="nobody hears it yet"):
        await handle.result()
    assert len(await handle.entries()) == 1
    assert rescind_env.elapsed() == timedelta(seconds=9)


async def test_an_agent_that_goes_on_from_a_checkpoint_cleans_up_when_it_is_told_in_its_first_activation(
    rescind_env: Environment,
) -> None:
    seen: Seen = []

    @agent("long-lived", recovery="checkpoint")
    async def long_lived(ctx: AgentContext) -> None:
        try:
            while True:
                await ctx.checkpoint({"round": 1})
                await ctx.wait_for_signal_raw("next")
        finally:
            seen.append("cleaned up")

    handle = await begin(rescind_env, long_lived)
    await asyncio.sleep(1)
    for _ in range(2):
        await handle.signal("next")
    # The worker is lost in the very moment of the checkpoint: the journal is empty when the agent is taken up again.
    await _until(rescind_env, handle, EventType.CHECKPOINT_SAVED, 2)
    await rescind_env.kill_worker()
    seen.clear()  # what Python makes of a coroutine that is thrown out of memory is not the agent's business
    await handle.cancel()
    rescind_env.start_worker()
    await ended(handle)
    assert (await handle.status(), seen) == ("CANCELLED", ["cleaned up"])


async def _until(env: Environment, handle: Any, event: EventType, times: int) -> None:
    while [each.type for each in env.host.history(handle.id)].count(event) < times:  # noqa: ASYNC110
        await asyncio.sleep(0)  # the host alone knows when, and one turn later is too late


async def test_a_clean_up_over_its_budget_is_ended_at_once(rescind_env: Environment) -> None:
    seen: Seen = []

    @agent("slow-to-leave", cleanup_budget=3)
    async def slow_to_leave(ctx: AgentContext) -> None:
        try:
            await ctx.sleep(1_000)
        finally:
            async with ctx.shield():
                await ctx.schedule(hang)
                seen.append("never")

    handle = await begin(rescind_env, slow_to_leave)
    await asyncio.sleep(1)
    await handle.cancel()
    with pytest.raises(ExecutionWasCancelled):
        await handle.result()
    assert (rescind_env.elapsed(), seen) == (timedelta(seconds=4), [])
    assert [each.status for each in await handle.tasks()] == ["CANCELLED"]


async def test_the_budget_is_thirty_seconds_unless_said_otherwise(rescind_env: Environment) -> None:
    @agent("dawdling")
    async def dawdling(ctx: AgentContext) -> None:
        async with ctx.shield():
            await ctx.sleep(1_000)

    handle = await begin(rescind_env, dawdling)
    await asyncio.sleep(1)
    await handle.cancel()
    await ended(handle)
    assert rescind_env.elapsed() == timedelta(seconds=31)


async def test_a_shield_over_its_time_lets_the_cancel_through(rescind_env: Environment) -> None:
    seen: Seen = []

    @agent("limited")
    async def limited(ctx: AgentContext) -> None:
        try:
            await ctx.sleep(1_000)
        finally:
            try:
                async with ctx.shield(within_ms=2_000):
                    await ctx.schedule(hang)
            except ExecutionCancelled:
                seen.append(ctx.now().second)
                raise

    handle = await begin(rescind_env, limited)
    await asyncio.sleep(1)
    await handle.cancel()
    await ended(handle)
    assert (await handle.status(), seen) == ("CANCELLED", [3])


async def test_a_shield_over_its_time_without_a_cancel_is_a_deadline(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        with pytest.raises(DeadlineExceeded, match="2000 ms"):
            async with ctx.shield(within_ms=2_000):
                await ctx.sleep(5)
        return ctx.now().second

    assert await result_of(rescind_env, body) == 2


async def test_a_shield_begun_before_the_cancel_keeps_it_until_it_is_left(rescind_env: Environment) -> None:
    seen: Seen = []

    @agent("critical")
    async def critical(ctx: AgentContext) -> None:
        async with ctx.shield():
            await ctx.sleep(3)
            seen.append((ctx.now().second, ctx.is_cancellation_requested))
        await ctx.sleep(0.5)
        seen.append("never")

    handle = await begin(rescind_env, critical)
    await asyncio.sleep(1)
    await handle.cancel()
    await ended(handle)
    assert (await handle.status(), seen) == ("CANCELLED", [(3, True)])


async def test_branches_started_in_a_shield_are_shielded_and_those_outside_are_told(rescind_env: Environment) -> None:
    seen: Seen = []

    async def branch(ctx: AgentContext, name: str) -> None:
        try:
            await ctx.sleep(2)
            seen.append(f"{name} slept")
        except ExecutionCancelled:
            seen.append(f"{name} was told")
            raise

    @agent("mixed")
    async def mixed(ctx: AgentContext) -> None:
        outside = asyncio.create_task(branch(ctx, "outside"))
        async with ctx.shield(), asyncio.TaskGroup() as group:
            group.create_task(branch(ctx, "inside"))
            group.create_task(branch(ctx, "inside, too"))
        await outside

    handle = await begin(rescind_env, mixed)
    await asyncio.sleep(1)
    await handle.cancel()
    await ended(handle)
    assert seen == ["outside was told", "inside slept", "inside, too slept"]


async def test_time_outs_and_cancels_of_its_own_work_in_a_shielded_clean_up(rescind_env: Environment) -> None:
    seen: Seen = []

    @agent("careful")
    async def careful(ctx: AgentContext) -> None:
        try:
            await ctx.sleep(1_000)
        finally:
            async with ctx.shield():
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(1):
                        await ctx.sleep(5)
                branch = asyncio.create_task(ctx.sleep(1_000))
                await ctx.sleep(1)
                branch.cancel()
                await asyncio.wait([branch])
                seen.append((branch.cancelled(), ctx.now().second))

    handle = await begin(rescind_env, careful)
    await asyncio.sleep(1)
    await handle.cancel()
    await ended(handle)
    assert (await handle.status(), seen) == ("CANCELLED", [(True, 3)])


async def test_nested_shields_hold_until_the_outermost_is_left(rescind_env: Environment) -> None:
    seen: Seen = []

    @agent("nested")
    async def nested(ctx: AgentContext) -> None:
        async with ctx.shield():
            async with ctx.shield():
                await ctx.sleep(2)
            await ctx.sleep(1)
            seen.append(ctx.now().second)
        await ctx.sleep(1)
        seen.append("never")

    handle = await begin(rescind_env, nested)
    await asyncio.sleep(1)
    await handle.cancel()
    await ended(handle)
    assert seen == [3]


async def test_what_a_shielded_clean_up_raises_makes_the_agent_fail(rescind_env: Environment) -> None:
    @agent("broken")
    async def broken(ctx: AgentContext) -> None:
        try:
            await ctx.sleep(1_000)
        finally:
            async with ctx.shield():
                await ctx.schedule(echo, 1)
                raise LookupError("the lock is gone")

    handle = await begin(rescind_env, broken)
    await asyncio.sleep(1)
    await handle.cancel()
    with pytest.raises(ExecutionFailed, match="LookupError: the lock is gone"):
        await handle.result()


async def test_losing_the_worker_is_no_cancel_and_runs_no_clean_up(rescind_env: Environment) -> None:
    seen: Seen = []

    @agent("surviving")
    async def surviving(ctx: AgentContext) -> str:
        try:
            await ctx.sleep(5)
        except BaseException as error:
            seen.append(repr(error))
            raise
        finally:
            seen.append(ctx.cancel_cause())
        return "survived"

    handle = await begin(rescind_env, surviving)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    seen.clear()  # as above
    rescind_env.start_worker()
    assert await handle.result() == "survived"
    assert seen == [None]


async def test_a_shield_refuses_a_time_that_is_none(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput, match="within_ms"):
            ctx.shield(within_ms=-1)
        return "refused"

    assert await result_of(rescind_env, body) == "refused"
