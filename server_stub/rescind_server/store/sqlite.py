"""A store in one SQLite file: one writer, everything of one commit in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from rescind.errors import InvalidInput, StoreError
from rescind.model.events import HistoryEvent
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Lease
from rescind.model.messages import EntryRecord, JournalEntry
from rescind.model.views import CheckpointView, ExecutionDetails
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import Decision
from rescind_server.engine.viewing import details_of
from rescind_server.store.port import Found, Loaded
from rescind_server.store.queries import find_executions
from rescind_server.store.records import (
    ExecutionRecord,
    StoredExecution,
    TaskRecord,
    execution_of,
    record_of_execution,
    record_of_task,
)

SCHEMA_VERSION: Final = 1
Durability = Literal["full", "normal", "off"]
"""FULL survives the loss of power; NORMAL the loss of the process; OFF neither promise is kept by more than luck."""

_encode = msgspec.msgpack.Encoder().encode
_execution = msgspec.msgpack.Decoder(ExecutionRecord).decode
_task = msgspec.msgpack.Decoder(TaskRecord).decode
_journal_entry = msgspec.msgpack.Decoder(JournalEntry).decode
_entry = msgspec.msgpack.Decoder(EntryRecord).decode
_checkpoint = msgspec.msgpack.Decoder(CheckpointView).decode
_event = msgspec.msgpack.Decoder(HistoryEvent).decode

_PUT_EXECUTION: Final = (
    "insert into executions (execution_id, organisation, kind, queue, created_by, ordinal, created_at, status, "
    "ended_at, closed, record) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_CHANGE_EXECUTION: Final = (
    "update executions set status = ?, ended_at = ?, closed = ?, record = ? where execution_id = ?"
)
_PUT_TASK: Final = (
    "insert into tasks (execution_id, task_id, ordinal, kind, queue, status, ended_at, record) "
    "values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (execution_id, task_id) do update set "
    "status = excluded.status, ended_at = excluded.ended_at, record = excluded.record"
)
_PUT_EVENT: Final = "insert into events (execution_id, sequence, event) values (?, ?, ?)"
_PUT_LABEL: Final = "insert into labels (name, value, ordinal) values (?, ?, ?)"
_PUT_JOURNAL: Final = "insert or replace into journal (execution_id, number, entry) values (?, ?, ?)"
_PUT_ENTRY: Final = "insert into entries (execution_id, place, entry) values (?, ?, ?)"
_PUT_CHECKPOINT: Final = "insert into checkpoints (execution_id, sequence, checkpoint) values (?, ?, ?)"


class SqliteStore:
    """See `Store`. The file is locked for as long as the store is open: one engine owns it."""

    def __init__(self, path: str | Path, *, durability: Durability = "full") -> None:
        """Open a file, or make it.

        Args:
            path: the file; its folder must exist.
            durability: how much a commit waits for: ``full`` for the disk, ``normal`` for the operating system.

        Raises:
            StoreError: the file cannot be opened, is no store, is in use, or was written by a newer Rescind.
        """
        if durability not in get_args(Durability):
            raise InvalidInput(f"durability is {durability!r}. Give one of: {', '.join(get_args(Durability))}.")
        self.path = Path(path)
        self._writer = _open(self.path, durability)
        # Readers share the writer's connection, and must not see what is not committed yet (invariant 2).
        self._whole_commits = threading.Lock()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rescind-store")
        # How much of what only grows is in the file already, per open execution.
        self._kept: dict[ExecutionId, _Kept] = {}
        # Not the engine's order: an engine that goes on remembers what is open, and closed executions keep theirs.
        (self._ordinal,) = self._writer.execute("select coalesce(max(ordinal), 0) from executions").fetchone()

    async def commit(self, decisions: Sequence[Decision]) -> None:
        """See `Store.commit`.

        Raises:
            StoreError: the file did not take it; nothing of it is in the file then.
        """
        if not any(decision.events or decision.tasks or decision.executions for decision in decisions):
            return
        await asyncio.get_running_loop().run_in_executor(self._executor, self._write, decisions)

    def load(self) -> Loaded:
        """See `Store.load`."""
        rows = self._writer.execute("select execution_id, record from executions where closed = 0 order by ordinal")
        stored = [self._stored(ExecutionId(execution_id), record) for execution_id, record in rows.fetchall()]
        for each in stored:
            self._kept[each.execution.execution_id] = _Kept(len(each.entries), len(each.checkpoints), 0)
        counters = dict(self._writer.execute("select name, value from counters").fetchall())
        executions = [execution_of(each) for each in stored]
        return Loaded(executions, Lease(counters.get("lease", 0)), counters.get("order", 0))

    def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """See `Store.history`."""
        wanted = "select event from events where execution_id = ? and sequence > ? order by sequence"
        with self._whole_commits:
            rows = self._writer.execute(wanted, (execution_id, after)).fetchall()
        return tuple(_event(event) for (event,) in rows)

    def closed(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """See `Store.closed`."""
        wanted = "select record from executions where execution_id = ? and closed = 1"
        with self._whole_commits:
            row = self._writer.execute(wanted, (execution_id,)).fetchone()
            stored = self._stored(execution_id, row[0]) if row is not None else None
        return details_of(execution_of(stored)[0]) if stored is not None else None

    def closed_ids(self) -> Sequence[ExecutionId]:
        """See `Store.closed_ids`."""
        with self._whole_commits:
            rows = self._writer.execute(
                "select execution_id from executions where closed = 1 order by ordinal"
            ).fetchall()
        return tuple(ExecutionId(execution_id) for (execution_id,) in rows)

    async def find_executions(self, selection: ExecutionFilter, before: int | None, limit: int) -> Sequence[Found]:
        """See `Store.find_executions`. Read between two commits: half a commit is never seen."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, find_executions, self._writer, selection, before, limit
        )

    def close(self) -> None:
        """Finish what is being written, and let the file go."""
        self._executor.shutdown()
        self._writer.close()

    def _write(self, decisions: Sequence[Decision]) -> None:
        connection = self._writer
        with self._whole_commits:
            try:
                connection.execute("begin immediate")
                self._put_all(decisions)
                connection.execute("commit")
            except sqlite3.Error as error:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise StoreError(
                    f"{self.path} did not take a commit: {error}. Free space or mend the file; nothing that was "
                    "answered is lost."
                ) from error

    def _put_all(self, decisions: Sequence[Decision]) -> None:
        executions: dict[ExecutionId, Execution] = {}
        tasks: dict[str, Any] = {}
        closed: set[ExecutionId] = set()
        for decision in decisions:
            executions |= decision.executions
            tasks |= decision.tasks
            closed.update(execution.execution_id for execution in decision.closed)
        put = self._writer.executemany
        for execution in executions.values():
            self._put_execution(execution, is_closed=execution.execution_id in closed)
        put(_PUT_TASK, (_task_row(task) for task in tasks.values()))
        put(_PUT_EVENT, _event_rows(decisions))
        for execution in executions.values():
            self._put_what_grew(execution)
        for execution_id in closed:
            self._kept.pop(execution_id, None)
            self._writer.execute("delete from journal where execution_id = ?", (execution_id,))
        counters = [
            ("lease", max(decision.lease for decision in decisions)),
            ("order", max(decision.order for decision in decisions)),
        ]
        put("insert or replace into counters (name, value) values (?, ?)", counters)

    def _put_execution(self, execution: Execution, *, is_closed: bool) -> None:
        execution_id = execution.execution_id
        changing = (
            execution.status.value,
            execution.ended_at,
            int(is_closed),
            _encode(record_of_execution(execution)),
        )
        if execution_id in self._kept:
            self._writer.execute(_CHANGE_EXECUTION, (*changing, execution_id))
            return
        self._kept[execution_id] = _Kept(0, 0, 0)
        self._ordinal += 1
        fixed = (
            execution_id,
            execution.organisation,
            execution.kind,
            execution.queue,
            execution.created_by,
            self._ordinal,
            execution.created_at,
        )
        self._writer.execute(_PUT_EXECUTION, (*fixed, *changing))
        labels = execution.labels.items()
        self._writer.executemany(_PUT_LABEL, ((name, value, self._ordinal) for name, value in labels))

    def _put_what_grew(self, execution: Execution) -> None:
        """Journal, entries and checkpoints only grow: write what the file lacks, and the journal's last entry anew."""
        execution_id = execution.execution_id
        put = self._writer.executemany
        kept = self._kept[execution_id]
        first = execution.journal[0].number if execution.journal else execution.number + 1
        if first > kept.journal_from:
            self._writer.execute("delete from journal where execution_id = ? and number < ?", (execution_id, first))
        last = execution.journal[-1].number if execution.journal else 0
        # An activation that was taken back leaves the journal at its end.
        self._writer.execute("delete from journal where execution_id = ? and number > ?", (execution_id, last))
        new = _from_number(execution.journal, kept.journal_upto)
        put(_PUT_JOURNAL, ((execution_id, entry.number, _encode(entry)) for entry in new))
        entries = execution.entries[kept.entries :]
        put(_PUT_ENTRY, ((execution_id, kept.entries + at, _encode(entry)) for at, entry in enumerate(entries)))
        checkpoints = execution.checkpoints[kept.checkpoints :]
        put(_PUT_CHECKPOINT, ((execution_id, each.sequence, _encode(each)) for each in checkpoints))
        self._kept[execution_id] = _Kept(len(execution.entries), len(execution.checkpoints), last, first)

    def _stored(self, execution_id: ExecutionId, record: bytes) -> StoredExecution:
        def blobs(statement: str) -> list[bytes]:
            return [blob for (blob,) in self._writer.execute(statement, (execution_id,))]

        return StoredExecution(
            _execution(record),
            [_task(blob) for blob in blobs("select record from tasks where execution_id = ? order by ordinal")],
            [
                _journal_entry(blob)
                for blob in blobs("select entry from journal where execution_id = ? order by number")
            ],
            [_entry(blob) for blob in blobs("select entry from entries where execution_id = ? order by place")],
            [
                _checkpoint(blob)
                for blob in blobs("select checkpoint from checkpoints where execution_id = ? order by sequence")
            ],
        )


class _Kept(msgspec.Struct, frozen=True):
    """What of an execution is in the file: so many entries and checkpoints, and the journal between two numbers."""

    entries: int
    checkpoints: int
    journal_upto: int
    journal_from: int = 0


def _from_number(journal: Sequence[JournalEntry], number: int) -> Iterable[JournalEntry]:
    """The entries of a journal from a number on, found from its end: it may be long, and little of it is new."""
    start = len(journal)
    while start > 0 and journal[start - 1].number >= number:
        start -= 1
    return journal[start:]


def _task_row(task: Any) -> tuple[Any, ...]:
    return (
        task.execution.execution_id,
        task.task_id,
        task.order,
        task.kind,
        task.queue,
        task.status.value,
        task.ended_at,
        _encode(record_of_task(task)),
    )


def _event_rows(decisions: Sequence[Decision]) -> Iterable[tuple[Any, ...]]:
    return (
        (execution_id, event.sequence, _encode(event))
        for decision in decisions
        for execution_id, event in decision.events
    )


def _open(path: Path, durability: Durability) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
        try:
            _take_over(connection, path, durability)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise StoreError(
            f"{path} cannot be opened: {error}. Is it a store, may it be written, is another server using it?"
        ) from error
    return connection


def _take_over(connection: sqlite3.Connection, path: Path, durability: Durability) -> None:
    """Lock the file, see that it is a store of this schema, or make it one."""
    connection.execute("pragma locking_mode = exclusive")
    connection.execute("pragma journal_mode = wal")
    connection.execute(f"pragma synchronous = {durability}")
    (version,) = connection.execute("pragma user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer Rescind (schema {version}; this one knows {SCHEMA_VERSION}). Use that "
            "one, or another file."
        )
    if version == 0:
        _create(connection, path)
    else:
        # Takes the lock at once, so that a file in use is noticed here and not at the first commit.
        connection.execute("begin immediate")
        connection.execute("commit")


def _create(connection: sqlite3.Connection, path: Path) -> None:
    (tables,) = connection.execute("select count(*) from sqlite_master").fetchone()
    if tables:
        raise StoreError(f"{path} is a database of something else. Choose another file.")
    schema = files(__package__).joinpath("schema.sql").read_text()
    connection.executescript(f"begin immediate; {schema} pragma user_version = {SCHEMA_VERSION}; commit;")
