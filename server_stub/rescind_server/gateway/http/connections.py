"""A connection over HTTP that sends its requests' heads in bounded size and time: uvicorn itself takes any."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rescind_server.gateway.http.answers import ProblemBody
from rescind_server.gateway.http.fan_out import OUTLET
from rescind_server.gateway.http.problems import MEDIA_TYPE

LONGEST_HEAD: Final = 64 * 1024
"""The most bytes before a body: the request line and the headers."""
HEAD_TIME_S: Final = 30.0
"""How long they may take to come, in seconds."""


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's connection, cut off when a head grows too large or does not come."""

    _is_in_head = False
    _head_size = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head, not for ever."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the head is whole."""
        super().data_received(data)
        if self._is_in_head:
            self._head_size += len(data)
            if self._head_size > LONGEST_HEAD and not self.transport.is_closing():
                self._refuse()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self.scope["extensions"] = {OUTLET: {OUTLET: self}}
        self._is_in_head, self._head_size = True, 0
        self._expect_head()

    def on_headers_complete(self) -> None:
        """It is whole."""
        self._end_head()
        super().on_headers_complete()

    def put(self, data: bytes) -> bool:
        """Write chunks of a response that has begun. See `Outlet`."""
        if self.flow.write_paused or self.transport.is_closing():
            return False
        self.transport.write(data)
        return True

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(HEAD_TIME_S, self.transport.close)

    def _end_head(self) -> None:
        self._is_in_head = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self) -> None:
        message = f"the head of the request is larger than {LONGEST_HEAD} bytes, the most that this server takes."
        title = "Request Header Fields Too Large"
        body = msgspec.json.encode(
            ProblemBody(
                type="https://rescind.dev/errors#invalidinput",
                title=title,
                status=431,
                detail=message,
                error="InvalidInput",
                message=message,
                action="Send long texts in the body.",
            )
        )
        head = f"HTTP/1.1 431 {title}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close"
        self.transport.write(f"{head}\r\n\r\n".encode() + body)
        self.transport.close()
