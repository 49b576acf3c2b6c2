"""Files of older versions: everything in them is carried over, or they are left as they were."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from rescind import StoreError
from rescind.model.events import REQUESTS, EventType
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant
from rescind.model.payload import NULL_PAYLOAD
from rescind.testing import Environment, check_history
from rescind_server.engine.entities import Execution
from rescind_server.store import migrations
from rescind_server.store.migrations import SCHEMA_VERSION, STEPS
from rescind_server.store.port import RequestPlace
from rescind_server.store.records import record_of_execution
from rescind_server.store.sqlite import SqliteStore
from server_stub.tests.store.test_store_contract import everything, nap, retrying, unlucky

HERE = Path(__file__).parent
OLDER = range(1, SCHEMA_VERSION)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    try:
        yield connection
    finally:
        connection.close()


def file_of_version(version: int, folder: Path) -> Path:
    """A file as that version left it."""
    path = folder / "store.db"
    with opened(path) as connection:
        connection.executescript((HERE / f"version_{version}.sql").read_text())
    return path


def schema_of(path: Path) -> set[tuple[str, str]]:
    """The tables and indexes of a file, without what only people read."""
    with opened(path) as connection:
        rows = connection.execute("select name, sql from sqlite_master where sql is not null")
        return {(name, " ".join(sql.split())) for name, sql in rows}


def rows_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with opened(path) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        return {table: connection.execute(f"select * from {table} order by 1, 2").fetchall() for table in tables}


def version_of(path: Path) -> int:
    with opened(path) as connection:
        (version,) = connection.execute("pragma user_version").fetchone()
        return int(version)


@pytest.mark.parametrize("version", OLDER)
def test_a_migrated_file_has_the_form_of_a_new_one(version: int, tmp_path: Path) -> None:
    path, new = file_of_version(version, tmp_path), tmp_path / "new.db"
    SqliteStore(path).close()
    SqliteStore(new).close()
    assert schema_of(path) == schema_of(new)
    assert version_of(path) == SCHEMA_VERSION


@pytest.mark.rescind
@pytest.mark.parametrize("version", OLDER)
async def test_everything_in_an_older_file_is_there_and_goes_on(version: int, tmp_path: Path) -> None:
    path = file_of_version(version, tmp_path)
    await asyncio.sleep(86_400)  # virtual time begins where it began when the file was written
    async with Environment(agents=[everything, retrying], tasks=[nap, unlucky], store=path) as env:
        closed = env.handle("closed")
        assert await closed.result() == "no luck"
        assert (await closed.describe()).labels == {"team": "a"}
        assert await env.handle("cancelled").status() == "CANCELLED"
        assert [entry.content for entry in await env.handle("cancelled").entries()] == ["hello"]
        waiting = env.handle("waiting")
        await waiting.signal("answer", 42)
        assert (await waiting.result())[1:5] == [2.0, 1, "recorded once", 42]
        assert [entry.content for entry in await waiting.entries()] == ["hello", "done"]
        assert len(await waiting.checkpoints()) == 1
        assert await env.handle("between-attempts").result() == "no luck"
        (task,) = await env.handle("between-attempts").tasks()
        assert task.attempts == 4
        for name in ("closed", "cancelled", "waiting", "between-attempts"):
            check_history(await env.handle(name).history())


@pytest.mark.rescind
@pytest.mark.parametrize("version", OLDER)
async def test_requests_in_an_older_file_are_found_by_their_time(version: int, tmp_path: Path) -> None:
    store = SqliteStore(file_of_version(version, tmp_path))
    latest = RequestPlace(2**62, 2**62, 2**62)
    found = await store.find_requests(Instant(0), latest, 100)
    recorded = {
        (execution_id, event.sequence)
        for execution_id in store.execution_ids()
        for event in store.history(execution_id)
        if event.type in REQUESTS
    }
    assert {(each.execution_id, each.event.sequence) for each in found} == recorded
    assert [each.place for each in found] == sorted((each.place for each in found), reverse=True)
    assert {each.event.type for each in found} >= {EventType.EXECUTION_STARTED, EventType.EXECUTION_CANCEL_REQUESTED}
    store.close()


def put_what_never_ran(path: Path, count: int) -> list[ExecutionId]:
    """Executions in a file of version 1 that no worker was there for; the engine's orders are not the file's."""
    names = [ExecutionId(f"never-ran-{number}") for number in range(count)]
    with opened(path) as connection:
        for number, name in enumerate(names):
            execution = Execution(
                name,
                "default",
                "retrying",
                "default",
                NULL_PAYLOAD,
                {"team": "c"},
                "client:local",
                Instant(1),
                90 - number,
            )
            row = (name, "retrying", 10 - number, msgspec.msgpack.encode(record_of_execution(execution)))
            connection.execute(
                "insert into executions (execution_id, organisation, kind, queue, created_by, status, ordinal, "
                "created_at, record) values (?, 'default', ?, 'default', 'client:local', 'PENDING', ?, 1, ?)",
                row,
            )
            connection.execute("insert into labels values ('team', 'c', ?)", (10 - number,))
        connection.commit()
    return names


@pytest.mark.rescind
async def test_what_never_ran_has_its_turn_after_a_migration(tmp_path: Path) -> None:
    path = file_of_version(1, tmp_path)
    put = put_what_never_ran(path, 3)
    store = SqliteStore(path)
    assert [each.execution_id for each in store.resting(("default", "retrying"), 0, 10)] == put[::-1]
    found = await store.find_executions(ExecutionFilter(labels={"team": "c"}), None, 10)
    assert [each.view.execution_id for each in found] == put
    store.close()
    async with Environment(agents=[everything, retrying], tasks=[nap, unlucky], store=path) as env:
        assert [await env.handle(name).result() for name in put] == ["no luck"] * 3


def test_a_migration_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = file_of_version(1, tmp_path)
    SqliteStore(path).close()
    SqliteStore(path).close()
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} was migrated from schema 1 to {SCHEMA_VERSION}"
    ]


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("delete from events")
        connection.execute("create table executions (this is there already)")

    path = file_of_version(1, tmp_path)
    before = rows_of(path)
    monkeypatch.setattr(migrations, "STEPS", {**STEPS, 2: half})
    with pytest.raises(StoreError, match=r"could not be migrated to schema 2: .*as it was before"):
        SqliteStore(path)
    assert rows_of(path) == before
    assert version_of(path) == 1


_KILLED_WITHIN = """
import os, signal, sys
from rescind_server.store import migrations
from rescind_server.store.sqlite import SqliteStore

def killed(connection):
    connection.execute("delete from events")
    migrations_step(connection)
    connection.execute("pragma user_version = 2")
    # More than SQLite keeps in memory: the file itself has been written to.
    connection.execute("pragma cache_spill = 1")
    connection.execute("pragma cache_size = 1")
    connection.execute("create table large (padding blob)")
    connection.execute("insert into large values (zeroblob(8000000))")
    os.kill(os.getpid(), signal.SIGKILL)

migrations_step = migrations.STEPS[2]
migrations.STEPS = {**migrations.STEPS, 2: killed}
SqliteStore(sys.argv[1])
"""


def test_a_migration_that_is_killed_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = file_of_version(1, tmp_path)
    before = rows_of(path)
    killed = subprocess.run([sys.executable, "-c", _KILLED_WITHIN, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert Path(f"{path}-wal").stat().st_size > 8_000_000  # it was in the middle of it
    assert version_of(path) == 1
    assert rows_of(path) == before
    SqliteStore(path).close()
    assert version_of(path) == SCHEMA_VERSION


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with opened(path) as connection:
        connection.executescript(f"create table whatever (x); pragma user_version = {SCHEMA_VERSION + 1};")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"newer Rescind \(schema {SCHEMA_VERSION + 1}; this one knows"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with opened(path) as connection:
        connection.execute("create table customers (name text)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="something else"):
        SqliteStore(path)
    assert path.read_bytes() == before
