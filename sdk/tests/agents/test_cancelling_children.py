"""Children are cancelled: by their parent, with it, by a scope, each with all under it. Section 7."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rescind import (
    AgentContext,
    CancellationMode,
    CancelTaskResult,
    ChildCancelled,
    ExecutionCancelled,
    ParentClosePolicy,
    agent,
)
from rescind.testing import Environment
from rescind.testing.history_rules import check_history
from sdk.tests.agents.families import children_of, cleans_up, doubles, grows, played, started, waits
from sdk.tests.agents.work import EXECUTION


@pytest.mark.rescind
async def test_a_cancelled_child_says_by_whom_and_why(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        child = await ctx.spawn_agent(waits)
        await ctx.flush_pending()
        answers = [await ctx.cancel_child(child, reason="too slow") for _ in range(2)]
        with pytest.raises(ChildCancelled) as caught:
            await child
        assert caught.value.cause is not None
        return [*answers, caught.value.cause.by, caught.value.cause.reason]

    expected = [CancelTaskResult.CANCELLED, CancelTaskResult.ALREADY_CANCELLED, f"agent:{EXECUTION}", "too slow"]
    assert await played(rescind_env, body) == expected


@pytest.mark.rescind
@pytest.mark.parametrize(
    ("mode", "seconds"),
    [
        (None, 5),
        (CancellationMode.graceful(), 5),
        (CancellationMode.graceful(2), 2),
        (CancellationMode.HARD, 0),
    ],
)
async def test_a_cancel_waits_for_the_clean_up_as_its_mode_allows(
    rescind_env: Environment, mode: CancellationMode | None, seconds: float
) -> None:
    async def body(ctx: AgentContext) -> Any:
        child = await ctx.spawn_agent(cleans_up, 5.0)
        await ctx.sleep(1)
        await child.cancel(mode)
        await ctx.join_children([child])

    await played(rescind_env, body)
    assert rescind_env.elapsed().total_seconds() == 1 + seconds


@pytest.mark.rescind
async def test_a_cancel_reaches_the_whole_chain_and_its_tasks(rescind_env: Environment) -> None:
    handle = await started(rescind_env, grows_from_nothing())
    await asyncio.sleep(1)
    await handle.cancel("enough")
    await rescind_env.settled()
    members = [handle]
    while found := await children_of(rescind_env, members[-1].id):
        members += found
    assert len(members) == 4
    for member in members:
        view = await member.describe()
        assert view.status == "CANCELLED"
        assert view.cause is not None
        assert view.cause.reason == "enough"
        assert [each.status for each in await member.tasks()] == ["CANCELLED"] * (member is not handle)
        check_history(await member.history())


def grows_from_nothing() -> Any:
    @agent("parent")
    async def parent(ctx: AgentContext) -> None:
        await (await ctx.spawn_agent(grows, 2))

    return parent


@pytest.mark.rescind
async def test_leaving_a_scope_cancels_the_children_spawned_in_it(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        outside = await ctx.spawn_agent(waits)
        async with ctx.scope():
            inside = await ctx.spawn_agent(waits)
            await ctx.sleep(1)
        with pytest.raises(ChildCancelled) as caught:
            await inside
        assert caught.value.cause is not None
        await outside.signal("go", "on")
        return [caught.value.cause.source.value, await outside]

    assert await played(rescind_env, body) == ["scope_left", "on"]


@pytest.mark.rescind
async def test_the_deadline_of_a_scope_cancels_its_children(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        async with ctx.move_on_after(2) as scope:
            await (await ctx.spawn_agent(waits))
        return scope.expired

    assert await played(rescind_env, body) is True
    (child,) = await children_of(rescind_env)
    cause = (await child.describe()).cause
    assert cause is not None
    assert cause.source.value == "deadline"


@pytest.mark.rescind
async def test_a_parent_that_ends_takes_its_children_with_it_but_for_those_that_it_abandons(
    rescind_env: Environment,
) -> None:
    async def body(ctx: AgentContext) -> None:
        await ctx.spawn_agent(waits)
        await ctx.spawn_agent(waits, parent_close=ParentClosePolicy.ABANDON)

    await played(rescind_env, body)
    await rescind_env.settled()
    goes, stays = await children_of(rescind_env)
    assert await goes.status() == "CANCELLED"
    await stays.signal("go", 1)
    assert await stays.result() == 1


@pytest.mark.rescind
async def test_a_cancelled_wait_leaves_the_child_as_it_was(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        child = await ctx.spawn_agent(waits)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await child
        await child.signal("go", 1)
        return await child

    assert await played(rescind_env, body) == 1


@pytest.mark.rescind
async def test_clean_up_may_spawn_and_wait_for_a_child(rescind_env: Environment) -> None:
    @agent("tidies")
    async def tidies(ctx: AgentContext) -> None:
        try:
            await ctx.wait_for_signal_raw("never")
        except ExecutionCancelled:
            async with ctx.shield():
                assert await (await ctx.spawn_agent(doubles, 1)) == 2
            raise

    handle = await started(rescind_env, tidies)
    await asyncio.sleep(1)
    await handle.cancel()
    await rescind_env.settled()
    await asyncio.sleep(2)
    assert await handle.status() == "CANCELLED"
    (child,) = await children_of(rescind_env)
    assert await child.result() == 2
