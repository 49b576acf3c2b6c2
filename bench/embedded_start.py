"""A user's first script, for the time of its start: one agent, one task, embedded."""

from __future__ import annotations

import asyncio

import rescind
from rescind import AgentContext, TaskContext, agent, task


@task("first")
async def first(ctx: TaskContext) -> str:
    """The first task."""
    return "done"


@agent("starter")
async def starter(ctx: AgentContext) -> str:
    """Runs it."""
    return await ctx.schedule(first)


async def main() -> None:
    """Say the result as soon as it is there."""
    async with rescind.embedded(agents=[starter], tasks=[first]) as env:
        print(await (await env.start(starter)).result(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
