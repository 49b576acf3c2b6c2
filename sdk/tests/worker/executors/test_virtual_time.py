"""Real processes in virtual time: they hold the clock while they run, and not a moment longer."""

from __future__ import annotations

import pytest

from rescind import AgentContext, agent
from rescind.executors import shell
from rescind.testing import Environment
from sdk.tests.worker.executors import functions

speak = shell("speak", "sleep 0.01; echo hello")


@agent("patient")
async def patient(ctx: AgentContext) -> list[object]:
    await ctx.sleep(1_000)
    said = (await ctx.schedule(speak)).stdout
    await ctx.sleep(1_000)
    total = await ctx.schedule(functions.adding, [1, 2])
    await ctx.sleep(1_000)
    return [said, total]


@pytest.mark.rescind(agents=[patient], tasks=[speak, functions.adding])
async def test_programs_and_processes_take_no_virtual_time(rescind_env: Environment) -> None:
    handle = await rescind_env.start(patient)
    assert await handle.result() == ["hello\n", 3]
    assert rescind_env.elapsed().total_seconds() == 3_000
