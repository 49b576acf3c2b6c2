"""A worker for the page's tests: ``python -m e2e.page.worker_process ADDRESS TOKEN_FILE ID``.

It may be frozen for as long as a test looks: the server does not take it for lost meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Final

from e2e.page.work import AGENTS, TASKS, WORKFLOWS
from rescind import Worker

_SILENCE_MS: Final = 300_000


async def main(address: str, token: str, worker_id: str) -> None:
    """Work until SIGTERM."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with Worker(
        address,
        agents=AGENTS,
        tasks=TASKS,
        workflows=WORKFLOWS,
        worker_id=worker_id,
        token=token,
        silence_ms=_SILENCE_MS,
    ):
        await told.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_text(), sys.argv[3]))
