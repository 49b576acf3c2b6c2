"""Invariant 6: work is stopped by all who can, while workers are lost, cut off, deaf for a while, or come back late."""

from __future__ import annotations

import asyncio
import time
from random import Random

import pytest

from rescind import AgentContext, CancelMode, TaskContext, agent, task
from rescind.model.status import STOP_ENDED
from rescind.testing import Environment
from rescind.testing.history_rules import unended_stops
from sdk.tests.invariants.conftest import Explore
from sdk.tests.invariants.witness import state_of
from sdk.tests.invariants.workload import QUARTER, TASKS, beating, ended, late, nap, pester, stubborn, tidy


@task("threaded", grace=QUARTER)
def threaded(ctx: TaskContext, looks: int) -> int:
    """Plain code on a thread, which looks now and then whether it is to stop."""
    for _ in range(looks):
        ctx.check_cancelled()
        time.sleep(QUARTER)
    return looks


@agent("stopper", cleanup_budget=2.0)
async def stopper(ctx: AgentContext) -> None:
    """Lets deadlines, races, scopes and its own end stop its work."""
    ctx.schedule(late, 9.0)
    ctx.schedule(beating, 3)
    ctx.schedule(stubborn, 2)
    abandoned = ctx.schedule(tidy, 3 * QUARTER)
    async with ctx.scope():
        ctx.schedule(stubborn, 1)
        ctx.schedule(threaded, 3)
        await ctx.sleep(2 * QUARTER)
    await abandoned.cancel(mode=CancelMode.ABANDON)
    await ctx.select_ok_with_cancel([ctx.schedule(nap, QUARTER), ctx.schedule(tidy, 9.0), ctx.schedule(nap, 9.0)])
    await ctx.sleep(QUARTER)


async def scenario(env: Environment) -> None:
    chance = Random(env.seed)
    handle = await env.start(stopper, id="stopper")
    async with asyncio.TaskGroup() as callers:
        callers.create_task(pester(env, handle, chance, 3))
        if chance.random() < 0.5:
            await asyncio.sleep(QUARTER * chance.randrange(6))
            await handle.cancel(hard=chance.random() < 0.3)
    await ended(handle)
    # Longer than any lease that may still be running, and any clean-up.
    await asyncio.sleep(100)
    assert not unended_stops(env.host.history(handle.id))
    for each in await handle.tasks():
        assert all(stop.state in STOP_ENDED and stop.ended_at is not None for stop in each.stops), each.stops
    state = state_of(env)
    assert not state.attempts, f"these still take up slots: {state.attempts}"
    assert not any(worker.running for worker in state.workers.values())
    assert not state.executions, "what is over for good leaves the engine's memory"
    for worker, _ in env._workers:
        assert not worker._attempts, f"these still run in a worker: {worker._attempts}"
        assert not len(worker._runs), f"a worker keeps agents that have ended: {worker._runs._runs}"


@pytest.mark.invariants
def test_every_stop_record_reaches_an_end(explored: Explore) -> None:
    report = explored(scenario, agents=[stopper], tasks=[*TASKS, threaded])
    assert report.distinct_histories > report.seeds / 2
