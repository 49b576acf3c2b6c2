"""A store in one SQLite file: one writer, everything of one commit in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import msgspec

from rescind.errors import InvalidInput, StoreError
from rescind.model.events import HistoryEvent
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId
from rescind.model.messages import JournalEntry
from rescind.model.status import ExecutionStatus, TaskStatus
from rescind_server.engine.entities import Execution, Task
from rescind_server.engine.state import Decision
from rescind_server.engine.subscriptions import QueueKey
from rescind_server.store.entities import begun, committed_among, resting, resting_counts
from rescind_server.store.migrations import SCHEMA_VERSION
from rescind_server.store.opening import Durability, open_file
from rescind_server.store.pace import CommitPace, is_small
from rescind_server.store.port import Found, FoundRequest, Loaded, RequestPlace
from rescind_server.store.queries import THE_END, TaskPlace, find_executions, find_ids, look_for_task
from rescind_server.store.records import StoredExecution, execution_of, record_of_execution, record_of_task
from rescind_server.store.removal import oldest_end, remove_closed
from rescind_server.store.requests import find_events, find_requests, put_annotations, put_requests
from rescind_server.store.writability import Place, probe

__all__ = ["SCHEMA_VERSION", "Durability", "SqliteStore"]

ResultT = TypeVar("ResultT")

_encode = msgspec.msgpack.Encoder().encode
# The name of a member is worked out at every look, and each row has one.
_STATUS: Final = {status: status.value for status in (*ExecutionStatus, *TaskStatus)}
_event = msgspec.msgpack.Decoder(HistoryEvent).decode

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
_PUT_LABEL: Final = "insert into labels (name, value, ordinal) values (?, ?, ?)"
_PUT_JOURNAL: Final = "insert or replace into journal (execution, number, entry) values (?, ?, ?)"
_PUT_ENTRY: Final = "insert into entries (execution, place, entry) values (?, ?, ?)"
_PUT_CHECKPOINT: Final = "insert into checkpoints (execution, sequence, checkpoint) values (?, ?, ?)"


class SqliteStore:
    """See `Store`. The file is locked for as long as the store is open: one engine owns it."""

    def __init__(self, path: str | Path, *, durability: Durability = "full", in_place: bool = False) -> None:
        """Open a file, or make it.

        Args:
            path: the file; its folder must exist.
            durability: how much a commit waits for: ``full`` for the disk, ``normal`` for the operating system.
            in_place: whether small commits may be made on the event loop's own thread, while the disk is quick. It
                depends on the machine's clock then in which order things happen.

        Raises:
            StoreError: the file cannot be opened, is no store, is in use, or was written by a newer Rescind.
        """
        if durability not in get_args(Durability):
            raise InvalidInput(f"durability is {durability!r}. Give one of: {', '.join(get_args(Durability))}.")
        self.path = Path(path)
        self._writer = open_file(self.path, durability)
        self._place = Place(self.path)
        # Readers share the writer's connection, and must not see what is not committed yet (invariant 2).
        self._whole_commits = threading.Lock()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rescind-store")
        self._pace = CommitPace() if in_place else None
        self._in_thread = 0
        self._searching = asyncio.Lock()
        # How much of what only grows is in the file already, by the order of an open execution that ran.
        self._kept: dict[int, _Kept] = {}
        # What grows with starts and claims, as it is in the file. A commit of a cancel leaves it as it is.
        self._counters: dict[str, int] = {}
        # Executions are committed first in the order of starting: what is behind this one is new.
        self._last = self._last_ordinal()

    def _last_ordinal(self) -> int:
        (ordinal,) = self._writer.execute("select coalesce(max(ordinal), 0) from executions").fetchone()
        return int(ordinal)

    async def commit(self, decisions: Sequence[Decision]) -> None:
        """See `Store.commit`.

        Raises:
            StoreError: the file did not take it; nothing of it is in the file then.
        """
        if not any(decision.events or decision.tasks or decision.executions for decision in decisions):
            return
        begun = time.perf_counter()
        if self._pace is not None and not self._in_thread and self._pace.is_in_place(decisions):
            self._write_whole(lambda _: self._put_all(decisions))
        else:
            await self._in_turn(self._write_whole, lambda _: self._put_all(decisions))
        if self._pace is not None and is_small(decisions):
            self._pace.note(time.perf_counter() - begun)
        for decision in decisions:
            for execution in decision.closed:
                execution.release_tasks()

    def load(self) -> Loaded:
        """See `Store.load`."""
        with self._reading():
            return self._load()

    def _load(self) -> Loaded:
        # Also what a commit that failed has left behind is put right.
        self._kept.clear()
        self._counters = {}
        self._last = self._last_ordinal()
        stored = begun(self._writer)
        for each in stored:
            self._kept[each.execution.order] = _kept(each.execution.number, each)
        counters = dict(self._writer.execute("select name, value from counters").fetchall())
        executions = [execution_of(each) for each in stored]
        return Loaded(
            executions, Lease(counters.get("lease", 0)), counters.get("order", 0), resting_counts(self._writer)
        )

    def history(self, execution_id: ExecutionId, after: int = 0, limit: int | None = None) -> Sequence[HistoryEvent]:
        """See `Store.history`."""
        wanted = (
            "select event from events where execution = (select ordinal from executions where execution_id = ?) "
            "and sequence > ? order by sequence limit ?"
        )
        with self._reading():
            rows = self._writer.execute(wanted, (execution_id, after, -1 if limit is None else limit)).fetchall()
        return tuple(_event(event) for (event,) in rows)

    def committed(self, execution_id: ExecutionId) -> Execution | None:
        """See `Store.committed`."""
        return self.committed_among((execution_id,)).get(execution_id)

    def committed_among(self, execution_ids: Sequence[ExecutionId]) -> Mapping[ExecutionId, Execution]:
        """See `Store.committed_among`."""
        with self._reading():
            return committed_among(self._writer, execution_ids)

    def resting(self, key: QueueKey, beyond: int, limit: int) -> Sequence[Execution]:
        """See `Store.resting`."""
        with self._reading():
            return resting(self._writer, key, beyond, limit)

    def execution_ids(self) -> Sequence[ExecutionId]:
        """See `Store.execution_ids`."""
        with self._reading():
            rows = self._writer.execute("select execution_id from executions order by ordinal").fetchall()
        return tuple(ExecutionId(execution_id) for (execution_id,) in rows)

    async def find_executions(self, selection: ExecutionFilter, before: int | None, limit: int) -> Sequence[Found]:
        """See `Store.find_executions`. Read between two commits: half a commit is never seen."""
        return await self._read(lambda connection: find_executions(connection, selection, before, limit))

    async def find_ids(
        self, selection: ExecutionFilter, before: int | None, limit: int
    ) -> Sequence[tuple[int, ExecutionId]]:
        """See `Store.find_ids`."""
        return await self._read(lambda connection: find_ids(connection, selection, before, limit))

    async def find_requests(self, since: Instant, before: RequestPlace, limit: int) -> Sequence[FoundRequest]:
        """See `Store.find_requests`."""
        return await self._read(lambda connection: find_requests(connection, since, before, limit))

    async def find_events(self, execution_id: ExecutionId, before: int, limit: int) -> Sequence[FoundRequest]:
        """See `Store.find_events`."""
        return await self._read(lambda connection: find_events(connection, execution_id, before, limit))

    async def execution_of_task(self, task_id: TaskId) -> ExecutionId | None:
        """See `Store.execution_of_task`. In steps, one search at a time: a commit waits for one step at most."""
        place: TaskPlace = THE_END
        async with self._searching:
            while True:
                match await self._read(partial(look_for_task, task_id=task_id, before=place)):
                    case TaskPlace() as reached:
                        place = reached
                    case found:
                        return found

    async def ensure_writable(self) -> None:
        """See `Store.ensure_writable`."""
        await self._in_turn(self._write, probe)

    async def remove_closed(self, ended_before: Instant, most_rows: int) -> bool:
        """See `Store.remove_closed`."""
        return await self._in_turn(
            self._write_whole, lambda connection: remove_closed(connection, ended_before, most_rows)
        )

    async def oldest_end(self) -> Instant | None:
        """See `Store.oldest_end`."""
        return await self._read(oldest_end)

    def close(self) -> None:
        """Finish what is being written, and let the file go."""
        self._executor.shutdown()
        self._writer.close()

    async def _in_turn(self, function: Callable[..., ResultT], *arguments: Any) -> ResultT:
        """Let the store's one thread do something, behind what it was asked before."""
        self._in_thread += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
        finally:
            self._in_thread -= 1

    async def _read(self, query: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        def read() -> ResultT:
            with self._reading():
                return query(self._writer)

        return await self._in_turn(read)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """A block that reads: it sees no half commit, and fails as a store does."""
        with self._whole_commits:
            try:
                yield
            except sqlite3.Error as error:
                raise StoreError(
                    f"{self.path} cannot be read: {error}. Mend the file or its disk, and try again."
                ) from error

    def _write(self, change: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        """Carry out a change that makes its own transactions."""
        with self._whole_commits:
            try:
                self._place.ensure_unmoved()
                return change(self._writer)
            except sqlite3.Error as error:
                raise StoreError(
                    f"{self.path} did not take a commit: {error}. Free space or mend the file; nothing that was "
                    "answered is lost."
                ) from error

    def _write_whole(self, change: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        """Carry out a change in one transaction: all of it, or nothing."""

        def transaction(connection: sqlite3.Connection) -> ResultT:
            try:
                connection.execute("begin immediate")
                result = change(connection)
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    with suppress(sqlite3.Error):
                        connection.execute("rollback")
                raise
            return result

        return self._write(transaction)

    def _put_all(self, decisions: Sequence[Decision]) -> None:
        executions: dict[ExecutionId, Execution] = {}
        tasks: dict[str, Task] = {}
        closed: dict[ExecutionId, Execution] = {}
        for decision in decisions:
            executions |= decision.executions
            tasks |= decision.tasks
            for execution in decision.closed:
                closed[execution.execution_id] = execution
        put = self._writer.executemany
        self._put_executions(executions.values(), closed)
        put(_PUT_TASK, map(_task_row, tasks.values()))
        put(_PUT_EVENT, _event_rows(decisions))
        put_requests(self._writer, decisions)
        put_annotations(self._writer, decisions)
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
        put = self._writer.executemany
        rows = ((*_changing(each, each.execution_id in closed), each.order) for each in changed)
        put(_CHANGE_EXECUTION, rows)
        if not new:
            return
        put(_PUT_EXECUTION, ((*_fixed(each), *_changing(each, each.execution_id in closed)) for each in new))
        put(_PUT_LABEL, ((name, value, each.order) for each in new for name, value in each.labels.items()))
        self._last = max(each.order for each in new)

    def _forget_journals(self, closed: Iterable[Execution]) -> None:
        """Nobody runs the code of a closed execution again."""
        orders = [execution.order for execution in closed if self._kept.pop(execution.order, None) is not None]
        self._writer.executemany("delete from journal where execution = ?", ((order,) for order in orders))

    def _put_what_grew(self, execution: Execution) -> None:
        """Journal, entries and checkpoints only grow: write what the file lacks, and the journal's last entry anew."""
        order = execution.order
        put = self._writer.executemany
        kept = self._kept.get(order, _NOTHING)
        now = _kept(execution.number, execution)
        if kept.journal_upto and now.journal_from > kept.journal_from:
            self._writer.execute("delete from journal where execution = ? and number < ?", (order, now.journal_from))
        new = _from_number(execution.journal, kept.journal_upto)
        if kept.journal_upto and not (new and new[0].number == kept.journal_upto):
            # An activation that was taken back leaves the journal at its end; another may stand there already.
            self._writer.execute("delete from journal where execution = ? and number >= ?", (order, kept.journal_upto))
        if new:
            put(_PUT_JOURNAL, ((order, entry.number, _encode(entry)) for entry in new))
        if len(execution.entries) < kept.entries:
            # A run that begins at a checkpoint appends anew what the one before had appended behind it.
            gone = (order, len(execution.entries))
            self._writer.execute("delete from entries where execution = ? and place >= ?", gone)
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


def _event_rows(decisions: Sequence[Decision]) -> Iterable[tuple[Any, ...]]:
    return (
        (execution.order, event.sequence, _encode(event))
        for decision in decisions
        for execution_id, event in decision.events
        if (execution := decision.executions.get(execution_id)) is not None
    )
