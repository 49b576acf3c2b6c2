"""A store in one SQLite file: one writer, everything of one commit in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from rescind.errors import InvalidInput, StoreError
from rescind.model.events import HistoryEvent
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.status import ExecutionStatus
from rescind.model.workflow_events import LoggedEvent
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import Decision
from rescind_server.engine.subscriptions import QueueKey
from rescind_server.store.entities import (
    begun,
    children_that_never_ran,
    committed_among,
    resting,
    resting_counts,
)
from rescind_server.store.execution_tables import ExecutionTables
from rescind_server.store.idempotency_keys import kept_keys
from rescind_server.store.migrations import SCHEMA_VERSION
from rescind_server.store.opening import Durability, open_file
from rescind_server.store.outputs import (
    AttemptOutput,
    Outputs,
    attempt_output,
    keep_outputs,
    kept_output,
    output_size,
)
from rescind_server.store.pace import CommitPace, is_small
from rescind_server.store.port import Found, FoundRequest, Loaded, RequestPlace
from rescind_server.store.queries import THE_END, TaskPlace, count_executions, find_executions, find_ids, look_for_task
from rescind_server.store.records import execution_of
from rescind_server.store.registrations import SqliteRegistrations
from rescind_server.store.removal import oldest_end, remove_closed
from rescind_server.store.requests import find_events, find_requests
from rescind_server.store.sqlite_outbox import SqliteOutbox
from rescind_server.store.task_owners import find_owner, find_owner_of_promise
from rescind_server.store.writability import Place, probe

__all__ = ["SCHEMA_VERSION", "Durability", "SqliteStore"]

ResultT = TypeVar("ResultT")

_event = msgspec.msgpack.Decoder(HistoryEvent).decode
_logged = msgspec.msgpack.Decoder(LoggedEvent).decode


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
        self._tables = ExecutionTables(self._writer)
        write = partial(self._in_turn, self._write_whole)
        self.outbox = SqliteOutbox(self._writer, self._read, write)
        self.registrations = SqliteRegistrations(self._writer, write)

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
                if execution.ended:
                    execution.release_tasks()

    def load(self) -> Loaded:
        """See `Store.load`."""
        with self._reading():
            return self._load()

    def _load(self) -> Loaded:
        stored = begun(self._writer)
        # Also what a commit that failed has left behind is put right.
        self._tables.begin_anew(stored)
        counters = dict(self._writer.execute("select name, value from counters").fetchall())
        executions = [execution_of(each) for each in stored]
        executions += [(child, None) for child in children_that_never_ran(self._writer, stored)]
        return Loaded(
            executions,
            Lease(counters.get("lease", 0)),
            counters.get("order", 0),
            resting_counts(self._writer),
            kept_keys(self._writer),
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

    def workflow_log(
        self, execution_id: ExecutionId, after: int = 0, limit: int | None = None
    ) -> Sequence[LoggedEvent]:
        """See `Store.workflow_log`."""
        wanted = (
            "select event from workflow_events where "
            "execution = (select ordinal from executions where execution_id = ?) and sequence > ? "
            "order by sequence limit ?"
        )
        with self._reading():
            rows = self._writer.execute(wanted, (execution_id, after, -1 if limit is None else limit)).fetchall()
        return tuple(_logged(event) for (event,) in rows)

    async def keep_outputs(self, outputs: Outputs) -> None:
        """See `Store.keep_outputs`."""
        await self._in_turn(self._write_whole, lambda connection: keep_outputs(connection, outputs))

    def output(self, execution_id: ExecutionId, behind: int = 0) -> Sequence[StreamedEvent]:
        """See `Store.output`."""
        with self._reading():
            return kept_output(self._writer, execution_id, behind)

    def output_size(self, execution_id: ExecutionId) -> int:
        """See `Store.output_size`."""
        with self._reading():
            return output_size(self._writer, execution_id)

    def attempt_output(self, execution_id: ExecutionId, task_id: TaskId) -> AttemptOutput:
        """See `Store.attempt_output`."""
        with self._reading():
            return attempt_output(self._writer, execution_id, task_id)

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

    async def count_executions(self, selection: ExecutionFilter) -> Mapping[ExecutionStatus, int]:
        """See `Store.count_executions`."""
        return await self._read(lambda connection: count_executions(connection, selection))

    async def find_requests(self, since: Instant, before: RequestPlace, limit: int) -> Sequence[FoundRequest]:
        """See `Store.find_requests`."""
        return await self._read(lambda connection: find_requests(connection, since, before, limit))

    async def find_events(self, execution_id: ExecutionId, before: int, limit: int) -> Sequence[FoundRequest]:
        """See `Store.find_events`."""
        return await self._read(lambda connection: find_events(connection, execution_id, before, limit))

    async def execution_of_task(self, task_id: TaskId) -> ExecutionId | None:
        """See `Store.execution_of_task`. In steps, one search at a time: a commit waits for one step at most."""
        place: TaskPlace = THE_END
        owner = await self.owner_of_task(task_id)
        if owner is not None:
            return owner
        async with self._searching:
            while True:
                match await self._read(partial(look_for_task, task_id=task_id, before=place)):
                    case TaskPlace() as reached:
                        place = reached
                    case found:
                        return found

    async def owner_of_task(self, task_id: TaskId) -> ExecutionId | None:
        """See `Store.owner_of_task`."""
        return await self._read(partial(find_owner, task_id=task_id))

    def owner_of_promise(self, promise_id: str) -> ExecutionId | None:
        """See `Store.owner_of_promise`."""
        with self._reading():
            return find_owner_of_promise(self._writer, promise_id)

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
            except BaseException:  # Ctrl+C, too, must leave no open transaction
                if connection.in_transaction:
                    with suppress(sqlite3.Error):
                        connection.execute("rollback")
                raise
            return result

        return self._write(transaction)

    def _put_all(self, decisions: Sequence[Decision]) -> None:
        self._tables.put(decisions)
        self.outbox.put_told(decisions)
