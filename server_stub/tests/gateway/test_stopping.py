"""The end of a server that is told to stop: in order, whoever is connected, and at once when it is told again."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from rescind import ServerUnavailable
from rescind.client.connecting import Client

from .test_killed import LONGEST, lines, processes, reachable

pytestmark = pytest.mark.asyncio

_STOPS_TWICE = """
import asyncio
from rescind_server.app import stop_on_signals

async def main():
    stop = asyncio.Event()
    stop_on_signals(stop)
    print("ready", flush=True)
    await stop.wait()
    print("stopping", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_sigterm_ends_a_server_in_order_and_everybody_finds_the_next_one(tmp_path: Path) -> None:
    """With a session, a caller that waits and one that follows: none of them holds it up."""
    file = tmp_path / "ran"
    async with processes(tmp_path) as (run, client):
        server = await run.server()
        await run.worker()
        await reachable(client)
        handle = await client.start("steps", {"count": "4", "file": str(file)}, id="stopped")
        await lines(file, 2)
        waiting = asyncio.create_task(handle.result())
        async with Client(run.address, patience=0.0) as impatient:
            following = asyncio.create_task(follow(impatient.handle("stopped")))
            await lines(file, 2)
            server.terminate()
            async with asyncio.timeout(LONGEST):
                assert await server.wait() == 0
            with pytest.raises(ServerUnavailable):
                await following
        await run.server()
        await reachable(client)
        await handle.signal("go")
        async with asyncio.timeout(LONGEST):
            assert await waiting == ["0", "1", "2", "3"]
        assert [task.attempts for task in await handle.tasks()] == [1, 1, 1, 1]


async def follow(handle: object) -> None:
    async for _ in handle.follow():  # type: ignore[attr-defined]
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_a_server_at_once(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _STOPS_TWICE), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(LONGEST):
        for said in (b"ready\n", b"stopping\n"):
            assert await process.stdout.readline() == said
            process.send_signal(number)
        assert await process.wait() == -number
