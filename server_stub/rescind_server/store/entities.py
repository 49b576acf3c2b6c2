"""Executions out of the file, as the engine remembers them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from rescind.model.ids import ExecutionId
from rescind.model.messages import EntryRecord, JournalEntry
from rescind.model.views import CheckpointView
from rescind.model.workflow_events import LoggedEvent
from rescind_server.engine.entities import Execution, KeptEntry
from rescind_server.engine.subscriptions import QueueKey
from rescind_server.store.child_records import ChildRecord
from rescind_server.store.records import ExecutionRecord, StoredExecution, TaskRecord, execution_of

_execution = msgspec.msgpack.Decoder(ExecutionRecord).decode
_task = msgspec.msgpack.Decoder(TaskRecord).decode
_journal_entry = msgspec.msgpack.Decoder(JournalEntry).decode
_entry = msgspec.msgpack.Decoder(EntryRecord).decode
_kept_entry = msgspec.msgpack.Decoder(KeptEntry).decode
_child = msgspec.msgpack.Decoder(ChildRecord).decode
_checkpoint = msgspec.msgpack.Decoder(CheckpointView).decode
_logged = msgspec.msgpack.Decoder(LoggedEvent).decode

_COMMITTED: Final = (
    "select ordinal, never_ran, record from executions where execution_id in (select value from json_each(?))"
)
_RESTING: Final = (
    "select record from executions where never_ran = 1 and queue = ? and kind = ? and ordinal > ? "
    "order by ordinal limit ?"
)
_CHILDREN_THAT_NEVER_RAN: Final = (
    "select record from executions where ordinal in (select value from json_each(?)) and never_ran = 1 order by ordinal"
)


def committed_among(
    connection: sqlite3.Connection, execution_ids: Iterable[ExecutionId]
) -> Mapping[ExecutionId, Execution]:
    """Those of these executions that are in the file."""
    found = connection.execute(_COMMITTED, (json.dumps(list(execution_ids)),)).fetchall()
    executions = [
        _that_never_ran(record) if never_ran else execution_of(stored(connection, ordinal, record))[0]
        for ordinal, never_ran, record in found
    ]
    return {execution.execution_id: execution for execution in executions}


def resting(connection: sqlite3.Connection, key: QueueKey, beyond: int, limit: int) -> Sequence[Execution]:
    """Executions of a queue and kind that never ran and have not ended, in the order of their start."""
    return [_that_never_ran(record) for (record,) in connection.execute(_RESTING, (*key, beyond, limit)).fetchall()]


def resting_counts(connection: sqlite3.Connection) -> Mapping[QueueKey, int]:
    """How many there are of them, by queue and kind."""
    rows = connection.execute(
        "select queue, kind, count(*) from executions where never_ran = 1 group by queue, kind"
    ).fetchall()
    return {(queue, kind): count for queue, kind, count in rows}


def begun(connection: sqlite3.Connection) -> list[StoredExecution]:
    """Executions that ran and are not closed, in the order of their start."""
    rows = connection.execute(
        "select ordinal, record from executions where ended_at is null and never_ran = 0 "
        "union all select ordinal, record from executions where ended_at is not null and closed = 0 order by ordinal"
    ).fetchall()
    return [stored(connection, ordinal, record) for ordinal, record in rows]


def children_that_never_ran(connection: sqlite3.Connection, begun: Iterable[StoredExecution]) -> list[Execution]:
    """The open children of these executions that no worker was there for so far."""
    open_orders = [child.order for parent in begun for child in parent.children if child.outcome is None]
    found = connection.execute(_CHILDREN_THAT_NEVER_RAN, (json.dumps(open_orders),)).fetchall()
    return [_that_never_ran(record) for (record,) in found]


def stored(connection: sqlite3.Connection, ordinal: int, record: bytes) -> StoredExecution:
    """All that is written of an execution."""

    def blobs(statement: str) -> list[bytes]:
        return [blob for (blob,) in connection.execute(statement, (ordinal,))]

    return StoredExecution(
        _execution(record),
        [_task(blob) for blob in blobs("select record from tasks where execution = ? order by ordinal")],
        [_journal_entry(blob) for blob in blobs("select entry from journal where execution = ? order by number")],
        [_any_entry(blob) for blob in blobs("select entry from entries where execution = ? order by place")],
        [
            _checkpoint(blob)
            for blob in blobs("select checkpoint from checkpoints where execution = ? order by sequence")
        ],
        [_child(blob) for blob in blobs("select record from children where execution = ? order by ordinal")],
        [_logged(blob) for blob in blobs("select event from workflow_events where execution = ? order by sequence")],
    )


def _any_entry(blob: bytes) -> EntryRecord:
    """An entry, with what a call said besides if one did."""
    entry = _kept_entry(blob)
    return entry if entry.parent_id is not None or entry.token_usage is not None else _entry(blob)


def _that_never_ran(record: bytes) -> Execution:
    """Nothing else is written of such an execution."""
    return execution_of(StoredExecution(_execution(record), [], [], [], []))[0]
