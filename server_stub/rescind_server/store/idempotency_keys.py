"""Idempotency keys in the file: what each belongs to, and until when it counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from rescind.model.ids import ExecutionId, Instant, TaskId
from rescind_server.engine.state import Decision
from rescind_server.engine.workflow_entities import KeyName, KeyOwner

_PUT: Final = (
    "insert or replace into idempotency_keys (organisation, name, execution_id, expires_at, promise_id, task_id) "
    "values (?, ?, ?, ?, ?, ?)"
)


def put_keys(connection: sqlite3.Connection, decisions: Sequence[Decision]) -> None:
    """Write which keys were given to something, or freed, within the transaction of the caller."""
    keys: dict[KeyName, KeyOwner | None] = {}
    for decision in decisions:
        keys |= decision.keys
    if not keys:
        return
    freed = [name for name, owner in keys.items() if owner is None]
    connection.executemany("delete from idempotency_keys where organisation = ? and name = ?", freed)
    connection.executemany(_PUT, ((*name, *owner) for name, owner in keys.items() if owner is not None))


def kept_keys(connection: sqlite3.Connection) -> Mapping[KeyName, KeyOwner]:
    """All keys in the file."""
    rows = connection.execute(
        "select organisation, name, execution_id, expires_at, promise_id, task_id from idempotency_keys"
    ).fetchall()
    return {
        (organisation, name): KeyOwner(
            ExecutionId(execution_id), Instant(expires_at), promise_id, None if task_id is None else TaskId(task_id)
        )
        for organisation, name, execution_id, expires_at, promise_id, task_id in rows
    }
