"""One event to very many readers: it is written once, and handed to their connections without waking anybody.

A reader that is up to date has nothing to decide, so it sleeps, and its connection is given the bytes that all get.
That is done for some readers at a time, so that others of the server are served meanwhile. A reader whose connection
takes nothing more is woken, and goes on at its own pace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from starlette.types import Scope

from rescind_server.gateway.http.frames import Frame, chunk

OUTLET: Final = "rescind.outlet"
"""The extension of ASGI in which a connection's outlet stands, and its name there."""

_AT_ONCE: Final = 50


class Outlet(Protocol):
    """A connection whose response has begun, chunked."""

    def put(self, data: bytes) -> bool:
        """Write some chunks; returns False, and writes nothing, if it takes no more for now or has ended."""


def outlet_of(scope: Scope) -> Outlet | None:
    """The outlet of a request's connection; None if that has none."""
    found: Outlet | None = scope.get("extensions", {}).get(OUTLET, {}).get(OUTLET)
    return found


class Source(Protocol):
    """What followers are given: numbered frames, the oldest of which are gone.

    Attributes:
        first: the number of the oldest frame that is there.
        end: the number that the next frame gets.
        is_over: nothing more comes.
    """

    first: int
    is_over: bool

    @property
    def end(self) -> int: ...

    def frames(self, number: int) -> Sequence[Frame]:
        """Some frames from this number on."""


class Follower:
    """Where a reader stands.

    Attributes:
        number: of the next frame that it gets.
        sequence: of the last event of the history that it got.
        outlet: where to write; None where only it itself can.
    """

    __slots__ = ("number", "outlet", "sequence", "woken")

    def __init__(self, number: int, sequence: int, outlet: Outlet | None) -> None:
        self.number = number
        self.sequence = sequence
        self.outlet = outlet
        self.woken: asyncio.Future[None] | None = None


class FanOut:
    """The followers of one source that are up to date."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._followers: dict[Follower, None] = {}
        self._due: list[Follower] = []
        self._is_going = False
        self._has_news = False
        self._shared = _Shared(0, 0, 0, b"")

    async def serve(self, follower: Follower) -> None:
        """Write to a follower what comes, until it takes no more, has fallen behind, or nothing more comes."""
        follower.woken = asyncio.get_running_loop().create_future()
        self._followers[follower] = None
        if follower.number < self._source.end or self._source.is_over:
            self.tell()
        try:
            await follower.woken
        finally:
            self._followers.pop(follower, None)

    def tell(self) -> None:
        """There is a new frame, or nothing more comes."""
        self._has_news = True
        if self._followers and not self._is_going:
            self._is_going = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if not self._due and self._has_news:
            self._has_news = False
            self._due = list(self._followers)
        for follower in self._due[-_AT_ONCE:]:
            if follower in self._followers:
                self._give(follower)
        del self._due[-_AT_ONCE:]
        if self._due or (self._has_news and self._followers):
            asyncio.get_running_loop().call_soon(self._go_on)
        else:
            self._is_going = False

    def _give(self, follower: Follower) -> None:
        source = self._source
        if follower.outlet is None or follower.number < source.first:
            self._wake(follower)
            return
        if follower.number < source.end:
            shared = self._behind(follower.number)
            if not follower.outlet.put(shared.data):
                self._wake(follower)
                return
            follower.number, follower.sequence = shared.end, shared.sequence
        if follower.number < source.end:
            self._has_news = True
        elif source.is_over:
            self._wake(follower)

    def _behind(self, number: int) -> _Shared:
        """The frames from a number on, as they are sent: made once for all who stand there."""
        if self._shared.number != number or self._shared.end < self._source.end:
            frames = self._source.frames(number)
            data = chunk(b"".join(frame.data for frame in frames))
            self._shared = _Shared(number, number + len(frames), frames[-1].sequence, data)
        return self._shared

    def _wake(self, follower: Follower) -> None:
        self._followers.pop(follower, None)
        if follower.woken is not None and not follower.woken.done():
            follower.woken.set_result(None)


class _Shared(NamedTuple):
    number: int
    end: int
    sequence: int
    data: bytes
