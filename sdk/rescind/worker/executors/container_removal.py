"""The program beside a worker that is stopping, which removes its containers if it is ended at once.

Containers belong to their engine, and outlive the worker. The next worker would remove them; who ends one by force may
start none. So there is somebody who waits for its end, and then does what the next worker would.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from rescind.worker.executors import process_table
from rescind.worker.executors.container_reaping import Reaper
from rescind.worker.executors.docker_address import EngineUnavailable
from rescind.worker.executors.docker_engine import EngineRefused, connect

_LOOKS_AGAIN_AFTER: Final = (0.0, 1.0)
"""In seconds: what the engine was just about to make is there only then."""
_DEAD_WITHIN: Final = 500
_PAUSE: Final = 0.01


@contextmanager
def removed_if_killed() -> Iterator[None]:
    """A block in which the end of this process, however it comes, is the end of its containers."""
    command = [sys.executable, "-m", __name__, process_table.identity()]
    # In a session of its own: Ctrl+C at a terminal is for the worker, and this outlives it.
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as waiting:
        try:
            yield
        finally:
            waiting.kill()


async def remove_those_of(worker: str) -> None:
    """Wait until a worker is dead, and remove what it left behind."""
    for _ in range(_DEAD_WITHIN):
        if not process_table.is_alive(worker):
            break
        await asyncio.sleep(_PAUSE)
    # Without an engine there is nothing to remove now: that is left to the next worker.
    with suppress(EngineUnavailable, EngineRefused):
        engine = connect()
        try:
            for pause in _LOOKS_AGAIN_AFTER:
                await asyncio.sleep(pause)
                await Reaper(engine).remove_those_of_dead_workers()
        finally:
            await engine.close()


def main() -> None:
    """Wait until the pipe closes, which it does with the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.buffer.read()
    asyncio.run(remove_those_of(sys.argv[1]))


if __name__ == "__main__":
    main()
