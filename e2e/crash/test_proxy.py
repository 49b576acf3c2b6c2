"""The proxy does what a network does, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from e2e.crash.proxy import Proxy

pytestmark = pytest.mark.asyncio
LONGEST = 30.0


class Echo:
    """A server that answers each line with the same line, and remembers what came.

    Attributes:
        heard: what has come, of all connections.
        has_ended: set when a connection's other side has sent its end.
    """

    def __init__(self) -> None:
        self.heard = b""
        self.has_ended = asyncio.Event()
        self.heard_more = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1_000):
                self.heard += data
                self.heard_more.set()
                writer.write(data)
            self.has_ended.set()
            writer.write(b"good-bye")
        writer.close()

    async def hear(self, count: int) -> None:
        """Wait until so many bytes have come."""
        while len(self.heard) < count:
            self.heard_more.clear()
            await self.heard_more.wait()


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Proxy, Echo]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        async with asyncio.timeout(LONGEST), Proxy() as proxy:
            proxy.point_to(f"{host}:{port}")
            yield proxy, echo
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = proxy.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def is_over(reader: asyncio.StreamReader) -> bool:
    """Whether nothing comes any more: by an end, or by a reset."""
    try:
        return await reader.read(1) == b""
    except OSError:
        return True


async def test_what_goes_in_comes_out_in_both_directions() -> None:
    async with opened() as (proxy, _), connected(proxy) as (reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        assert proxy.carried == 5


async def test_it_turns_away_who_comes_while_it_points_nowhere() -> None:
    async with opened() as (proxy, echo):
        proxy.point_to(None)
        async with connected(proxy) as (reader, _):
            assert await is_over(reader)
        assert echo.heard == b""


async def test_a_cut_ends_what_is_open_and_who_connects_again_is_served() -> None:
    async with opened() as (proxy, _):
        async with connected(proxy) as (reader, writer):
            writer.write(b"a")
            await reader.readexactly(1)
            proxy.cut()
            assert await is_over(reader)
        async with connected(proxy) as (reader, writer):
            writer.write(b"b")
            assert await reader.readexactly(1) == b"b"


async def test_a_half_close_is_the_end_of_one_direction() -> None:
    async with opened() as (proxy, echo), connected(proxy) as (reader, writer):
        writer.write(b"a")
        await reader.readexactly(1)
        proxy.half_close()
        await echo.has_ended.wait()
        assert await reader.readexactly(8) == b"good-bye"


async def test_lost_answers_are_lost_though_the_request_arrives() -> None:
    async with opened() as (proxy, echo), connected(proxy) as (reader, writer):
        proxy.lose_answers()
        writer.write(b"done")
        await echo.hear(4)
        proxy.cut_lost()
        assert await is_over(reader)


async def test_it_cuts_in_the_middle_of_what_is_sent() -> None:
    async with opened() as (proxy, echo), connected(proxy) as (reader, writer):
        proxy.cut_behind(700)
        writer.write(bytes(100_000))
        while not await is_over(reader):
            pass
        assert proxy.carried == 700
        assert len(echo.heard) <= 700


async def test_a_delay_keeps_the_order() -> None:
    async with opened() as (proxy, _), connected(proxy) as (reader, writer):
        proxy.delay(0.001)
        for letter in (b"a", b"b", b"c"):
            writer.write(letter)
            await writer.drain()
        assert await reader.readexactly(3) == b"abc"
