"""Server and worker as processes, killed with SIGKILL: what was acknowledged is there, and the work is finished."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rescind import CancelTaskResult, ExecutionStatus, StoreError
from rescind.client.connecting import Client
from rescind.model.events import EventType
from rescind.model.filters import ExecutionFilter
from rescind.testing import check_history
from rescind.worker.connecting import Protocol
from rescind_server.app import Server

pytestmark = pytest.mark.asyncio
ROOT = Path(__file__).parents[3]
LONGEST = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Processes:
    """Starts a server and a worker, and kills them."""

    def __init__(self, folder: Path) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.store = folder / "store.db"
        self._log = folder / "log"
        self._running: list[asyncio.subprocess.Process] = []

    async def server(self) -> asyncio.subprocess.Process:
        """Start a server on the file."""
        return await self._start("rescind_server.app", "--address", self.address, "--store", str(self.store))

    async def worker(self, protocol: Protocol = "native") -> asyncio.subprocess.Process:
        """Start a worker; it joins when the server is there."""
        return await self._start("server_stub.tests.gateway.worker_process", self.address, "w-1", protocol)

    async def _start(self, module: str, *arguments: str) -> asyncio.subprocess.Process:
        with self._log.open("a") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, *arguments, cwd=ROOT, stdout=log, stderr=log
            )
        self._running.append(process)
        return process

    async def end(self) -> str:
        """Kill all; returns what they logged."""
        for process in self._running:
            if process.returncode is None:
                await kill(process)
        return self._log.read_text() if self._log.exists() else ""


async def kill(process: asyncio.subprocess.Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()


@asynccontextmanager
async def processes(folder: Path) -> AsyncIterator[tuple[Processes, Client]]:
    started = Processes(folder)
    try:
        async with Client(started.address, by="client:test", patience=LONGEST) as client:
            yield started, client
    finally:
        print(await started.end())


async def reachable(client: Client) -> None:
    """Wait until the server answers."""
    async with asyncio.timeout(LONGEST):
        while True:
            try:
                await client.list_page(page_size=1)
                return
            except Exception:
                await asyncio.sleep(0.05)


async def lines(file: Path, count: int) -> list[str]:
    """Wait until so many attempts have written their line."""
    async with asyncio.timeout(LONGEST):
        while True:
            if len(written := lines_of(file)) >= count:
                return written
            await asyncio.sleep(0.01)


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


async def test_what_was_acknowledged_outlives_sigkill_of_the_server(tmp_path: Path) -> None:
    file = tmp_path / "ran"
    async with processes(tmp_path) as (run, client):
        server = await run.server()
        await run.worker()
        await reachable(client)
        handle = await client.start("steps", {"count": "10", "file": str(file)}, id="survivor")
        cancelled = await client.start("nobody-knows", id="cancelled")
        assert await cancelled.cancel("before the crash") is CancelTaskResult.CANCELLED
        await lines(file, 5)
        await kill(server)

        await run.server()
        await reachable(client)
        assert await cancelled.cancel() is CancelTaskResult.ALREADY_CANCELLED
        await handle.signal("go")
        assert await handle.result() == [str(number) for number in range(10)]
        done = [view.execution_id async for view in client.list(ExecutionFilter(statuses=(ExecutionStatus.COMPLETED,)))]
        assert done == ["survivor"]
        history = await handle.history()
        check_history(history)
        assert history.types().count(EventType.TASK_COMPLETED) == 10
        assert [line.split()[1] for line in lines_of(file)] == ["1"] * 10, "nothing ran twice"


async def test_an_agent_goes_on_in_a_worker_that_was_killed_and_started_anew(tmp_path: Path) -> None:
    file = tmp_path / "ran"
    async with processes(tmp_path) as (run, client):
        await run.server()
        worker = await run.worker()
        await reachable(client)
        handle = await client.start("steps", {"count": "6", "file": str(file)})
        await lines(file, 3)
        await kill(worker)
        await handle.signal("go")
        await run.worker()
        assert await handle.result() == [str(number) for number in range(6)]
        check_history(await handle.history())


async def test_both_are_killed_in_the_middle_of_their_work_again_and_again(tmp_path: Path) -> None:
    file = tmp_path / "ran"
    async with processes(tmp_path) as (run, client):
        server, worker = await run.server(), await run.worker()
        await reachable(client)
        handle = await client.start("steps", {"count": "40", "file": str(file)}, id="battered")
        await handle.signal("go")
        for reached in (5, 15, 25):
            await lines(file, reached)
            await kill(server)
            await kill(worker)
            server, worker = await run.server(), await run.worker()
        assert await handle.result() == [str(number) for number in range(40)]
        history = await handle.history()
        check_history(history)
        # A line more than once is an attempt that was lost with its worker, and has a number of its own.
        written = lines_of(file)
        assert len(set(written)) == len(written)


async def test_a_killed_servers_file_can_be_opened_at_once(tmp_path: Path) -> None:
    async with processes(tmp_path) as (run, client):
        server = await run.server()
        await reachable(client)
        await client.start("nobody-knows", id="kept")
        with pytest.raises(StoreError, match="is another server using it"):
            async with Server(run.store, "127.0.0.1:0"):
                pass
        await kill(server)
        async with Server(run.store, "127.0.0.1:0") as second, Client(second.address) as other:
            assert (await other.handle("kept").describe()).status is ExecutionStatus.PENDING


async def test_a_server_that_cannot_open_its_file_says_why_and_exits_with_1(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    store.write_text("this is a text file, and long enough not to be taken for an empty database")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rescind_server.app", "--address", "127.0.0.1:0", "--store", str(store)),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert "cannot be opened: file is not a database" in said.decode()
