"""Our bytes as Temporal's payloads, and back, without a loss; and our own records as JSON that people can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

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
    try:
        return msgspec.json.decode(value.payload.data, type=record_type)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"this is no {record_type.__name__} of Rescind's: {error}.") from error
