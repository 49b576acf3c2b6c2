"""Invariant 9: agents and tasks that catch all they can, swallow their cancel, and try to go on as if nothing was."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import Any

import pytest

from rescind import (
    AgentContext,
    ExecutionCancelled,
    ExecutionHandle,
    ExecutionStatus,
    ExecutionWasCancelled,
    TaskContext,
    TaskStatus,
    agent,
    task,
)
from rescind.testing import Environment
from rescind.testing.disturbances import DisturbedEnvironment
from sdk.tests.invariants.conftest import Explore
from sdk.tests.invariants.workload import QUARTER, SOON, nap

BUDGET = 2.0
GRACE = QUARTER


class Seen:
    """What the code of one run of the scenario has seen."""

    def __init__(self) -> None:
        self.caught_as_ordinary: list[str] = []
        self.went_on: list[str] = []
        self.told_tasks = 0


seen = Seen()


@task("greedy", grace=GRACE, retry=SOON)
async def greedy(ctx: TaskContext, refusals: int) -> str:
    """Catches every ordinary exception, and swallows its cancel so often."""
    for _ in range(refusals + 1):
        try:
            await asyncio.sleep(4 * QUARTER)
        except Exception as error:
            seen.caught_as_ordinary.append(f"task: {error!r}")
        except asyncio.CancelledError:
            seen.told_tasks += 1
            assert ctx.cancel_cause() is not None or not ctx.is_cancelled
    return "as if nothing was"


@agent("deaf", cleanup_budget=BUDGET)
async def deaf(ctx: AgentContext, refusals: int) -> str:
    """Goes on behind its cancel so often, awaiting something else each time."""
    refused = 0
    while True:
        try:
            if not refused:
                await asyncio.gather(ctx.schedule(nap, 2 * QUARTER), ctx.schedule(greedy, 1), ctx.sleep(QUARTER))
            for _ in range(3):
                await _some_await(ctx, refused)
            if ctx.is_cancellation_requested:
                seen.went_on.append(f"an await came to its end behind the cancel, after {refused} refusals")
        except Exception as error:
            # Its tasks are cancelled with it: that it may hear of, not of its own cancel.
            if isinstance(error, asyncio.CancelledError):
                seen.caught_as_ordinary.append(f"agent: {error!r}")
        except asyncio.CancelledError:
            refused += 1
            if refused > refusals:
                return "as if nothing was"


async def _some_await(ctx: AgentContext, place: int) -> None:
    match place % 4:
        case 0:
            await ctx.sleep(QUARTER)
        case 1:
            with contextlib.suppress(Exception):
                await ctx.schedule(nap, QUARTER)
        case 2:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(QUARTER):
                    await ctx.wait_for_signal_raw("never")
        case _:
            async with ctx.scope():
                await asyncio.shield(asyncio.create_task(ctx.sleep(QUARTER)))


@agent("careful", cleanup_budget=BUDGET)
async def careful(ctx: AgentContext) -> None:
    """Cleans up in a shield, and then wants to go on."""
    try:
        await ctx.sleep(60)
    except ExecutionCancelled:
        async with ctx.shield(within_ms=1_000):
            await ctx.join_all([ctx.schedule(nap, QUARTER)])
            await ctx.append_entry("assistant", "cleaned up")
    await ctx.sleep(QUARTER)
    seen.went_on.append("an await came to its end behind the clean-up")


@agent("stuck", cleanup_budget=BUDGET)
async def stuck(ctx: AgentContext) -> None:
    """Never lets its cancel pass."""
    while True:
        with contextlib.suppress(BaseException):
            async with ctx.shield():
                await ctx.sleep(QUARTER)
            await ctx.sleep(60)


async def scenario(env: Environment) -> None:
    global seen
    seen = Seen()
    chance = Random(env.seed)
    handles: list[ExecutionHandle[Any]] = [
        await env.start(deaf, chance.randrange(6), id="deaf"),
        await env.start(careful, id="careful"),
        await env.start(stuck, id="stuck"),
    ]
    await asyncio.sleep(chance.choice((0.01, QUARTER, QUARTER, 2 * QUARTER, 0.6)))
    for handle in handles:
        assert (await handle.cancel("told once")).ok
    told_at = env.elapsed()
    for handle in handles:
        with pytest.raises(ExecutionWasCancelled) as caught:
            await handle.result()
        assert caught.value.cause is not None
        assert caught.value.cause.reason == "told once"
        late = (env.elapsed() - told_at).total_seconds()
        assert late <= BUDGET + 0.1, f"{handle} ended {late} s behind its cancel"
        if handle.id == "deaf" and not (isinstance(env, DisturbedEnvironment) and env.happened):
            assert late <= 0.1, f"it was not told again at its next await, but {late} s behind its cancel"
    await asyncio.sleep(30)
    assert not seen.caught_as_ordinary
    assert not seen.went_on
    for handle in handles:
        assert await handle.status() is ExecutionStatus.CANCELLED
        for each in await handle.tasks():
            assert each.status in (TaskStatus.CANCELLED, TaskStatus.COMPLETED), each


@pytest.mark.invariants
def test_code_that_was_told_of_its_cancel_cannot_lose_it(explored: Explore) -> None:
    report = explored(scenario, agents=[deaf, careful, stuck], tasks=[nap, greedy])
    assert report.distinct_histories > report.seeds / 4
