"""Lists of executions out of the file, by index: the newest first, in pages that new executions do not shift."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.status import TERMINAL_EXECUTION, ExecutionStatus
from rescind.model.views import ExecutionView
from rescind_server.engine.natures import Nature, NatureFilter
from rescind_server.store.port import Found
from rescind_server.store.records import ExecutionRecord

_TASKS_AT_ONCE: Final = 5_000
_LAST: Final = 2**63 - 1
# A list ends when its page is full, which is soon if many have the label; of few, and to count, all are needed.
_COMMON_LABEL: Final = "exists (select 1 from labels where name = ? and value = ? and ordinal = executions.ordinal)"
_RARE_LABEL: Final = "ordinal in (select ordinal from labels where name = ? and value = ?)"
_FEW: Final = 10_000
_CHILD_OF: Final = (
    "ordinal in (select children.ordinal from children "
    "join executions as parent on parent.ordinal = children.execution where parent.execution_id = ?)"
)
_OF_NATURE: Final = "ordinal in (select execution from natures where nature = ?)"
_AGENTS: Final = "not exists (select 1 from natures where nature in ('WORKFLOW', 'TASK') and execution = ordinal)"
_LAST_CHARACTER: Final = chr(sys.maxunicode)
_FIRST_SURROGATE: Final = 0xD800
_BEHIND_SURROGATES: Final = 0xE000
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
    conditions, values = _conditions(connection, selection, before)
    where = f"where {' and '.join(conditions)} " if conditions else ""
    rows = connection.execute(
        "select ordinal, record, "
        "(select coalesce(max(sequence), -1) from checkpoints where execution = executions.ordinal) "
        f"from executions {where}order by ordinal desc limit ?",
        (*values, limit),
    )
    return [Found(ordinal, _view(_record(record), checkpoint)) for ordinal, record, checkpoint in rows]


def find_ids(
    connection: sqlite3.Connection, selection: ExecutionFilter, before: int | None, limit: int
) -> Sequence[tuple[int, ExecutionId]]:
    """The ordinals and ids of what `find_executions` finds."""
    conditions, values = _conditions(connection, selection, before)
    where = f"where {' and '.join(conditions)} " if conditions else ""
    wanted = f"select ordinal, execution_id from executions {where}order by ordinal desc limit ?"
    return [(ordinal, ExecutionId(found)) for ordinal, found in connection.execute(wanted, (*values, limit))]


def count_executions(connection: sqlite3.Connection, selection: ExecutionFilter) -> Mapping[ExecutionStatus, int]:
    """How many executions of each status a filter selects; those of none are left out."""
    conditions, values = _conditions(connection, selection, None, counting=True)
    where = f"where {' and '.join(conditions)} " if conditions else ""
    rows = connection.execute(f"select status, count(*) from executions {where}group by status", values)
    return {ExecutionStatus(status): count for status, count in rows}


class TaskPlace(NamedTuple):
    """Where a task stands in the file: the ordinal of its execution, and its own."""

    execution: int
    task: int


THE_END: Final = TaskPlace(_LAST, _LAST)
"""Behind all tasks."""


def look_for_task(
    connection: sqlite3.Connection, task_id: TaskId, before: TaskPlace, most: int = _TASKS_AT_ONCE
) -> ExecutionId | TaskPlace | None:
    """Look for a task among some of those before a place, the newest executions' first.

    There is no index by the id. It would cost every task that is scheduled half as much again, since ids are scattered
    and each is written to another page; most servers are never asked by a task's id alone.

    Args:
        connection: to the file.
        task_id: the task.
        before: the place; `THE_END` begins with the newest.
        most: how many to look at.

    Returns:
        Its execution; or the place to go on before; or None if there is nothing more to look at.
    """
    step = "from tasks where (execution, ordinal) < (?, ?) order by execution desc, ordinal desc"
    last = connection.execute(f"select execution, ordinal {step} limit 1 offset ?", (*before, most - 1)).fetchone()
    found = connection.execute(
        "select execution_id from executions where ordinal = (select execution from tasks where "
        "(execution, ordinal) < (?, ?) and (execution, ordinal) >= (?, ?) and task_id = ?)",
        (*before, *(last or (0, 0)), task_id),
    ).fetchone()
    if found is not None:
        return ExecutionId(found[0])
    return TaskPlace(*last) if last is not None else None


def _conditions(
    connection: sqlite3.Connection, selection: ExecutionFilter, before: int | None, *, counting: bool = False
) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    by_status = _goes_by_status(selection, counting=counting)
    single = (
        ("kind = ?", selection.kind),
        ("queue = ?", selection.queue),
        ("created_by = ?", selection.created_by),
        ("created_at < ?", selection.created_before),
        ("created_at >= ?", selection.created_after),
        # With a sign, SQLite takes no index for it: one that names more is the better one, but it cannot know that.
        ("organisation = ?" if by_status else "+organisation = ?", selection.organisation),
        ("ordinal < ?", before),
    )
    for condition, value in single:
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if selection.statuses:
        if not by_status and TERMINAL_EXECUTION.issuperset(selection.statuses):
            conditions.append("ended_at is not null")
        elif not by_status and TERMINAL_EXECUTION.isdisjoint(selection.statuses):
            conditions.append("ended_at is null")
        conditions.append(f"status in ({', '.join('?' * len(selection.statuses))})")
        values.extend(status.value for status in selection.statuses)
    if selection.id_prefix:
        condition, bounds = _begins_so(selection)
        conditions.append(condition)
        values.extend(bounds)
    if selection.parent_id is not None:
        conditions.append(_CHILD_OF)
        values.append(selection.parent_id)
    if isinstance(selection, NatureFilter):
        conditions.append(_AGENTS if selection.nature is Nature.AGENT else _OF_NATURE)
        values.extend(() if selection.nature is Nature.AGENT else (selection.nature.value,))
    for name, value in selection.labels.items():
        conditions.append(_RARE_LABEL if counting or _is_rare(connection, name, value) else _COMMON_LABEL)
        values.extend((name, value))
    return conditions, values


def _is_rare(connection: sqlite3.Connection, name: str, value: str) -> bool:
    """Whether few executions have a label. No more are looked at than it takes to know that."""
    some = "select 1 from labels where name = ? and value = ? limit ?"
    (count,) = connection.execute(f"select count(*) from ({some})", (name, value, _FEW)).fetchone()
    return bool(count < _FEW)


def _goes_by_status(selection: ExecutionFilter, *, counting: bool) -> bool:
    """Whether the index by organisation and status serves best: to count, or to list what stands in one status."""
    if selection.labels or selection.created_before is not None or selection.created_after is not None:
        return False
    if _names_an_index(selection):
        return False
    return selection.id_prefix is None if counting else len(selection.statuses) == 1


def _names_an_index(selection: ExecutionFilter) -> bool:
    named = (selection.kind, selection.queue, selection.created_by, selection.parent_id)
    return any(each is not None for each in named)


def _begins_so(selection: ExecutionFilter) -> tuple[str, tuple[str, ...]]:
    """The condition that an id begins as the filter says, and its values."""
    prefix = selection.id_prefix or ""
    beyond = _beyond(prefix)
    values = (prefix,) if beyond is None else (prefix, beyond)
    if _names_an_index(selection) or selection.statuses:
        return "+execution_id >= ?" + ("" if beyond is None else " and +execution_id < ?"), values
    # The ids are read alone, and then no more rows than the list needs, in their order.
    upto = "" if beyond is None else " and execution_id < ?"
    return f"ordinal in (select ordinal from executions where execution_id >= ?{upto})", values


def _beyond(prefix: str) -> str | None:
    """The least text behind all that begin so, in the order of SQLite: by the bytes of UTF-8, as by code points."""
    kept = prefix.rstrip(_LAST_CHARACTER)
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    # Surrogates are no characters, and no text has them.
    return kept[:-1] + chr(_BEHIND_SURROGATES if following == _FIRST_SURROGATE else following)


def _parent_of(record: ExecutionRecord) -> ExecutionId | None:
    if record.workflow is not None:
        return record.workflow.parent_id
    return record.spawned.parent_id if record.spawned is not None else None


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
        parent_id=_parent_of(record),
        budget=record.spawned.budget if record.spawned is not None else None,
        usage=record.usage,
        is_workflow=record.workflow is not None,
    )
