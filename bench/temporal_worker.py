"""The measured worker on Temporal: ``python -m bench.temporal_worker ADDRESS SLOTS CANCEL_WITHIN_MS``.

It runs what ``rescind worker bench.workload`` runs, and prints a line when it works.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from rescind.cli.definitions import definitions_at
from rescind.temporal import TemporalWorker


async def _work(address: str, slots: int, cancel_within_ms: int) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    found = definitions_at("bench.workload")
    async with TemporalWorker(
        address,
        agents=found.agents,
        tasks=found.tasks,
        slots=slots,
        cancel_within_ms=cancel_within_ms,
        shutdown_grace_ms=0,
    ):
        print("working", flush=True)
        await told.wait()


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], *map(int, sys.argv[2:])))
