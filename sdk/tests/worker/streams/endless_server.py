"""A server whose answers never end: plain lines, and the events of two language models' APIs."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Any


class Pace(StrEnum):
    """How an answer goes on after its first piece.

    Attributes:
        QUIET: not at all, so that its reader is blocked.
        QUICK: as fast as it is read, so that there is always something to read.
    """

    QUIET = "quiet"
    QUICK = "quick"


class EndlessServer:
    """Listens on the loopback interface, and never ends an answer by itself.

    ``/lines`` is text, ``/v1/chat/completions`` is OpenAI's form, ``/v1/messages`` Anthropic's; ``/silent`` and what
    lies under it take a request and do not answer it.

    Attributes:
        url: where it listens.
        port: its port.
        asked: counts the requests that have come in.
        closed: counts the connections that were closed by the client, as seen from here.
    """

    def __init__(self, pace: Pace, scheme: str, port: int) -> None:
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.asked = asyncio.Semaphore(0)
        self.closed = asyncio.Semaphore(0)
        self._pace = pace

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, until its client closes it."""
        try:
            path = await _request(reader)
            self.asked.release()
            if not path.startswith("/silent"):
                await self._send(path, writer)
            while await reader.read(65_536):
                pass
        except ConnectionError:
            pass  # closed with something unread, which is another way to close
        finally:
            self.closed.release()
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _send(self, path: str, writer: asyncio.StreamWriter) -> None:
        begin, piece = _FORMS[path]()
        kind = "text/plain" if path == "/lines" else "text/event-stream"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode() + _chunk(begin + piece))
        while self._pace is Pace.QUICK:
            writer.write(_chunk(piece))
            await writer.drain()
            await asyncio.sleep(0)  # `drain` lets nobody else run while there is room


async def _request(reader: asyncio.StreamReader) -> str:
    """Read one request to its end; returns its path."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    for line in head.splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            await reader.readexactly(int(value))
    return head.split()[1]


def _chunk(text: str) -> bytes:
    encoded = text.encode()
    return b"%x\r\n%s\r\n" % (len(encoded), encoded)


def _lines() -> tuple[str, str]:
    return "", "hello\n"


def _chat_completions() -> tuple[str, str]:
    def chunk(delta: dict[str, str]) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        return f"data: {json.dumps(body)}\n\n"

    return chunk({"role": "assistant", "content": ""}), chunk({"content": "hello "})


def _messages() -> tuple[str, str]:
    def event(name: str, **body: Any) -> str:
        return f"event: {name}\ndata: {json.dumps({'type': name, **body})}\n\n"

    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    begin = event("message_start", message=message)
    begin += event("content_block_start", index=0, content_block={"type": "text", "text": ""}) + event("ping")
    return begin, event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hello "})


_FORMS: dict[str, Callable[[], tuple[str, str]]] = {
    "/lines": _lines,
    "/v1/chat/completions": _chat_completions,
    "/v1/messages": _messages,
}


@asynccontextmanager
async def endless_server(pace: Pace = Pace.QUIET, tls: ssl.SSLContext | None = None) -> AsyncIterator[EndlessServer]:
    """Have one for as long as the block lasts."""
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(serving.answer(reader, writer))
        connections.add(connection)
        connection.add_done_callback(connections.discard)
        await asyncio.wait([connection])

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    serving = EndlessServer(pace, "http" if tls is None else "https", port)
    try:
        yield serving
    finally:
        listening.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
