"""Names: ids that nobody chose are drawn from the seed, so that the same run has the same; names are kept once."""

from __future__ import annotations

import re
from hashlib import sha1
from sys import intern
from typing import Final
from uuid import NAMESPACE_OID

from rescind.model.ids import ORGANISATION_SEPARATOR, ExecutionId

_UUID: Final = re.compile(f"(?:.*{ORGANISATION_SEPARATOR})?[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}")


def execution_id_of(seed: int, order: int) -> ExecutionId:
    """The id of the next execution after `order` of them under a seed."""
    # uuid5, without an object of class UUID in between: that took longer than all else about a start.
    digest = sha1(NAMESPACE_OID.bytes + f"execution:{seed}:{order}".encode(), usedforsecurity=False).digest()
    name = bytearray(digest[:16])
    name[6] = name[6] & 0x0F | 0x50
    name[8] = name[8] & 0x3F | 0x80
    text = name.hex()
    return ExecutionId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


def has_uuid(execution_id: ExecutionId) -> bool:
    """Whether an id is a UUID as UUIDs are written, an organisation before it or not."""
    return _UUID.fullmatch(execution_id) is not None


def shared(name: str) -> str:
    """The same text, once for all that carry it: a wire brings it anew with every message."""
    return intern(name) if type(name) is str else name
