"""What a run leaves behind: everything that the rules compare, as plain values."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from e2e.crash.ledger import Call
from e2e.crash.notes import Note
from e2e.crash.plan import Planned
from rescind import ExecutionStatus, TaskStatus
from rescind.model.events import HistoryEvent

Histories = Mapping[str, Sequence[HistoryEvent]]
"""By execution, its events."""

_event: Final = msgspec.msgpack.Decoder(HistoryEvent).decode


@dataclass(frozen=True, slots=True)
class SeenTask:
    """A task at the end of a run, as the server shows it.

    Attributes:
        task_id: its id.
        status: how it ended.
        value: the value in its input; 0 if there is none.
        output: its result, if COMPLETED.
        source: what cancelled it, if CANCELLED.
    """

    task_id: str
    status: TaskStatus
    value: int
    output: Any = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class SeenExecution:
    """An execution at the end of a run, as the server shows it.

    Attributes:
        status: how it ended.
        output: its output, if COMPLETED.
        tasks: its tasks, in the order in which they were scheduled.
        entries: how many entries its conversation has.
        failure: why it FAILED.
    """

    status: ExecutionStatus
    output: Any
    tasks: Sequence[SeenTask] = ()
    entries: int = 0
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands in the file when the server has stopped.

    Attributes:
        histories: by execution, its events.
        executions: by execution, its status.
        tasks: by task, its status.
    """

    histories: Histories
    executions: Mapping[str, str]
    tasks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a run leaves behind.

    Attributes:
        planned: what was to be done, by execution.
        calls: what the client asked for.
        notes: what the workers wrote about the code that they ran.
        followed: the events that the client was told of as they happened, in the order of their arrival.
        snapshots: histories as they were asked for in the middle, behind each start of a server.
        histories: as they are asked for at the end.
        executions: as they stand at the end.
        stored: what stands in the file.
    """

    planned: Mapping[str, Planned]
    calls: Sequence[Call]
    notes: Sequence[Note]
    followed: Histories
    snapshots: Sequence[Histories]
    histories: Histories
    executions: Mapping[str, SeenExecution]
    stored: Stored = field(default_factory=lambda: Stored({}, {}, {}))


def read_store(path: Path) -> Stored:
    """Read a store's file without the store.

    Raises:
        AssertionError: SQLite finds the file damaged.
    """
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        (verdict,) = connection.execute("pragma integrity_check").fetchone()
        assert verdict == "ok", f"{path} is damaged: {verdict}"
        histories: dict[str, list[HistoryEvent]] = {}
        for execution_id, event in connection.execute(
            "select execution_id, event from events join executions on execution = ordinal order by ordinal, sequence"
        ):
            histories.setdefault(execution_id, []).append(_event(event))
        executions = dict(connection.execute("select execution_id, status from executions").fetchall())
        tasks = dict(connection.execute("select task_id, status from tasks").fetchall())
    return Stored(histories, executions, tasks)
