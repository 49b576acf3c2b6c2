"""Invariant 8: every seed twice, the second time in another process in which hashes and addresses are others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from random import Random

import pytest

from rescind import AgentContext, OutcomeError, TaskContext, agent, task
from rescind.testing import Environment, ExploreReport, explore
from sdk.tests.invariants.workload import QUARTER, TASKS, beating, ended, flaky, nap, pester


@task("on-a-thread")
def on_a_thread(ctx: TaskContext, seconds: float) -> float:
    """Waits on a thread."""
    time.sleep(seconds)
    return seconds


@agent("roller")
async def roller(ctx: AgentContext) -> str:
    """Does whatever could differ from one run to the next: draws, names, threads, branches side by side."""
    names = {"north", "east", "south", "west"}
    dice = [ctx.schedule(nap, ctx.random(), labels={name: name for name in sorted(names)}) for _ in range(2)]
    await ctx.append_entry("assistant", [str(ctx.uuid4()), ctx.now().isoformat(), time.time()])
    with contextlib.suppress(OutcomeError):
        await asyncio.gather(
            ctx.select_ok_with_cancel([*dice, ctx.schedule(nap, QUARTER)]),
            ctx.join_all([ctx.schedule(on_a_thread, QUARTER), ctx.schedule(on_a_thread, QUARTER)]),
            ctx.join_all([ctx.schedule(flaky, 1), ctx.schedule(beating, 2)]),
        )
    return await ctx.run(lambda: "done")


async def scenario(env: Environment) -> None:
    chance = Random(env.seed)
    for _ in range(2):
        handle = await env.start(roller)
        await pester(env, handle, chance, 2)
    await ended(handle)


def explore_rollers(seeds: range) -> ExploreReport:
    return explore(scenario, seeds=seeds, faults=True, agents=[roller], tasks=[*TASKS, on_a_thread])


@pytest.mark.invariants
def test_the_same_seed_gives_the_same_history(
    seeds: range, record_property: Callable[[str, object], None], request: pytest.FixtureRequest
) -> None:
    program = f"from {__name__} import explore_rollers; print(*explore_rollers(range({len(seeds)})).digests)"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=request.config.rootpath,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(["", *sys.path])},
    ) as elsewhere:
        report = explore_rollers(seeds)
        others, _ = elsewhere.communicate()
    record_property("explored", f"{request.node.name}: {report}; all of them again in another process")
    assert report.distinct_histories > report.seeds / 2
    pairs = zip(seeds, report.digests, others.split(), strict=True)
    different = [seed for seed, here, there in pairs if here != there]
    assert not different, f"another process came to other histories under the seeds {different}"
