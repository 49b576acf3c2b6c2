"""A lost worker, a restart and a checkpoint: an agent finds its children again, and spawns nobody twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rescind import (
    AgentContext,
    ChildCancelled,
    Usage,
    agent,
)
from rescind.model.events import EventType
from rescind.testing import Environment, run
from rescind.testing.history_rules import check_history
from sdk.tests.agents.families import AGENTS, children_of, doubles, greets, spends, started, waits
from sdk.tests.agents.work import EXECUTION, hang, nap


@agent("family")
async def family(ctx: AgentContext) -> Any:
    """Most of what can be done with children, in one agent."""
    fast, slow, told = [
        await ctx.spawn_agent(doubles, 1),
        await ctx.spawn_agent(waits),
        await ctx.spawn_agent(greets, "Ada"),
    ]
    seen = [type(await ctx.select_child([fast, slow, told])).__name__]
    await ctx.signal_child(slow, "go", 7)
    seen.append(type((await ctx.join_children([fast, slow]))[1]).__name__)
    seen.append(await told.cancel(reason="enough"))
    try:
        await told
    except ChildCancelled as error:
        seen.append(str(error.cause))
    return [*seen, await ctx.wait_for_signal_raw("hello"), fast.child_id, slow.child_id]


def family_story(lost_at: int | None) -> tuple[Any, list[str]]:
    """What the family gives, and its children, if every worker is lost at an event of the parent's history."""

    async def play() -> tuple[Any, list[str]]:
        async with Environment([family, *AGENTS], [hang, nap], lease_ms=1_000) as env:
            handle = await env.start(family, id=EXECUTION)
            async for event in handle.follow():
                if getattr(event, "sequence", None) == lost_at:
                    await env.kill_worker()
                    env.start_worker()
            children = await children_of(env)
            for each in (handle, *children):
                check_history(await each.history())
            return await handle.result(), [each.id for each in children]

    return run(play())


def test_a_loss_at_every_event_changes_nothing_and_spawns_nobody_twice() -> None:
    async def events() -> int:
        async with Environment([family, *AGENTS], [hang, nap]) as env:
            handle = await env.start(family, id=EXECUTION)
            await handle.result()
            return len(await handle.history())

    undisturbed = family_story(None)
    assert len(undisturbed[1]) == 3
    for lost_at in range(1, run(events())):
        assert family_story(lost_at) == undisturbed, f"lost at event {lost_at}"


@pytest.mark.rescind
async def test_children_are_found_again_after_a_restart_on_the_same_file(tmp_path: Path) -> None:
    @agent("long")
    async def long(ctx: AgentContext) -> Any:
        running = await ctx.spawn_agent(waits)
        resting = await ctx.spawn_agent("nobody-runs-this")
        done = await ctx.spawn_agent(spends, [5])
        await done
        await ctx.wait_for_signal_raw("on")
        answer = await resting.cancel()
        events = await ctx.join_children([running, resting, done])
        return [answer, *(type(event).__name__ for event in events), ctx.usage.tokens]

    path = tmp_path / "store.db"
    async with Environment([long, *AGENTS], store=path) as env:
        handle = await env.start(long, id=EXECUTION)
        await asyncio.sleep(1)
    async with Environment([long, *AGENTS], store=path) as env:
        handle = env.handle(EXECUTION)
        running, resting, done = await children_of(env)
        assert [await each.status() for each in (running, resting, done)] == ["WAITING", "PENDING", "COMPLETED"]
        await running.signal("go", 1)
        await handle.signal("on")
        assert await handle.result() == [
            "CANCELLED",
            "ChildCompleted",
            "ChildCancelledEvent",
            "ChildCompleted",
            0,
        ]
        assert EventType.EXECUTION_CANCELLED in (await resting.history()).types()


@pytest.mark.rescind
async def test_a_checkpointed_agent_finds_its_children_by_their_ids(rescind_env: Environment) -> None:
    @agent("keeps-ids", recovery="checkpoint")
    async def keeps_ids(ctx: AgentContext) -> Any:
        if ctx.state() is None:
            child = await ctx.spawn_agent(waits)
            await ctx.report_usage(5)
            await ctx.checkpoint({"child": child.child_id})
        handle = await ctx.get_child_handle(ctx.state()["child"], "waits", int)
        value: int = await handle
        await ctx.report_usage(1)
        return [value, ctx.usage.tokens]

    handle = await started(rescind_env, keeps_ids)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    (child,) = await children_of(rescind_env)
    await child.signal("go", 3)
    assert await handle.result() == [3, 6]
    assert (await handle.describe()).usage == Usage(6)
