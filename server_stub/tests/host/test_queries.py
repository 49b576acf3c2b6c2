"""What operators ask: tasks and workers as they durably stand, what is stuck, and the server itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rescind.errors import InvalidInput, NotFound, StoreError
from rescind.model.commands import CancelExecution, CancelTaskFromOutside, StartExecution
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId, TaskId, WorkerId
from rescind.model.messages import (
    AgentKind,
    AgentParked,
    AgentProgress,
    StopOrder,
    StopReported,
    WorkerJoined,
    WorkerLeft,
)
from rescind.model.operations import ScheduleTask
from rescind.model.options import TaskOptions
from rescind.model.overviews import CancelReach, ListedTask, StuckReason
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import CancelMode, ExecutionStatus, StopState, TaskStatus
from rescind.model.views import ExecutionView
from rescind.testing.virtual_time import run
from rescind_server.engine.machine import Engine
from rescind_server.host.about import About
from rescind_server.host.clock import WallClock
from rescind_server.host.driver import Host
from rescind_server.host.queries import Queries
from rescind_server.store.memory import MemoryStore
from rescind_server.store.sqlite import SqliteStore
from server_stub.tests.host.setting import CAUSE, START, TASK, Setting, X, settle

SECOND = 1_000_000
W = WorkerId("w")


def queries_of(setting: Setting, about: About | None = None) -> Queries:
    return Queries(setting.host, setting.host._engine, setting.store, about)


async def schedule(setting: Setting, name: str, *kinds: str, options: TaskOptions | None = None) -> None:
    """Start an agent that schedules a task of each kind; their ids are its name and a number."""
    execution_id = ExecutionId(name)
    await setting.host.ask(StartExecution("agent", NULL_PAYLOAD, execution_id, labels={"of": name}, by=f"by-{name}"))
    tasks = tuple(
        ScheduleTask(number, TaskId(f"{name}-{number}"), kind, NULL_PAYLOAD, None, options or TaskOptions())
        for number, kind in enumerate(kinds, start=1)
    )
    setting.host.tell(AgentProgress(execution_id, 1, 1, tasks))
    await settle()


def acknowledge(setting: Setting) -> None:
    """The worker says that it has the last order that it was sent."""
    order = next(each for each in reversed(setting.received) if isinstance(each, StopOrder))
    setting.host.tell(StopReported(order.task_id, order.lease, StopState.DELIVERED))


async def listed(queries: Queries, selection: TaskFilter, size: int = 100) -> list[ListedTask]:
    """All that a filter selects, in pages of that size."""
    found: list[ListedTask] = []
    token = ""
    while True:
        page, token = await queries.list_tasks(selection, size, token)
        assert len(page) <= size
        found += page
        if not token:
            return found


def ids(found: Sequence[ListedTask]) -> list[str]:
    return [each.task.task_id for each in found]


def test_tasks_are_listed_in_order_and_their_pages_stay_in_place() -> None:
    async def main() -> None:
        async with Setting() as setting:
            for name in ("a", "b", "c"):
                await schedule(setting, name, "work", "rare", "work")
            queries = queries_of(setting)
            everything = [f"{name}-{number}" for name in "abc" for number in (1, 2, 3)]
            for size in (1, 2, 3, 4, 100):
                assert ids(await listed(queries, TaskFilter(), size)) == everything
            page, token = await queries.list_tasks(TaskFilter(), 4, "")
            await schedule(setting, "d", "work")
            await setting.host.ask(CancelExecution(ExecutionId("a"), CAUSE, hard=True))
            rest, end = await queries.list_tasks(TaskFilter(), 100, token)
            assert (ids([*page, *rest]), end) == ([*everything, "d-1"], "")

    run(main())


def test_every_field_of_a_filter_narrows() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await schedule(setting, "a", "work", "rare")
            await asyncio.sleep(1)
            later = setting.host.now()
            await schedule(setting, "b", "work", options=TaskOptions(labels={"team": "x"}))
            queries = queries_of(setting)
            selected: dict[str, TaskFilter] = {
                "a-1 b-1": TaskFilter(statuses=(TaskStatus.RUNNING,)),
                "a-2": TaskFilter(statuses=(TaskStatus.PENDING,)),
                "a-1 a-2": TaskFilter(created_by="by-a"),
                "b-1": TaskFilter(labels={"team": "x"}),
                "a-1 a-2 b-1": TaskFilter(agent="agent", queue="default", unsettled=True),
                "": TaskFilter(agent="another"),
            }
            for expected, selection in selected.items():
                assert ids(await listed(queries, selection, 1)) == expected.split()
            assert ids(await listed(queries, TaskFilter(kind="rare"))) == ["a-2"]
            assert ids(await listed(queries, TaskFilter(worker_id=W))) == ["a-1", "b-1"]
            assert ids(await listed(queries, TaskFilter(execution_id=ExecutionId("b")))) == ["b-1"]
            assert ids(await listed(queries, TaskFilter(scheduled_before=later))) == ["a-1", "a-2"]
            assert ids(await listed(queries, TaskFilter(scheduled_after=later))) == ["b-1"]
            assert ids(await listed(queries, TaskFilter(organisation="another"))) == []

    run(main())


def test_a_cancelled_task_is_stopping_until_its_worker_says_that_it_has_stopped() -> None:
    async def main() -> None:
        async with Setting() as setting:
            lease = (await setting.schedule()).lease
            queries = queries_of(setting)
            assert await listed(queries, TaskFilter(stopping=True)) == []
            await setting.host.ask(CancelTaskFromOutside(X, TASK, CAUSE))
            (found,) = await listed(queries, TaskFilter(stopping=True))
            (attempt,) = found.at_work
            assert (found.task.status, found.task.stop_state) == (TaskStatus.CANCELLED, StopState.REQUESTED)
            assert (attempt.worker_id, attempt.stop_state) == (W, StopState.REQUESTED)
            assert attempt.stop_due == setting.host.now() + 10 * SECOND
            setting.host.tell(StopReported(TASK, lease, StopState.STOPPED))
            await settle()
            assert await listed(queries, TaskFilter(stopping=True)) == []
            assert await listed(queries, TaskFilter(unsettled=True)) == []
            (over,) = await listed(queries, TaskFilter(statuses=(TaskStatus.CANCELLED,)))
            assert (over.task.stop_state, over.at_work) == (StopState.STOPPED, ())

    run(main())


def test_a_task_that_was_asked_to_stop_is_stopping_and_one_left_alone_is_not() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await schedule(setting, "a", "work", "work")
            waiting = asyncio.create_task(
                setting.host.ask(CancelTaskFromOutside(ExecutionId("a"), TaskId("a-1"), CAUSE, CancelMode.WAIT))
            )
            await setting.host.ask(CancelTaskFromOutside(ExecutionId("a"), TaskId("a-2"), CAUSE, CancelMode.ABANDON))
            (asked,) = await listed(queries_of(setting), TaskFilter(stopping=True))
            assert (asked.task.task_id, asked.task.status) == ("a-1", TaskStatus.RUNNING)
            unsettled = await listed(queries_of(setting), TaskFilter(unsettled=True))
            assert [len(each.at_work) for each in unsettled] == [1, 1]
            waiting.cancel()

    run(main())


def test_the_tasks_of_an_execution_are_listed_also_when_it_is_closed() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await schedule(setting, "a", "rare", "rare", "rare")
            await setting.host.ask(CancelExecution(ExecutionId("a"), CAUSE, hard=True))
            queries = queries_of(setting)
            assert await listed(queries, TaskFilter()) == []
            of_a = TaskFilter(execution_id=ExecutionId("a"))
            assert ids(await listed(queries, of_a, 2)) == ["a-1", "a-2", "a-3"]
            assert await listed(queries, TaskFilter(execution_id=ExecutionId("a"), kind="work")) == []
            with pytest.raises(NotFound, match="no execution 'nobody'"):
                await listed(queries, TaskFilter(execution_id=ExecutionId("nobody")))

    run(main())


def test_pages_of_one_execution_hold_all_of_its_tasks_though_it_closes_between_them() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await schedule(setting, "before", "rare", "rare")
            await schedule(setting, "a", *["rare"] * 6)
            queries = queries_of(setting)
            of_a = TaskFilter(execution_id=ExecutionId("a"))
            page, token = await queries.list_tasks(of_a, 2, "")
            await setting.host.ask(CancelExecution(ExecutionId("a"), CAUSE, hard=True))
            assert not setting.host._engine.holds(ExecutionId("a"))
            rest, end = await queries.list_tasks(of_a, 100, token)
            assert (ids([*page, *rest]), end) == ([f"a-{number}" for number in range(1, 7)], "")
            assert ids(await listed(queries, of_a, 4)) == ids([*page, *rest])

    run(main())


def test_nothing_is_shown_of_a_turn_that_is_not_durable() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.schedule()
            queries = queries_of(setting)
            setting.store.is_open.clear()
            cancel = asyncio.create_task(setting.host.ask(CancelTaskFromOutside(X, TASK, CAUSE)))
            await settle()
            asked: list[asyncio.Task[Any]] = [
                asyncio.create_task(queries.list_tasks(TaskFilter(), 10, "")),
                asyncio.create_task(queries.list_workers(10, "")),
                asyncio.create_task(queries.stuck(10)),
                asyncio.create_task(queries.reach(TaskFilter(), hard=False)),
            ]
            await settle()
            assert not any(each.done() for each in asked)
            setting.store.is_open.set()
            ((page, _), (workers, _), _, reach) = [await each for each in asked]
            assert (page[0].task.status, workers[0].stopping, reach) == (TaskStatus.CANCELLED, 1, CancelReach())
            await cancel

    run(main())


def test_workers_are_listed_with_what_they_hold_and_what_does_not_stop() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await schedule(setting, "a", "work", "work")
            setting.host.attach(WorkerId("v"), 1, lambda _: None)
            setting.host.tell(WorkerJoined(WorkerId("v"), 1, ("other",), (AgentKind("agent"),), ("t",), 7))
            await setting.host.ask(CancelTaskFromOutside(ExecutionId("a"), TaskId("a-1"), CAUSE))
            queries = queries_of(setting)
            (v,), token = await queries.list_workers(1, "")
            (w,), end = await queries.list_workers(1, token)
            assert (v.worker_id, v.queues, v.agents, v.tasks, v.slots, end) == (
                "v",
                ("other",),
                ("agent",),
                ("t",),
                7,
                "",
            )
            assert (w.running, w.held, w.connected, w.stopping, w.unresponsive) == (2, 1, True, 1, 0)
            await asyncio.sleep(11)
            ((_, w), _) = await queries.list_workers(10, "")
            assert (w.stopping, w.unresponsive) == (1, 1)
            setting.host.tell(WorkerLeft(W, 1))
            await settle()
            ((_, w), _) = await queries.list_workers(10, "")
            assert (w.connected, w.lease_ends) == (False, setting.host.now() + 10 * SECOND)

    run(main())


def test_what_runs_on_after_its_grace_or_without_its_worker_is_stuck() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await schedule(setting, "a", "work", "work")
            await setting.host.ask(CancelTaskFromOutside(ExecutionId("a"), TaskId("a-1"), CAUSE))
            queries = queries_of(setting)
            assert (await queries.stuck(10)).tasks == ()
            acknowledge(setting)
            due = setting.host.now() + 10 * SECOND
            await asyncio.sleep(11)
            (stuck,) = (await queries.stuck(10)).tasks
            assert (stuck.reason, stuck.since, stuck.listed.task.task_id) == (StuckReason.NOT_STOPPED, due, "a-1")
            quiet = await queries.stuck(10, quiet_ms=5_000)
            assert {each.reason: each.listed.task.task_id for each in quiet.tasks} == {
                StuckReason.NO_HEARTBEAT: "a-2",
                StuckReason.NOT_STOPPED: "a-1",
            }
            setting.host.tell(WorkerLeft(W, 1))
            await settle()
            away = await queries.stuck(1)
            assert (away.task_count, len(away.tasks)) == (2, 1)
            assert {each.reason: each.listed.task.task_id for each in (await queries.stuck(10)).tasks} == {
                StuckReason.STOP_WAITS: "a-1",
                StuckReason.WORKER_AWAY: "a-2",
            }
            assert (await queries.stuck(10, organisation="another")).task_count == 0

    run(main())


def test_an_order_that_its_worker_does_not_acknowledge_is_stuck_and_told_how_often_it_was_sent() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await schedule(setting, "a", "work")
            await setting.host.ask(CancelTaskFromOutside(ExecutionId("a"), TaskId("a-1"), CAUSE))
            asked_at = setting.host.now()
            await asyncio.sleep(0.5)
            assert (await queries_of(setting).stuck(10)).tasks == ()
            await asyncio.sleep(3)
            (stuck,) = (await queries_of(setting).stuck(10)).tasks
            assert (stuck.reason, stuck.since) == (StuckReason.NOT_ACKNOWLEDGED, asked_at)
            (attempt,) = stuck.listed.at_work
            assert (attempt.deliveries, attempt.acknowledged) == (3, False)
            acknowledge(setting)
            await settle()
            assert (await queries_of(setting).stuck(10)).tasks == ()

    run(main())


def test_what_waits_for_a_worker_is_told_with_how_many_take_it() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await schedule(setting, "a", "rare", "rare")
            scheduled_at = setting.host.now()
            await setting.host.ask(StartExecution("unheard-of", queue="far"))
            (agents, tasks) = (await queries_of(setting).stuck(10)).waiting
            assert (agents.is_agent, agents.kind, agents.queue, agents.count, agents.workers) == (
                True,
                "unheard-of",
                "far",
                1,
                0,
            )
            assert (tasks.is_agent, tasks.kind, tasks.count, tasks.since, tasks.workers) == (
                False,
                "rare",
                2,
                scheduled_at,
                0,
            )
            await setting.host.ask(CancelExecution(ExecutionId("a"), CAUSE, hard=True))
            assert [each.kind for each in (await queries_of(setting).stuck(10)).waiting] == ["unheard-of"]

    run(main())


def test_agents_that_wait_for_another_deployment_are_told_with_the_reason() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.host.ask(START)
            setting.host.tell(AgentParked(X, setting.activation().run, "another path"))
            await settle()
            (parked,) = (await queries_of(setting).stuck(10)).parked
            assert (parked.kind, parked.count, parked.execution_id) == ("agent", 1, X)
            assert "another path" in parked.reason

    run(main())


def test_the_server_tells_of_itself_also_when_its_store_fails() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await schedule(setting, "a", "work", "rare")
            queries = queries_of(setting, About("1.2.3"))
            facts = await queries.facts()
            assert (facts.version, facts.store, facts.store_problem) == ("1.2.3", "memory", None)
            assert (facts.open_executions, facts.queued_tasks, facts.running_attempts) == (1, 1, 1)
            assert (facts.connected_workers, facts.known_workers, facts.now) == (1, 1, setting.host.now())
            setting.store.failure = StoreError("no space left on the disk")
            setting.host.tell(WorkerLeft(W, 1))
            await settle()
            assert (await queries.facts()).store_problem == "no space left on the disk"

    run(main())


def test_executions_are_selected_by_the_worker_that_holds_them() -> None:
    async def main() -> None:
        async with Setting() as setting:
            for name in ("a", "b", "c"):
                await schedule(setting, name, "work")
            await setting.host.ask(StartExecution("unheard-of", NULL_PAYLOAD, ExecutionId("d")))
            queries = queries_of(setting)
            held = ExecutionFilter(worker_id=W)
            page, token = await queries.list_executions(held, 2, "")
            rest, end = await queries.list_executions(held, 2, token)
            assert ([view.execution_id for view in (*page, *rest)], end) == (["c", "b", "a"], "")
            assert await queries.list_executions(ExecutionFilter(worker_id=WorkerId("v")), 2, "") == ([], "")
            only_b = ExecutionFilter(worker_id=W, labels={"of": "b"}, created_by="by-b", kind="agent")
            assert await queries.reach(only_b, hard=False) == CancelReach(executions=1, tasks=1, attempts=1)
            async for _ in queries.cancel_executions(only_b, CAUSE, hard=False):
                pass
            views, _ = await queries.list_executions(ExecutionFilter(), 10, "")
            assert [view.execution_id for view in views if view.status is ExecutionStatus.CANCELLING] == ["b"]

    run(main())


def test_as_many_are_counted_as_would_be_cancelled() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await schedule(setting, "a", "work", "rare", "rare")
            await schedule(setting, "b", "work")
            await setting.host.ask(CancelTaskFromOutside(ExecutionId("a"), TaskId("a-2"), CAUSE))
            await setting.host.ask(CancelExecution(ExecutionId("b"), CAUSE, hard=True))
            queries = queries_of(setting)
            assert await queries.reach(ExecutionFilter(), hard=False) == CancelReach(1, 0, tasks=2, attempts=1)
            assert await queries.reach(TaskFilter(), hard=False) == CancelReach(0, 0, tasks=2, attempts=1)
            cancelled = ExecutionFilter(statuses=(ExecutionStatus.CANCELLED,))
            assert await queries.reach(cancelled, hard=False) == CancelReach(executions=1)
            assert await queries.reach(cancelled, hard=True) == CancelReach(executions=1, attempts=1)
            counts = [dict(each) async for each in queries.cancel_tasks(TaskFilter(), CAUSE)]
            assert sum(counts[-1].values()) == 2

    run(main())


@pytest.mark.parametrize("token", ["x", "1", "1.", ".1", "1.x", "-1.1", "1.1.1", "٣.1", f"{'9' * 19}.1", "9" * 50])
def test_a_token_that_is_not_one_of_ours_is_refused(token: str) -> None:
    async def main() -> None:
        async with Setting() as setting:
            with pytest.raises(InvalidInput, match="is no page token"):
                await queries_of(setting).list_tasks(TaskFilter(), 10, token)

    run(main())


@pytest.mark.parametrize("kept_in", ["memory", "file"])
def test_those_that_were_started_at_the_same_time_keep_one_order_over_pages(tmp_path: Path, kept_in: str) -> None:
    names = [str(number * 7 % 10) for number in range(10)]

    async def main() -> None:
        store = MemoryStore() if kept_in == "memory" else SqliteStore(tmp_path / "store.db")
        host = Host(Engine(), store, WallClock())
        host.start()
        # What is asked together is decided together, at one time.
        await host.ask_all([StartExecution("agent", NULL_PAYLOAD, ExecutionId(name)) for name in names])
        queries = Queries(host, host._engine, store)
        found: list[ExecutionView] = []
        token, number = "", 0
        while token or not number:
            page, token = await queries.list_executions(ExecutionFilter(), 3, token)
            found += page
            number += 1
            await host.ask(StartExecution("agent", NULL_PAYLOAD, ExecutionId(f"later-{number}")))
        assert len({view.created_at for view in found}) == 1
        assert [view.execution_id for view in found] == names[::-1]
        await host.close()
        store.close()

    asyncio.run(main())
