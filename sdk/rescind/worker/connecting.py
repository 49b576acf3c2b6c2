"""Connects a worker to a server, and again whenever the connection is cut."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
import random
import secrets
import socket
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, Self

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.registry import Registry
from rescind.authoring.task import TaskDefinition
from rescind.errors import AlreadyExists, RequestError, RescindError
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.worker.worker import DEFAULT_SLOTS, Worker

try:
    from rescind.transport.grpc_client import GrpcConnection
    from rescind.transport.grpc_session import DEFAULT_SILENCE_MS, GrpcSession
except ImportError as error:
    raise ImportError(f"{error}. A server is reached with gRPC: pip install 'rescind[server]'") from error

_LOG: Final = logging.getLogger("rescind.worker")
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


class ConnectedWorker:
    """A worker of a server, which joins anew after every cut, until it is stopped.

    Use it as an async context manager: inside, it has joined, or goes on trying; left, it has stopped in order. Or
    await `run`.
    """

    def __init__(
        self,
        address: str,
        *,
        agents: Iterable[AgentDefinition[Any, Any]] | Registry[AgentDefinition[Any, Any]] = (),
        tasks: Iterable[TaskDefinition[Any, Any]] | Registry[TaskDefinition[Any, Any]] = (),
        queues: Iterable[str] = (DEFAULT_QUEUE,),
        slots: int = DEFAULT_SLOTS,
        worker_id: str | None = None,
        token: str | None = None,
        silence_ms: int = DEFAULT_SILENCE_MS,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
        credentials: Any = None,
    ) -> None:
        """Make a worker that has not begun; nothing is opened before it runs.

        Args:
            address: the server's ``host:port``.
            agents: the agents that it can run.
            tasks: the tasks that it can run.
            queues: where it takes work from.
            slots: how many attempts it runs at once.
            worker_id: its id, unique among the server's workers; else made of host, process and chance.
            token: what proves who it is.
            silence_ms: how long it may say nothing before the server takes it for lost. An event loop that is blocked
                for longer loses its attempts.
            payload_limit: the largest payload in bytes.
            credentials: gRPC's channel credentials, for TLS; None connects in the clear.
        """
        self.address = address
        self.worker_id = worker_id or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._token = token
        self._credentials = credentials
        self._silence_ms = silence_ms
        self._options: dict[str, Any] = {
            "agents": agents,
            "tasks": tasks,
            "queues": queues,
            "slots": slots,
            "payload_limit": payload_limit,
        }
        self._instance = secrets.token_hex(8)
        self._number = 0
        self._worker: Worker | None = None
        self._is_stopping = asyncio.Event()
        self._joined = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin; returns when the worker has joined.

        Raises:
            RequestError: the server refuses this worker, for good.
        """
        self._running = asyncio.get_running_loop().create_task(self.run(), name="rescind worker")
        joined = asyncio.create_task(self._joined.wait())
        try:
            await asyncio.wait([self._running, joined], return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            self._running.cancel()
            await asyncio.wait([self._running])
            raise
        finally:
            joined.cancel()
        if self._running.done():
            self._running.result()
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._running is not None
        await self.stop()
        await self._running

    async def run(self) -> None:
        """Work until `stop` is called. Cancelling it ends the worker as a killed process ends.

        Raises:
            RequestError: the server refuses this worker, for good: another version of the protocol, no permission,
                another worker of this id.
        """
        async with GrpcConnection(self.address, token=self._token, credentials=self._credentials) as connection:
            try:
                await self._keep_joined(connection)
            finally:
                if self._worker is not None and not self._is_stopping.is_set():
                    self._worker.abandon()

    async def stop(self) -> None:
        """Take nothing new, let what runs end and report it, then leave. Repeating it is harmless."""
        if self._worker is not None:
            await self._worker.stop()
        self._is_stopping.set()

    async def _keep_joined(self, connection: GrpcConnection) -> None:
        pause = _FIRST_PAUSE
        held_since: float | None = None
        while not self._is_stopping.is_set():
            session = self._join(connection)
            try:
                error = await self._until_cut(session)
            finally:
                await session.cut()
            if error is None:
                return
            if session.welcomed.is_set():
                pause, held_since = _FIRST_PAUSE, None
            if isinstance(error, AlreadyExists):
                held_since = held_since or time.monotonic()
                # One that died without a word holds the id until its silence has been noticed.
                if time.monotonic() - held_since > 2 * self._silence_ms / 1_000:
                    raise error
            elif isinstance(error, RequestError):
                raise error
            _LOG.warning("worker %s is not connected, and tries again: %s", self.worker_id, error)
            await self._wait(pause * random.uniform(0.5, 1.0))
            pause = min(_LONGEST_PAUSE, pause * 2)

    def _join(self, connection: GrpcConnection) -> GrpcSession:
        session = GrpcSession(
            connection, instance=self._instance, sdk=f"rescind-python/{_version()}", silence_ms=self._silence_ms
        )
        # By the clock, so that a process started anew under this id has larger numbers than the one before.
        self._number = max(self._number + 1, time.time_ns() // 1_000)
        if self._worker is None:
            self._worker = Worker(session, worker_id=self.worker_id, session=self._number, **self._options)
            self._worker.start()
        else:
            self._worker.rejoin(session, self._number)
        return session

    async def _until_cut(self, session: GrpcSession) -> RescindError | None:
        welcomed = asyncio.create_task(session.welcomed.wait())
        welcomed.add_done_callback(lambda task: None if task.cancelled() else self._note_joined())
        try:
            return await session.ended()
        finally:
            welcomed.cancel()

    def _note_joined(self) -> None:
        self._joined.set()
        _LOG.info("worker %s is connected to %s", self.worker_id, self.address)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._is_stopping.wait()
        except TimeoutError:
            pass


def _version() -> str:
    return importlib.metadata.version("rescind")


def connect_worker(address: str, **options: Any) -> ConnectedWorker:
    """A worker of the server at an address; the options are those of `ConnectedWorker`."""
    return ConnectedWorker(address, **options)
