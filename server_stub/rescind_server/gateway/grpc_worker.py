"""Workers' sessions over gRPC."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import grpc
import grpc.aio
from rescind_proto.rescind.v1 import worker_pb2

from rescind.errors import (
    AlreadyExists,
    InvalidInput,
    PayloadTooLarge,
    RequestError,
    RescindError,
    ServerUnavailable,
)
from rescind.model.commands import DEFAULT_ORGANISATION
from rescind.model.ids import WorkerId
from rescind.model.messages import FromWorker, ToWorker, WorkerAlive, WorkerJoined, WorkerLeft
from rescind.transport.batches import batches_of
from rescind.transport.conversion.pairs import from_message, parse
from rescind.transport.grpc_methods import PROTOCOL_VERSION, WORKER_METHODS
from rescind.transport.oversize import instead_of
from rescind_server.access.tokens import Role
from rescind_server.gateway import organisations
from rescind_server.gateway.identity import Identify
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.serving import metadata_of, refuse
from rescind_server.host.driver import Host

_LOG: Final = logging.getLogger(__name__)
_LONGEST_REFUSAL: Final = 1.0


class WorkerGateway:
    """The Worker service. Holds the open sessions, and nothing else."""

    def __init__(self, host: Host, limits: Limits, identify: Identify, *, server_name: str) -> None:
        self._host = host
        self._limits = limits
        self._identify = identify
        self._server_name = server_name
        self._sessions: dict[WorkerId, _Session] = {}
        self._is_stopping = False

    def handlers(self) -> Mapping[str, grpc.RpcMethodHandler]:
        """The handlers of the service's calls, by their names."""
        return {"Session": grpc.stream_stream_rpc_method_handler(self._handle)}

    def stop(self) -> None:
        """End all sessions: the workers come back when a server is there again."""
        self._is_stopping = True
        for session in self._sessions.values():
            session.end(_stopping())

    async def _handle(self, _: Any, context: grpc.aio.ServicerContext) -> None:
        session = _Session(context, self._limits)
        try:
            await self._serve(session, context)
        except asyncio.CancelledError:
            if session.ended_by is None:
                raise
            await self._refuse(session, context, session.ended_by)
        except Exception as error:  # the border to gRPC: whatever happened, the worker gets a status
            await self._refuse(session, context, error)
        finally:
            session.close()
            self._forget(session)

    async def _serve(self, session: _Session, context: grpc.aio.ServicerContext) -> None:
        caller = self._identify(metadata_of(context))
        caller.require(Role.WORKER)
        session.organisation = caller.organisation
        session.identify_again = lambda: self._identify(metadata_of(context))
        first = await self._read_hello(session, context)
        if first is None:
            raise InvalidInput("a worker's session ended before it said hello.")
        joined = organisations.inner_message(caller.organisation, self._admit(first, session.peer))
        assert isinstance(joined, WorkerJoined)
        self._enter(session, joined, first.hello.instance)
        # Refused here, it was not welcome: a worker that was comes back at once.
        self._host.attach(joined.worker_id, joined.session, session.deliver, session.end)
        session.welcome(
            worker_pb2.Welcome(
                protocol_version=PROTOCOL_VERSION, server=self._server_name, payload_limit=self._limits.payload
            )
        )
        self._host.tell(joined)
        self._take(session, first.messages[1:])
        while (batch := await _read(context, self._limits)) is not None:
            if batch.HasField("hello"):
                raise InvalidInput(f"worker {joined.worker_id!r} said hello twice in one session.")
            self._take(session, batch.messages)

    async def _read_hello(self, session: _Session, context: grpc.aio.ServicerContext) -> Any:
        try:
            async with asyncio.timeout(self._limits.hello_s):
                return await _read(context, self._limits)
        except TimeoutError:
            _LOG.warning("the worker at %s did not say hello, and is refused", session.peer)
            raise ServerUnavailable(
                f"no hello came within {self._limits.hello_s:g} s. Say it as the session opens. It may join again."
            ) from None

    def _admit(self, first: Any, peer: str) -> WorkerJoined:
        """Check the first batch of a session; returns who joins."""
        if self._is_stopping:
            raise _stopping()
        if not first.HasField("hello"):
            raise InvalidInput("a session's first batch has no hello.")
        version = first.hello.protocol_version
        if version != PROTOCOL_VERSION:
            # Said in the log, too: who runs the server is often the one who can mend it, and no worker asks twice.
            _LOG.warning("the worker at %s speaks version %d of the protocol, and is refused", peer, version)
            raise RequestError(
                f"this worker ({first.hello.sdk or 'of an unknown SDK'}) speaks version {version} of the protocol; "
                f"{self._server_name} speaks version {PROTOCOL_VERSION}. Use an SDK and a server of one version."
            )
        message = from_message(first.messages[0], FromWorker) if first.messages else None
        if not isinstance(message, WorkerJoined):
            raise InvalidInput("a session's first message is not WorkerJoined.")
        self._limits.check_name(message.worker_id, "the worker's id")
        return message

    def _enter(self, session: _Session, joined: WorkerJoined, instance: str) -> None:
        """Take the place of an earlier session of this worker; another worker's of the same id is left alone."""
        worker_id = joined.worker_id
        present = self._sessions.get(worker_id)
        if present is not None and present.instance != instance:
            raise self._taken(present, session, instance)
        if present is not None and present.number >= joined.session:
            raise InvalidInput(
                f"worker {worker_id!r} has a session {present.number}; {joined.session} is not a new one."
            )
        session.instance, session.worker_id, session.number = instance, worker_id, joined.session
        self._sessions[worker_id] = session
        if present is not None:
            present.end(
                ServerUnavailable(f"session {joined.session} of worker {worker_id!r} took the place of this one.")
            )

    def _taken(self, present: _Session, session: _Session, instance: str) -> AlreadyExists:
        if instance not in present.rivals:
            # It tries for a while: its own last session may be dying. Say it once.
            present.rivals.add(instance)
            _LOG.warning(
                "two workers with the id %r: the one at %s is connected, the one at %s is refused",
                *(present.worker_id, present.peer, session.peer),
                extra={"worker": present.worker_id, "organisation": present.organisation},
            )
        return AlreadyExists(
            f"another worker with the id {present.worker_id!r} is connected, from {present.peer}. Give this one "
            "another id, or stop that one."
        )

    def _take(self, session: _Session, messages: Sequence[Any]) -> None:
        worker_id = session.worker_id
        assert worker_id is not None, "a session begins with joining"
        for each in messages:
            message = organisations.inner_message(session.organisation, from_message(each, FromWorker))
            self._check(session, message)
            if self._host.may_speak(worker_id, message):
                self._host.tell(self._within_limits(message))
            else:
                # Also a worker that has just lost an agent to another one may still tell of it; it is void either way.
                _LOG.debug("worker %r told of what another one holds: %s", worker_id, type(message).__name__)

    def _check(self, session: _Session, message: FromWorker) -> None:
        match message:
            case WorkerJoined() if message.worker_id == session.worker_id:
                # It joins anew on the same stream, with other queues or slots: a worker that is leaving names none.
                session.number = max(session.number, message.session)
                self._host.attach(message.worker_id, session.number, session.deliver, session.end)
            case WorkerJoined() | WorkerLeft() | WorkerAlive() if message.worker_id != session.worker_id:
                raise InvalidInput(f"worker {session.worker_id!r} speaks for worker {message.worker_id!r}.")
            case WorkerAlive():
                # It says so every few seconds: often enough to notice that its token has ended.
                session.identify_again()
            case _:
                pass

    def _within_limits(self, message: FromWorker) -> FromWorker:
        try:
            self._limits.check(message)
        except PayloadTooLarge as error:
            _LOG.warning("%s", error)
            return instead_of(message, str(error))
        return message

    def _forget(self, session: _Session) -> None:
        if session.worker_id is None:
            return
        if self._sessions.get(session.worker_id) is session:
            del self._sessions[session.worker_id]
        self._host.detach(session.worker_id, session.deliver)
        # Of an older session, or one that left already, this says nothing (see WorkerLeft).
        self._host.tell(WorkerLeft(session.worker_id, session.number))

    async def _refuse(self, session: _Session, context: grpc.aio.ServicerContext, error: Exception) -> None:
        # A worker that does not read does not read its refusal either: the connection's keep-alive ends such a call.
        try:
            async with asyncio.timeout(_LONGEST_REFUSAL):
                # gRPC loses a status that is sent while a batch is still being written, and the worker waits for ever.
                await session.finish_writing()
                await refuse(context, error, WORKER_METHODS["Session"].path)
        except TimeoutError:
            _LOG.debug("worker %r did not read why its session ended", session.worker_id)


class _Session:
    """One session: what waits for its worker to read it, and what ended it.

    Attributes:
        ended_by: why the server ended it; None if it did not.
        organisation: whose work its worker does.
        identify_again: raises NotPermitted when its token has ended meanwhile.
        rivals: the other workers of its worker's id that were refused meanwhile.
    """

    def __init__(self, context: grpc.aio.ServicerContext, limits: Limits) -> None:
        self.peer = context.peer()
        self.worker_id: WorkerId | None = None
        self.number = 0
        self.instance = ""
        self.ended_by: RescindError | None = None
        self.rivals: set[str] = set()
        self.organisation = DEFAULT_ORGANISATION
        self.identify_again: Callable[[], object] = bool
        self._context = context
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._handling = asyncio.current_task()
        self._outgoing: deque[bytes] = deque()
        self._unread = 0
        self._has_outgoing = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._is_over = False

    def welcome(self, welcome: worker_pb2.Welcome) -> None:
        """Answer the hello, and send from now on."""
        self._put(worker_pb2.ServerBatch(welcome=welcome).SerializeToString())
        self._writing = self._loop.create_task(self._write(), name="rescind session writer")

    def deliver(self, messages: Sequence[ToWorker]) -> None:
        """Send the messages of one turn of the host."""
        if self.ended_by is not None or self._writing is None or self._writing.done():
            return
        for batch in batches_of(messages, ToWorker):
            self._put(batch)
        if self._unread > self._limits.unread:
            self._does_not_read()

    def end(self, error: RescindError) -> None:
        """End the session with an error."""
        if self.ended_by is None and self._handling is not None:
            self.ended_by = error
            self._handling.cancel()

    async def finish_writing(self) -> None:
        """Return when the batch at hand has been written; nothing is sent behind it."""
        self._is_over = True
        self._has_outgoing.set()
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def close(self) -> None:
        """Nothing is sent any more."""
        if self._writing is not None:
            self._writing.cancel()
        self._outgoing.clear()

    def _put(self, batch: bytes) -> None:
        self._outgoing.append(batch)
        self._unread += len(batch)
        self._has_outgoing.set()

    async def _write(self) -> None:
        try:
            while not self._is_over:
                await self._has_outgoing.wait()
                self._has_outgoing.clear()
                while self._outgoing and not self._is_over:
                    batch = self._outgoing.popleft()
                    stalled = self._loop.call_later(self._limits.stall_s, self._does_not_read)
                    try:
                        await self._context.write(batch)
                    finally:
                        stalled.cancel()
                    self._unread -= len(batch)
        except (grpc.RpcError, asyncio.InvalidStateError) as error:
            # The call is over; reading has ended too, or will.
            _LOG.debug("worker %r is gone: %s", self.worker_id, error)

    def _does_not_read(self) -> None:
        problem = f"worker {self.worker_id!r} does not read what it is sent: {self._unread} bytes wait"
        _LOG.warning(
            "%s; its session is cut", problem, extra={"worker": self.worker_id, "organisation": self.organisation}
        )
        self.end(ServerUnavailable(f"{problem}. Its event loop may be blocked. It may join again."))


async def _read(context: grpc.aio.ServicerContext, limits: Limits) -> Any:
    """The next batch of a session; None at its end."""
    data = await context.read()
    if data is grpc.aio.EOF:
        return None
    limits.check_message(data, "a batch of the worker at " + context.peer())
    return parse(data, worker_pb2.WorkerBatch, f"the worker at {context.peer()}")


def _stopping() -> ServerUnavailable:
    return ServerUnavailable("the server is stopping.")
