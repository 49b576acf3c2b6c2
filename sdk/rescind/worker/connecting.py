"""Connects a worker to a server, and again whenever the connection is cut."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import secrets
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, Self, get_args

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.registry import Registry
from rescind.authoring.task import TaskDefinition
from rescind.authoring.workflow import WorkflowDefinition
from rescind.errors import AlreadyExists, InvalidInput, NotSupported, RequestError, RescindError
from rescind.model.messages import DEFAULT_AGENT_SLOTS
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.model.texts import checked_text
from rescind.model.version import VERSION
from rescind.settings import Tls, load_settings, tls_given
from rescind.worker.worker import DEFAULT_SLOTS
from rescind.worker.worker import Worker as SessionWorker

try:
    from rescind.flovyn.session import FlovynSession
    from rescind.transport.grpc_client import GrpcConnection
    from rescind.transport.grpc_session import DEFAULT_SILENCE_MS, GrpcSession
    from rescind.transport.grpc_workflows import GrpcWorkflows
except ImportError as error:
    raise ImportError(f"{error}. A server is reached with gRPC: pip install 'rescind[server]'") from error

Protocol = Literal["native", "flovyn.v1"]
"""What a worker speaks with its server."""

_LOG: Final = logging.getLogger("rescind.worker")
# A server that was started together with this worker is there within a second: it is not to be waited for longer.
_FIRST_PAUSE: Final = 0.1
_GROWTH: Final = 1.25
_LONGEST_PAUSE: Final = 5.0
_PAUSE_BEHIND_A_SHORT_SESSION: Final = 0.5
_LONGEST_REPORTING: Final = 10.0
"""How long a worker that leaves tries to reach its server with results, in seconds: less than what ends it by force."""
_STEADY: Final = 1.0
"""A session that has lasted so long, in seconds, is one that works."""


class Worker:
    """A worker of a server, which joins anew after every cut, until it is stopped.

    Use it as an async context manager: inside, it has joined, or goes on trying; left, it has stopped in order. Or
    await `run`.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        agents: Iterable[AgentDefinition[Any, Any]] | Registry[AgentDefinition[Any, Any]] = (),
        tasks: Iterable[TaskDefinition[Any, Any]] | Registry[TaskDefinition[Any, Any]] = (),
        workflows: Iterable[WorkflowDefinition[Any, Any]] | Registry[WorkflowDefinition[Any, Any]] = (),
        queue: str | None = None,
        queues: Iterable[str] | None = None,
        slots: int | None = None,
        agent_slots: int | None = None,
        worker_id: str | None = None,
        token: str | None = None,
        silence_ms: int = DEFAULT_SILENCE_MS,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
        tls: Tls | bool | None = None,
        credentials: Any = None,
        protocol: Protocol = "native",
        heartbeat_ms: int | None = None,
        look_every_s: float | None = None,
    ) -> None:
        """Make a worker that has not begun; nothing is opened before it runs.

        Args:
            address: the server's ``host:port``; None takes that of the variable ``RESCIND_ADDRESS``, or else of
                ``rescind.toml``, or else 127.0.0.1:7233. Token, queue and both kinds of slots are looked up likewise.
            agents: the agents that it can run.
            tasks: the tasks that it can run.
            workflows: the workflows that it can run.
            queue: where it takes work from.
            queues: several such; give one of the two.
            slots: how many attempts it runs at once.
            agent_slots: how many runs of agents it keeps in memory. When it is full, and another agent waits for a
                worker, one that waits for something is evicted, and replayed when it is woken.
            worker_id: its id, unique among the server's workers; else made of host, process and chance.
            token: what proves who it is.
            silence_ms: how long it may say nothing before the server takes it for lost. An event loop that is blocked
                for longer loses its attempts.
            payload_limit: the largest payload in bytes.
            tls: as for `Client`.
            credentials: gRPC's channel credentials, instead of `tls`.
            protocol: ``flovyn.v1`` speaks that protocol alone, with any server of it; it can do less.
            heartbeat_ms: over flovyn.v1, how often each attempt asks whether it is still wanted, in milliseconds: so
                late a cancel may be learnt. None is 200.
            look_every_s: over flovyn.v1, how often to look for what the server does not wake an agent for, in seconds.
                None is 1.

        Raises:
            InvalidInput: the address or a queue is empty, `queue` and `queues` are both given, ``rescind.toml`` cannot
                be meant, a file of TLS cannot be used, there is no such protocol, or an option is not of it, or not
                above 0.
            NotSupported: the protocol is ``flovyn.v1``, and there are workflows.
        """
        settings = load_settings()
        self.address = settings.address if address is None else address
        self.worker_id = worker_id or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.queues = _queues(queue, queues, settings.queue)
        tls = settings.client_tls() if tls is None and credentials is None else tls
        self._connection = GrpcConnection(
            self.address,
            token=settings.caller_token() if token is None else token,
            credentials=credentials,
            tls=tls_given(tls),
        )
        self._silence_ms = silence_ms
        workflows = workflows if isinstance(workflows, Registry) else tuple(workflows)
        self._protocol = _checked_protocol(protocol, [each.kind for each in workflows])
        self._polling = _checked_polling(protocol, {"heartbeat_ms": heartbeat_ms, "look_every_s": look_every_s})
        self._options: dict[str, Any] = {
            "agents": agents,
            "tasks": tasks,
            "workflows": workflows,
            "workflow_port": GrpcWorkflows(self._connection, self.worker_id),
            "queues": self.queues,
            "slots": slots or settings.slots or DEFAULT_SLOTS,
            "agent_slots": agent_slots or settings.agent_slots or DEFAULT_AGENT_SLOTS,
            "payload_limit": payload_limit,
        }
        self._instance = secrets.token_hex(8)
        self._number = 0
        self._worker: SessionWorker | None = None
        self._is_stopping = asyncio.Event()
        self._joined = asyncio.Event()
        # Set while it is connected, and when it will not be any more.
        self._settled = asyncio.Event()
        self._heard_until = -math.inf
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
        except BaseException:  # also where the caller is cancelled, the worker must not go on alone
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
        async with self._connection as connection:
            try:
                await self._keep_joined(connection)
            finally:
                self._settled.set()
                if self._worker is not None and not self._is_stopping.is_set():
                    self._worker.abandon()

    async def stop(self) -> None:
        """Take nothing new, let what runs end and report it, then leave. Repeating it is harmless.

        Where the server is away, and has not heard of all that has ended, it is waited for: ten seconds at most.
        """
        if self._worker is not None:
            await self._worker.drain()
            if not self._settled.is_set() and self._has_unheard(self._worker):
                await self._wait_to_report()
            await self._worker.stop()
        self._is_stopping.set()

    def _has_unheard(self, worker: SessionWorker) -> bool:
        """Whether the server may not have got the end of some attempt."""
        return worker.reported_at is not None and worker.reported_at > self._heard_until

    async def _wait_to_report(self) -> None:
        _LOG.warning(
            "worker %s has results that its server has not got: it tries for %g s to report them, then ends",
            self.worker_id,
            _LONGEST_REPORTING,
            extra={"worker": self.worker_id},
        )
        try:
            async with asyncio.timeout(_LONGEST_REPORTING):
                await self._settled.wait()
        except TimeoutError:
            _LOG.warning(
                "worker %s ends without having reported everything: that is tried again",
                self.worker_id,
                extra={"worker": self.worker_id},
            )

    async def _keep_joined(self, connection: GrpcConnection) -> None:
        pause = _FIRST_PAUSE
        held_since: float | None = None
        said = ""
        while not self._is_stopping.is_set():
            session = self._join(connection)
            begun = time.monotonic()
            try:
                error = await self._until_cut(session)
            finally:
                await session.cut()
            if error is None:
                return
            if session.welcomed.is_set():
                held_since, said = None, ""
                self._note_cut(time.monotonic() - begun)
                # Sessions that end as soon as they begin are not begun anew in haste: each costs the server a commit.
                is_steady = time.monotonic() - begun > _STEADY
                pause = _FIRST_PAUSE if is_steady else min(pause, _PAUSE_BEHIND_A_SHORT_SESSION)
            if isinstance(error, AlreadyExists):
                held_since = held_since or time.monotonic()
                # One that died without a word holds the id until its silence has been noticed.
                if time.monotonic() - held_since > 2 * self._silence_ms / 1_000:
                    raise error
            elif isinstance(error, RequestError):
                raise error
            # A server may be away for long: what was said already is said again to those alone who look closely.
            level = logging.DEBUG if str(error) == said else logging.WARNING
            said = str(error)
            _LOG.log(
                level,
                "worker %s is not connected, and tries again: %s",
                self.worker_id,
                error,
                extra={"worker": self.worker_id},
            )
            await self._wait(pause * random.uniform(0.5, 1.0))
            pause = min(_LONGEST_PAUSE, pause * _GROWTH)

    def _session(self, connection: GrpcConnection) -> GrpcSession | FlovynSession:
        if self._protocol == "flovyn.v1":
            return FlovynSession(connection, **self._polling)
        return GrpcSession(
            connection, instance=self._instance, sdk=f"rescind-python/{VERSION}", silence_ms=self._silence_ms
        )

    def _join(self, connection: GrpcConnection) -> GrpcSession | FlovynSession:
        session = self._session(connection)
        # By the clock, so that a process started anew under this id has larger numbers than the one before.
        self._number = max(self._number + 1, time.time_ns() // 1_000)
        if self._worker is None:
            self._worker = SessionWorker(session, worker_id=self.worker_id, session=self._number, **self._options)
            self._worker.expect_cuts()
            self._worker.start()
        else:
            self._worker.rejoin(session, self._number)
        return session

    async def _until_cut(self, session: GrpcSession | FlovynSession) -> RescindError | None:
        welcomed = asyncio.create_task(session.welcomed.wait())
        welcomed.add_done_callback(lambda task: None if task.cancelled() else self._note_joined())
        try:
            return await session.ended()
        finally:
            welcomed.cancel()

    def _note_cut(self, lasted: float) -> None:
        self._settled.clear()
        # A session tells again all that the one before may have lost. What one tells is heard within the silence, or
        # the server has taken this worker for lost.
        silence = self._silence_ms / 1_000
        if lasted > silence:
            self._heard_until = asyncio.get_running_loop().time() - silence

    def _note_joined(self) -> None:
        self._joined.set()
        self._settled.set()
        if self._worker is not None:
            self._worker.note_joined()
        _LOG.info("worker %s is connected to %s", self.worker_id, self.address, extra={"worker": self.worker_id})

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._is_stopping.wait()
        except TimeoutError:
            pass


def _checked_protocol(protocol: Protocol, workflows: Sequence[str]) -> Protocol:
    if protocol not in get_args(Protocol):
        raise InvalidInput(f"protocol is {protocol!r}. Give one of: {', '.join(get_args(Protocol))}.")
    if protocol == "flovyn.v1" and workflows:
        raise NotSupported(
            f"workflow {workflows[0]!r} cannot be run over flovyn.v1: a worker of that protocol runs agents and tasks. "
            "Run it by a worker of its own, with protocol 'native' (--protocol native, which is the default)."
        )
    return protocol


def _checked_polling(protocol: Protocol, options: Mapping[str, float | None]) -> dict[str, Any]:
    """Those of the options for workers that poll which were given."""
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        if protocol == "native":
            raise InvalidInput(f"{name} is for protocol 'flovyn.v1'. Leave it out: this worker is told at once.")
        if not value > 0 or math.isinf(value):
            raise InvalidInput(f"{name} is {value}. Give a number above 0.")
    return given


def _queues(queue: str | None, queues: Iterable[str] | None, default: str) -> tuple[str, ...]:
    if queue is not None and queues is not None:
        raise InvalidInput("both `queue` and `queues` are given. Give one of them.")
    # A text is a series of letters, and each of them would be taken for a queue.
    if isinstance(queues, str):
        raise InvalidInput(f"queues is {queues!r}; give a list: queues=[{queues!r}].")
    names = tuple(queues) if queues is not None else (default if queue is None else queue,)
    return tuple(checked_text(name, "a queue's name") for name in names)
