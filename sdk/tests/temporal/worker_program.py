"""A worker as a program of its own: ``worker_program.py ADDRESS QUEUE``. Its tests kill it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from rescind import AgentContext, TaskContext, agent, task
from rescind.temporal import TemporalWorker


@task("remembers")
async def remembers(ctx: TaskContext, folder: str) -> int:
    """Note each attempt in a folder; the first never ends."""
    await asyncio.to_thread((Path(folder) / f"attempt-{ctx.attempt}").touch)
    if ctx.attempt == 1:
        await asyncio.Event().wait()
    return ctx.attempt


@agent("survives")
async def survives(ctx: AgentContext, folder: str) -> int:
    """The attempt that ended."""
    return await ctx.schedule(remembers, folder)


if __name__ == "__main__":
    _, address, own_queue = sys.argv
    worker = TemporalWorker(address, agents=[survives], tasks=[remembers], queue=own_queue, lease_ms=1_000)
    asyncio.run(worker.run())
