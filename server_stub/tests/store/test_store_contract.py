"""What every store promises, asked of each one; and what only a file can: going on after a restart."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rescind import AgentContext, InvalidInput, ParentClosePolicy, StoreError, TaskContext, agent, task
from rescind.model.commands import Command, StartExecution
from rescind.model.ids import ExecutionId, Instant, WorkerId
from rescind.model.messages import AgentKind, WorkerJoined, WorkerLeft
from rescind.model.payload import NULL_PAYLOAD
from rescind.testing import Environment, check_history
from rescind_server.engine.machine import Engine
from rescind_server.store.memory import MemoryStore
from rescind_server.store.port import Store
from rescind_server.store.sqlite import SCHEMA_VERSION, SqliteStore


@task("nap")
async def nap(ctx: TaskContext, seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@task("unlucky")
async def unlucky(ctx: TaskContext) -> None:
    raise ValueError("no luck")


@agent("everything")
async def everything(ctx: AgentContext) -> list[object]:
    """Uses one of each operation, and waits on both sides of a restart."""
    await ctx.append_entry("user", "hello")
    await ctx.checkpoint({"phase": 1})
    drawn = ctx.random()
    left = ctx.schedule(nap, 1_000.0, parent_close=ParentClosePolicy.ABANDON)
    winner, cancelled = await ctx.select_ok_with_cancel([ctx.schedule(nap, 2.0), ctx.schedule(nap, 900.0)])
    step = await ctx.run(lambda: "recorded once")
    answer = await ctx.wait_for_signal_raw("answer")
    late = await ctx.join_all_with_timeout([left], 600_000)
    await asyncio.sleep(60)
    await ctx.append_entry("assistant", "done")
    return [drawn, winner, len(cancelled), step, answer, late.timed_out, len(late.cancelled)]


@agent("retrying")
async def retrying(ctx: AgentContext) -> str:
    settled = await ctx.join_all_settled([ctx.schedule(unlucky)])
    return settled.failed[0][1]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.mark.rescind
async def test_what_was_committed_can_be_read_after_the_execution_has_closed(store: Store) -> None:
    async with Environment(agents=[retrying], tasks=[unlucky], store=store) as env:
        handle = await env.start(retrying, id="r-1")
        assert await handle.result() == "no luck"
        await env.settled()
        assert store.execution_ids() == ("r-1",)
        (only,) = await handle.tasks()
        assert (only.status, only.attempts, only.error) == ("FAILED", 4, "no luck")
        check_history(await handle.history())


@pytest.mark.rescind
async def test_history_can_be_read_from_a_number_on(store: Store) -> None:
    async with Environment(agents=[retrying], tasks=[unlucky], store=store) as env:
        handle = await env.start(retrying, id="r-1")
        await handle.result()
        whole = await handle.history()
        assert [event.sequence for event in env.host.history(handle.id, after=3)] == [
            event.sequence for event in whole[3:]
        ]


@pytest.mark.rescind
async def test_both_stores_hold_the_same_history(tmp_path: Path) -> None:
    async def history(store: Store | Path) -> str:
        async with Environment(agents=[retrying], tasks=[unlucky], store=store) as env:
            handle = await env.start(retrying, id="r-1")
            await handle.result()
            return "".join(line.split('"type"')[1] for line in (await handle.history()).to_jsonl().splitlines())

    assert await history(MemoryStore()) == await history(tmp_path / "store.db")


@pytest.mark.rescind
@pytest.mark.parametrize("stop_after", [0.0, 1.0, 2.0, 3.0, 100.0, 700.0, 750.0])
async def test_a_restart_at_any_time_changes_nothing_but_the_time(tmp_path: Path, stop_after: float) -> None:
    path = tmp_path / "store.db"
    async with Environment(agents=[everything], tasks=[nap], store=path) as env:
        await env.start(everything, id="e-1")
        await asyncio.sleep(stop_after)
    async with Environment(agents=[everything], tasks=[nap], store=path) as env:
        handle = env.handle("e-1")
        await handle.signal("answer", 42)
        drawn, *rest = await handle.result()
        assert rest == [2.0, 1, "recorded once", 42, True, 1]
        assert 0 <= drawn < 1
        assert [entry.content for entry in await handle.entries()] == ["hello", "done"]
        assert len(await handle.checkpoints()) == 1
        assert [each.status for each in await handle.tasks()] == ["CANCELLED", "COMPLETED", "CANCELLED"]
        check_history(await handle.history())


@pytest.mark.rescind
async def test_a_file_can_be_used_again_after_everything_in_it_has_closed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    ids = []
    for _ in range(3):
        async with Environment(agents=[retrying], tasks=[unlucky], store=path) as env:
            handle = await env.start(retrying)  # with an id that the engine chooses
            await handle.result()
            ids.append(handle.id)
    assert len(set(ids)) == 3


@pytest.mark.rescind
async def test_a_deadline_that_came_while_nothing_ran_fires_late_and_once(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with Environment(agents=[everything], tasks=[nap], store=path) as env:
        handle = await env.start(everything, id="e-1")
        await handle.signal("answer", 42)
        await asyncio.sleep(10)
    await asyncio.sleep(86_400)
    async with Environment(agents=[everything], tasks=[nap], store=path) as env:
        assert (await env.handle("e-1").result())[5:] == [True, 1]
        assert env.elapsed().total_seconds() == 60


@agent("stepping")
async def stepping(ctx: AgentContext) -> str:
    await ctx.run(asyncio.sleep, 100)
    return "slept"


@pytest.mark.rescind
async def test_a_step_that_was_under_way_is_begun_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with Environment(agents=[stepping], store=path) as env:
        await env.start(stepping, id="s-1")
        await asyncio.sleep(50)
    async with Environment(agents=[stepping], store=path) as env:
        assert await env.handle("s-1").result() == "slept"
        assert env.elapsed().total_seconds() == 100


@pytest.mark.rescind
async def test_a_retry_waits_for_its_time_across_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with Environment(agents=[retrying], tasks=[unlucky], store=path) as env:
        await env.start(retrying, id="r-1")
        await asyncio.sleep(1.5)  # the second attempt failed at +1 s, the third is due at +3 s
    async with Environment(agents=[retrying], tasks=[unlucky], store=path) as env:
        assert await env.handle("r-1").result() == "no luck"
        starts = [event.at for event in await env.handle("r-1").history() if event.type == "TASK_STARTED"]
        assert [(at - starts[0]) // 1_000 for at in starts] == [0, 1_000, 3_000, 7_000]


@pytest.mark.rescind
async def test_a_cancelled_agent_keeps_its_budget_across_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with Environment(agents=[everything], tasks=[nap], store=path) as env:
        handle = await env.start(everything, id="e-1")
        await asyncio.sleep(1)
        await env.kill_worker()
        await handle.cancel("no longer needed")
    async with Environment(store=path) as env:  # nobody here can run its clean-up
        await asyncio.sleep(29)
        assert await env.handle("e-1").status() == "CANCELLING"
        await asyncio.sleep(2)
        assert await env.handle("e-1").status() == "CANCELLED"


@pytest.mark.rescind
async def test_an_activation_that_was_taken_back_is_in_no_journal_if_another_took_its_place(
    tmp_path: Path,
) -> None:
    engine, store = Engine(), SqliteStore(tmp_path / "store.db")
    joins: list[Command] = [WorkerJoined(WorkerId(name), 1, ("default",), (AgentKind("agent"),)) for name in ("w", "v")]
    then: list[Command] = [StartExecution("agent", NULL_PAYLOAD, ExecutionId("x")), WorkerLeft(WorkerId("w"), 1)]
    for command in (*joins, *then):
        await store.commit([engine.decide(command, Instant(1))])
    ((execution, _),) = store.load().executions
    assert [entry.number for entry in execution.journal] == [2]
    store.close()


def _newer(path: Path) -> None:
    SqliteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")
    connection.close()


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table customers (name text)")
    connection.close()


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database at all, and long enough to be read as one" * 100)


@pytest.mark.parametrize(
    ("make", "says"),
    [(_newer, "newer Rescind"), (_foreign, "something else"), (_garbage, "not a database")],
)
def test_a_file_that_is_no_store_of_ours_is_refused(make: Callable[[Path], None], says: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    make(path)
    with pytest.raises(StoreError, match=says):
        SqliteStore(path)


def test_a_file_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    first = SqliteStore(path)
    try:
        with pytest.raises(StoreError, match="locked"):
            SqliteStore(path)
    finally:
        first.close()


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be opened: .* Its folder does not exist: make it"):
        SqliteStore(tmp_path / "nowhere" / "store.db")


def test_a_file_that_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    SqliteStore(path).close()

    class ReadOnly(sqlite3.Connection):
        """What the superuser of a test meets nowhere else."""

        def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
            if statement == "begin immediate":
                raise sqlite3.OperationalError("attempt to write a readonly database")
            return super().execute(statement, *values)  # type: ignore[arg-type]

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, factory=ReadOnly, **options))
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(StoreError, match=r"readonly database\. It may not be written, or its disk may not"):
        SqliteStore(path)


def test_an_unknown_durability_is_refused_before_the_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="full, normal, off"):
        SqliteStore(tmp_path / "store.db", durability="most")  # type: ignore[arg-type]
    assert not (tmp_path / "store.db").exists()
