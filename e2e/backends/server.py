"""Server, workers and client, each in a process of its own, in real time: as people run them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from e2e.backends.handle_run import HandleRun
from e2e.harness import Play, Run, scaled
from e2e.processes import Process
from rescind.client.connecting import Client

LONGEST_PLAY: Final = 90.0
# One runs the agents and the other their tasks: whatever passes between the two passes the server.
WORKERS: Final[Mapping[str, str]] = {"agents": "fixtures.scenarios:AGENTS", "tasks": "fixtures.scenarios:TASKS"}


class ServerAndWorkers:
    """See `Backend`. The processes are started with the first play, and serve all others."""

    def __init__(self, name: str = "server", worker_options: Sequence[str] = ()) -> None:
        """Make it.

        Args:
            name: its column in the matrix.
            worker_options: further options of the workers.
        """
        self.name = name
        self._worker_options = worker_options
        self._deployment: Deployment | None = None

    def play(self, scenario: Play) -> None:
        """See `Backend`. Where it fails, what the processes logged is printed."""
        if self._deployment is None:
            self._deployment = Deployment(self._worker_options)
        try:
            asyncio.run(_play(scenario, self._deployment.address))
        except BaseException:  # also pytest's own, and Ctrl+C: the logs are wanted then, too
            print(self._deployment.logged())
            raise

    def close(self) -> None:
        """See `Backend`."""
        if self._deployment is not None:
            self._deployment.stop()
            self._deployment = None


class Deployment:
    """A server on a file, and its workers.

    Attributes:
        address: where the server is.
    """

    def __init__(self, worker_options: Sequence[str] = ()) -> None:
        """Start them. Returns when the server serves; the workers join it when they are ready.

        Args:
            worker_options: further options of the workers.
        """
        self._folder = TemporaryDirectory(prefix="rescind-e2e-")
        self._processes: list[Process] = []
        try:
            server = self._start(
                "server",
                *("server", "--address", "127.0.0.1:0", "--store", str(self._at("store.db")), "--json"),
                announces=r'"address": "([^"]+)"',
            )
            self.address = server.wait_announced()[1]
            for name, place in WORKERS.items():
                self._start(f"worker of {name}", "worker", place, "--address", self.address, *worker_options)
        except BaseException:  # however it is left, no process may stay
            self.kill()
            raise

    def logged(self) -> str:
        """What all of them have said."""
        return "\n".join(f"--- {process.name}\n{process.logged()}" for process in self._processes)

    def stop(self) -> None:
        """Stop the workers, and then the server, in order.

        Raises:
            ProcessFailed: one of them did not stop, or not with exit code 0.
        """
        try:
            for worker in self._processes[1:]:
                worker.ask_to_stop()
            for process in (*self._processes[1:], self._processes[0]):
                process.stop()
        finally:
            self.kill()

    def kill(self) -> None:
        """Leave nothing behind."""
        for process in self._processes:
            process.kill()
        self._folder.cleanup()

    def _start(self, name: str, *arguments: str, announces: str | None = None) -> Process:
        log = self._at(f"{name.replace(' ', '-')}.log")
        process = Process(name, ("-m", "rescind", *arguments), log, announces)
        self._processes.append(process)
        return process

    def _at(self, name: str) -> Path:
        return Path(self._folder.name) / name


class ServerHarness:
    """See `Harness`."""

    # A loser lives longer than its winner by 1.4 s at least: a machine under load may stand still for that long.
    time_scale = 0.5
    is_deterministic = False

    def __init__(self, client: Client) -> None:
        self._client = client

    async def start(self, kind: str, given: Mapping[str, Any]) -> Run:
        """See `Harness`."""
        agent_input = scaled(given, self.time_scale)
        return HandleRun(await self._client.start(kind, agent_input), agent_input)


async def _play(scenario: Play, address: str) -> None:
    async with asyncio.timeout(LONGEST_PLAY), Client(address, by="client:e2e") as client:
        await scenario(ServerHarness(client))
