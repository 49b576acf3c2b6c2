"""Invariant 1: completions, failures, time-outs, retries and cancels in all modes meet at the same instants."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random

import pytest

from rescind import AgentContext, AgentTaskFutureRaw, OutcomeError, RescindError, agent
from rescind.model.commands import Command
from rescind.model.events import TASK_ENDS
from rescind.model.ids import TaskId
from rescind.testing import Environment
from rescind_server.engine.state import Decision
from sdk.tests.invariants.conftest import Explore
from sdk.tests.invariants.witness import look_at_decisions, tasks_of
from sdk.tests.invariants.workload import QUARTER, TASKS, breaks, ended, flaky, late, nap, pester, stubborn, tidy


@agent("busy")
async def busy(ctx: AgentContext) -> int:
    """Ends its tasks by every door there is."""
    some: list[AgentTaskFutureRaw] = [
        ctx.schedule(nap, 2 * QUARTER),
        ctx.schedule(late, 2 * QUARTER),
        ctx.schedule(flaky, 2),
        ctx.schedule(nap, 3 * QUARTER, start_to_close=3 * QUARTER, retry=None),
        ctx.schedule(nap, 4 * QUARTER, schedule_to_close=4 * QUARTER),
        ctx.schedule(stubborn, 1),
        ctx.schedule(breaks, QUARTER),
    ]
    async with ctx.move_on_after(2 * QUARTER):
        inner = [ctx.schedule(tidy, 2 * QUARTER), ctx.schedule(nap, 9.0)]
        await ctx.join_all(inner)
    for future in some[:3]:
        await future.cancel("not wanted any more")
    settled = await ctx.join_all_with_timeout(some, 500)
    with contextlib.suppress(OutcomeError):
        await ctx.select_ok_with_cancel([ctx.schedule(nap, QUARTER), ctx.schedule(breaks, QUARTER)])
    return len(settled.completed)


class FrozenEnds:
    """Remembers how each task ended, and that it stays so."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._ends: dict[TaskId, tuple[object, ...]] = {}
        look_at_decisions(env, self.look)

    def look(self, command: Command | None, decision: Decision) -> None:
        for task in tasks_of(self._env):
            if task.outcome is not None:
                end = (task.status, task.outcome, task.ended_at, task.ended_sequence)
                assert self._ends.setdefault(task.task_id, end) == end, f"task {task.task_id} changed behind its end"
            else:
                assert task.task_id not in self._ends, f"task {task.task_id} is open again"
                assert task.ended_at is None


async def scenario(env: Environment) -> None:
    FrozenEnds(env)
    chance = Random(env.seed)
    handles = [await env.start(busy, id=name) for name in ("one", "other")]
    async with asyncio.TaskGroup() as callers:
        for handle in handles:
            callers.create_task(pester(env, handle, chance, 4))
            callers.create_task(pester(env, handle, chance, 4))
        callers.create_task(cancel_later(env, chance))
    for handle in handles:
        await ended(handle)
        ends = [event.task_id for event in env.host.history(handle.id) if event.type in TASK_ENDS]
        assert len(ends) == len(set(ends))


async def cancel_later(env: Environment, chance: Random) -> None:
    await asyncio.sleep(QUARTER * chance.randrange(8))
    try:
        await env.handle("other").cancel("enough")
    except RescindError as error:
        raise AssertionError("no answer to a cancel is an error") from error


@pytest.mark.invariants
def test_a_task_has_at_most_one_terminal_event(explored: Explore) -> None:
    report = explored(scenario, agents=[busy], tasks=TASKS)
    assert report.distinct_histories > report.seeds / 2
