"""A real HTTP server that webhooks lead to: it keeps what it gets, and answers as it is told to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

LONGEST: Final = 60.0


class Received(NamedTuple):
    """A request.

    Attributes:
        target: what was asked for.
        headers: by their names in lower case.
        body: what was sent.
    """

    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def type(self) -> str:
        return str(self.document["type"])

    def is_signed_with(self, secret: str) -> bool:
        """Whether one of the signatures is this secret's, and the time is that of the attempt."""
        stamp = self.headers["webhook-timestamp"]
        signed = b".".join((self.id.encode(), stamp.encode(), self.body))
        digest = hmac.new(base64.b64decode(secret.split("_", 1)[1]), signed, hashlib.sha256).digest()
        wanted = f"v1,{base64.b64encode(digest).decode()}"
        return wanted in self.headers["webhook-signature"].split(" ") and abs(int(stamp) - time.time()) < LONGEST


class Receiver:
    """Answers 200, unless it is told otherwise.

    Attributes:
        url: where it is.
        received: what it got, in order.
        answers: what the next requests are answered, each with its status line's end and further headers; None answers
            nothing and leaves the connection open.
        body: what it answers with.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Received] = []
        self.answers: list[str | None] = []
        self.body = b"ok"
        self._arrived = asyncio.Condition()

    async def wait_for(self, count: int) -> list[Received]:
        """Return when it has got so many."""
        async with asyncio.timeout(LONGEST), self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        async with self._arrived:
            self.received.append(Received(head[0].split(" ")[1], headers, body))
            self._arrived.notify_all()
        answer = self.answers.pop(0) if self.answers else "200 OK"
        if answer is None:
            await reader.read()  # until the other side goes
            return False
        writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: {len(self.body)}\r\n\r\n".encode() + self.body)
        await writer.drain()
        return True


@asynccontextmanager
async def receiver(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver at a free port of this machine, in the clear unless it has a certificate."""
    opened = Receiver("")
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await opened.serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            connections.discard(task)

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    opened.url = f"{'http' if tls is None else 'https'}://localhost:{port}/hook?key=k-1"
    try:
        yield opened
    finally:
        server.close()
        for task in connections:
            task.cancel()
        if connections:
            await asyncio.wait(connections)
        await server.wait_closed()
