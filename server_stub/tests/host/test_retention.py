"""What ended long ago is forgotten: whole, at its time, and without making anybody wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from rescind.errors import InvalidInput, StoreError
from rescind.model.commands import CancelExecution, SignalExecution, Started, StartExecution
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant
from rescind.model.payload import NULL_PAYLOAD
from rescind.testing.environment import VirtualClock
from rescind.testing.virtual_time import run, virtual_loop
from rescind_server.engine.machine import Engine
from rescind_server.host.driver import Host
from rescind_server.host.retention import Retention
from rescind_server.store.memory import MemoryStore
from rescind_server.store.port import Store
from rescind_server.store.sqlite import SqliteStore
from server_stub.tests.host.setting import CAUSE

WEEK = timedelta(days=7)
DAY = 86_400.0
OpenStore = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    return MemoryStore if request.param == "memory" else lambda: SqliteStore(tmp_path / "store.db")


class Kept:
    """A host over a store that is kept small."""

    def __init__(self, store: Store, host: Host) -> None:
        self.store = store
        self.host = host

    async def start(self, name: str) -> bool:
        """Start an execution; returns whether it is a new one."""
        command = StartExecution("agent", NULL_PAYLOAD, ExecutionId(name), labels={"team": "a"})
        reply = await self.host.ask(command)
        assert isinstance(reply, Started)
        return reply.created

    async def end(self, name: str, signals: int = 0) -> None:
        """Start an execution, send it some signals, and let it end."""
        await self.start(name)
        for _ in range(signals):
            await self.host.ask(SignalExecution(ExecutionId(name), "go"))
        await self.host.ask(CancelExecution(ExecutionId(name), CAUSE, hard=True))

    async def names(self) -> list[str]:
        """What is found by a label, the newest first."""
        found = await self.store.find_executions(ExecutionFilter(labels={"team": "a"}), None, 100)
        return [each.view.execution_id for each in found]


@asynccontextmanager
async def keeping(store: Store, age: timedelta | None = WEEK) -> AsyncIterator[Kept]:
    clock = VirtualClock(virtual_loop())
    engine = Engine()
    await store.commit([engine.restore(*store.load(), clock.now())])
    host = Host(engine, store, clock)
    host.start()
    running = asyncio.create_task(Retention(store, clock, age).run()) if age is not None else None
    try:
        yield Kept(store, host)
    finally:
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        await host.close()
        store.close()


def test_a_closed_execution_is_kept_for_its_time_and_then_gone(open_store: OpenStore) -> None:
    async def main() -> None:
        async with keeping(open_store()) as kept:
            await kept.start("open")
            await kept.end("first", signals=3)
            await asyncio.sleep(DAY)
            await kept.end("second")
            await asyncio.sleep(6 * DAY - 0.1)
            assert await kept.names() == ["second", "first", "open"]
            await asyncio.sleep(1)
            assert await kept.names() == ["second", "open"]
            assert await kept.host.details(ExecutionId("first")) is None
            assert kept.host.history(ExecutionId("first")) == ()
            await asyncio.sleep(DAY)
            assert await kept.names() == ["open"]
            await asyncio.sleep(100 * DAY)
            assert await kept.names() == ["open"]

    run(main())


def test_the_id_of_a_removed_execution_may_be_used_again(open_store: OpenStore) -> None:
    async def main() -> None:
        async with keeping(open_store()) as kept:
            await kept.end("again", signals=3)
            assert await kept.start("again") is False
            await asyncio.sleep(8 * DAY)
            assert await kept.start("again") is True
            assert [event.sequence for event in kept.host.history(ExecutionId("again"))] == [1]
            assert await kept.names() == ["again"]

    run(main())


def test_nothing_of_a_removed_execution_is_left_in_the_file(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "store.db")
        async with keeping(store) as kept:
            await kept.end("gone", signals=3)
            await asyncio.sleep(8 * DAY)
            tables = ("executions", "labels", "tasks", "journal", "entries", "checkpoints", "events")
            counts = [store._writer.execute(f"select count(*) from {table}").fetchone()[0] for table in tables]
            assert counts == [0] * len(tables)

    run(main())


def test_when_it_is_removed_follows_from_its_end_also_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "store.db"
        async with keeping(SqliteStore(path)) as kept:
            await kept.end("old")
            await asyncio.sleep(5 * DAY)
            await kept.end("new")
        await asyncio.sleep(DAY)
        async with keeping(SqliteStore(path), timedelta(days=30)) as kept:
            await asyncio.sleep(DAY)
            assert await kept.names() == ["new", "old"]
        async with keeping(SqliteStore(path)) as kept:
            await asyncio.sleep(2)
            assert await kept.names() == ["new"]

    run(main())


def test_without_an_age_everything_is_kept(open_store: OpenStore) -> None:
    async def main() -> None:
        async with keeping(open_store(), age=None) as kept:
            await kept.end("kept")
            await asyncio.sleep(10_000 * DAY)
            assert await kept.names() == ["kept"]

    run(main())


def test_many_are_removed_in_steps_with_commits_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "store.db")
        steps: list[bool] = []
        remove = store.remove_closed

        async def counted(ended_before: Instant, most_rows: int) -> bool:
            steps.append(await remove(ended_before, 10))
            if len(steps) == 3:
                # Somebody who comes in the middle is served in the middle.
                assert await kept.start("in between") is True
            return steps[-1]

        monkeypatch.setattr(store, "remove_closed", counted)
        async with keeping(store) as kept:
            for number in range(20):
                await kept.end(f"e-{number}")
            await asyncio.sleep(8 * DAY)
            assert await kept.names() == ["in between"]
            assert steps.count(True) > 3

    run(main())


def test_an_execution_with_many_rows_is_taken_apart_in_steps_and_leaves_at_the_last(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "store.db")
        async with keeping(store, age=None) as kept:
            await kept.end("long", signals=20)
            now = Instant(kept.host.now() + 1)
            assert await store.remove_closed(now, 10) is True
            assert await kept.names() == ["long"]
            assert len(kept.host.history(ExecutionId("long"))) < 20
            while await store.remove_closed(now, 10):
                pass
            assert await kept.names() == []
            assert await kept.start("long") is True

    run(main())


def test_a_store_that_takes_no_commits_is_tried_again(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "store.db")
        async with keeping(store) as kept:
            await kept.end("old")
            store._writer.execute("pragma query_only = on")
            await asyncio.sleep(8 * DAY)
            assert await kept.names() == ["old"]
            store._writer.execute("pragma query_only = off")
            await asyncio.sleep(DAY)
            assert await kept.names() == []

    run(main())


def test_a_removal_that_fails_removes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "store.db")
        async with keeping(store, age=None) as kept:
            await kept.end("kept", signals=3)
            before = len(kept.host.history(ExecutionId("kept")))
            store._writer.execute("create trigger no before delete on executions begin select raise(abort, 'no'); end")
            with pytest.raises(StoreError, match="did not take a commit"):
                await store.remove_closed(Instant(kept.host.now() + 1), 1_000)
            assert len(kept.host.history(ExecutionId("kept"))) == before

    run(main())


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=-1), timedelta(milliseconds=999)])
def test_an_age_that_cannot_be_meant_is_refused(age: timedelta) -> None:
    async def main() -> None:
        with pytest.raises(InvalidInput, match="retention is"):
            Retention(MemoryStore(), VirtualClock(virtual_loop()), age)

    run(main())
