"""Server-sent events: how each thing that happens is written, once for all who follow it, and how its id is read."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import msgspec

from rescind.errors import InvalidInput
from rescind.model.events import EventType, HistoryEvent
from rescind.model.messages import StreamedEvent
from rescind.model.output import OUTPUT
from rescind_server.gateway.http.shown import event_body, value
from rescind_server.gateway.organisations import outer_event

HEARTBEAT: Final = b": heartbeat\n\n"
RETRY: Final = b"retry: 1000\n\n"

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


_EVENT_ID: Final = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,16})\.([0-9a-z]{8})(?:\.([0-9]{1,16}))?)?")


class Place(NamedTuple):
    """Where a reader stands: behind this event of the history, and behind so many streamed events that followed it.

    Attributes:
        sequence: the event's number; 0 stands before the first.
        streamed: how many streamed events of the feed.
        feed: which feed counted them; "" if none did.
        output: how many bytes the programs of the execution had written before.
    """

    sequence: int
    streamed: int = 0
    feed: str = ""
    output: int = 0

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that an event's id names. Raises InvalidInput."""
        found = _EVENT_ID.fullmatch(text)
        if found is None:
            raise InvalidInput(f"Last-Event-ID {text[:100]!r} is none of ours. Send the last id that came, or none.")
        sequence, streamed, feed, output = found.groups()
        return cls(int(sequence), int(streamed or 0), feed or "", int(output or 0))

    def __str__(self) -> str:
        """The id of the event behind which it stands."""
        if self.output:
            return f"{self.sequence}.{self.streamed}.{self.feed}.{self.output}"
        return f"{self.sequence}.{self.streamed}.{self.feed}" if self.streamed else str(self.sequence)


class Frame(NamedTuple):
    """An event as it is sent, and where a reader stands that has read it.

    Attributes:
        sequence: the number of the last event of the history.
        streamed: how many streamed events have followed that.
        data: the bytes.
        is_output: whether it is what a program wrote, which is kept elsewhere, too.
    """

    sequence: int
    streamed: int
    data: bytes
    is_output: bool = False


def history_frame(event: HistoryEvent, feed: str = "", output: int = 0) -> Frame:
    """An event of the history, as it is sent. Its id is its number, and how much programs had written, if they had."""
    body = event_body(outer_event(event))
    place = Place(event.sequence, 0, feed, output)
    return Frame(event.sequence, 0, event_frame(_name_of(event.type), body, str(place)))


def streamed_frame(event: StreamedEvent, place: Place) -> Frame:
    """A streamed event, as it is sent. Its id is good for as long as this feed keeps it."""
    data = event_frame(_streamed_name(event), _streamed_body(event), str(place))
    return Frame(place.sequence, place.streamed, data, event.kind == OUTPUT)


def kept_output_event(event: StreamedEvent) -> bytes:
    """What a program wrote before this reader came. It has no id: who is cut off amid such asks for all of it again."""
    return event_frame(_streamed_name(event), _streamed_body(event))


def _streamed_name(event: StreamedEvent) -> str:
    return _STREAMED.get(event.kind, "streamed")


def _streamed_body(event: StreamedEvent) -> dict[str, Any]:
    return {"kind": event.kind, "task_id": event.task_id, "value": value(event.value)}


def event_frame(name: str, body: Any, event_id: str | None = None) -> bytes:
    """One server-sent event."""
    # Within a JSON string a line's end is escaped; between values it is as good as a space.
    data = msgspec.json.encode(body).replace(b"\n", b" ").replace(b"\r", b" ")
    identified = b"" if event_id is None else b"id: %s\n" % event_id.encode()
    return b"%sevent: %s\ndata: %s\n\n" % (identified, name.encode(), data)


def chunk(data: bytes) -> bytes:
    """Data as it stands in a response of chunks (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _name_of(event: EventType) -> str:
    if event in _CANCELLATION:
        return "cancellation"
    if event.value.startswith("EXECUTION_"):
        return "status"
    return "task" if event.value.startswith("TASK_") else "history"
