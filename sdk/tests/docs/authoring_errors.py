"""How to meet each error of code, or of a test, that must be mended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest

import rescind
from rescind import AgentContext, agent
from rescind.testing import Environment, MockAgentContext, run
from sdk.tests.docs.provoking import Provocations, quote

met: Final = Provocations()


@met.directly("NonDeterminismError")
def changed_code(_: Path) -> BaseException:
    deployed = ["first version"]

    @agent("quotes")
    async def quotes(ctx: AgentContext) -> None:
        if deployed == ["first version"]:
            await ctx.schedule(quote, "bike")
        await ctx.sleep(60)

    async def main() -> str | None:
        async with Environment(agents=[quotes], tasks=[quote]) as env:
            handle = await env.start(quotes, id="q-1")
            await asyncio.sleep(10)
            await env.kill_worker()
            deployed[0] = "second version"
            env.start_worker()
            await asyncio.sleep(60)
            return (await handle.describe()).parked

    return rescind.NonDeterminismError(run(main()))


@met.in_agent("NotDurableError")
async def reads_a_file(ctx: AgentContext) -> object:
    with open("rates.json") as file:  # noqa: ASYNC230, PTH123 - what the guard is there for
        return file.read()


@met.directly("NotMocked")
def nothing_set(_: Path) -> BaseException:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> str:
        return await ctx.schedule(quote, "bike")

    with pytest.raises(rescind.NotMocked) as caught:
        run(quotes.run(MockAgentContext()))
    return caught.value


@met.outside("Deadlock")
async def nobody_sends() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.set_name("Task-1")
    await asyncio.Event().wait()
