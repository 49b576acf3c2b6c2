"""Taking closed executions out of the file, in steps that keep nobody waiting for long."""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from rescind.model.ids import Instant
from rescind_server.store.records import ExecutionRecord
from rescind_server.store.requests import forget_requests
from rescind_server.store.sqlite_outbox import forget_changes, forget_dead_letters

_MOST_AT_ONCE: Final = 50
"""How many executions one step looks at."""
_PARTS: Final = (
    ("events", "sequence"),
    ("workflow_events", "sequence"),
    ("tasks", "ordinal"),
    ("task_owners", "task_id"),
    ("journal", "number"),
    ("entries", "place"),
    ("checkpoints", "sequence"),
    ("children", "ordinal"),
    ("outputs", "rowid"),
)
"""What belongs to an execution, each with what tells its rows apart."""

_record = msgspec.msgpack.Decoder(ExecutionRecord).decode


def remove_closed(connection: sqlite3.Connection, ended_before: Instant, most_rows: int) -> bool:
    """Remove executions that closed, those first that ended first. Returns whether there is more to remove.

    An execution with more rows than one step removes is taken apart in several, the execution itself in the last.

    Args:
        connection: to the file, inside a transaction.
        ended_before: only what ended before that.
        most_rows: how many rows to remove at most.
    """
    found = connection.execute(
        "select ordinal, record from executions where closed = 1 and ended_at < ? order by ended_at limit ?",
        (ended_before, _MOST_AT_ONCE),
    ).fetchall()
    left = most_rows - forget_dead_letters(connection, ended_before, most_rows)
    left -= forget_changes(connection, ended_before, left)
    for ordinal, record in found:
        forget_requests(connection, ordinal, left)
        for table, key in _PARTS:
            left -= _delete(connection, table, key, ordinal, left)
        if left <= 0:
            return True
        labels = _record(record).labels.items()
        connection.executemany(
            "delete from labels where name = ? and value = ? and ordinal = ?",
            ((name, value, ordinal) for name, value in labels),
        )
        execution_id = _record(record).execution_id
        connection.execute("delete from idempotency_keys where execution_id = ?", (execution_id,))
        connection.execute("delete from natures where nature in ('WORKFLOW', 'TASK') and execution = ?", (ordinal,))
        connection.execute("delete from executions where ordinal = ?", (ordinal,))
    return len(found) == _MOST_AT_ONCE or left <= 0


def oldest_end(connection: sqlite3.Connection) -> Instant | None:
    """When the first of the closed executions ended; None if there is none."""
    (ended_at,) = connection.execute("select min(ended_at) from executions where closed = 1").fetchone()
    return ended_at if ended_at is None else Instant(ended_at)


def _delete(connection: sqlite3.Connection, table: str, key: str, ordinal: int, most: int) -> int:
    """Delete rows of an execution out of one table; returns how many."""
    if most <= 0:
        return 0
    return connection.execute(
        f"delete from {table} where execution = ? and {key} in "
        f"(select {key} from {table} where execution = ? order by {key} limit ?)",
        (ordinal, ordinal, most),
    ).rowcount
