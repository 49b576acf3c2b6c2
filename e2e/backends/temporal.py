"""Temporal: one of its servers, a worker and a client, each in a process of its own, in real time."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest

from e2e.backends.handle_run import HandleRun
from e2e.harness import Play, Run, scaled
from e2e.processes import Process
from fixtures.scenarios import AGENTS, SCENARIOS
from fixtures.temporal_servers.running import DevelopmentServer, TemporalServer, TimeSkippingServer
from rescind.temporal import TemporalClient, TemporalReplayer

LONGEST_PLAY: Final = 90.0
WARMING: Final = SCENARIOS["batch_api_scheduling"]
WORKER: Final = ("worker", "fixtures.scenarios", "--cancel-within", "0.2", "--shutdown-grace", "1")


class TemporalBackend(ABC):
    """See `Backend`. Server and worker are started with the first play, and serve all others.

    Behind each play, every agent that ran in it is run again over its history, and must take the same path.
    """

    name: str
    # As with a server of our own: a machine under load may stand still for a while, and a loser is to live for longer.
    time_scale = 0.5

    def __init__(self) -> None:
        self._deployment: Deployment | None = None

    @abstractmethod
    def server(self, folder: Path) -> TemporalServer:
        """The server that this backend is about, not started."""

    @abstractmethod
    def passing_time(self, client: TemporalClient) -> AbstractAsyncContextManager[None]:
        """Within it, the server's clock goes as it does for this backend."""

    def play(self, scenario: Play) -> None:
        """See `Backend`. Where it fails, what the processes logged is printed."""
        if self._deployment is None:
            self._deployment = Deployment(self)
            asyncio.run(self._warm_up(self._deployment.address))
        try:
            asyncio.run(self._play(scenario, self._deployment.address))
        except BaseException:  # also pytest's own, and Ctrl+C: the logs are wanted then, too
            print(self._deployment.logged())
            raise

    def close(self) -> None:
        """See `Backend`."""
        if self._deployment is not None:
            self._deployment.stop()
            self._deployment = None

    async def _warm_up(self, address: str) -> None:
        """Run a first agent that nobody looks at: what server and worker do first, they do slowly."""
        async with asyncio.timeout(LONGEST_PLAY), TemporalClient(address, by="client:e2e") as client:
            handle = await client.start(WARMING.agent.kind, WARMING.inputs[0])
            await handle.result()

    async def _play(self, scenario: Play, address: str) -> None:
        async with asyncio.timeout(LONGEST_PLAY), TemporalClient(address, by="client:e2e") as client:
            harness = TemporalHarness(client, self.time_scale)
            async with self.passing_time(client):
                await scenario(harness)
            await harness.replay_all(TemporalReplayer(AGENTS))


class TemporalDevelopment(TemporalBackend):
    """The development server: all that a cluster has, and its time is real."""

    name = "temporal-dev"

    def server(self, folder: Path) -> TemporalServer:
        """See `TemporalBackend`."""
        return DevelopmentServer(folder)

    @asynccontextmanager
    async def passing_time(self, client: TemporalClient) -> AsyncIterator[None]:
        """See `TemporalBackend`."""
        yield


class TemporalSkipping(TemporalBackend):
    """The test server: its clock jumps over times in which nothing but a timer is waited for."""

    name = "temporal-skipping"
    # While activities run, its clock stands still. A workflow task that cancels several of them, one of which ends
    # meanwhile, is refused for ever (docs/temporal.md): losers are to live much longer than a turn takes.
    time_scale = 5.0

    def server(self, folder: Path) -> TemporalServer:
        """See `TemporalBackend`."""
        return TimeSkippingServer(folder)

    @asynccontextmanager
    async def passing_time(self, client: TemporalClient) -> AsyncIterator[None]:
        """See `TemporalBackend`."""
        service = client.port.client.test_service
        await service.unlock_time_skipping(UnlockTimeSkippingRequest())
        try:
            yield
        finally:
            await service.lock_time_skipping(LockTimeSkippingRequest())


class Deployment:
    """A server in memory, and its worker.

    Attributes:
        address: where the server is.
    """

    def __init__(self, backend: TemporalBackend) -> None:
        """Start them. Returns when the server answers; the worker joins it when it is ready."""
        self._folder = TemporaryDirectory(prefix="rescind-e2e-")
        folder = Path(self._folder.name)
        self._server = backend.server(folder)
        self._worker: Process | None = None
        try:
            self._server.start()
            self.address = self._server.address
            arguments = ("-m", "rescind", *WORKER, "--temporal", self.address)
            self._worker = Process("worker", arguments, folder / "worker.log")
        except BaseException:  # however it is left, no process may stay
            self.kill()
            raise

    def logged(self) -> str:
        """What both have said."""
        worker = self._worker.logged() if self._worker is not None else ""
        return f"--- {self._server.name}\n{self._server.logged()}\n--- worker\n{worker}"

    def stop(self) -> None:
        """Stop the worker, and then the server, in order.

        Raises:
            ProcessFailed: the worker did not stop, or not with exit code 0.
            ServerFailed: the server did not stop.
        """
        try:
            if self._worker is not None:
                self._worker.stop()
            self._server.stop()
        finally:
            self.kill()

    def kill(self) -> None:
        """Leave nothing behind."""
        if self._worker is not None:
            self._worker.kill()
        self._server.kill()
        self._folder.cleanup()


class TemporalHarness:
    """See `Harness`."""

    is_deterministic = False

    def __init__(self, client: TemporalClient, time_scale: float) -> None:
        self.time_scale = time_scale
        self._client = client
        self._started: list[str] = []

    async def start(self, kind: str, given: Mapping[str, Any]) -> Run:
        """See `Harness`."""
        agent_input = scaled(given, self.time_scale)
        handle = await self._client.start(kind, agent_input)
        self._started.append(handle.id)
        return HandleRun(handle, agent_input)

    async def replay_all(self, replayer: TemporalReplayer) -> None:
        """Run every agent that was started here again over its history."""
        for execution_id in self._started:
            workflow = self._client.port.client.get_workflow_handle(execution_id)
            await replayer.replay(await workflow.fetch_history())
