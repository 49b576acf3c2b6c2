"""Bytes on their way through: the engine keeps and forwards them, and never looks inside."""

from __future__ import annotations

from typing import Final

import msgspec

JSON_ENCODING: Final = "json"
DEFAULT_PAYLOAD_LIMIT: Final = 4 * 1024 * 1024
"""The largest payload in bytes that is accepted unless set otherwise: 4 MiB."""


class Payload(msgspec.Struct, frozen=True, gc=False):
    """A value in its encoded form.

    Attributes:
        data: the encoded bytes.
        encoding: the name of the encoding; ``json`` is UTF-8 JSON.
    """

    data: bytes
    encoding: str = JSON_ENCODING


NULL_PAYLOAD: Final = Payload(b"null")
