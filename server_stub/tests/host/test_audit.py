"""Every request is recorded, also one that came when all was over; and what was asked since then is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from rescind.errors import InvalidInput
from rescind.model.audit import AuditAction, AuditFilter, AuditRecord
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import (
    CancelAnswered,
    CancelExecution,
    CancelTaskFromOutside,
    FromClient,
    SignalExecution,
    StartExecution,
)
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import ExecutionId, Instant, TaskId, WorkerId
from rescind.model.messages import AgentCompleted, AgentKind, AgentProgress, WorkerJoined
from rescind.model.operations import AppendEntry, ScheduleTask
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import CancelTaskResult
from rescind.model.workflow_commands import FailWorkflow, PassStatus
from rescind.model.workflows import (
    PollWorkflow,
    RetryWorkflow,
    StartWorkflow,
    SubmitWorkflowCommands,
    WorkflowClaimed,
)
from rescind.testing.environment import VirtualClock
from rescind.testing.virtual_time import run, virtual_loop
from rescind_server.access.token_file import TokenFile
from rescind_server.access.tokens import Role
from rescind_server.engine.machine import Engine
from rescind_server.host import audit
from rescind_server.host.audit import AuditTrail
from rescind_server.host.driver import Host
from rescind_server.store.memory import MemoryStore
from rescind_server.store.port import Store
from rescind_server.store.sqlite import SqliteStore

X = ExecutionId("x")
TASK = TaskId("t")
WHY = CancelCause(CancelSource.REQUEST, "client:web", "not needed")
CANCEL = CancelExecution(X, WHY)
OpenStore = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    return MemoryStore if request.param == "memory" else lambda: SqliteStore(tmp_path / "store.db")


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "STEP", 2)


class Served:
    """A host over a store."""

    def __init__(self, host: Host, store: Store) -> None:
        self.host = host
        self.store = store

    async def end(self, execution_id: ExecutionId = X, organisation: str = "default") -> None:
        """Start an execution with a task and an entry, and let both end; nothing of it stays in memory."""
        self.host.attach(WorkerId("w"), 1, lambda _: None)
        self.host.tell(WorkerJoined(WorkerId("w"), 1, ("default",), (AgentKind("agent"),)))
        await self.host.ask(
            StartExecution("agent", NULL_PAYLOAD, execution_id, by="client:web", organisation=organisation)
        )
        done = (AppendEntry(1, "e", "message", "user", NULL_PAYLOAD), ScheduleTask(2, TASK, "work", NULL_PAYLOAD))
        self.host.tell(AgentProgress(execution_id, 1, 1, done, AgentCompleted(NULL_PAYLOAD)))
        await virtual_loop().settled()

    def history(self, event: EventType) -> list[HistoryEvent]:
        """The events of a type, in a history without gaps."""
        history = self.host.history(X)
        assert [each.sequence for each in history] == list(range(1, len(history) + 1))
        assert all(before.at <= after.at for before, after in pairwise(history))
        return [each for each in history if each.type is event]

    async def page(
        self, selection: AuditFilter | None = None, size: int = 100, token: str = "", organisation: str = "default"
    ) -> tuple[list[AuditRecord], str]:
        records, token = await AuditTrail(self.store).page(organisation, selection or AuditFilter(), size, token)
        return list(records), token


@asynccontextmanager
async def serving(store: Store) -> AsyncIterator[Served]:
    clock = VirtualClock(virtual_loop())
    engine = Engine()
    loaded = store.load()
    assert not loaded.executions, "what is closed is not remembered"
    await store.commit([engine.restore(*loaded, clock.now())])
    host = Host(engine, store, clock)
    host.start()
    try:
        yield Served(host, store)
    finally:
        await host.close()
        store.close()


# -- what came too late --


@pytest.mark.parametrize(
    ("command", "event", "result"),
    [
        (CANCEL, EventType.EXECUTION_CANCEL_REQUESTED, CancelTaskResult.ALREADY_COMPLETED),
        (CancelTaskFromOutside(X, TASK, WHY), EventType.TASK_CANCEL_REQUESTED, CancelTaskResult.ALREADY_CANCELLED),
    ],
)
def test_a_cancel_that_comes_when_all_is_over_is_recorded_each_time(
    open_store: OpenStore, command: FromClient, event: EventType, result: CancelTaskResult
) -> None:
    async def main() -> None:
        async with serving(open_store()) as served:
            await served.end()
            before = len(served.history(event))
            assert await served.host.ask(command) == CancelAnswered(result)
            # Two in one turn, and one commit.
            assert await served.host.ask_all((command, command)) == [CancelAnswered(result)] * 2
            recorded = [each.details or {} for each in served.history(event)[before:]]
            assert [each["result"] for each in recorded] == [result] * 3
            assert {(each["by"], each["source"], each["reason"]) for each in recorded} == {
                ("client:web", "request", "not needed")
            }

    run(main())


def test_a_cancel_in_the_turn_in_which_all_ends_is_recorded_behind_the_end(open_store: OpenStore) -> None:
    async def main() -> None:
        async with serving(open_store()) as served:
            hard = CancelExecution(X, WHY, hard=True)
            replies = await served.host.ask_all((StartExecution("agent", execution_id=X), hard, hard, CANCEL))
            results = [reply.result for reply in replies if isinstance(reply, CancelAnswered)]
            assert results == ["CANCELLED", "ALREADY_CANCELLED", "ALREADY_CANCELLED"]
            recorded = served.history(EventType.EXECUTION_CANCEL_REQUESTED)
            assert [(each.details or {})["result"] for each in recorded] == results

    run(main())


def test_a_signal_that_comes_when_all_is_over_is_recorded_as_refused(open_store: OpenStore) -> None:
    async def main() -> None:
        async with serving(open_store()) as served:
            await served.end()
            await served.host.ask(SignalExecution(X, "go", by="client:web"))
            (refused,) = served.history(EventType.SIGNAL_REFUSED)
            assert refused.details == {"name": "go", "by": "client:web"}

    run(main())


def test_a_repeated_start_is_the_same_request_and_recorded_once(open_store: OpenStore) -> None:
    async def main() -> None:
        async with serving(open_store()) as served:
            await served.end()
            length = len(served.host.history(X))
            await served.host.ask(StartExecution("agent", NULL_PAYLOAD, X, by="client:web"))
            assert len(served.host.history(X)) == length

    run(main())


def test_what_came_too_late_lasts_and_is_counted_on_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(SqliteStore(tmp_path / "store.db")) as served:
            await served.end()
            await served.host.ask(CANCEL)
        for count in (2, 3):
            async with serving(SqliteStore(tmp_path / "store.db")) as served:
                await served.host.ask(CANCEL)
                assert len(served.history(EventType.EXECUTION_CANCEL_REQUESTED)) == count
                details = await served.host.details(X)
                assert details is not None
                assert len(details.entries) == 1

    run(main())


def test_nothing_is_left_of_a_cancel_that_meets_the_removal(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(SqliteStore(tmp_path / "store.db")) as served:
            await served.end()
            # The store's one thread removes it behind the look that the host takes, and before its commit.
            removing = asyncio.create_task(served.store.remove_closed(Instant(2**62), 1_000))
            await asyncio.sleep(0)
            await served.host.ask(CANCEL)
            await removing
            assert served.host.history(X) == ()
            assert await served.page() == ([], "")

    run(main())


# -- the trail --


def test_the_trail_tells_who_what_when_why_and_the_result(open_store: OpenStore) -> None:
    async def main() -> None:
        async with serving(open_store()) as served:
            await served.end()
            await asyncio.sleep(60)
            await served.host.ask(CANCEL)
            records, token = await served.page()
            last, *_, first = records
            assert (last.who, last.action, last.result) == ("client:web", AuditAction.CANCEL, "ALREADY_COMPLETED")
            assert (last.source, last.reason, last.execution_id) == ("request", "not needed", X)
            assert (first.action, first.result, first.subject, first.who) == ("START", "CREATED", "agent", "client:web")
            assert last.at - first.at == 60_000_000
            assert token == ""
            # What an agent's end brings about is in it, too.
            assert [each.source for each in records if each.action is AuditAction.CANCEL_TASK] == ["parent"]

    run(main())


def test_the_trail_tells_who_let_a_failed_workflow_go_on(open_store: OpenStore) -> None:
    async def main() -> None:
        async with serving(open_store()) as served:
            await served.host.ask(StartWorkflow("flow", execution_id=X))
            claimed = await served.host.ask(PollWorkflow("poll", WorkerId("w")))
            assert isinstance(claimed, WorkflowClaimed)
            failed = SubmitWorkflowCommands(X, (FailWorkflow("it broke"),), PassStatus.FAILED, claimed.claim)
            await served.host.ask(failed)
            await served.host.ask(RetryWorkflow(X, "mended", by="operator:c"))
            last, *_ = (await served.page())[0]
            assert (last.who, last.action, last.result) == ("operator:c", AuditAction.RETRY, "ACCEPTED")
            assert (last.reason, last.execution_id) == ("mended", X)

    run(main())


def test_the_trail_is_selected_by_time_caller_and_execution(open_store: OpenStore, small_steps: None) -> None:
    async def main() -> None:
        async with serving(open_store()) as served:
            for number in range(5):
                await served.host.ask(StartExecution("agent", execution_id=ExecutionId(str(number)), by="client:a"))
            await asyncio.sleep(60)
            middle = served.host.now()
            await served.host.ask(StartExecution("agent", execution_id=ExecutionId("late"), by="client:b"))
            await served.host.ask(SignalExecution(ExecutionId("0"), "go", by="operator:c"))

            async def selected(selection: AuditFilter) -> list[tuple[str, str | None]]:
                return [(each.who, each.execution_id) for each in (await served.page(selection))[0]]

            assert await selected(AuditFilter(since=middle)) == [("client:b", "late"), ("operator:c", "0")]
            assert len(await selected(AuditFilter(who="client:a"))) == 5
            assert len(await selected(AuditFilter(who="client:*"))) == 6
            assert await selected(AuditFilter(execution_id=ExecutionId("0"))) == [
                ("operator:c", "0"),
                ("client:a", "0"),
            ]
            assert await selected(AuditFilter(since=middle, execution_id=ExecutionId("0"))) == [("operator:c", "0")]
            assert await selected(AuditFilter(execution_id=ExecutionId("nobody"))) == []

    run(main())


def test_pages_of_the_trail_are_not_shifted_by_later_requests(open_store: OpenStore, small_steps: None) -> None:
    async def main() -> None:
        async with serving(open_store()) as served:
            for number in range(7):
                await served.host.ask(StartExecution("agent", execution_id=ExecutionId(str(number))))
            seen: list[str | None] = []
            token = ""
            while True:
                page, token = await served.page(size=3, token=token)
                seen += [each.execution_id for each in page]
                await served.host.ask(StartExecution("agent", execution_id=ExecutionId(f"late {token}")))
                if not token:
                    break
            assert seen == ["6", "5", "4", "3", "2", "1", "0"]

    run(main())


@pytest.mark.parametrize("token", ["x", "1", "1.2", "1.2.3.4", "1.2.-3", "1.2.", "²." * 2 + "1", "9" * 30 + ".1.1"])
def test_a_page_token_that_is_none_is_refused(token: str) -> None:
    async def main() -> None:
        async with serving(MemoryStore()) as served:
            with pytest.raises(InvalidInput, match="page token"):
                await served.page(token=token)

    run(main())


def test_the_trail_of_one_organisation_shows_nothing_of_another(open_store: OpenStore) -> None:
    async def main() -> None:
        async with serving(open_store()) as served:
            await served.end(organisation="other")
            assert await served.page() == ([], "")
            assert len((await served.page(organisation="other"))[0]) == 2

    run(main())


def test_the_trail_goes_as_far_back_as_executions_are_kept(open_store: OpenStore, small_steps: None) -> None:
    async def main() -> None:
        async with serving(open_store()) as served:
            await served.host.ask(StartExecution("agent", execution_id=ExecutionId("open")))
            await served.end()
            while await served.store.remove_closed(Instant(2**62), 2):
                pass
            assert [each.execution_id for each in (await served.page())[0]] == ["open"]

    run(main())


def test_changes_of_tokens_are_in_the_trail_at_their_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(MemoryStore()) as served:
            file = TokenFile(tmp_path / "tokens")
            await served.host.ask(StartExecution("agent", execution_id=X))
            await asyncio.sleep(1)
            kept, _ = file.create("web", Role.CLIENT, served.host.now(), by="user:alice")
            file.create("other", Role.CLIENT, served.host.now(), organisation="other")
            await asyncio.sleep(1)
            await served.host.ask(StartExecution("agent", execution_id=ExecutionId("y")))
            await asyncio.sleep(1)
            file.revoke(kept.token_id, served.host.now(), by="user:bob")
            trail = AuditTrail(served.store, file)
            records, token = await trail.page("default", AuditFilter(), 2, "")
            rest, end = await trail.page("default", AuditFilter(), 2, token)
            assert [(each.action, each.who) for each in (*records, *rest)] == [
                ("REVOKE_TOKEN", "user:bob"),
                ("START", "client"),
                ("CREATE_TOKEN", "user:alice"),
                ("START", "client"),
            ]
            assert (records[0].subject, end) == (f"{kept.token_id} client:web", "")

    run(main())
