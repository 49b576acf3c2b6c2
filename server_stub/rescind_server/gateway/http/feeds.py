"""What happens in an execution, written once for all who follow it over HTTP, and kept for those who are a little late.

History is durable: a reader that falls behind reads it from the store, and loses nothing of it. What agents and tasks
stream is kept nowhere: the last of it stands here, and a reader that is later than that is told how much it missed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from rescind.errors import InvalidInput, RescindError
from rescind.model.events import EXECUTION_ENDS, EventType, HistoryEvent
from rescind.model.ids import ExecutionId
from rescind.model.messages import StreamedEvent
from rescind_server.gateway.history_pages import EVENTS_AT_ONCE, last_sequence
from rescind_server.gateway.http.shown import event_body, value
from rescind_server.gateway.organisations import outer_event
from rescind_server.host.driver import Host
from rescind_server.host.watchers import Subscription

HEARTBEAT: Final = b": heartbeat\n\n"
RETRY: Final = b"retry: 1000\n\n"

_UNKNOWN: Final = -1
_CANCELLATION: Final = frozenset(
    {
        EventType.EXECUTION_CANCEL_REQUESTED,
        EventType.TASK_CANCEL_REQUESTED,
        EventType.STOP_REQUESTED,
        EventType.STOP_DELIVERED,
        EventType.STOP_ENDED,
        EventType.RESULT_DISCARDED,
    }
)
# An event source has an `error` of its own.
_STREAMED: Final = {kind: kind for kind in ("token", "progress", "data", "log", "output")} | {"error": "failure"}


class Place(NamedTuple):
    """Where a reader stands: behind this event of the history, and behind so many streamed events that followed it.

    Attributes:
        sequence: the event's number; 0 stands before the first.
        streamed: how many streamed events of the feed.
        feed: which feed counted them; "" if none did.
    """

    sequence: int
    streamed: int = 0
    feed: str = ""

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that an event's id names. Raises InvalidInput."""
        parts = text.split(".")
        numbers = parts[:2]
        fits = len(parts) in (1, 3) and all(len(each) <= 16 and each.isascii() and each.isdigit() for each in numbers)
        if not fits:
            raise InvalidInput(f"Last-Event-ID {text[:100]!r} is none of ours. Send the last id that came, or none.")
        return cls(int(parts[0])) if len(parts) == 1 else cls(int(parts[0]), int(parts[1]), parts[2])


class Frame(NamedTuple):
    """An event as it is sent, and where a reader stands that has read it."""

    sequence: int
    streamed: int
    data: bytes


class Feed:
    """The events of one execution from now on.

    Attributes:
        name: tells this feed's counting from another's.
        first: the number of the oldest frame that is kept, counted from the feed's beginning.
        floor: the number of the last event of the history that is older than that.
        is_over: nothing more comes.
        failure: why, if it is not that the execution has ended.
    """

    def __init__(self, host: Host, execution_id: ExecutionId, *, frames: int, size: int) -> None:
        self.name = secrets.token_hex(4)
        self.first = 0
        self.floor = 0
        self.is_over = False
        self.failure: RescindError | None = None
        self.execution_id = execution_id
        self._host = host
        self._most_frames = frames
        self._most_bytes = size
        self._frames: list[Frame] = []
        self._bytes = 0
        self._sequence = 0
        self._streamed = 0
        self._news = asyncio.Event()

    @property
    def end(self) -> int:
        """The number that the next frame gets."""
        return self.first + len(self._frames)

    def begin(self) -> None:
        """Count from what is durable now. Called when nothing can pass unnoticed any more."""
        self.floor = self._sequence = last_sequence(self._host, self.execution_id)

    async def follow(self, subscription: Subscription) -> None:
        """Take in what happens, until the execution or the server ends."""
        try:
            while not self.is_over:
                self._take(await subscription.get())
        except RescindError as error:
            self.stop(error)

    def stop(self, failure: RescindError | None = None) -> None:
        """Nothing more comes."""
        self.failure = self.failure or failure
        self.is_over = True
        self._wake()

    def frames(self, number: int) -> Sequence[Frame]:
        """Some frames from this number on."""
        start = number - self.first
        return self._frames[start : start + EVENTS_AT_ONCE]

    def number_behind(self, place: Place) -> int | None:
        """The number of the frame behind a place; None if that is not known here."""
        if place.streamed and place.feed != self.name:
            return None
        wanted = place.sequence, place.streamed
        if wanted == (self._sequence, self._streamed):
            return self.end
        for number, frame in enumerate(self._frames, self.first):
            if (frame.sequence, frame.streamed) == wanted:
                return number + 1
        return self.first if self.first == 0 and wanted == (self.floor, 0) else None

    async def wait(self, number: int) -> None:
        """Return when there is a frame of this number, or nothing more comes."""
        while self.end <= number and not self.is_over:
            await self._news.wait()

    def _take(self, seen: HistoryEvent | StreamedEvent) -> None:
        if isinstance(seen, HistoryEvent):
            if seen.sequence <= self._sequence:
                return  # it was durable before this feed began, and was told after that
            self._sequence, self._streamed = seen.sequence, 0
            self._put(history_frame(seen))
            self.is_over = self.is_over or seen.type in EXECUTION_ENDS
        else:
            self._streamed += 1
            self._put(streamed_frame(seen, self._sequence, self._streamed, self.name))
        self._wake()

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

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


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
        if opened is None or opened.feed.failure is not None:
            self._forget(execution_id)
            opened = self._open[execution_id] = self._begin(execution_id)
        opened.readers += 1
        timer = self._idle.pop(execution_id, None)
        if timer is not None:
            timer.cancel()
        try:
            await opened.begun.wait()
        except BaseException:
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


class Reader:
    """One reader of a feed, with its own pace."""

    def __init__(self, host: Host, feed: Feed, place: Place | None) -> None:
        """Begin.

        Args:
            host: where the history is.
            feed: what to read.
            place: behind what to begin; None begins with the first event.
        """
        self._host = host
        self._feed = feed
        self._sequence = place.sequence if place is not None else 0
        number = feed.number_behind(place) if place is not None else None
        # Whoever was here before, and stands where nothing is kept any more, may have missed what was streamed.
        self._may_have_missed = place is not None and number is None
        if number is None and self._sequence > feed.floor:
            number = feed.number_behind(Place(self._sequence))
        self._number = number if number is not None else _UNKNOWN
        self._missed: int | None = None
        self._has_ended = False

    async def read(self) -> bytes | None:
        """What comes next, as it is sent; waits for it. None if the execution has ended.

        Raises:
            RescindError: nothing more comes, though the execution has not ended.
        """
        feed = self._feed
        while not self._has_ended:
            if self._number < feed.first:
                # A quick reader of a long history would leave no room for others. Cut off here, it has missed nothing.
                await asyncio.sleep(0)
                if older := self._older():
                    return older
            if self._may_have_missed:
                self._may_have_missed = False
                missed, self._missed = self._missed, None
                return event_frame("missed", {"streamed": missed})
            frames = feed.frames(self._number)
            if frames:
                self._number += len(frames)
                self._sequence = frames[-1].sequence
                return b"".join(frame.data for frame in frames)
            if feed.is_over:
                if feed.failure is not None:
                    raise feed.failure
                return None
            await feed.wait(self._number)
        return None

    def _older(self) -> bytes:
        """Some of what is older than what the feed keeps, from the store; b"" when nothing of it is left."""
        feed = self._feed
        if self._sequence < feed.floor:
            most = min(EVENTS_AT_ONCE, feed.floor - self._sequence)
            events = self._host.history(feed.execution_id, self._sequence, most)
            ends = [number for number, event in enumerate(events, 1) if event.type in EXECUTION_ENDS]
            if ends:
                self._has_ended, events = True, events[: ends[0]]
            if events:
                # Of the frames that it fell behind, these are not missed.
                self._number += len(events) if self._number != _UNKNOWN else 0
                self._sequence = events[-1].sequence
                return b"".join(history_frame(event).data for event in events)
        if self._number != _UNKNOWN and self._number < feed.first:
            self._missed, self._may_have_missed = feed.first - self._number, True
        self._number = feed.first
        return b""


def history_frame(event: HistoryEvent) -> Frame:
    """An event of the history, as it is sent. Its id is its number."""
    body = event_body(outer_event(event))
    return Frame(event.sequence, 0, event_frame(_name_of(event.type), body, str(event.sequence)))


def streamed_frame(event: StreamedEvent, sequence: int, streamed: int, feed: str) -> Frame:
    """A streamed event, as it is sent. Its id is good for as long as this feed keeps it."""
    body: dict[str, Any] = {"kind": event.kind, "task_id": event.task_id, "value": value(event.value)}
    name = _STREAMED.get(event.kind, "streamed")
    return Frame(sequence, streamed, event_frame(name, body, f"{sequence}.{streamed}.{feed}"))


def event_frame(name: str, body: Any, event_id: str | None = None) -> bytes:
    """One server-sent event."""
    # Within a JSON string a line's end is escaped; between values it is as good as a space.
    data = msgspec.json.encode(body).replace(b"\n", b" ").replace(b"\r", b" ")
    identified = b"" if event_id is None else b"id: %s\n" % event_id.encode()
    return b"%sevent: %s\ndata: %s\n\n" % (identified, name.encode(), data)


def _name_of(event: EventType) -> str:
    if event in _CANCELLATION:
        return "cancellation"
    if event.value.startswith("EXECUTION_"):
        return "status"
    return "task" if event.value.startswith("TASK_") else "history"
