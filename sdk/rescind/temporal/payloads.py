"""Our bytes as Temporal's payloads, and back, without a loss; and our own records as JSON that people can read."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from temporalio.api.common.v1 import Payload as TemporalPayload
from temporalio.common import RawValue

from rescind.errors import InvalidInput
from rescind.model.payload import JSON_ENCODING, NULL_PAYLOAD, Payload

_ENCODING: Final = "encoding"
_OUR_ENCODING: Final = "rescind-encoding"
_JSON: Final = b"json/plain"
_BINARY: Final = b"binary/plain"
_NULL: Final = b"binary/null"
_WHOLE_SIZE: Final = "rescind-size"
_WHOLE_DIGEST: Final = "rescind-digest"
# Half of the two mebibytes that an answer may have: codecs make it larger.
_MOST_IN_ANSWER: Final = 1024 * 1024

RecordT = TypeVar("RecordT")


def to_temporal(payload: Payload) -> RawValue:
    """A payload for Temporal. JSON stays readable there; another encoding goes as bytes, with its name beside it."""
    if payload.encoding == JSON_ENCODING:
        return RawValue(TemporalPayload(metadata={_ENCODING: _JSON}, data=payload.data))
    metadata = {_ENCODING: _BINARY, _OUR_ENCODING: payload.encoding.encode()}
    return RawValue(TemporalPayload(metadata=metadata, data=payload.data))


def from_temporal(value: RawValue) -> Payload:
    """A payload of Temporal's. One that others encoded keeps its bytes, and Temporal's name of the encoding."""
    metadata = value.payload.metadata
    encoding = metadata.get(_ENCODING, b"")
    if encoding == _JSON:
        return Payload(value.payload.data)
    if encoding == _NULL:
        return NULL_PAYLOAD
    ours = metadata.get(_OUR_ENCODING) if encoding == _BINARY else None
    return Payload(value.payload.data, (ours or encoding).decode())


def first_payload(values: Sequence[RawValue]) -> Payload:
    """The first of the arguments that something came with; null if it came with none."""
    return from_temporal(values[0]) if values else NULL_PAYLOAD


def record_to_temporal(record: Any) -> RawValue:
    """One of our own records, as JSON."""
    return RawValue(TemporalPayload(metadata={_ENCODING: _JSON}, data=msgspec.json.encode(record)))


def record_from_temporal(value: RawValue, record_type: type[RecordT]) -> RecordT:
    """One of our own records.

    Raises:
        InvalidInput: it is none.
    """
    return record_from_json(value.payload.data, record_type)


class AnswerPart(NamedTuple):
    """What an answer has of a record.

    Attributes:
        data: some of its JSON, or all of it.
        size: how many bytes the whole has.
        digest: by which parts of one state of it are known; empty if this is the whole.
    """

    data: bytes
    size: int
    digest: bytes = b""


def answer_to_temporal(record: Any, offset: int) -> RawValue:
    """One of our own records as the answer to a query: the whole, or the part behind `offset` if it is too large."""
    whole = msgspec.json.encode(record)
    if len(whole) <= _MOST_IN_ANSWER:
        return RawValue(TemporalPayload(metadata={_ENCODING: _JSON}, data=whole))
    metadata = {
        _ENCODING: _BINARY,
        _WHOLE_SIZE: str(len(whole)).encode(),
        _WHOLE_DIGEST: sha256(whole).hexdigest().encode(),
    }
    return RawValue(TemporalPayload(metadata=metadata, data=whole[offset : offset + _MOST_IN_ANSWER]))


def part_from_temporal(value: RawValue) -> AnswerPart:
    """What a query answered, of a record."""
    metadata, data = value.payload.metadata, value.payload.data
    if _WHOLE_DIGEST not in metadata:
        return AnswerPart(data, len(data))
    return AnswerPart(data, int(metadata[_WHOLE_SIZE]), metadata[_WHOLE_DIGEST])


def record_from_json(data: bytes, record_type: type[RecordT]) -> RecordT:
    """One of our own records.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return msgspec.json.decode(data, type=record_type)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"this is no {record_type.__name__} of Rescind's: {error}.") from error
