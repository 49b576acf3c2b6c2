"""Agents with children under many orders of events and with faults: cancels of trees, and what meets them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rescind import (
    AgentContext,
    AgentDefinition,
    CancellationMode,
    CancelTaskResult,
    ChildCancelled,
    ChildCompleted,
    ChildHandle,
    ExecutionHandle,
    ExecutionStatus,
    ParentClosePolicy,
    agent,
)
from rescind.model.events import EXECUTION_ENDS, EventType
from rescind.testing import Environment, run
from rescind.testing.history_rules import check_history
from sdk.tests.invariants.conftest import Explore
from sdk.tests.invariants.workload import QUARTER, ended, nap

pytestmark = pytest.mark.invariants

# One test is to take less than two minutes on any machine. No multiple of 4: by that the seed picks the faults.
PARTS = 5

Tree = list[tuple[int, ExecutionHandle[Any]]]

REQUESTED = EventType.EXECUTION_CANCEL_REQUESTED


@agent("branch")
async def branch(ctx: AgentContext, depth: int) -> int:
    """Two children per level; the last level waits for a task."""
    if not depth:
        return round(await ctx.schedule_task("nap", 100.0, float))
    children = [await ctx.spawn_agent(branch, depth - 1) for _ in range(2)]
    return sum([await child for child in children])


@agent("leaf")
async def leaf(ctx: AgentContext, seconds: float) -> float:
    await ctx.sleep(seconds)
    return seconds


@agent("cleans-up")
async def cleans_up(ctx: AgentContext, seconds: float) -> None:
    try:
        await ctx.wait_for_signal_raw("never")
    finally:
        async with ctx.shield():
            await ctx.sleep(seconds)


@agent("cancels-at")
async def cancels_at(ctx: AgentContext, seconds: float) -> list[str]:
    """A child that ends by itself after a second, cancelled after some time."""
    child = await ctx.spawn_agent(leaf, 4 * QUARTER)
    await ctx.sleep(seconds)
    answer = await ctx.cancel_child(child)
    try:
        await child
    except ChildCancelled:
        return [answer.value, "CANCELLED"]
    return [answer.value, "COMPLETED"]


@agent("leaves")
async def leaves(ctx: AgentContext, seconds: float) -> None:
    """Ends after some time, before its children have."""
    await ctx.spawn_agent(branch, 1)
    await ctx.spawn_agent(leaf, 4 * QUARTER, parent_close=ParentClosePolicy.ABANDON)
    await ctx.sleep(seconds)


@agent("never-begins")
async def never_begins(ctx: AgentContext, waits: bool) -> str:
    child: ChildHandle[Any] = await ctx.spawn_agent("nobody-runs-this")
    if waits:
        await ctx.sleep(QUARTER)
    answer = await child.cancel()
    (event,) = await ctx.join_children([child])
    assert not isinstance(event, ChildCompleted)
    return answer.value


@agent("counts")
async def counts(ctx: AgentContext, count: int) -> int:
    """Its children's results, each once, whatever happens to the workers."""
    children = [await ctx.spawn_agent(leaf, each * QUARTER) for each in range(count)]
    events = await ctx.join_children(children)
    return sum(int(event.output / QUARTER) for event in events if isinstance(event, ChildCompleted))


AGENTS: list[AgentDefinition[Any, Any]] = [branch, leaf, cleans_up, cancels_at, leaves, never_begins, counts]


async def tree_of(
    env: Environment, root: ExecutionHandle[Any], depth: int = 0
) -> list[tuple[int, ExecutionHandle[Any]]]:
    """An execution with all under it, each with its depth."""
    members = [(depth, root)]
    for child in await root.children():
        members += await tree_of(env, env.handle(child.execution_id), depth + 1)
    return members


async def quiet(env: Environment, root: ExecutionHandle[Any]) -> Tree:
    """The tree, when everybody in it has ended."""
    await ended(root)
    seen: Tree = []
    while len(members := await tree_of(env, root)) > len(seen):
        seen = members
        for _, each in members:
            await ended(each)
    return members


async def check_tree(env: Environment, root: ExecutionHandle[Any]) -> None:
    """Each child was told once, and its parent knows how it ended; histories obey the rules."""
    for _, member in await tree_of(env, root):
        history = await member.history()
        check_history(history)
        told = Counter((event.details or {})["child_id"] for event in history if event.type is EventType.CHILD_ENDED)
        for child in await member.children():
            end = await env.handle(child.execution_id).status()
            assert child.status == end
            if child.parent_close is ParentClosePolicy.CANCEL:
                assert told[child.execution_id] == 1, f"{told[child.execution_id]} ends were told"


@pytest.mark.parametrize("part", range(PARTS))
def test_the_cancel_of_a_tree_reaches_its_leaves_deepest_first_in_one_commit(
    part: int, seeds: range, explored: Explore
) -> None:
    seen: Counter[int] = Counter()

    async def scenario(env: Environment) -> None:
        chance = Random(env.seed)
        root = await env.start(branch, 2)
        told: list[list[str]] = []
        env.host.listeners.append(
            lambda decisions: told.extend(
                [name for name, event in decision.events if event.type is REQUESTED] for decision in decisions
            )
        )
        await asyncio.sleep(chance.choice((0.0, 0.001, QUARTER / 8, QUARTER)))
        await root.cancel("enough", hard=chance.random() < 0.3)
        members = await quiet(env, root)
        depths: dict[str, int] = {handle.id: depth for depth, handle in members}
        (of_root, *_) = [names for names in told if root.id in names]
        below = [depths[name] for name in of_root if name != root.id]
        assert below == sorted(below, reverse=True), "a parent was told before its child"
        for _, handle in members:
            assert await handle.status() == "CANCELLED"
            cause = (await handle.describe()).cause
            assert cause is not None
            assert cause.reason == "enough"
        await check_tree(env, root)
        seen[len(below)] += 1

    explored(scenario, seeds[part::PARTS], agents=AGENTS, tasks=[nap])
    assert max(seen) == 6, seen


def test_a_child_that_ends_while_its_cancel_is_under_way_has_one_end_which_both_know(explored: Explore) -> None:
    seen: Counter[tuple[str, ...]] = Counter()

    async def scenario(env: Environment) -> None:
        chance = Random(env.seed)
        seconds = 4 * QUARTER + chance.choice((-0.001, -0.0001, 0.0, 0.0001, 0.001))
        root = await env.start(cancels_at, seconds)
        answer, outcome = await root.result()
        ((_, child),) = [each for each in await quiet(env, root) if each[0]]
        assert await child.status() == outcome
        assert answer == {"COMPLETED": "ALREADY_COMPLETED", "CANCELLED": "CANCELLED"}[outcome]
        ends = [event for event in await child.history() if event.type in EXECUTION_ENDS]
        assert len(ends) == 1
        await check_tree(env, root)
        seen[answer, outcome] += 1

    explored(scenario, agents=AGENTS, tasks=[nap])
    assert len(seen) == 2, seen


def test_a_parent_that_ends_first_takes_the_tree_with_it_but_not_what_it_abandons(explored: Explore) -> None:
    async def scenario(env: Environment) -> None:
        chance = Random(env.seed)
        root = await env.start(leaves, chance.choice((0.0, QUARTER, 4 * QUARTER, 8 * QUARTER)))
        await root.result()
        members = await quiet(env, root)
        goes, stays = [env.handle(child.execution_id) for child in await root.children()]
        assert await stays.result() == 4 * QUARTER
        assert await goes.status() == "CANCELLED"
        assert {await handle.status() for depth, handle in members if depth == 2} <= {ExecutionStatus.CANCELLED}
        await check_tree(env, root)

    explored(scenario, agents=AGENTS, tasks=[nap])


def test_a_child_that_never_began_is_cancelled_at_once_and_never_begins(explored: Explore) -> None:
    async def scenario(env: Environment) -> None:
        chance = Random(env.seed)
        root = await env.start(never_begins, chance.random() < 0.5)
        assert await root.result() == "CANCELLED"
        ((_, child),) = [each for each in await quiet(env, root) if each[0]]
        assert await child.status() == "CANCELLED"
        assert EventType.EXECUTION_ACTIVATED not in (await child.history()).types()
        await check_tree(env, root)

    explored(scenario, agents=AGENTS, tasks=[nap])


def test_lost_workers_spawn_no_child_twice_and_lose_no_end(explored: Explore) -> None:
    async def scenario(env: Environment) -> None:
        chance = Random(env.seed)
        count = chance.randrange(1, 6)
        root = await env.start(counts, count)
        assert await root.result() == sum(range(count))
        assert len(await root.children()) == count
        await check_tree(env, root)

    explored(scenario, agents=AGENTS, tasks=[nap])


def test_force_behind_a_graceful_cancel_ends_a_tree_that_cleans_up(explored: Explore) -> None:
    @agent("keeps-one")
    async def keeps_one(ctx: AgentContext) -> None:
        await (await ctx.spawn_agent(cleans_up, 100 * QUARTER))

    async def scenario(env: Environment) -> None:
        chance = Random(env.seed)
        root = await env.start(keeps_one)
        await asyncio.sleep(QUARTER)
        await root.cancel("first")
        await asyncio.sleep(chance.choice((0.0, 0.001, QUARTER)))
        assert await root.cancel("second", hard=True) in (
            CancelTaskResult.ALREADY_CANCELLED,
            CancelTaskResult.CANCELLED,
        )
        await quiet(env, root)
        await check_tree(env, root)
        for _, handle in await tree_of(env, root):
            cause = (await handle.describe()).cause
            assert cause is not None
            assert cause.reason == "first"

    explored(scenario, agents=[*AGENTS, keeps_one], tasks=[nap])


def test_a_tree_goes_on_where_it_stood_after_a_restart_of_the_engine_at_any_moment(
    seeds: range, tmp_path: Path
) -> None:
    async def story(seed: int, path: Path) -> None:
        chance = Random(seed)
        async for env in restarted(path, chance.randrange(1, 4), chance.random() * 6 * QUARTER):
            if not env.host.execution_ids():
                await env.start(counts, 4, id="counts")
                await env.start(branch, 2, id="branch")
                await env.start(leaves, 2 * QUARTER, id="leaves")
        async with Environment(AGENTS, [nap], store=path) as env:
            await env.handle("branch").cancel("enough")
            assert await env.handle("counts").result() == 6
            await env.handle("leaves").result()
            for name in ("counts", "branch", "leaves"):
                await quiet(env, env.handle(name))
                await check_tree(env, env.handle(name))
            assert {await handle.status() for _, handle in await tree_of(env, env.handle("branch"))} == {"CANCELLED"}

    async def restarted(path: Path, times: int, seconds: float) -> AsyncIterator[Environment]:
        for _ in range(times):
            async with Environment(AGENTS, [nap], store=path) as env:
                yield env
                await asyncio.sleep(seconds)

    for seed in seeds[: max(20, len(seeds) // 20)]:
        run(story(seed, tmp_path / f"{seed}.db"))


def test_the_mode_hard_of_a_parent_leaves_no_clean_up(explored: Explore) -> None:
    @agent("hurries")
    async def hurries(ctx: AgentContext) -> str:
        child = await ctx.spawn_agent(cleans_up, 100 * QUARTER)
        await ctx.sleep(QUARTER)
        answer = await ctx.cancel_child(child, CancellationMode.HARD)
        await ctx.join_children([child])
        return answer.value

    async def scenario(env: Environment) -> None:
        root = await env.start(hurries)
        assert await root.result() == "CANCELLED"
        (child,) = await root.children()
        types = (await env.handle(child.execution_id).history()).types()
        assert types[-2:] == [REQUESTED, EventType.EXECUTION_CANCELLED]
        await check_tree(env, root)

    explored(scenario, agents=[*AGENTS, hurries], tasks=[nap])
