"""Workflows in the file: what was committed comes back, and goes on as if nothing had happened."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from rescind.model.commands import Command, Refused, Reply, Started
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant, WorkerId, task_id_from_key
from rescind.model.payload import Payload
from rescind.model.status import ExecutionStatus
from rescind.model.workflow_commands import (
    CompleteWorkflow,
    CreatePromise,
    FailWorkflow,
    PassStatus,
    ScheduleChildWorkflow,
    SetState,
    StartTimer,
)
from rescind.model.workflows import (
    PollWorkflow,
    PromiseSettled,
    RetryWorkflow,
    SettlePromise,
    StartWorkflow,
    Submitted,
    SubmitWorkflowCommands,
    WorkflowClaimed,
)
from rescind_server.engine.machine import Engine
from rescind_server.engine.workflow_promises import promise_id_of
from rescind_server.host.clock import WallClock
from rescind_server.host.driver import Host
from rescind_server.store.memory import MemoryStore
from rescind_server.store.port import Store
from rescind_server.store.sqlite import SqliteStore

X = ExecutionId(task_id_from_key("workflow x"))
C = ExecutionId(task_id_from_key("workflow c"))
NOW = Instant(1_000_000)
POLL = PollWorkflow("p", WorkerId("w"), wait_ms=0)


class Turns:
    """An engine over a store, turn by turn; opened anew, it goes on from the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.now = NOW
        self.open()

    def open(self) -> None:
        self.store = SqliteStore(self._path)
        self.engine = Engine()
        asyncio.run(self.store.commit([self.engine.restore(*self.store.load(), self.now)]))

    def crash(self) -> None:
        self.store.close()
        self.open()

    def ask(self, *commands: Command) -> Sequence[Reply]:
        """The answers to commands that are decided in one turn."""
        held = self.engine.holds
        decisions = []
        for command in commands:
            name = getattr(command, "execution_id", None)
            closed = self.store.committed(name) if name is not None and not held(name) else None
            decisions.append(self.engine.decide(command, self.now, closed))
        asyncio.run(self.store.commit(decisions))
        return [decision.reply for decision in decisions]

    def claim(self) -> WorkflowClaimed:
        (claimed,) = self.ask(POLL)
        assert isinstance(claimed, WorkflowClaimed)
        return claimed

    def pass_time(self, milliseconds: int) -> None:
        self.now = Instant(self.now + milliseconds * 1_000)
        decisions = []
        while (decision := self.engine.come_due(self.now)) is not None:
            decisions.append(decision)
        asyncio.run(self.store.commit(decisions))

    def log(self, execution_id: ExecutionId = X) -> list[str]:
        return [logged.event.event_type for logged in self.store.workflow_log(execution_id)]


@pytest.fixture
def turns(tmp_path: Path) -> Turns:
    return Turns(tmp_path / "store.db")


def test_a_timer_that_fell_due_while_nobody_was_there_fires_late(turns: Turns) -> None:
    turns.ask(StartWorkflow("flow", execution_id=X))
    claimed = turns.claim()
    turns.ask(SubmitWorkflowCommands(X, (StartTimer("t", 500),), claim=claimed.claim))
    turns.now = Instant(turns.now + 60_000_000)
    turns.crash()
    turns.pass_time(0)
    assert turns.log() == ["WORKFLOW_STARTED", "TIMER_STARTED", "TIMER_FIRED"]
    assert turns.claim().sequence == 3


def test_a_workflow_that_never_ran_is_offered_behind_a_restart(turns: Turns) -> None:
    turns.ask(StartWorkflow("flow", Payload(b"1"), execution_id=X, version="2.0", priority_ms=5))
    turns.crash()
    claimed = turns.claim()
    assert (claimed.input, claimed.version, claimed.priority_ms) == (Payload(b"1"), "2.0", 5)


def test_a_list_tells_a_workflow_and_its_parent(turns: Turns) -> None:
    turns.ask(StartWorkflow("flow", execution_id=X), StartWorkflow("flow", execution_id=C, parent_id=X))
    found = asyncio.run(turns.store.find_executions(ExecutionFilter(), None, 10))
    shown = [(each.view.execution_id, each.view.is_workflow, each.view.parent_id) for each in found]
    assert shown == [(C, True, X), (X, True, None)]


def test_a_pass_that_was_under_way_may_be_submitted_behind_a_restart(turns: Turns) -> None:
    turns.ask(StartWorkflow("flow", execution_id=X))
    claimed = turns.claim()
    turns.crash()
    submission = SubmitWorkflowCommands(X, (SetState("a"),), claim=claimed.claim, first_sequence=2)
    assert turns.ask(submission) == [Submitted(2, ExecutionStatus.WAITING)]
    turns.crash()
    assert turns.ask(submission) == [Submitted(2, ExecutionStatus.WAITING, repeated=True)]


def test_a_worker_that_does_not_come_back_loses_its_claim_behind_a_restart(turns: Turns) -> None:
    turns.ask(StartWorkflow("flow", execution_id=X))
    turns.claim()
    turns.crash()
    turns.pass_time(10_000)
    assert turns.claim().claim == 2


def test_keys_and_promises_are_found_behind_a_restart(turns: Turns) -> None:
    start = StartWorkflow("flow", idempotency_key="order-1")
    (started,) = turns.ask(start)
    assert isinstance(started, Started)
    claimed = turns.claim()
    create = CreatePromise("p", idempotency_key="answer-1")
    turns.ask(SubmitWorkflowCommands(started.execution_id, (create,), claim=claimed.claim))
    turns.crash()
    assert turns.ask(start) == [Started(started.execution_id, created=False)]
    (settled,) = turns.ask(SettlePromise("answer-1", by_key=True))
    assert isinstance(settled, PromiseSettled)
    assert not settled.already


def test_a_failed_workflow_goes_on_by_hand_out_of_the_file(turns: Turns) -> None:
    turns.ask(StartWorkflow("flow", execution_id=X))
    turns.claim()
    turns.ask(SubmitWorkflowCommands(X, (SetState("a"), FailWorkflow("it broke")), PassStatus.FAILED))
    turns.crash()
    turns.ask(RetryWorkflow(X))
    turns.crash()
    assert turns.claim().sequence == 4
    turns.ask(SubmitWorkflowCommands(X, (CompleteWorkflow(),), PassStatus.COMPLETED))
    stored = turns.store.committed(X)
    assert stored is not None
    assert stored.status is ExecutionStatus.COMPLETED


def test_a_workflow_that_fails_and_goes_on_in_one_commit_stays_open(turns: Turns) -> None:
    turns.ask(StartWorkflow("flow", execution_id=X))
    turns.claim()
    failing = SubmitWorkflowCommands(X, (FailWorkflow("it broke"),), PassStatus.FAILED)
    failed = turns.engine.decide(failing, turns.now)
    retried = turns.engine.decide(RetryWorkflow(X), turns.now, failed.closed[0])
    asyncio.run(turns.store.commit([failed, retried]))
    turns.crash()
    assert turns.claim().claim == 2


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_child_of_the_id_of_a_closed_execution_is_refused_and_the_host_goes_on(kind: str, tmp_path: Path) -> None:
    store: Store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "store.db")

    async def scenario() -> None:
        host = Host(Engine(), store, WallClock())
        host.start()
        await host.ask(StartWorkflow("flow", execution_id=C))
        await host.ask(POLL)
        await host.ask(SubmitWorkflowCommands(C, (CompleteWorkflow(),), PassStatus.COMPLETED))
        await host.ask(StartWorkflow("flow", execution_id=X))
        await host.ask(POLL)
        refused = await host.ask(SubmitWorkflowCommands(X, (ScheduleChildWorkflow("c", "flow", C),)))
        assert refused.error == "AlreadyExists"  # type: ignore[union-attr]
        assert [logged.sequence for logged in host.workflow_log(C)] == [1, 2]
        assert await host.ask(StartWorkflow("flow", execution_id=C)) == Started(C, created=False)
        await host.close()

    asyncio.run(scenario())
    store.close()


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_late_repeat_finds_the_promise_of_a_closed_workflow(kind: str, tmp_path: Path) -> None:
    store: Store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "store.db")

    async def scenario() -> None:
        host = Host(Engine(), store, WallClock())
        host.start()
        await host.ask(StartWorkflow("flow", execution_id=X))
        await host.ask(POLL)
        made = (CreatePromise("p", idempotency_key="answer-1"), CreatePromise("q"))
        await host.ask(SubmitWorkflowCommands(X, made))
        p, q = (promise_id_of(X, name) for name in "pq")
        assert await host.ask(SettlePromise(p)) == PromiseSettled(p, X, already=False)
        await host.ask(POLL)
        await host.ask(SubmitWorkflowCommands(X, (CompleteWorkflow(),), PassStatus.COMPLETED))
        for repeat in (SettlePromise(p), SettlePromise("answer-1", by_key=True), SettlePromise(f"{X}/p")):
            assert await host.ask(repeat) == PromiseSettled(p, X, already=True)
        for late, error in (
            (SettlePromise(q), "ExecutionEnded"),
            (SettlePromise(p, organisation="other"), "NotFound"),
            (SettlePromise(f"{X}/none"), "NotFound"),
        ):
            refused = await host.ask(late)
            assert isinstance(refused, Refused)
            assert refused.error == error
        await store.remove_closed(Instant(2**62), 1_000)
        assert store.owner_of_promise(p) is None
        await host.close()

    asyncio.run(scenario())
    store.close()
