"""Writes what decisions have changed into the tables of executions, tasks and what belongs to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec

from rescind.model.ids import ExecutionId
from rescind.model.messages import JournalEntry
from rescind.model.status import ExecutionStatus, TaskStatus
from rescind_server.engine.entities import Execution, Task
from rescind_server.engine.natures import Nature, nature_of
from rescind_server.engine.state import Decision
from rescind_server.store.child_records import record_of_child
from rescind_server.store.idempotency_keys import put_keys
from rescind_server.store.records import StoredExecution, record_of_execution, record_of_task
from rescind_server.store.requests import put_annotations, put_requests
from rescind_server.store.task_owners import put_owners

_encode = msgspec.msgpack.Encoder().encode
# The name of a member is worked out at every look, and each row has one.
_STATUS: Final = {status: status.value for status in (*ExecutionStatus, *TaskStatus)}

_PUT_EXECUTION: Final = (
    "insert into executions (ordinal, execution_id, organisation, kind, queue, created_by, created_at, status, "
    "ended_at, closed, never_ran, record) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_CHANGE_EXECUTION: Final = (
    "update executions set status = ?, ended_at = ?, closed = ?, never_ran = ?, record = ? where ordinal = ?"
)
_PUT_TASK: Final = (
    "insert into tasks (execution, ordinal, task_id, status, ended_at, record) values (?, ?, ?, ?, ?, ?) "
    "on conflict (execution, ordinal) do update set "
    "status = excluded.status, ended_at = excluded.ended_at, record = excluded.record"
)
_PUT_EVENT: Final = "insert into events (execution, sequence, event) values (?, ?, ?)"
_PUT_LOGGED: Final = "insert into workflow_events (execution, sequence, event) values (?, ?, ?)"
_PUT_NATURE: Final = "insert into natures (nature, execution) values (?, ?)"
_PUT_LABEL: Final = "insert into labels (name, value, ordinal) values (?, ?, ?)"
_PUT_JOURNAL: Final = "insert or replace into journal (execution, number, entry) values (?, ?, ?)"
_PUT_ENTRY: Final = "insert into entries (execution, place, entry) values (?, ?, ?)"
_PUT_CHILD: Final = "insert or replace into children (execution, ordinal, record) values (?, ?, ?)"
_PUT_CHECKPOINT: Final = "insert into checkpoints (execution, sequence, checkpoint) values (?, ?, ?)"


class ExecutionTables:
    """The tables of one file, as their one writer knows them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Write through this connection, to a file that is open and migrated."""
        self._connection = connection
        # How much of what only grows is in the file already, by the order of an open execution that ran.
        self._kept: dict[int, _Kept] = {}
        # What grows with starts and claims, as it is in the file. A commit of a cancel leaves it as it is.
        self._counters: dict[str, int] = {}
        # Executions are committed first in the order of starting: what is behind this one is new.
        self._last = self._last_ordinal()

    def begin_anew(self, stored: Iterable[StoredExecution]) -> None:
        """Forget what was known of the file: these open executions that ran are in it, as they are."""
        self._kept = {each.execution.order: _kept(each.execution.number, each) for each in stored}
        self._counters = {}
        self._last = self._last_ordinal()

    def _last_ordinal(self) -> int:
        (ordinal,) = self._connection.execute("select coalesce(max(ordinal), 0) from executions").fetchone()
        return int(ordinal)

    def put(self, decisions: Sequence[Decision]) -> None:
        """Write what these decisions have changed, within the transaction of the caller."""
        executions: dict[ExecutionId, Execution] = {}
        tasks: dict[str, Task] = {}
        closed: dict[ExecutionId, Execution] = {}
        for decision in decisions:
            executions |= decision.executions
            tasks |= decision.tasks
            for execution in decision.closed:
                # One that was let go on by hand in this very commit is open again.
                if execution.ended:
                    closed[execution.execution_id] = execution
        put = self._connection.executemany
        self._put_executions(executions.values(), closed)
        put(_PUT_TASK, map(_task_row, tasks.values()))
        put_owners(self._connection, decisions)
        put(_PUT_CHILD, _child_rows(decisions))
        put(_PUT_EVENT, _event_rows(decisions))
        put(_PUT_LOGGED, _logged_rows(decisions))
        put_keys(self._connection, decisions)
        put_requests(self._connection, decisions)
        put_annotations(self._connection, decisions)
        for execution in executions.values():
            if execution.run:
                self._put_what_grew(execution)
        self._forget_journals(closed.values())
        counters = {
            "lease": max(decision.lease for decision in decisions),
            "order": max(decision.order for decision in decisions),
        }
        if counters != self._counters:
            put("insert or replace into counters (name, value) values (?, ?)", counters.items())
            self._counters = counters

    def _put_executions(self, executions: Iterable[Execution], closed: Collection[ExecutionId]) -> None:
        new: list[Execution] = []
        changed: list[Execution] = []
        for execution in executions:
            (new if execution.order > self._last else changed).append(execution)
        put = self._connection.executemany
        rows = ((*_changing(each, each.execution_id in closed), each.order) for each in changed)
        put(_CHANGE_EXECUTION, rows)
        if not new:
            return
        put(_PUT_EXECUTION, ((*_fixed(each), *_changing(each, each.execution_id in closed)) for each in new))
        natures = ((nature_of(each), each.order) for each in new)
        put(_PUT_NATURE, ((nature.value, order) for nature, order in natures if nature is not Nature.AGENT))
        put(_PUT_LABEL, ((name, value, each.order) for each in new for name, value in each.labels.items()))
        self._last = max(each.order for each in new)

    def _forget_journals(self, closed: Iterable[Execution]) -> None:
        """Nobody runs the code of a closed execution again."""
        orders = [execution.order for execution in closed if self._kept.pop(execution.order, None) is not None]
        self._connection.executemany("delete from journal where execution = ?", ((order,) for order in orders))

    def _put_what_grew(self, execution: Execution) -> None:
        """Journal, entries and checkpoints only grow: write what the file lacks, and the journal's last entry anew."""
        order = execution.order
        put = self._connection.executemany
        kept = self._kept.get(order, _NOTHING)
        now = _kept(execution.number, execution)
        if kept.journal_upto and now.journal_from > kept.journal_from:
            self._connection.execute(
                "delete from journal where execution = ? and number < ?", (order, now.journal_from)
            )
        new = _from_number(execution.journal, kept.journal_upto)
        if kept.journal_upto and not (new and new[0].number == kept.journal_upto):
            # An activation that was taken back leaves the journal at its end; another may stand there already.
            self._connection.execute(
                "delete from journal where execution = ? and number >= ?", (order, kept.journal_upto)
            )
        if new:
            put(_PUT_JOURNAL, ((order, entry.number, _encode(entry)) for entry in new))
        if len(execution.entries) < kept.entries:
            # A run that begins at a checkpoint appends anew what the one before had appended behind it.
            gone = (order, len(execution.entries))
            self._connection.execute("delete from entries where execution = ? and place >= ?", gone)
        if entries := execution.entries[kept.entries :]:
            put(_PUT_ENTRY, ((order, kept.entries + at, _encode(entry)) for at, entry in enumerate(entries)))
        if checkpoints := execution.checkpoints[kept.checkpoints :]:
            put(_PUT_CHECKPOINT, ((order, each.sequence, _encode(each)) for each in checkpoints))
        self._kept[order] = now


class _Kept(msgspec.Struct, frozen=True):
    """What of an execution is in the file: so many entries and checkpoints, and the journal between two numbers."""

    entries: int
    checkpoints: int
    journal_upto: int
    journal_from: int


_NOTHING: Final = _Kept(0, 0, 0, 0)


def _kept(number: int, written: Execution | StoredExecution) -> _Kept:
    """What of an execution will be in the file, after its activation of this number."""
    journal = written.journal
    first, last = (journal[0].number, journal[-1].number) if journal else (number + 1, 0)
    return _Kept(len(written.entries), len(written.checkpoints), last, first)


def _from_number(journal: Sequence[JournalEntry], number: int) -> Sequence[JournalEntry]:
    """The entries of a journal from a number on, found from its end: it may be long, and little of it is new."""
    start = len(journal)
    while start > 0 and journal[start - 1].number >= number:
        start -= 1
    return journal[start:]


def _fixed(execution: Execution) -> tuple[Any, ...]:
    """The columns of an execution that never change."""
    return (
        execution.order,
        execution.execution_id,
        execution.organisation,
        execution.kind,
        execution.queue,
        execution.created_by,
        execution.created_at,
    )


def _changing(execution: Execution, is_closed: bool) -> tuple[Any, ...]:
    return (
        _STATUS[execution.status],
        execution.ended_at,
        is_closed,
        execution.never_ran,
        _encode(record_of_execution(execution)),
    )


def _task_row(task: Task) -> tuple[Any, ...]:
    return (
        task.execution.order,
        task.order,
        task.task_id,
        _STATUS[task.status],
        task.ended_at,
        _encode(record_of_task(task)),
    )


def _child_rows(decisions: Sequence[Decision]) -> Iterable[tuple[Any, ...]]:
    changed = {child.child_id: child for decision in decisions for child in decision.children.values()}
    return ((child.parent.order, child.order, _encode(record_of_child(child))) for child in changed.values())


def _event_rows(decisions: Sequence[Decision]) -> Iterable[tuple[Any, ...]]:
    return (
        (execution.order, event.sequence, _encode(event))
        for decision in decisions
        for execution_id, event in decision.events
        if (execution := decision.executions.get(execution_id)) is not None
    )


def _logged_rows(decisions: Sequence[Decision]) -> Iterable[tuple[Any, ...]]:
    return (
        (execution.order, logged.sequence, _encode(logged))
        for decision in decisions
        for execution, logged in decision.logged
    )
