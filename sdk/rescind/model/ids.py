"""Identities: what names what, and how derived names are made."""

from __future__ import annotations

from hashlib import sha1
from typing import Final, NewType
from uuid import NAMESPACE_OID, UUID, uuid5

ExecutionId = NewType("ExecutionId", str)
"""An agent's (later also a workflow's) id: what its starter chose, or a UUID in text."""

TaskId = NewType("TaskId", str)
"""A task's id: a UUID in text, lower case with hyphens."""

WorkerId = NewType("WorkerId", str)
"""A worker's id, unique among the workers that are connected."""

Lease = NewType("Lease", int)
"""Proof that a worker holds an attempt: each claim gets a larger one, so an old one is recognised."""

Position = NewType("Position", int)
"""The place of a durable operation in its agent's journal: 1, 2, 3 …"""

Instant = NewType("Instant", int)
"""A point of time: whole microseconds since the Unix epoch, UTC."""

ORGANISATION_SEPARATOR: Final = "\u25b8"
"""Between an organisation and a name of its own, where a server has several; in no name that a caller may give."""

_NAMESPACE: Final = NAMESPACE_OID.bytes


def task_id_from_key(key: str) -> TaskId:
    """The task id for an idempotency key: UUID version 5 of the key in the OID namespace.

    The rule is the wire's (flovyn.v1, Task ids): both sides derive the id without asking each other.
    """
    digest = sha1(_NAMESPACE + key.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return TaskId(f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}")


def child_id_from_key(parent_id: ExecutionId, key: str) -> ExecutionId:
    """The id of a child: UUID version 5 of its parent's id and a key, in the organisation of its parent."""
    organisation, separator, _ = parent_id.rpartition(ORGANISATION_SEPARATOR)
    return ExecutionId(f"{organisation}{separator}{task_id_from_key(f'{parent_id}:child:{key}')}")


def execution_uuid(execution_id: str) -> UUID:
    """The UUID of an execution: its id if that is one, else the UUID version 5 of the id's text."""
    try:
        return UUID(execution_id)
    except ValueError:
        return uuid5(NAMESPACE_OID, f"execution:{execution_id}")
