"""Another client, in a process of its own: it calls at a steady pace, and tells how long each call took.

``python -m bench.calling ADDRESS EXECUTION``: prints a line when it calls, and at a line on its standard input the
times of all calls in ms, as JSON. A call begins when it is due, however long the one before it takes: a server that
stands still for a while is seen by each call that fell into that time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, Final

from rescind import ExecutionHandle
from rescind.client.connecting import Client

_PACE: Final = 0.005


async def _call(handle: ExecutionHandle[Any], number: int, took: list[float]) -> None:
    """A query, or a signal that has to be durable, by turns."""
    begun = time.perf_counter()
    if number % 2:
        await handle.status()
    else:
        await handle.signal("called", number)
    took.append((time.perf_counter() - begun) * 1e3)


async def _keep_calling(address: str, execution_id: str) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_reader(sys.stdin, told.set)
    took: list[float] = []
    async with Client(address, by="client:other") as client, asyncio.TaskGroup() as calls:
        handle = client.handle(execution_id)
        for number in range(2):
            await _call(handle, number, [])
        print("calling", flush=True)
        due, number = loop.time(), 0
        while not told.is_set():
            calls.create_task(_call(handle, number, took))
            due, number = due + _PACE, number + 1
            await asyncio.sleep(max(0.0, due - loop.time()))
    print(json.dumps(took), flush=True)


if __name__ == "__main__":
    asyncio.run(_keep_calling(*sys.argv[1:]))
