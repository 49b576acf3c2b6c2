"""A store that takes no commits for a while: nothing acknowledged is lost, reads go on, and it ends by itself."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from rescind.errors import RescindError, ServerUnavailable, StoreError
from rescind.model.commands import CancelTaskFromOutside, Reply, SignalExecution, Signalled, Started, StartExecution
from rescind.model.events import EventType
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant, TaskId, WorkerId
from rescind.model.messages import AgentActivation, AgentKind, AgentProgress, TaskActivation, ToWorker, WorkerJoined
from rescind.model.operations import ScheduleTask, StartTimer
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelMode
from rescind.testing.virtual_time import run
from rescind_server.engine.machine import Engine
from rescind_server.host.clock import WallClock
from rescind_server.host.driver import Host
from rescind_server.store.sqlite import SqliteStore
from server_stub.tests.host.setting import CAUSE, read

W = WorkerId("w")
X = ExecutionId("x")
LARGE = Payload(b"1" * 3_000_000)
LONG_ENOUGH = 60.0


@dataclass
class Served:
    """A host over a file, with one worker that takes note of what it is sent and why it was cut off."""

    path: Path
    received: list[ToWorker] = field(default_factory=list)
    ended: list[RescindError] = field(default_factory=list)
    store: SqliteStore = field(init=False)
    host: Host = field(init=False)

    async def __aenter__(self) -> Served:
        clock = WallClock()
        self.store = SqliteStore(self.path)
        engine = Engine()
        await self.store.commit([engine.restore(*self.store.load(), clock.now())])
        self.host = Host(engine, self.store, clock, reopens=True)
        self.host.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.host.close()
        self.store.close()

    async def join(self, session: int) -> None:
        """Let the worker begin a session."""
        self.host.attach(W, session, self.received.extend, self.ended.append)
        self.host.tell(WorkerJoined(W, session, ("default",), (AgentKind("agent"),), ("work",)))
        await self.asked(SignalExecution(X, "settled"))

    async def start(self, execution_id: str, payload: Payload = NULL_PAYLOAD) -> Reply:
        return await self.asked(StartExecution("agent", payload, ExecutionId(execution_id)))

    async def asked(self, command: StartExecution | SignalExecution) -> Reply:
        return await self.host.ask(command)

    async def refuses(self, execution_id: str = "refused", payload: Payload = NULL_PAYLOAD) -> str:
        """See that a start is refused as it should be; returns what it was told."""
        with pytest.raises(StoreError) as refusal:
            await self.start(execution_id, payload)
        return str(refusal.value)

    async def found(self) -> list[str]:
        return [each.view.execution_id for each in await self.store.find_executions(ExecutionFilter(), None, 100)]

    def activation(self) -> AgentActivation:
        return next(each for each in reversed(self.received) if isinstance(each, AgentActivation))


@contextmanager
def full_disk(served: Served) -> Iterator[None]:
    pages = served.store._writer.execute("pragma page_count").fetchone()[0]
    served.store._writer.execute(f"pragma max_page_count = {pages}")
    try:
        yield
    finally:
        served.store._writer.execute("pragma max_page_count = 1000000")


@contextmanager
def read_only_file(served: Served) -> Iterator[None]:
    served.store._writer.execute("pragma query_only = on")
    try:
        yield
    finally:
        served.store._writer.execute("pragma query_only = off")


@contextmanager
def moved_file(served: Served) -> Iterator[None]:
    elsewhere = served.path.with_name("elsewhere")
    served.path.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(served.path)


@contextmanager
def replaced_file(served: Served) -> Iterator[None]:
    with moved_file(served):
        served.path.write_text("another file")
        try:
            yield
        finally:
            served.path.unlink()


@contextmanager
def moved_log(served: Served) -> Iterator[None]:
    log, elsewhere = served.path.with_name("store.db-wal"), served.path.with_name("elsewhere")
    log.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(log)


Trouble = Callable[[Served], AbstractContextManager[None]]

TROUBLES: dict[Trouble, str] = {
    full_disk: "did not take a commit: database or disk is full. Free space",
    read_only_file: "did not take a commit: attempt to write a readonly database",
    moved_file: "store.db is gone while the server has it open. Put back what was there",
    replaced_file: "store.db was replaced by another file",
    moved_log: "store.db-wal is gone while the server has it open",
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_would_write_is_refused_what_reads_is_served_and_it_ends_by_itself(
    trouble: Trouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with Served(tmp_path / "store.db") as served:
            await served.start("before")
            with trouble(served):
                assert TROUBLES[trouble] in await served.refuses(payload=LARGE)
                for _ in range(10):
                    assert TROUBLES[trouble] in await served.refuses()
                await asyncio.sleep(LONG_ENOUGH)
                assert TROUBLES[trouble] in await served.refuses()
                before = await served.host.details(ExecutionId("before"))
                assert before is not None
                assert before.execution.status == "PENDING"
                assert await served.host.details(ExecutionId("refused")) is None
                assert [event.type for event in served.host.history(ExecutionId("before"))] == ["EXECUTION_STARTED"]
                assert await served.found() == ["before"]
                assert served.host.failure is None
            await asyncio.sleep(LONG_ENOUGH)
            assert await served.start("refused", LARGE) == Started(ExecutionId("refused"), created=True)
            assert await served.found() == ["refused", "before"]
            (intact,) = served.store._writer.execute("pragma integrity_check").fetchone()
            assert intact == "ok"

    with caplog.at_level(logging.INFO):
        run(main())
    said = [record for record in caplog.records if record.name.startswith("rescind_server")]
    assert [record.levelname for record in said] == ["ERROR", "WARNING"], "once at the beginning, once at the end"
    assert TROUBLES[trouble] in said[0].getMessage()


def test_a_full_disk_is_left_alone_until_there_is_real_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Served(tmp_path / "store.db") as served:
            with full_disk(served):
                await served.refuses(payload=LARGE)
                served.store._writer.execute("pragma max_page_count = 60")
                await asyncio.sleep(LONG_ENOUGH)
                await served.refuses()

    run(main())
    assert [record.levelname for record in caplog.records] == ["ERROR"], "it did not come and go"


def test_everybody_who_waits_is_told_what_to_do_about_the_store(tmp_path: Path) -> None:
    async def main() -> None:
        async with Served(tmp_path / "store.db") as served:
            await served.start("x")
            await served.join(1)
            served.host.tell(AgentProgress(X, 1, 1, (ScheduleTask(1, TaskId("t"), "work", NULL_PAYLOAD),)))
            await until(lambda: any(isinstance(each, TaskActivation) for each in served.received))
            cancel = CancelTaskFromOutside(X, TaskId("t"), CAUSE, CancelMode.WAIT)
            deferred = asyncio.create_task(served.host.ask(cancel))
            await asyncio.sleep(1)
            with full_disk(served):
                in_the_turn = asyncio.create_task(served.start("large", LARGE))
                await asyncio.sleep(0)
                behind_it = asyncio.create_task(served.start("small"))
                for asked in (in_the_turn, behind_it, deferred):
                    with pytest.raises(StoreError, match=r"Free space or mend the file; nothing that was answered"):
                        await asked

    run(main())


def test_a_look_during_the_commit_that_fails_sees_what_is_durable(tmp_path: Path) -> None:
    async def main() -> None:
        async with Served(tmp_path / "store.db") as served:
            await served.start("x")
            with full_disk(served):
                failing = asyncio.create_task(served.start("large", LARGE))
                await until(lambda: served.host._is_committing)
                known, unknown = (
                    asyncio.create_task(served.host.details(ExecutionId(name))) for name in ("x", "large")
                )
                with pytest.raises(StoreError):
                    await failing
                assert await known is not None
                assert await unknown is None

    run(main())


def test_workers_are_cut_off_kept_out_and_join_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with Served(tmp_path / "store.db") as served:
            await served.start("x")
            await served.join(1)
            assert served.activation().run == 1
            with full_disk(served):
                await served.refuses(payload=LARGE)
                assert [type(error) for error in served.ended] == [StoreError]
                with pytest.raises(StoreError, match="Free space"):
                    await served.join(2)
                served.host.tell(AgentProgress(X, 1, 1, (ScheduleTask(1, TaskId("t"), "work", NULL_PAYLOAD),)))
                await asyncio.sleep(LONG_ENOUGH)
            await asyncio.sleep(LONG_ENOUGH)
            await served.join(2)
            assert served.activation().run == 2, "the code runs anew, from what is durable"
            details = await served.host.details(X)
            assert details is not None
            assert details.tasks == (), "what a worker said meanwhile was not taken"

    run(main())


def test_who_follows_goes_on_following(tmp_path: Path) -> None:
    async def main() -> None:
        async with Served(tmp_path / "store.db") as served:
            await served.start("x")
            await served.join(1)
            async with served.host.watchers.subscribe(X) as subscription:
                with full_disk(served):
                    await served.refuses(payload=LARGE)
                    await asyncio.sleep(LONG_ENOUGH)
                await asyncio.sleep(LONG_ENOUGH)
                assert await served.asked(SignalExecution(X, "go")) == Signalled(2)
                types = [event.type for event in await read(subscription)]  # type: ignore[union-attr]
                assert types == [EventType.EXECUTION_RELEASED, EventType.SIGNAL_RECEIVED]

    run(main())


def test_a_timer_that_came_due_meanwhile_fires_late_and_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with Served(tmp_path / "store.db") as served:
            await served.start("x")
            await served.join(1)
            due = Instant(WallClock().now() + 30_000_000)
            served.host.tell(AgentProgress(X, 1, served.activation().number, (StartTimer(1, due),)))
            await asyncio.sleep(1)
            with full_disk(served):
                await served.refuses(payload=LARGE)
                await asyncio.sleep(LONG_ENOUGH)
            await asyncio.sleep(LONG_ENOUGH)
            fired = [event for event in served.host.history(X) if event.type is EventType.TIMER_FIRED]
            assert len(fired) == 1
            assert fired[0].at >= due

    run(main())


def test_a_host_that_is_closed_meanwhile_says_that(tmp_path: Path) -> None:
    async def main() -> None:
        async with Served(tmp_path / "store.db") as served:
            with full_disk(served):
                await served.refuses(payload=LARGE)
                await served.host.close()
                with pytest.raises(ServerUnavailable, match="closed"):
                    await served.start("late")

    run(main())


def test_a_host_that_begins_in_trouble_serves_what_can_be_read_and_goes_on_later(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "store.db"
        async with Served(path) as served:
            await served.start("x")
            await served.join(1)
        served = Served(path)
        served.store = SqliteStore(path)
        engine, clock = Engine(), WallClock()
        served.host = Host(engine, served.store, clock, reopens=True)
        with read_only_file(served):
            with pytest.raises(StoreError) as trouble:
                await served.store.commit([engine.restore(*served.store.load(), clock.now())])
            served.host.start(trouble.value)
            assert "readonly" in await served.refuses()
            details = await served.host.details(X)
            assert details is not None
            assert details.execution.status == "RUNNING"
        await asyncio.sleep(LONG_ENOUGH)
        await served.join(2)
        assert served.activation().run == 2
        await served.host.close()
        served.store.close()

    run(main())


def test_what_was_acknowledged_before_is_there_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "store.db"
        async with Served(path) as served:
            names = [f"e-{number}" for number in range(20)]
            for name in names:
                await served.start(name)
            with full_disk(served):
                await served.refuses(payload=LARGE)
        async with Served(path) as served:
            assert sorted(await served.found()) == sorted(names)
            assert await served.start("e-1") == Started(ExecutionId("e-1"), created=False)

    run(main())


@pytest.mark.parametrize("seed", range(10))
def test_whenever_it_fails_what_was_acknowledged_is_there_and_what_was_refused_is_not(
    seed: int, tmp_path: Path
) -> None:
    chance = Random(seed)
    acknowledged: set[str] = set()
    refused: set[str] = set()
    heard: Counter[str] = Counter()

    async def call(served: Served, caller: int) -> None:
        for number in range(30):
            name = f"e-{caller}-{number}"
            try:
                await served.start(name)
                acknowledged.add(name)
                await served.asked(SignalExecution(ExecutionId(name), "go"))
                heard[name] += 1
            except StoreError:
                refused.add(name)
            await asyncio.sleep(chance.random())

    async def spoil(served: Served) -> None:
        while True:
            await asyncio.sleep(chance.random() * 5)
            with chance.choice((read_only_file, moved_file, moved_log))(served):
                await asyncio.sleep(chance.random() * 3)

    async def main() -> None:
        async with Served(tmp_path / "store.db") as served:
            spoiling = asyncio.create_task(spoil(served))
            await asyncio.gather(*(call(served, caller) for caller in range(5)))
            spoiling.cancel()
            await asyncio.wait([spoiling])
            await asyncio.sleep(LONG_ENOUGH)
            assert set(served.store.execution_ids()) == acknowledged
            for name in acknowledged:
                events = [event.type for event in served.host.history(ExecutionId(name))]
                assert events.count(EventType.SIGNAL_RECEIVED) == heard[name]
            assert refused - acknowledged, "it failed at all"

    run(main())


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what happens in the next turns of the event loop."""
    for _ in range(1_000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")
