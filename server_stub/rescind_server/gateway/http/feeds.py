"""What happens in an execution, kept for those who follow it over HTTP and are a little late.

History is durable: a reader that falls behind reads it from the store, and loses nothing of it. Of what agents and
tasks stream, the last stands here, and a reader that is later than that is told how much it missed. What programs write
is kept in the store, too, where a reader can go on that comes back late.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from rescind.errors import RescindError
from rescind.model.events import EXECUTION_ENDS, EventType, HistoryEvent
from rescind.model.ids import ExecutionId
from rescind.model.messages import StreamedEvent
from rescind.model.output import piece_of
from rescind_server.gateway.history_pages import EVENTS_AT_ONCE, last_sequence
from rescind_server.gateway.http.fan_out import FanOut, Follower
from rescind_server.gateway.http.frames import Frame, Place, history_frame, streamed_frame
from rescind_server.host.driver import Host
from rescind_server.host.watchers import Subscription


class OutputSoFar(NamedTuple):
    """What programs wrote, for readers that begin with it.

    Attributes:
        data: as it is sent.
        known_to: the number of the first frame that is not told by that.
        until: how many bytes programs had written by then.
        missed: how many of the bytes that were asked for are kept nowhere.
    """

    data: bytes
    known_to: int
    until: int
    missed: int = 0


class Feed:
    """The events of one execution from now on.

    Attributes:
        name: tells this feed's counting from another's.
        first: the number of the oldest frame that is kept, counted from the feed's beginning.
        floor: the number of the last event of the history that is older than that.
        output_before: how many bytes programs had written when it began.
        is_over: nothing more comes.
        failure: why, if it is not that the execution has ended.
        output_so_far: what programs wrote, for as long as it is shared by readers that begin together.
    """

    def __init__(self, host: Host, execution_id: ExecutionId, *, frames: int, size: int) -> None:
        self.name = secrets.token_hex(4)
        self.first = 0
        self.floor = 0
        self.output_before = 0
        self.is_over = False
        self.failure: RescindError | None = None
        self.output_so_far: OutputSoFar | None = None
        self.execution_id = execution_id
        self._host = host
        self._most_frames = frames
        self._most_bytes = size
        self._frames: list[Frame] = []
        self._bytes = 0
        self._sequence = 0
        self._streamed = 0
        self._output = 0
        self._subscription: Subscription | None = None
        self._followers = FanOut(self)

    @property
    def end(self) -> int:
        """The number that the next frame gets."""
        return self.first + len(self._frames)

    def has_gone_on(self) -> bool:
        """Whether its execution had ended, and was let go on since. What happens then is not in this feed."""
        if not self.is_over or self.failure is not None:
            return False
        later = self._host.history(self.execution_id, self._sequence, EVENTS_AT_ONCE)
        return any(event.type is EventType.EXECUTION_RETRIED for event in later)

    def begin(self) -> None:
        """Count from what is durable now. Called when nothing can pass unnoticed any more."""
        self.floor = self._sequence = last_sequence(self._host, self.execution_id)
        self.output_before = self._output = self._host.output.size(self.execution_id)

    async def follow(self, subscription: Subscription) -> None:
        """Take in what happens, until the execution or the server ends."""
        self._subscription = subscription
        try:
            while not self.is_over:
                self._take(await subscription.get())
        except RescindError as error:
            self.stop(error)

    def catch_up(self) -> int:
        """Take in what has happened by now; returns the number of the next frame."""
        for seen in self._subscription.get_arrived() if self._subscription is not None else ():
            if not self.is_over:
                self._take(seen)
        return self.end

    def stop(self, failure: RescindError | None = None) -> None:
        """Nothing more comes."""
        self.failure = self.failure or failure
        self.is_over = True
        self._followers.tell()

    def frames(self, number: int) -> Sequence[Frame]:
        """Some frames from this number on."""
        start = number - self.first
        return self._frames[start : start + EVENTS_AT_ONCE]

    def number_behind(self, place: Place) -> int | None:
        """The number of the frame behind a place; None if that is not known here."""
        if place.feed and place.feed != self.name:
            return None
        wanted = place.sequence, place.streamed
        if wanted == (self._sequence, self._streamed):
            return self.end
        for number, frame in enumerate(self._frames, self.first):
            if (frame.sequence, frame.streamed) == wanted:
                return number + 1
        return self.first if self.first == 0 and wanted == (self.floor, 0) else None

    async def serve(self, follower: Follower) -> None:
        """Write to a follower what comes, until it takes no more, has fallen behind, or nothing more comes.

        One without an outlet is served when there is something for it to read.
        """
        await self._followers.serve(follower)

    def _take(self, seen: HistoryEvent | StreamedEvent) -> None:
        if isinstance(seen, HistoryEvent):
            if seen.sequence <= self._sequence:
                return  # it was durable before this feed began, and was told after that
            self._sequence, self._streamed = seen.sequence, 0
            self._put(history_frame(seen, self.name, self._output))
            self.is_over = self.is_over or seen.type in EXECUTION_ENDS
        else:
            self._streamed += 1
            piece = piece_of(seen)
            self._output += piece.size if piece is not None else 0
            self._put(streamed_frame(seen, Place(self._sequence, self._streamed, self.name, self._output)))
        self._followers.tell()

    def _put(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._bytes += len(frame.data)
        if len(self._frames) > self._most_frames or self._bytes > self._most_bytes:
            self._drop()

    def _drop(self) -> None:
        """Let the older half go, but never the newest: one at a time would cost each frame a move of all."""
        dropped = max(1, len(self._frames) // 2)
        if dropped == len(self._frames):
            return
        for frame in self._frames[:dropped]:
            self._bytes -= len(frame.data)
        self.floor = self._frames[dropped - 1].sequence
        self.first += dropped
        del self._frames[:dropped]


class Feeds:
    """The feeds that somebody reads, or has read a moment ago."""

    def __init__(
        self, host: Host, *, frames: int = 4_096, size: int = 1024 * 1024, linger_s: float = 30.0, most_idle: int = 100
    ) -> None:
        """Bound them.

        Args:
            host: where things happen.
            frames: how many events a feed keeps.
            size: how many bytes of them.
            linger_s: how long a feed without readers waits for one to come back, in seconds.
            most_idle: how many such feeds there are at most.
        """
        self._host = host
        self._frames = frames
        self._size = size
        self._linger_s = linger_s
        self._most_idle = most_idle
        self._open: dict[ExecutionId, _OpenFeed] = {}
        self._idle: OrderedDict[ExecutionId, asyncio.TimerHandle] = OrderedDict()

    async def enter(self, execution_id: ExecutionId) -> Feed:
        """The feed of an execution, for one more reader, who leaves it with `leave`."""
        opened = self._open.get(execution_id)
        if opened is None or opened.feed.failure is not None or opened.feed.has_gone_on():
            self._forget(execution_id)
            opened = self._open[execution_id] = self._begin(execution_id)
        opened.readers += 1
        timer = self._idle.pop(execution_id, None)
        if timer is not None:
            timer.cancel()
        try:
            await opened.begun.wait()
        except BaseException:  # a reader that went away meanwhile, too, has left
            self.leave(opened.feed)
            raise
        return opened.feed

    def leave(self, feed: Feed) -> None:
        """One reader less."""
        opened = self._open.get(feed.execution_id)
        if opened is None or opened.feed is not feed:
            return
        opened.readers -= 1
        if opened.readers > 0:
            return
        # Also of an execution that has ended: a reader that was cut off just before may come for the rest.
        loop = asyncio.get_running_loop()
        self._idle[feed.execution_id] = loop.call_later(self._linger_s, self._forget, feed.execution_id)
        while len(self._idle) > self._most_idle:
            self._forget(next(iter(self._idle)))

    async def close(self, reason: RescindError) -> None:
        """End all feeds; their readers are told why."""
        following = [opened.following for opened in self._open.values()]
        for opened in list(self._open.values()):
            opened.feed.stop(reason)
        for execution_id in list(self._open):
            self._forget(execution_id)
        if following:
            await asyncio.wait(following)

    def _begin(self, execution_id: ExecutionId) -> _OpenFeed:
        feed = Feed(self._host, execution_id, frames=self._frames, size=self._size)
        begun = asyncio.Event()

        async def follow() -> None:
            try:
                async with self._host.watchers.subscribe(execution_id) as subscription:
                    feed.begin()
                    begun.set()
                    await feed.follow(subscription)
            except RescindError as error:
                feed.stop(error)
            finally:
                begun.set()

        following = asyncio.get_running_loop().create_task(follow(), name="rescind feed")
        return _OpenFeed(feed, begun, following)

    def _forget(self, execution_id: ExecutionId) -> None:
        timer = self._idle.pop(execution_id, None)
        if timer is not None:
            timer.cancel()
        opened = self._open.pop(execution_id, None)
        if opened is not None:
            opened.following.cancel()


class _OpenFeed:
    def __init__(self, feed: Feed, begun: asyncio.Event, following: asyncio.Task[None]) -> None:
        self.feed = feed
        self.begun = begun
        self.following = following
        self.readers = 0
