"""A worker for the stories: ``python -m e2e.crash.worker_process ADDRESS ID NOTES SILENCE_MS SLOTS AGENT_SLOTS``."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

from e2e.crash.notes import Notebook
from e2e.crash.stories import AGENTS, TASKS, open_notebook
from rescind.worker.connecting import Worker

READY = "this worker can be told to stop"


async def main(address: str, worker_id: str, notes: Path, silence_ms: int, slots: int, agent_slots: int) -> None:
    """Work until SIGTERM, then leave in order."""
    open_notebook(Notebook(notes, worker_id))
    worker = Worker(
        address,
        agents=AGENTS,
        tasks=TASKS,
        worker_id=worker_id,
        silence_ms=silence_ms,
        slots=slots,
        agent_slots=agent_slots,
    )
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell_what_waits)
    print(READY, flush=True)
    running = asyncio.create_task(worker.run())
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not running.done():
        await asyncio.gather(running, worker.stop())
    await running


def tell_what_waits() -> None:
    """Print where every task of the event loop stands."""
    for task in asyncio.all_tasks():
        task.print_stack()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    _, given_address, given_id, given_notes, *numbers = sys.argv
    asyncio.run(main(given_address, given_id, Path(given_notes), *map(int, numbers)))
