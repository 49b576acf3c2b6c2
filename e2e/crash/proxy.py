"""A TCP proxy that does to connections what networks do: delays, cuts, half-closes, and answers that never arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Self

_CHUNK: Final = 64 * 1024


class Proxy:
    """Stands between those who connect to it and one server, which may come and go.

    Attributes:
        address: ``host:port`` to connect to; the same for as long as the proxy is open.
        carried: the bytes that it has passed on towards the server.
    """

    def __init__(self) -> None:
        """Make a proxy that points nowhere: who connects is turned away."""
        self.address = ""
        self.carried = 0
        self._upstream: tuple[str, int] | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._delay = 0.0
        self._loses_answers = False
        self._cut_behind: int | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*(connection.ended() for connection in list(self._connections)))
        await self._server.wait_closed()

    def point_to(self, address: str | None) -> None:
        """Where connections go from now on; None turns them away. Those there are stay as they are."""
        if address is None:
            self._upstream = None
        else:
            host, _, port = address.rpartition(":")
            self._upstream = (host, int(port))

    def delay(self, seconds: float) -> None:
        """From now on each piece of data arrives so much later; 0 ends it."""
        self._delay = seconds

    def cut(self) -> None:
        """End every connection at once, in both directions, with a reset."""
        for connection in list(self._connections):
            connection.abort()

    def half_close(self) -> None:
        """Tell the server that nothing comes any more; what it sends is still passed on."""
        for connection in list(self._connections):
            connection.half_close()

    def lose_answers(self) -> None:
        """Pass on what goes to the server, and drop what it answers, until `cut_lost`."""
        self._loses_answers = True

    def cut_lost(self) -> None:
        """Cut the connections whose answers were lost: who asked must ask again what the server has done already."""
        self._loses_answers = False
        self.cut()

    def cut_behind(self, count: int) -> None:
        """Cut when so many more bytes have gone towards the server, wherever in a message that is."""
        self._cut_behind = self.carried + count

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._upstream is None:
            writer.transport.abort()
            return
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, upstream_writer)
        self._connections.add(connection)
        connection.start(
            self._pump(reader, upstream_writer, self._towards_server),
            self._pump(upstream_reader, writer, self._towards_caller),
        )
        await connection.ended()
        self._connections.discard(connection)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, admit: Callable[[bytes], bytes]
    ) -> None:
        try:
            while data := await reader.read(_CHUNK):
                if self._delay:
                    await asyncio.sleep(self._delay)
                if admitted := admit(data):
                    writer.write(admitted)
                    await writer.drain()
                if self._cut_behind is not None and self.carried >= self._cut_behind:
                    self._cut_behind = None
                    # What was admitted leaves first: the cut is to be in the middle of it.
                    await asyncio.sleep(0)
                    self.cut()
                    return
            if writer.can_write_eof() and not writer.is_closing():
                writer.write_eof()
        except OSError:
            # One side is gone; the other one learns of it by the end of the connection.
            writer.transport.abort()

    def _towards_server(self, data: bytes) -> bytes:
        if self._cut_behind is not None:
            data = data[: max(0, self._cut_behind - self.carried)]
        self.carried += len(data)
        return data

    def _towards_caller(self, data: bytes) -> bytes:
        return b"" if self._loses_answers else data


class _Connection:
    """Two sockets, and the two directions between them."""

    def __init__(self, caller: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._caller = caller
        self._server = server
        self._pumps: list[asyncio.Task[None]] = []

    def start(self, *pumps: Coroutine[Any, Any, None]) -> None:
        self._pumps = [asyncio.create_task(pump) for pump in pumps]

    def abort(self) -> None:
        for writer in (self._caller, self._server):
            writer.transport.abort()
        for pump in self._pumps:
            pump.cancel()

    def half_close(self) -> None:
        if not self._server.is_closing() and self._server.can_write_eof():
            self._server.write_eof()
        self._pumps[0].cancel()

    async def ended(self) -> None:
        """Wait until both directions have ended; leaves no socket open."""
        await asyncio.wait(self._pumps)
        for pump in self._pumps:
            if not pump.cancelled() and (error := pump.exception()) is not None:
                raise error
        for writer in (self._caller, self._server):
            writer.close()
