"""A worker's session over flovyn.v1: a `WorkerPort` that polls, and calls where the native one sends."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Final

from rescind_proto.flovyn.v1 import flovyn_pb2 as wire

from rescind.errors import NotFound, RequestError, RescindError
from rescind.flovyn.agents import Agents
from rescind.flovyn.calls import Calls, Pause
from rescind.flovyn.held_agent import LOOK_EVERY
from rescind.flovyn.tasks import Tasks
from rescind.model.ids import Instant
from rescind.model.messages import (
    AgentParked,
    AgentProgress,
    FromWorker,
    StepReported,
    StopReported,
    TaskAlive,
    TaskReported,
    ToWorker,
    WorkerJoined,
)
from rescind.model.version import VERSION
from rescind.transport.grpc_client import GrpcConnection

PROTOCOL: Final = "flovyn.v1"
"""The name of the protocol, as people choose it."""

DEFAULT_HEARTBEAT_MS: Final = 200
"""How often each attempt asks whether it is still wanted, unless set otherwise."""

_LOG: Final = logging.getLogger("rescind.flovyn")
_WORKER_BEAT_S: Final = 15.0
_LONGEST_GOOD_BYE: Final = 5.0


class FlovynSession:
    """See `WorkerPort`. It outlives cuts: its calls are made again until a server answers."""

    def __init__(
        self,
        connection: GrpcConnection,
        *,
        heartbeat_ms: int = DEFAULT_HEARTBEAT_MS,
        look_every_s: float = LOOK_EVERY,
        now: Callable[[], Instant] | None = None,
    ) -> None:
        """Make a session that has not begun.

        Args:
            connection: to the server.
            heartbeat_ms: how often each attempt asks whether it is still wanted.
            look_every_s: how often to look for what the server does not wake an agent for.
            now: the time; None is that of this machine.
        """
        self.welcomed = asyncio.Event()
        self._calls = Calls(connection)
        self._receive: Callable[[ToWorker], None] | None = None
        self._joined: WorkerJoined | None = None
        self._worker_id = ""
        self._ended: asyncio.Future[RescindError | None] = asyncio.get_running_loop().create_future()
        self._running: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        clock = now or _now
        common = self._calls, lambda: self._worker_id, self._tell, self._fail, clock
        self._agents = Agents(*common, look_every_s)
        self._tasks = Tasks(*common, heartbeat_ms / 1_000)

    def open(self, receive: Callable[[ToWorker], None]) -> None:
        """See `WorkerPort.open`."""
        self._receive = receive

    def send(self, message: FromWorker) -> None:
        """See `WorkerPort.send`."""
        match message:
            case WorkerJoined() if self._joined is None:
                self._joined = message
                self._running = asyncio.create_task(self._run(message), name="rescind flovyn session")
            case WorkerJoined(queues=()):
                self._leave()
            case AgentProgress() | AgentParked() | StepReported():
                self._agents.take(message)
            case TaskReported() | StopReported() | TaskAlive():
                self._tasks.take(message)
            case _:
                pass

    async def close(self) -> None:
        """See `WorkerPort.close`."""
        try:
            async with asyncio.timeout(_LONGEST_GOOD_BYE):
                await self._leave()
                await self._tasks.reported()
        except TimeoutError:
            _LOG.warning("the server has not heard of everything: that is tried again")
        await self.cut()

    async def cut(self) -> None:
        """End the session at once, telling nobody."""
        self._agents.cut()
        self._tasks.cut()
        if self._leaving is not None:
            self._leaving.cancel()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        if not self._ended.done():
            self._ended.set_result(None)

    async def ended(self) -> RescindError | None:
        """Wait until the session has ended; returns what ended it, or None if it was closed in order."""
        return await asyncio.shield(self._ended)

    def _leave(self) -> asyncio.Task[None]:
        self._tasks.stop_polls()
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._agents.leave())
        return self._leaving

    def _tell(self, message: ToWorker) -> None:
        assert self._receive is not None, "it was opened"
        self._receive(message)

    def _fail(self, error: RescindError) -> None:
        if not self._ended.done():
            self._ended.set_result(error)

    async def _run(self, joined: WorkerJoined) -> None:
        try:
            await self._register(joined)
            self.welcomed.set()
            self._tasks.start(joined.tasks, joined.queues, joined.task_slots)
            self._agents.start(joined.agents, joined.queues, joined.agent_slots)
            while True:
                await asyncio.sleep(_WORKER_BEAT_S)
                await self._beat(joined)
        except RequestError as error:
            self._fail(error)

    async def _register(self, joined: WorkerJoined) -> None:
        request = wire.WorkerRegistrationRequest(
            worker_name=joined.worker_id,
            worker_version=f"rescind-python/{VERSION}",
            worker_type="UNIFIED",
            host_name=socket.gethostname(),
            process_id=str(os.getpid()),
            tasks=[wire.TaskCapability(kind=kind, name=kind, cancellable=True) for kind in joined.tasks],
            agents=[wire.AgentCapability(kind=each.kind, name=each.kind) for each in joined.agents],
        )
        answer = await self._patiently(request)
        if not answer.success:
            raise RequestError(f"the server does not take worker {joined.worker_id!r}: {answer.error}")
        self._worker_id = answer.worker_id

    async def _patiently(self, request: wire.WorkerRegistrationRequest) -> wire.WorkerRegistrationResponse:
        pause = Pause()
        said = ""
        while True:
            try:
                answer: wire.WorkerRegistrationResponse = await self._calls.ask("RegisterWorker", request)
                return answer
            except RequestError:
                raise
            except RescindError as error:
                _LOG.log(
                    logging.DEBUG if str(error) == said else logging.WARNING,
                    "worker %s is not connected, and tries again: %s",
                    request.worker_name,
                    error,
                )
                said = str(error)
            await pause.wait()

    async def _beat(self, joined: WorkerJoined) -> None:
        try:
            await self._calls.ask("SendHeartbeat", wire.WorkerHeartbeatRequest(worker_id=self._worker_id))
        except NotFound:
            await self._register(joined)  # a server that was started anew
        except RequestError:
            raise
        except RescindError as error:
            _LOG.debug("no heartbeat: %s", error)


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000)
