"""Values of the wire: ids, payloads, times and names, each checked once."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from rescind.errors import InvalidInput
from rescind.model.ids import Instant
from rescind.model.payload import NULL_PAYLOAD, Payload

LONGEST_NAME: Final = 1_000
_is_json: Final = msgspec.json.Decoder(msgspec.Raw).decode


def checked_uuid(text: str, field: str) -> str:
    """An id as the engine writes it: in lower case. Raises InvalidInput: it is no UUID; the text names the `field`."""
    try:
        made = str(UUID(text))
    except ValueError:
        made = ""
    if not made or made != text.lower():
        raise InvalidInput(f"{field} is {text[:100]!r}, which is no UUID.")
    return made


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID, written with hyphens."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def payload(data: bytes, what: str) -> Payload:
    """A payload of the wire; nothing is null. Raises InvalidInput: it is no JSON in UTF-8."""
    if not data:
        return NULL_PAYLOAD
    try:
        data.decode()
        _is_json(data)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"{what} is no JSON: {error}.") from None
    return Payload(data)


def named(text: str, what: str) -> str:
    """A name that must be there. Raises InvalidInput: it is empty or too long."""
    if not text:
        raise InvalidInput(f"{what} is empty.")
    if len(text) > LONGEST_NAME:
        raise InvalidInput(f"{what} has {len(text)} characters; at most {LONGEST_NAME} are taken.")
    return text


def milliseconds(at: Instant) -> int:
    """A time as the wire writes it: whole milliseconds since the Unix epoch."""
    return at // 1_000
