"""Many workers that have nothing to do: ``python -m bench.idle_workers ADDRESS COUNT``; prints a line when all joined.

Each has a connection and a session of its own. They take from the queue that is measured, and run another kind.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from typing import Final

from rescind import TaskContext, task
from rescind.worker.connecting import Worker

_AT_ONCE: Final = 50


@task("idle")
async def idle(ctx: TaskContext) -> None:
    """Nobody schedules this."""


async def _stay(address: str, count: int) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with AsyncExitStack() as workers:
        for first in range(0, count, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, count))
            # Ids that are made by chance are meant for one worker in a process, and meet among so many.
            joining = [Worker(address, tasks=[idle], worker_id=f"idle-{os.getpid()}-{number}") for number in numbers]
            await asyncio.gather(*map(workers.enter_async_context, joining))
        print("joined", flush=True)
        await told.wait()


if __name__ == "__main__":
    asyncio.run(_stay(sys.argv[1], int(sys.argv[2])))
