"""A worker's session with a server over gRPC: a `WorkerPort` that may be cut at any moment."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import grpc
import grpc.aio
import msgspec
from rescind_proto.rescind.v1 import worker_pb2

from rescind.errors import RescindError, ServerUnavailable
from rescind.model.messages import FromWorker, ToWorker, WorkerAlive, WorkerJoined, WorkerLeft
from rescind.transport.batches import batches_of
from rescind.transport.conversion.pairs import from_message, parse
from rescind.transport.grpc_client import GrpcConnection
from rescind.transport.grpc_methods import MESSAGE_LIMIT, PROTOCOL_VERSION
from rescind.transport.oversize import instead_of

DEFAULT_SILENCE_MS: Final = 15_000
"""How long a worker may say nothing before the server takes it for lost, unless set otherwise."""

_LOG: Final = logging.getLogger(__name__)
_LONGEST_GOOD_BYE: Final = 5.0
# A batch of one message is a little larger than the message.
_LARGEST_MESSAGE: Final = MESSAGE_LIMIT - 1024


class GrpcSession:
    """See `WorkerPort`. It lives until it is closed or cut, whichever comes first; then another must be made."""

    def __init__(
        self, connection: GrpcConnection, *, instance: str, sdk: str, silence_ms: int = DEFAULT_SILENCE_MS
    ) -> None:
        """Make a session that has not begun.

        Args:
            connection: to the server.
            instance: what tells this worker from another of the same id; the same in all its sessions.
            sdk: what speaks, with its version, for people.
            silence_ms: how long it may say nothing before the server takes it for lost.
        """
        self._connection = connection
        self._hello = worker_pb2.Hello(protocol_version=PROTOCOL_VERSION, instance=instance, sdk=sdk)
        self._silence_ms = silence_ms
        self._receive: Callable[[ToWorker], None] | None = None
        self._joined: WorkerJoined | None = None
        self._waiting: list[FromWorker] = []
        self._outgoing: deque[bytes] = deque()
        self._has_outgoing = asyncio.Event()
        self._is_flush_due = False
        self._is_closing = False
        self._heartbeat: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._running: asyncio.Task[RescindError | None] | None = None
        self.welcomed = asyncio.Event()

    def open(self, receive: Callable[[ToWorker], None]) -> None:
        """See `WorkerPort.open`. Opened again, it goes on: the worker joins anew on the same stream."""
        self._receive = receive
        if self._running is not None:
            return
        self._running = self._loop.create_task(self._run(), name="rescind session")

    def send(self, message: FromWorker) -> None:
        """See `WorkerPort.send`. After a cut, nothing arrives any more."""
        if self._running is None or self._running.done():
            return
        if isinstance(message, WorkerJoined):
            message = self._joined = msgspec.structs.replace(message, silence_ms=self._silence_ms)
        self._waiting.append(message)
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    async def close(self) -> None:
        """See `WorkerPort.close`."""
        if self._running is None:
            return
        if self._joined is not None:
            self.send(WorkerLeft(self._joined.worker_id, self._joined.session, handed_back=True))
        self._flush()
        self._is_closing = True
        self._has_outgoing.set()
        # The server ends its direction when it has taken in all of ours.
        await asyncio.wait([self._running], timeout=_LONGEST_GOOD_BYE)
        await self.cut()

    async def cut(self) -> None:
        """End the session at once, telling nobody."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def ended(self) -> RescindError | None:
        """Wait until the session has ended; returns what ended it, or None if it was closed in order.

        Cancelling the wait leaves the session as it is.
        """
        assert self._running is not None, "the session was not opened"
        await asyncio.wait([self._running])
        if self._running.cancelled():
            return None
        return self._running.result()

    def _flush(self) -> None:
        self._is_flush_due = False
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        self._outgoing.extend(batches_of(waiting, FromWorker, limit=_LARGEST_MESSAGE, instead=_too_large))
        self._has_outgoing.set()

    async def _run(self) -> RescindError | None:
        call = self._connection.open_session()
        writing = self._loop.create_task(self._write(call))
        try:
            await self._read(call)
            return None if self._is_closing else self._gone("the server ended the session")
        except grpc.RpcError as failure:
            return self._connection.error_of(failure)
        except RescindError as error:
            return error
        finally:
            if self._heartbeat is not None:
                self._heartbeat.cancel()
            writing.cancel()
            call.cancel()
            await asyncio.wait([writing])

    async def _read(self, call: Any) -> None:
        async for data in call:
            batch = parse(data, worker_pb2.ServerBatch, f"the server at {self._connection.address}")
            if batch.HasField("welcome"):
                self._connection.note_answered()
                self.welcomed.set()
                self._beat()
            for message in batch.messages:
                self._hand_over(from_message(message, ToWorker))

    def _hand_over(self, message: ToWorker) -> None:
        assert self._receive is not None
        try:
            self._receive(message)
        except Exception:  # one message that fails must not end the session of all others
            _LOG.exception("a message could not be carried out: %r", type(message).__name__)

    async def _write(self, call: Any) -> None:
        await self._has_outgoing.wait()
        try:
            # Two encoded messages, one behind the other, are their union: the hello leads the first batch.
            self._outgoing[0] = worker_pb2.WorkerBatch(hello=self._hello).SerializeToString() + self._outgoing[0]
            while True:
                await self._has_outgoing.wait()
                self._has_outgoing.clear()
                while self._outgoing:
                    await call.write(self._outgoing.popleft())
                if self._is_closing:
                    await call.done_writing()
                    return
        except (grpc.RpcError, asyncio.InvalidStateError):
            # Reading tells why: the call's status is the same for both directions.
            pass

    def _beat(self) -> None:
        if self._joined is not None:
            self.send(WorkerAlive(self._joined.worker_id))
        self._heartbeat = self._loop.call_later(self._silence_ms / 3_000, self._beat)

    def _gone(self, why: str) -> ServerUnavailable:
        return ServerUnavailable(f"{self._connection.address}: {why}")


def _too_large(message: FromWorker, size: int) -> FromWorker:
    # Sent as it is, it would end this session and each one after it.
    return instead_of(message, f"{size} bytes at once are more than a server takes, {_LARGEST_MESSAGE}")
