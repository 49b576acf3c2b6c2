"""Lists of executions out of the file, by index: the newest first, in pages that new executions do not shift."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from rescind.model.filters import ExecutionFilter
from rescind.model.views import ExecutionView
from rescind_server.store.port import Found
from rescind_server.store.records import ExecutionRecord

_record = msgspec.msgpack.Decoder(ExecutionRecord).decode


def find_executions(
    connection: sqlite3.Connection, selection: ExecutionFilter, before: int | None, limit: int
) -> Sequence[Found]:
    """The executions that a filter selects and that were started before the one of this ordinal, newest first.

    Args:
        connection: to the file.
        selection: which.
        before: an ordinal; None begins with the newest.
        limit: how many at most.
    """
    conditions, values = _conditions(selection, before)
    where = f"where {' and '.join(conditions)} " if conditions else ""
    rows = connection.execute(
        "select ordinal, record, "
        "(select coalesce(max(sequence), -1) from checkpoints where execution_id = executions.execution_id) "
        f"from executions {where}order by ordinal desc limit ?",
        (*values, limit),
    )
    return [Found(ordinal, _view(_record(record), checkpoint)) for ordinal, record, checkpoint in rows]


def _conditions(selection: ExecutionFilter, before: int | None) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    single = (
        ("kind = ?", selection.kind),
        ("queue = ?", selection.queue),
        ("created_by = ?", selection.created_by),
        ("created_at < ?", selection.created_before),
        ("created_at >= ?", selection.created_after),
        ("organisation = ?", selection.organisation),
        ("ordinal < ?", before),
    )
    for condition, value in single:
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if selection.statuses:
        conditions.append(f"status in ({', '.join('?' * len(selection.statuses))})")
        values.extend(status.value for status in selection.statuses)
    for name, value in selection.labels.items():
        conditions.append("exists (select 1 from labels where name = ? and value = ? and ordinal = executions.ordinal)")
        values.extend((name, value))
    return conditions, values


def _view(record: ExecutionRecord, checkpoint: int) -> ExecutionView:
    return ExecutionView(
        execution_id=record.execution_id,
        kind=record.kind,
        queue=record.queue,
        status=record.status,
        input=record.input,
        output=record.output,
        failure=record.failure,
        cause=record.cause,
        parked=record.parked,
        labels=record.labels,
        created_by=record.created_by,
        created_at=record.created_at,
        ended_at=record.ended_at,
        checkpoint=checkpoint,
    )
