"""From an older form of the file to today's, step by step.

To change the form: raise `SCHEMA_VERSION`, write `schema_N.sql`, which makes new files, and add a step here that does
the same to a file of the version before. The tests compare what both make, and carry over a file of each older version
that is kept beside them (`server_stub/tests/store/version_*.sql`).

A step is never changed after a release: files out there have taken it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from rescind.errors import StoreError
from rescind.model.events import REQUESTS

SCHEMA_VERSION: Final = 4

Step = Callable[[sqlite3.Connection], None]
"""Changes a file of the version before; runs inside a transaction, which it must not end."""

_LOG: Final = logging.getLogger(__name__)


def migrate(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Bring a file up to `SCHEMA_VERSION`. Each step is one transaction: cut off, the file is as it was before it.

    Args:
        connection: to the file, outside of a transaction.
        path: the file, for messages.
        version: that of the file, 1 or more.

    Raises:
        StoreError: a step could not be taken; the file is as it was before it.
    """
    for target in range(version + 1, SCHEMA_VERSION + 1):
        _take(STEPS[target], connection, path, target)
    if version < SCHEMA_VERSION:
        # Not only for information: older releases cannot open the file any more.
        _LOG.warning("%s was migrated from schema %d to %d", path, version, SCHEMA_VERSION)


def schema(version: int) -> str:
    """The statements that make an empty file of a version."""
    return files(__package__).joinpath(f"schema_{version}.sql").read_text()


def refuse_newer(path: Path, version: int) -> None:
    """Raises StoreError if a file of this version was written by a newer Rescind."""
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer Rescind (schema {version}; this one knows {SCHEMA_VERSION}). Use that "
            "one, or another file."
        )


def _take(step: Step, connection: sqlite3.Connection, path: Path, target: int) -> None:
    try:
        connection.execute("begin immediate")
        step(connection)
        connection.execute(f"pragma user_version = {target}")
        connection.execute("commit")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("rollback")
        raise StoreError(
            f"{path} could not be migrated to schema {target}: {error}. It is as it was before. Free space or mend the "
            "file, and try again."
        ) from error


def _to_2(connection: sqlite3.Connection) -> None:
    """Executions have the engine's order as their key, and what belongs to one has it, too.

    A text of 36 characters before each event took a quarter of the file, and scattered what is written over all of it.
    New besides: those that never ran are found by their turn, closed ones by their end, requests by their time; and
    there is a place to try whether the disk takes anything.
    """
    for name in ("open", "by_status", "by_kind", "by_queue", "by_creator"):
        connection.execute(f"drop index executions_{name}")
    for table in _TABLES_OF_1:
        connection.execute(f"alter table {table} rename to {table}_of_1")
    for statement in schema(2).split(";\n"):
        connection.execute(statement)
    connection.create_function("order_of", 1, lambda record: msgspec.msgpack.decode(record)[8], deterministic=True)
    connection.create_function("never_ran", 1, lambda record: msgspec.msgpack.decode(record)[11] == 0)
    connection.execute(
        "insert into executions select order_of(record), execution_id, organisation, kind, queue, created_by, status, "
        "created_at, ended_at, closed, status = 'PENDING' and never_ran(record), record from executions_of_1"
    )
    connection.execute(
        "insert into labels select name, value, order_of(record) from labels_of_1 join executions_of_1 using (ordinal)"
    )
    for table, columns in _TABLES_OF_1.items():
        if columns:
            connection.execute(
                f"insert into {table} select executions.ordinal, {columns} from {table}_of_1 as old "
                "join executions using (execution_id)"
            )
        if table == "counters":
            connection.execute("insert into counters select * from counters_of_1")
        connection.execute(f"drop table {table}_of_1")
    connection.create_function("request_at", 1, _request_at, deterministic=True)
    connection.execute(
        "insert into requests select request_at(event), execution, sequence from events "
        "where request_at(event) is not null"
    )


def _request_at(event: bytes) -> int | None:
    decoded = msgspec.msgpack.decode(event)
    at: int = decoded["at"]
    return at if decoded["type"] in REQUESTS else None


def _to_3(connection: sqlite3.Connection) -> None:
    """New tables and an index beside those that there were: of these nothing changes."""
    _add_what_is_new(connection, 3)


def _to_4(connection: sqlite3.Connection) -> None:
    """New tables beside those that there were: of these nothing changes."""
    _add_what_is_new(connection, 4)


def _add_what_is_new(connection: sqlite3.Connection, version: int) -> None:
    known = set(_statements(version - 1))
    for statement in _statements(version):
        if statement not in known:
            connection.execute(statement)


def _statements(version: int) -> list[str]:
    """The statements of a version without the comments between them: those may say more of what is the same."""
    lines = schema(version).splitlines(keepends=True)
    return [each.strip() for each in "".join(line for line in lines if not line.startswith("--")).split(";\n")]


_TABLES_OF_1: Final = {
    "labels": "",
    "counters": "",
    "tasks": "old.ordinal, task_id, old.status, old.ended_at, old.record",
    "journal": "number, entry",
    "entries": "place, entry",
    "checkpoints": "sequence, checkpoint",
    "events": "sequence, event",
    "executions": "",
}
"""The tables of version 1, with what version 2 keeps of those whose rows belong to an execution."""

STEPS: Final[Mapping[int, Step]] = {2: _to_2, 3: _to_3, 4: _to_4}
"""By the version that each leads to."""
