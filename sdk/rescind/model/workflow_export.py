"""A workflow's log in a file: what ``rescind history --events`` and flovyn's ``GET …/events`` give, read back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from rescind.errors import InvalidInput
from rescind.model.events import iso_time
from rescind.model.ids import Instant
from rescind.model.workflow_events import LoggedEvent, WorkflowStarted
from rescind.model.workflow_json import event_data, event_from_data

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Exported(msgspec.Struct, rename="camel"):
    sequence_number: int
    event_type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")
    created_at: datetime | None = None


def exported(events: Iterable[LoggedEvent]) -> str:
    """A log as text: one JSON object per line and event, with its number, its type, its data and its time."""
    return "".join(_line(event) for event in events)


def read_exported(text: str | bytes) -> Sequence[LoggedEvent]:
    """The log that a text holds: a JSON array of events, an object that has it as ``events``, or an event per line.

    Raises:
        InvalidInput: the text is none of these, an event is of an unknown type or lacks something, the numbers have a
            gap, or it is not the log of a workflow from its start on.
    """
    data = text.encode() if isinstance(text, str) else text
    read = [_event(each, place) for place, each in enumerate(_events_in(data), 1)]
    if not read or not isinstance(read[0].event, WorkflowStarted):
        raise InvalidInput(
            "this is no log of a workflow: it does not begin with WORKFLOW_STARTED. Export one with "
            "`rescind history ID --events`."
        )
    return read


def _line(logged: LoggedEvent) -> str:
    head: dict[str, Any] = {"sequenceNumber": logged.sequence, "eventType": logged.event.event_type}
    rest = {"createdAt": iso_time(logged.at), "data": msgspec.Raw(event_data(logged.event))}
    return msgspec.json.encode(head | rest).decode() + "\n"


def _events_in(data: bytes) -> list[_Exported]:
    try:
        if data.lstrip().startswith(b"["):
            return msgspec.json.decode(data, type=list[_Exported])
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) > 1 and lines[0].rstrip().endswith(b"}"):
            return [msgspec.json.decode(line, type=_Exported) for line in lines]
        whole = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        if "events" in whole:
            return msgspec.json.decode(whole["events"], type=list[_Exported])
        return [msgspec.json.decode(data, type=_Exported)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"this is no exported log: {error}. Export one: `rescind history ID --events`.") from None


def _event(exported_event: _Exported, place: int) -> LoggedEvent:
    if exported_event.sequence_number != place:
        raise InvalidInput(
            f"event {exported_event.sequence_number} stands in the place of event {place}. Give the whole log."
        )
    event = event_from_data(exported_event.event_type, bytes(exported_event.data))
    if event is None:
        raise InvalidInput(f"event {place} is of type {exported_event.event_type!r}, which is not known.")
    at = exported_event.created_at
    return LoggedEvent(place, Instant(place if at is None else _micros(at)), event)


def _micros(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)
