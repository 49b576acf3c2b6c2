"""Executions that never ran rest in the store. Nobody who asks or works notices, whatever happens to them there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rescind.model.commands import (
    CancelAnswered,
    CancelExecution,
    Command,
    Refused,
    Reply,
    SignalExecution,
    Signalled,
    Started,
    StartExecution,
)
from rescind.model.events import HistoryEvent
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, WorkerId
from rescind.model.messages import (
    AgentActivation,
    AgentCompleted,
    AgentKind,
    AgentProgress,
    ToWorker,
    WorkerJoined,
    WorkerLeft,
)
from rescind.model.operations import AwaitSignal
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelTaskResult, ExecutionStatus
from rescind.testing.virtual_time import run
from rescind_server.engine.machine import Engine
from rescind_server.host.clock import WallClock
from rescind_server.host.driver import Host
from rescind_server.host.queries import Queries
from rescind_server.store.memory import MemoryStore
from rescind_server.store.port import Store
from rescind_server.store.sqlite import SqliteStore
from server_stub.tests.host.setting import CAUSE, settle

W = WorkerId("w")
MANY = 1_000


@dataclass
class Inn:
    """A host whose engine keeps only so many executions in memory that never ran, and its one worker."""

    store: Store
    agents_in_memory: int
    received: list[ToWorker] = field(default_factory=list)
    session: int = 0
    host: Host = field(init=False)
    engine: Engine = field(init=False)
    queries: Queries = field(init=False)

    async def open(self) -> None:
        clock = WallClock()
        self.engine = Engine(seed=7, agents_in_memory=self.agents_in_memory)
        await self.store.commit([self.engine.restore(*self.store.load(), clock.now())])
        self.host = Host(self.engine, self.store, clock)
        self.host.start()
        self.queries = Queries(self.host, self.engine, self.store)

    async def start(self, *names: str, kind: str = "agent") -> Sequence[Reply]:
        return await self.host.ask_all([starts(name, kind) for name in names])

    async def join(self, *, agent_slots: int = MANY, kinds: Sequence[str] = ("agent",)) -> None:
        self.host.tell(self.joining(agent_slots=agent_slots, kinds=kinds))
        await settle()

    def joining(self, *, agent_slots: int = MANY, kinds: Sequence[str] = ("agent",)) -> WorkerJoined:
        """The message with which the worker begins its next session."""
        self.session += 1
        self.host.attach(W, self.session, self.received.extend)
        return WorkerJoined(W, self.session, ("default",), tuple(map(AgentKind, kinds)), agent_slots=agent_slots)

    async def end_all(self) -> None:
        """Let every agent complete that is activated, until none is any more."""
        done = 0
        while len(self.activated) > done:
            for activation in self.activated[done:]:
                done += 1
                ending = AgentCompleted(NULL_PAYLOAD)
                self.host.tell(AgentProgress(activation.execution_id, activation.run, activation.number, (), ending))
            await settle()

    @property
    def activated(self) -> list[AgentActivation]:
        return [message for message in self.received if isinstance(message, AgentActivation)]

    @property
    def in_memory(self) -> list[str]:
        return list(self.engine.execution_ids())

    async def status(self, name: str) -> ExecutionStatus:
        details = await self.host.details(ExecutionId(name))
        assert details is not None
        return details.execution.status


@asynccontextmanager
async def inn(store: Store, agents_in_memory: int = 2) -> AsyncIterator[Inn]:
    opened = Inn(store, agents_in_memory)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.host.close()


def starts(name: str, kind: str = "agent") -> StartExecution:
    return StartExecution(kind, NULL_PAYLOAD, ExecutionId(name))


def names(count: int) -> list[str]:
    return [f"x{number:02}" for number in range(count)]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store.db", durability="off")
    yield opened
    opened.close()


def test_of_many_that_wait_only_the_first_are_in_memory_and_all_can_be_asked_for(store: Store) -> None:
    async def main() -> None:
        async with inn(store) as it:
            await it.start(*names(10))
            assert it.in_memory == ["x00", "x01"]
            assert [await it.status(name) for name in names(10)] == [ExecutionStatus.PENDING] * 10
            listed, _ = await it.queries.list_executions(ExecutionFilter(), 100, "")
            assert [view.execution_id for view in listed] == names(10)[::-1]
            assert sorted(it.host.execution_ids()) == names(10)
            assert [event.type for event in it.host.history(ExecutionId("x09"))] == ["EXECUTION_STARTED"]

    run(main())


def test_they_are_handed_out_in_the_order_of_their_start_page_by_page(store: Store) -> None:
    async def main() -> None:
        async with inn(store) as it:
            await it.start(*names(7))
            await it.join(agent_slots=1)
            await it.start("x07", "x08")
            await it.end_all()
            assert [activation.execution_id for activation in it.activated] == names(9)
            assert it.in_memory == []

    run(main())


def test_what_rests_is_older_than_what_is_started_now_and_goes_first(store: Store) -> None:
    async def main() -> None:
        async with inn(store) as it:
            await it.start(*names(4))
            await it.host.ask_all([it.joining(agent_slots=3), starts("x04")])
            await settle()
            assert [activation.execution_id for activation in it.activated] == names(3)

    run(main())


def test_one_that_rests_is_cancelled_and_not_handed_out(store: Store) -> None:
    async def main() -> None:
        async with inn(store) as it:
            await it.start(*names(5))
            cancel = CancelExecution(ExecutionId("x03"), CAUSE)
            first, second = await it.host.ask_all([cancel, cancel])
            assert first == CancelAnswered(CancelTaskResult.CANCELLED)
            assert second == CancelAnswered(CancelTaskResult.ALREADY_CANCELLED)
            assert await it.status("x03") is ExecutionStatus.CANCELLED
            assert "x03" not in it.in_memory
            await it.join()
            assert [activation.execution_id for activation in it.activated] == ["x00", "x01", "x02", "x04"]

    run(main())


def test_one_that_is_cancelled_in_the_turn_in_which_its_page_is_wanted_is_not_handed_out(store: Store) -> None:
    async def main() -> None:
        async with inn(store) as it:
            await it.start(*names(5))
            await it.host.ask_all([CancelExecution(ExecutionId("x03"), CAUSE), starts("x05"), it.joining()])
            await settle()
            assert [activation.execution_id for activation in it.activated] == ["x00", "x01", "x02", "x04", "x05"]
            await it.end_all()
            assert it.in_memory == []

    run(main())


def test_one_that_rests_takes_signals_and_is_given_them_when_it_runs(store: Store) -> None:
    async def main() -> None:
        async with inn(store) as it:
            await it.start(*names(4))
            signal = SignalExecution(ExecutionId("x03"), "go", Payload(b"1"))
            assert await it.host.ask_all([signal, signal]) == [Signalled(1), Signalled(2)]
            assert it.in_memory == ["x00", "x01"]
            await it.join()
            activation = it.activated[-1]
            operation = AwaitSignal(1, "go")
            it.host.tell(AgentProgress(activation.execution_id, activation.run, activation.number, (operation,)))
            await settle()
            assert [each.position for each in it.activated[-1].resolutions] == [1]

    run(main())


def test_a_start_with_the_id_of_one_that_rests_is_recognised(store: Store) -> None:
    async def main() -> None:
        async with inn(store) as it:
            await it.start(*names(4))
            assert await it.start("x03") == [Started(ExecutionId("x03"), created=False)]
            (refused,) = await it.start("x03", kind="another")
            assert isinstance(refused, Refused)

    run(main())


def test_all_that_rest_are_cancelled_by_a_filter(store: Store) -> None:
    async def main() -> None:
        async with inn(store) as it:
            await it.start(*names(10))
            counts = [dict(each) async for each in it.queries.cancel_executions(ExecutionFilter(), CAUSE, hard=False)]
            assert counts[-1] == {CancelTaskResult.CANCELLED: 10}
            await it.start("x10")
            await it.join()
            assert [activation.execution_id for activation in it.activated] == ["x10"]

    run(main())


def test_how_many_wait_and_since_when_is_known_also_where_all_rest(store: Store) -> None:
    async def main() -> None:
        async with inn(store, 0) as it:
            await it.start(*names(3))
            await it.host.ask(CancelExecution(ExecutionId("x00"), CAUSE))
            (waiting,) = (await it.queries.stuck(10)).waiting
            assert (waiting.count, waiting.workers) == (2, 0)

    run(main())


def test_a_restart_leaves_them_where_they_are(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "store.db"
        kept = SqliteStore(path)
        async with inn(kept) as it:
            await it.start(*names(5))
            await it.join(agent_slots=1)
            await it.host.ask(CancelExecution(ExecutionId("x02"), CAUSE))
        kept.close()
        kept = SqliteStore(path)
        async with inn(kept) as it:
            assert it.in_memory == ["x00"]  # it ran before
            await it.start("x05", "x02")
            await it.join()
            assert [activation.execution_id for activation in it.activated] == ["x00", "x01", "x03", "x04", "x05"]
        kept.close()

    run(main())


# -- the same story, however many are in memory --

NAMES = st.sampled_from(names(8))
HAPPENING = st.one_of(
    st.tuples(st.just("start"), NAMES, st.sampled_from(["a", "b"])),
    st.tuples(st.just("start"), NAMES, st.sampled_from(["a", "b"])),
    st.tuples(st.just("cancel"), NAMES, st.booleans()),
    st.tuples(st.just("signal"), NAMES, st.just("go")),
    st.tuples(st.just("join"), st.integers(1, 3), st.sampled_from([("a",), ("a", "b")])),
    st.tuples(st.just("leave"), st.just(""), st.just("")),
    st.tuples(st.just("answer"), st.booleans(), st.just("")),
)
STORY = st.lists(
    st.one_of(st.lists(HAPPENING, min_size=1, max_size=6), st.sampled_from(["restart", "a second"])), max_size=12
)
Told = tuple[list[Sequence[Reply]], list[ToWorker], dict[str, Sequence[HistoryEvent]]]


def command_of(it: Inn, answered: list[int], happening: tuple[str, object, object]) -> Command:
    match happening:
        case ("start", str(name), str(kind)):
            return starts(name, kind)
        case ("cancel", str(name), bool(hard)):
            return CancelExecution(ExecutionId(name), CAUSE, hard)
        case ("signal", str(name), _):
            return SignalExecution(ExecutionId(name), "go")
        case ("join", int(slots), tuple(kinds)):
            return it.joining(agent_slots=slots, kinds=kinds)
        case ("answer", bool(ends), _) if len(it.activated) > answered[0]:
            activation = it.activated[answered[0]]
            answered[0] += 1
            operations = () if ends else (AwaitSignal(activation.number, "go"),)
            ending = AgentCompleted(NULL_PAYLOAD) if ends else None
            return AgentProgress(activation.execution_id, activation.run, activation.number, operations, ending)
        case _:
            return WorkerLeft(W, it.session, handed_back=True)


async def told(story: Sequence[object], path: Path, agents_in_memory: int) -> Told:
    """All that clients and the worker are told when this happens, turn by turn."""
    replies: list[Sequence[Reply]] = []
    answered = [0]
    store = SqliteStore(path, durability="off")
    it = Inn(store, agents_in_memory)
    await it.open()
    for turn in story:
        if isinstance(turn, list):
            replies.append(await it.host.ask_all([command_of(it, answered, each) for each in turn]))
            await settle()
            continue
        if turn == "a second":
            await asyncio.sleep(1)
            continue
        await it.host.close()
        store.close()
        it.store = store = SqliteStore(path, durability="off")
        await it.open()
    histories = {name: it.host.history(ExecutionId(name)) for name in names(8)}
    await it.host.close()
    store.close()
    return replies, it.received, histories


@settings(max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=STORY)
def test_everything_is_the_same_however_many_are_in_memory(story: Sequence[object]) -> None:
    with TemporaryDirectory() as folder:
        expected, *others = (run(told(story, Path(folder, f"{number}.db"), number)) for number in (MANY, 0, 1, 2))
    for other in others:
        assert other == expected
