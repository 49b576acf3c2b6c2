"""Server-sent events as flovyn names them. Nothing is replayed: a reader gets what happens from now on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
from starlette.types import Scope, Send

from rescind.errors import InvalidInput, RescindError
from rescind.model.messages import StreamedEvent
from rescind_server.gateway.flovyn.rest_bodies import StreamQuery
from rescind_server.gateway.http.lasting import LastingResponse, send_part
from rescind_server.gateway.http.shown import value

KEEP_ALIVE: Final = b": keep-alive\n\n"
_TYPES: Final = {"token": "tokens", "progress": "progress", "data": "data", "error": "errors"}
_KEYS: Final = {"token": "text", "error": "message", "progress": "progress"}
"""Our own SDK streams objects, in which this is what others say alone."""
_EVENTS: Final = "events"
_KNOWN: Final = (_EVENTS, *_TYPES.values())


class Wanted:
    """Which kinds of events a reader wants."""

    def __init__(self, query: StreamQuery) -> None:
        """Read the query. Raises InvalidInput: it names a kind that there is not."""
        given = tuple(each.strip() for each in (query.types or "").split(",") if each.strip())
        unknown = [each for each in given if each not in _KNOWN]
        if unknown:
            raise InvalidInput(f"`types` names {unknown[0][:50]!r}. Known are {', '.join(_KNOWN)}.")
        self._types = frozenset(given or _KNOWN)

    @property
    def changes(self) -> bool:
        """Whether it wants to hear of changes of state."""
        return _EVENTS in self._types

    def streamed(self, kind: str) -> bool:
        """Whether it wants what code streams under this name."""
        return kind in _TYPES and _TYPES[kind] in self._types


def said(event: StreamedEvent) -> Any:
    """What code has streamed, as other clients expect it: a token or an error is its text, progress its number."""
    shown = value(event.value)
    try:
        found = msgspec.json.decode(bytes(shown))
    except msgspec.DecodeError:
        return shown
    key = _KEYS.get(event.kind)
    return found[key] if isinstance(found, dict) and key in found else found


def frame(name: str, data: Any) -> bytes:
    """One server-sent event. Text stands as it is, a line of data for each of its lines; all else is JSON."""
    text = data if isinstance(data, str) else msgspec.json.encode(data).decode()
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or ("",))
    return f"event: {name}\n{lines}\n".encode()


class RestStream(LastingResponse):
    """An answer that lasts as long as there are events and a client."""

    def __init__(self, frames: AsyncIterator[bytes], heartbeat_s: float, identify_again: Callable[[], object]) -> None:
        """Make one that was not sent yet.

        Args:
            frames: what is sent; it ends when nothing more happens.
            heartbeat_s: how long it may say nothing before a comment is sent.
            identify_again: raises when the reader's token has ended.
        """
        super().__init__()
        self._frames = frames
        self._heartbeat_s = heartbeat_s
        self._identify_again = identify_again

    async def send_events(self, scope: Scope, send: Send) -> None:
        """Send what there is until there is no more, and comments in between."""
        # The first comment tells the reader that from now on it misses nothing.
        upcoming: asyncio.Future[bytes] | None = None
        loop = asyncio.get_running_loop()
        known_at = loop.time()
        try:
            while True:
                upcoming = upcoming or asyncio.ensure_future(anext(self._frames))
                await asyncio.wait([upcoming], timeout=self._heartbeat_s)
                if loop.time() - known_at >= self._heartbeat_s:
                    # Its token may have ended since, also where there is always something to send.
                    self._identify_again()
                    known_at = loop.time()
                data = KEEP_ALIVE
                if upcoming.done():
                    data, upcoming = upcoming.result(), None
                await send_part(send, data)
        except StopAsyncIteration:
            pass
        except RescindError as error:
            await send_part(send, frame("error", str(error)))
        finally:
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.wait([upcoming])
            await self._close()

    async def _close(self) -> None:
        close: Callable[[], Any] | None = getattr(self._frames, "aclose", None)
        if close is not None:
            await close()
