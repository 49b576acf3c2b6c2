"""A client that starts an agent over HTTP, follows it and goes away: how soon the work has stopped."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Final

from bench.figures import Figure, figure
from bench.measuring import Measurement, Setting
from bench.notices import Notices, listening
from bench.processes import System, running_system


async def one_leaving(system: System, notices: Notices) -> float:
    """From the end of the client's connection to the running code seeing its cancel, in ms."""
    name, _, port = system.http.rpartition(":")
    _, writer = await asyncio.open_connection(name, int(port))
    body = json.dumps({"kind": "held", "input": notices.port}).encode()
    head = f"POST /api/v1/executions/stream HTTP/1.1\r\nhost: bench\r\ncontent-length: {len(body)}"
    writer.write(f"{head}\r\ncontent-type: application/json\r\n\r\n".encode() + body)
    await notices.next("running")
    # Until the server is idle again.
    await asyncio.sleep(0.01)
    begun = time.monotonic_ns()
    writer.transport.abort()
    return (int(await notices.next("seen")) - begun) / 1e6


async def leave(setting: Setting) -> Sequence[Figure]:
    """Clients that go away, one after another, on an idle server."""
    async with running_system(setting.folder) as system, listening() as notices:
        for _ in range(10):
            await one_leaving(system, notices)
        measured = [await one_leaving(system, notices) for _ in range(setting.pick(50, 300))]
    return [
        figure("a streaming client's going away to its work stopped", measured, "ms", statistic="p99", reach="< 500")
    ]


MEASUREMENTS: Final = (Measurement("leaving.disconnect", "a client goes away, and its work stops", leave),)
