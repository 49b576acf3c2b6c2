"""Connects callers to a server: ``async with connect("localhost:7233") as client``."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rescind.client.client import Client, ExecutionHandle
from rescind.errors import RescindError
from rescind.model.commands import StartExecution
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.model.status import CancelTaskResult
from rescind.model.views import ExecutionView

try:
    from rescind.transport.grpc_client import DEFAULT_TIMEOUT, GrpcConnection
    from rescind.transport.grpc_client_port import GrpcClientPort
except ImportError as error:
    raise ImportError(f"{error}. A server is reached with gRPC: pip install 'rescind[server]'") from error


class ConnectedClient(Client):
    """A client of a server, with its connection. Left as a context manager, or closed, the connection is gone."""

    def __init__(self, connection: GrpcConnection, port: GrpcClientPort, *, payload_limit: int) -> None:
        """Made by `connect`."""
        super().__init__(port, payload_limit=payload_limit)
        self._connection = connection
        self._remote = port

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Executions go on; calls that still wait are cancelled."""
        await self._connection.close()

    async def start_many(self, starts: Iterable[StartExecution]) -> list[ExecutionHandle[Any] | RescindError]:
        """Start several agents at once; all exist, durably, when this returns.

        Returns:
            In their order a handle for each, or what it was refused with.
        """
        started = await self._remote.start_many(starts)
        return [each if isinstance(each, RescindError) else self.handle(each) for each in started]

    async def list_page(
        self, selection: ExecutionFilter | None = None, *, page_size: int = 100, page_token: str = ""
    ) -> tuple[Sequence[ExecutionView], str]:
        """A page of the executions that a filter selects, the newest first.

        Args:
            selection: which; None is all.
            page_size: how many at most: 1 to 1000.
            page_token: what came with the page before; "" begins.

        Returns:
            The executions, and the token of the next page; "" if this is the last.

        Raises:
            InvalidInput: a page size or token that cannot be meant.
        """
        return await self._remote.list_executions(selection or ExecutionFilter(), page_size, page_token)

    async def list(self, selection: ExecutionFilter | None = None) -> AsyncIterator[ExecutionView]:
        """All executions that a filter selects, the newest first; fetched in pages, as they are read."""
        token = ""
        while True:
            page, token = await self.list_page(selection, page_token=token)
            for view in page:
                yield view
            if not token:
                return

    async def cancel_where(
        self, selection: ExecutionFilter | TaskFilter, reason: str | None = None, *, hard: bool = False
    ) -> AsyncIterator[Mapping[CancelTaskResult, int]]:
        """Cancel all executions, or all tasks, that a filter selects. Repeating it is harmless.

        Args:
            selection: which; without statuses, what is open.
            reason: why, in words.
            hard: end executions at once, without their clean-up.

        Yields:
            After each durable step how many requests met which result so far; the last is the whole. Leaving the
            iterator ends the work after the step at hand.
        """
        async for counts in self._remote.cancel_where(selection, reason, hard=hard):
            yield counts


def connect(
    address: str,
    *,
    token: str | None = None,
    by: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    patience: float = 60.0,
    payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
    credentials: Any = None,
) -> ConnectedClient:
    """A client of the server at an address. Must be called on a running event loop; the first call connects.

    Args:
        address: ``host:port``.
        token: what proves who calls.
        by: who calls, for histories; else the name of the operating system's user.
        timeout: how long a call that does not wait may take, in seconds.
        patience: how long a call that waits (``result``, ``follow``) may find no server, in seconds: it outlives a
            restart of the server.
        payload_limit: the largest payload in bytes.
        credentials: gRPC's channel credentials, for TLS; None connects in the clear.

    Raises:
        InvalidInput: the address is empty.
    """
    connection = GrpcConnection(address, token=token, credentials=credentials)
    port = GrpcClientPort(connection, by or f"client:{user_name()}", timeout=timeout, patience=patience)
    return ConnectedClient(connection, port, payload_limit=payload_limit)


def user_name() -> str:
    """The name of the operating system's user; ``unknown`` where it has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
