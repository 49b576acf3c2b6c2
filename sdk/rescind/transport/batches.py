"""Messages of a session in batches: what is sent together, in bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from sys import maxsize
from typing import Any

from google.protobuf.message import Message

from rescind.transport.conversion.pairs import DERIVATION, fill
from rescind.transport.grpc_methods import BATCH_BYTES


def batches_of(
    messages: Iterable[Any], union: Any, *, limit: int = maxsize, instead: Callable[[Any, int], Any] | None = None
) -> Iterator[bytes]:
    """Messages as batches, in their order.

    Args:
        messages: members of the union.
        union: what they are members of.
        limit: the largest message in bytes that may be sent.
        instead: what is sent for a message that is larger; given the message and its size.
    """
    inner = DERIVATION.message_class(union)
    waiting: list[bytes] = []
    size = 0
    for message in messages:
        encoded = _encoded(message, inner, union)
        if len(encoded) > limit and instead is not None:
            encoded = _encoded(instead(message, len(encoded)), inner, union)
        if waiting and size + len(encoded) > BATCH_BYTES:
            yield _joined(waiting)
            waiting, size = [], 0
        waiting.append(_tagged(encoded))
        size += len(encoded)
    if waiting:
        yield _joined(waiting)


def _encoded(message: Any, message_class: type[Message], union: Any) -> bytes:
    whole = message_class()
    fill(message, whole, union)
    return whole.SerializeToString()


def _joined(parts: list[bytes]) -> bytes:
    return b"".join(parts)


# Messages of both batches are field 2, so a batch is the sequence of its members, each behind that tag and its length.
# Built from bytes, its size is known before it is sent, and nothing is copied into a larger message first.
_TAG = bytes([(2 << 3) | 2])


def _tagged(encoded: bytes) -> bytes:
    return _TAG + _varint(len(encoded)) + encoded


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
