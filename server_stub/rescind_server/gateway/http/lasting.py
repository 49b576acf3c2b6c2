"""An answer that lasts: it is sent as there is something to send, until there is no more or the client goes away."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

EVENT_STREAM: Final = "text/event-stream"
"""The media type of server-sent events."""


class LastingResponse(Response):
    """Server-sent events, as they come."""

    media_type = EVENT_STREAM

    def __init__(self, headers: Mapping[str, str] | None = None, leaving: asyncio.Future[None] | None = None) -> None:
        """Make one that was not sent yet.

        Args:
            headers: those beside the ones that each such answer has.
            leaving: comes when the client goes away, where somebody listens for that already.
        """
        super().__init__(None, headers={"cache-control": "no-store", "x-accel-buffering": "no", **(headers or {})})
        del self.headers["content-length"]
        self._leaving = leaving

    @abstractmethod
    async def send_events(self, scope: Scope, send: Send) -> None:
        """Send events until there are no more; it is cancelled when the client goes away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until there are no more, or the client goes away."""
        leaving = self._leaving or asyncio.ensure_future(left(receive))
        sending = asyncio.ensure_future(self._send(scope, send))
        try:
            await asyncio.wait([leaving, sending], return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for each in (leaving, sending):
                each.cancel()
            await asyncio.wait([leaving, sending])

    async def _send(self, scope: Scope, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            await self.send_events(scope, send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def left(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_part(send: Send, data: bytes) -> None:
    """Send a part of the body, with more to come."""
    await send({"type": "http.response.body", "body": data, "more_body": True})
