"""A connection to a server: its channel, its calls, and the sessions of workers over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

import grpc
import grpc.aio
from google.protobuf.message import Message

from rescind.errors import InvalidInput, RescindError
from rescind.model.trace_parent import HEADER
from rescind.settings import Tls
from rescind.telemetry.traces import current_trace_parent
from rescind.transport.conversion.pairs import parse
from rescind.transport.grpc_errors import error_of, was_never_sent
from rescind.transport.grpc_methods import (
    CLIENT_METHODS,
    TOKEN_METADATA,
    WEBHOOK_METHODS,
    WORKER_METHODS,
    WORKFLOW_METHODS,
    Method,
)
from rescind.transport.grpc_tls import credentials_of, options_of

DEFAULT_TIMEOUT: Final = 30.0
"""How long a call may take, in seconds, unless it is one that waits."""

_METHODS: Final = {**CLIENT_METHODS, **WEBHOOK_METHODS, **WORKFLOW_METHODS}
_LONGEST_GAP: Final = 2.0
"""How long a call looks for a server that was there before, in seconds: it may be starting anew."""
_LOOK_AGAIN: Final = 0.1

_OPTIONS: Final[Sequence[tuple[str, int]]] = (
    # The server is trusted with sizes: an agent's journal, or an execution with thousands of tasks, may be large.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A connection that died without a word is noticed within 15 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Pauses between attempts are ours to choose (worker.connecting); the channel's own only add to them.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Whatever its name says: how long one attempt may take, over a slow line or to a busy server.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 300),
    # Two connections to one address in one process are two: else closing one would leave the other's socket open.
    ("grpc.use_local_subchannel_pool", 1),
)


class GrpcConnection:
    """A connection to one server, for any number of calls and sessions.

    It belongs to the event loop on which it is used first.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        tls: Tls | None = None,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """Make a connection; it is opened with the first call.

        Args:
            address: ``host:port``, or any other name that gRPC resolves.
            token: what proves who calls; None sends nothing.
            credentials: for TLS.
            tls: likewise, from files; with neither, it connects in the clear.
            options: further options of gRPC's channel, which override ours.

        Raises:
            InvalidInput: the address is empty, or the files of TLS cannot be used.
        """
        if not address:
            raise InvalidInput("the server's address is empty. Give host:port.")
        self.address = address
        self._metadata = ((TOKEN_METADATA, f"Bearer {token}"),) if token is not None else ()
        self._credentials = credentials_of(tls) if tls is not None and credentials is None else credentials
        self._options = [*dict([*_OPTIONS, *(options_of(tls) if tls is not None else ()), *options]).items()]
        self._opened: grpc.aio.Channel | None = None
        self._calls: dict[str, Any] = {}
        self._was_connected = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls that are still open are cancelled. The next call opens it again."""
        channel, self._opened = self._opened, None
        self._calls.clear()
        if channel is not None:
            await channel.close()

    @property
    def _channel(self) -> grpc.aio.Channel:
        # Not before it is used: a client may be made where no event loop runs.
        if self._opened is None:
            self._opened = (
                grpc.aio.secure_channel(self.address, self._credentials, options=self._options)
                if self._credentials is not None
                else grpc.aio.insecure_channel(self.address, options=self._options)
            )
        return self._opened

    async def call(self, name: str, request: Message, *, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
        """Make one call of the Client, Webhooks or Workflows service and return its reply. Leaving it tells the server.

        Args:
            name: the call.
            request: its message.
            timeout: how long to wait, in seconds; None waits for ever.

        Raises:
            RescindError: the server refused, or could not be reached.
        """
        return await self.ask(_METHODS[name], request, timeout=timeout)

    async def ask(self, method: Method, request: Message, *, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
        """The same for a call of any service, named by what describes it."""
        known = self._calls.get(method.path)
        if known is None:
            known = self._calls[method.path] = self._channel.unary_unary(method.path)
        data = await self._repeated_until_sent(known, request.SerializeToString(), timeout)
        self._was_connected = True
        return parse(data, method.reply, f"the server at {self.address}")

    async def upload(
        self, method: Method, messages: Sequence[Message], *, timeout: float | None = DEFAULT_TIMEOUT
    ) -> Any:
        """Make one call that takes many messages, and return its one reply.

        Raises:
            RescindError: the server refused, or could not be reached.
        """
        call = self._channel.stream_unary(method.path)
        try:
            data = await call(
                iter([message.SerializeToString() for message in messages]),
                timeout=timeout,
                metadata=self._metadata_now(),
            )
        except grpc.RpcError as failure:
            raise self.error_of(failure) from None
        return parse(data, method.reply, f"the server at {self.address}")

    async def stream(self, name: str, request: Message) -> AsyncIterator[Any]:
        """Make one call that has many replies. Leaving the iterator ends the call.

        Raises:
            RescindError: the server refused, or could not be reached.
        """
        method = _METHODS[name]
        call = self._channel.unary_stream(method.path)(request.SerializeToString(), metadata=self._metadata_now())
        try:
            async for data in call:
                yield parse(data, method.reply, f"the server at {self.address}")
        except grpc.RpcError as failure:
            raise self.error_of(failure) from None
        finally:
            call.cancel()

    async def _repeated_until_sent(self, call: Any, data: bytes, timeout: float | None) -> bytes:
        """Make a call; where a connection there was is gone, give the channel a moment to find the server again."""
        loop = asyncio.get_running_loop()
        metadata = self._metadata_now()
        give_up = loop.time() + (_LONGEST_GAP if self._was_connected else 0.0)
        while True:
            try:
                answer: bytes = await call(data, timeout=timeout, metadata=metadata)
                return answer
            except grpc.RpcError as failure:
                if not was_never_sent(failure) or loop.time() >= give_up:
                    raise self.error_of(failure) from None
            await asyncio.sleep(_LOOK_AGAIN)

    def _metadata_now(self) -> tuple[tuple[str, str], ...]:
        trace_parent = current_trace_parent()
        return self._metadata if trace_parent is None else (*self._metadata, (HEADER, trace_parent))

    def error_of(self, failure: grpc.RpcError) -> RescindError:
        """What to raise for a call that failed."""
        is_encrypted = self._credentials is not None
        return error_of(failure, self.address, is_encrypted=is_encrypted, was_connected=self._was_connected)

    def note_answered(self) -> None:
        """The server has answered over the raw call: it is one, and both sides agree on TLS."""
        self._was_connected = True

    def open_session(self) -> Any:
        """The raw call of the Worker service: bytes in both directions."""
        return self._channel.stream_stream(WORKER_METHODS["Session"].path)(metadata=self._metadata)
