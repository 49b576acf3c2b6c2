"""The processes of one run: a server on one file, its workers, and a proxy in front of each who talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from e2e.crash.plan import LEASE_MS, SILENCE_MS, WORKERS
from e2e.crash.proxy import Proxy
from e2e.processes import Process

STORE: Final = "store.db"
_SERVES: Final = r"serving at (\S+)"
_CAN_BE_STOPPED: Final = "can be told to stop"


class Deployment:
    """What is started, killed and frozen.

    Attributes:
        folder: where everything is written.
        server_address: where the server itself is, behind the proxies; "" while there is none.
        links: the proxies: the client's, then one for each worker.
    """

    def __init__(self, folder: Path, links: Sequence[Proxy], slots: int, agent_slots: int) -> None:
        """Made by `deployed`."""
        self.folder = folder
        self.links = links
        self._slots = (slots, agent_slots)
        self.server_address = ""
        self._server: Process | None = None
        self._workers: list[Process | None] = [None] * WORKERS
        self._others: list[Process] = []

    @property
    def store(self) -> Path:
        """The server's file."""
        return self.folder / STORE

    def delete_store(self) -> None:
        """Delete the file, with what SQLite keeps beside it."""
        for file in self.folder.glob(f"{STORE}*"):
            file.unlink()

    def logged(self) -> str:
        """What all processes have said."""
        return "\n".join(f"--- {log.name}\n{log.read_text()}" for log in sorted(self.folder.glob("*.log")))

    def notes(self) -> Sequence[Path]:
        """The files in which the workers write what they run."""
        return [self.folder / f"notes-{number}.jsonl" for number in range(1, WORKERS + 1)]

    async def start_server(self) -> None:
        """Start a server on the file; returns when it serves, and all can reach it."""
        # A port of its own each time: on one that was let go, others may have begun to serve.
        self._server = Process(
            "server",
            (
                "-m",
                "rescind_server.app",
                "--address",
                "127.0.0.1:0",
                "--store",
                str(self.store),
                "--lease-ms",
                str(LEASE_MS),
            ),
            self.folder / "server.log",
            announces=_SERVES,
        )
        announced = await asyncio.to_thread(self._server.wait_announced)
        self.server_address = announced[1]
        for link in self.links:
            link.point_to(self.server_address)

    def kill_server(self) -> None:
        """SIGKILL."""
        for link in self.links:
            link.point_to(None)
        self.server_address = ""
        if self._server is not None:
            self._server.kill()

    @property
    def server(self) -> Process:
        """The server that was started last."""
        assert self._server is not None
        return self._server

    def start_worker(self, number: int) -> None:
        """Start a worker; it joins when it can."""
        self._workers[number - 1] = self._new_worker(number, f"w-{number}")

    def another_worker(self, number: int, worker_id: str) -> Process:
        """Start one more process, behind the proxy of this worker."""
        started = self._new_worker(number, worker_id)
        self._others.append(started)
        return started

    def forget_worker(self, number: int) -> None:
        """Kill a worker that is not wanted, or has ended as it should: nobody is to stop it later."""
        self.worker(number).kill()
        self._workers[number - 1] = None

    def _new_worker(self, number: int, worker_id: str) -> Process:
        arguments = (self.links[number].address, worker_id, self.notes()[number - 1], SILENCE_MS, *self._slots)
        return Process(
            f"worker {worker_id}",
            ("-m", "e2e.crash.worker_process", *map(str, arguments)),
            self.folder / f"worker-{number}.log",
            announces=_CAN_BE_STOPPED,
        )

    def worker(self, number: int) -> Process:
        """A worker that was started."""
        worker = self._workers[number - 1]
        assert worker is not None
        return worker

    async def stop(self) -> None:
        """Stop the workers, then the server, in order.

        Raises:
            ProcessFailed: one of them did not stop, or not with exit code 0.
        """
        workers = [worker for worker in self._workers if worker is not None]
        for worker in workers:
            # One that was started a moment ago would die of the signal.
            await asyncio.to_thread(worker.wait_announced)
            worker.ask_to_stop()
        for worker in workers:
            await asyncio.to_thread(worker.stop)
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    def kill_all(self) -> None:
        """Leave nothing behind. Also a frozen process ends by SIGKILL."""
        for process in (*self._workers, *self._others, self._server):
            if process is not None:
                process.kill()


@asynccontextmanager
async def deployed(folder: Path, slots: int = 6, agent_slots: int = 100) -> AsyncIterator[Deployment]:
    """A server, its workers with so many slots each, and their proxies; all killed when the block is left."""
    async with AsyncExitStack() as stack:
        links = [await stack.enter_async_context(Proxy()) for _ in range(WORKERS + 1)]
        deployment = Deployment(folder, links, slots, agent_slots)
        stack.callback(deployment.kill_all)
        await deployment.start_server()
        for number in range(1, WORKERS + 1):
            deployment.start_worker(number)
        yield deployment
