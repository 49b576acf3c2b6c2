"""Server-sent events: how each thing that happens is written, once for all who follow it, and how its id is read."""

from __future__ import annotations

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


def history_frame(event: HistoryEvent) -> Frame:
    """An event of the history, as it is sent. Its id is its number."""
    body = event_body(outer_event(event))
    return Frame(event.sequence, 0, event_frame(_name_of(event.type), body, str(event.sequence)))


def streamed_frame(event: StreamedEvent, sequence: int, streamed: int, feed: str) -> Frame:
    """A streamed event, as it is sent. Its id is good for as long as this feed keeps it."""
    data = event_frame(_streamed_name(event), _streamed_body(event), f"{sequence}.{streamed}.{feed}")
    return Frame(sequence, streamed, data, event.kind == OUTPUT)


def kept_output_event(event: StreamedEvent) -> bytes:
    """What a program wrote before this reader came. Nobody can come back to it: it has no id."""
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
