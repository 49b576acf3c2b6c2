"""A server on a file, a worker and a caller, over gRPC: what they do together, seen from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rescind import (
    AddressUnavailable,
    AgentContext,
    AlreadyExists,
    CancelTaskResult,
    ExecutionEnded,
    ExecutionStatus,
    ExecutionWasCancelled,
    NotFound,
    ServerUnavailable,
    StopState,
    StoreError,
    agent,
)
from rescind.client.connecting import Client
from rescind.model.commands import StartExecution
from rescind.model.events import EventType, HistoryEvent
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId
from rescind.testing import check_history
from rescind.worker.connecting import Worker
from rescind_server.app import SERVICES, Server

from .work import AGENTS, LONGEST, TASKS, eventually, gather, patient, race, watch

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def worker(server: Server) -> AsyncIterator[Worker]:
    async with Worker(server.address, agents=AGENTS, tasks=TASKS, worker_id="w-1") as joined:
        yield joined


async def all_of(events: list[asyncio.Event]) -> None:
    async with asyncio.timeout(LONGEST):
        for event in events:
            await event.wait()


async def test_a_race_is_won_and_the_losers_are_stopped(client: Client, worker: Worker) -> None:
    first_runs, second_runs, first_stopped, second_stopped = watch("a-1", "a-2")
    handle = await client.start(race, "a", id="race-1")
    await all_of([first_runs, second_runs])
    await handle.signal("go", "won")
    assert await handle.result() == ["won", 2]
    await all_of([first_stopped, second_stopped])
    statuses = [task.status for task in await handle.tasks()]
    assert statuses == ["CANCELLED", "CANCELLED", "COMPLETED"]
    history = [event async for event in handle.follow() if isinstance(event, HistoryEvent)]
    assert history[-1].type is EventType.EXECUTION_COMPLETED
    check_history(await handle.history())


async def test_a_cancel_reaches_the_running_code_and_the_caller(client: Client, worker: Worker) -> None:
    events = watch("b-1", "b-2")
    handle = await client.start(race, "b")
    await all_of(events[:2])
    assert await handle.cancel("not needed any more") is CancelTaskResult.CANCELLED
    await all_of(events[2:])
    with pytest.raises(ExecutionWasCancelled, match="client:test: not needed any more"):
        await handle.result()
    assert await handle.cancel() is CancelTaskResult.ALREADY_CANCELLED


async def test_one_task_is_cancelled_from_outside(client: Client, worker: Worker) -> None:
    events = watch("c-1", "c-2")
    handle = await client.start(race, "c")
    await all_of(events[:2])
    (first, _) = await handle.tasks()
    assert await handle.cancel_task(first.task_id, mode="WAIT") is CancelTaskResult.CANCELLED  # type: ignore[arg-type]
    assert await handle.cancel_task(first.task_id) is CancelTaskResult.ALREADY_CANCELLED
    assert await handle.cancel_task("00000000-0000-0000-0000-000000000000") is CancelTaskResult.NOT_FOUND
    await handle.cancel(hard=True)
    await all_of(events[2:])


async def test_a_thousand_tasks_travel_in_batches(client: Client, worker: Worker) -> None:
    handle = await client.start(gather, 1_000)
    assert await handle.result() == sum(range(1_000))
    assert len(await handle.tasks()) == 1_000
    check_history(await handle.history())


async def test_a_listing_goes_on_over_the_end_of_its_execution(client: Client, server: Server, worker: Worker) -> None:
    events = watch("d-1", "d-2")
    handle = await client.start(race, "d")
    await all_of(events[:2])
    of_one = TaskFilter(execution_id=handle.id)
    (first,), token = await client.tasks_page(of_one, page_size=1)
    await handle.signal("go", "won")
    await handle.result()
    await all_of(events[2:])
    await eventually(lambda: not server.host._engine.holds(handle.id))
    rest, end = await client.tasks_page(of_one, page_token=token)
    assert [each.task.task_id for each in (first, *rest)] == [str(task.task_id) for task in await handle.tasks()]
    assert end == ""


@agent("in-two-parts")
async def in_two_parts(ctx: AgentContext) -> None:
    for number in range(600):
        await ctx.append_entry("user", number)
    await ctx.wait_for_signal("go", int)
    for number in range(600):
        await ctx.append_entry("user", number)


async def test_who_follows_a_long_history_sees_each_event_once_and_in_order(client: Client, server: Server) -> None:
    async with Worker(server.address, agents=[in_two_parts], worker_id="w-1"):
        handle = await client.start(in_two_parts)

        async def waits() -> bool:
            return (await handle.describe()).status is ExecutionStatus.WAITING

        await eventually(waits)
        seen: list[HistoryEvent] = []
        async for event in handle.follow():
            assert isinstance(event, HistoryEvent)
            if not seen:
                await handle.signal("go", 1)
            seen.append(event)
        assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
        assert len(seen) > 1_200
        assert seen == list(await handle.history())


async def test_errors_are_the_same_as_in_process(client: Client, server: Server) -> None:
    handle = await client.start(patient, id="p-1")
    assert (await client.start(patient, id="p-1")).id == "p-1"
    with pytest.raises(AlreadyExists, match="execution 'p-1' exists, of kind 'patient'"):
        await client.start(race, "p-1", id="p-1")
    for call in (client.handle("none").describe, client.handle("none").history, client.handle("none").result):
        with pytest.raises(NotFound, match="no execution 'none'"):
            await call()
    assert await client.handle("none").cancel() is CancelTaskResult.NOT_FOUND
    assert await handle.cancel() is CancelTaskResult.CANCELLED
    with pytest.raises(ExecutionEnded):
        await handle.signal("go")


async def test_many_are_started_in_one_commit_and_each_has_its_answer(client: Client) -> None:
    starts = [StartExecution("patient", execution_id=ExecutionId(f"m-{number}")) for number in range(50)]
    again = StartExecution("race", execution_id=ExecutionId("m-0"))
    *handles, refused = await client.start_many([*starts, again])
    assert [handle.id for handle in handles] == [start.execution_id for start in starts]  # type: ignore[union-attr]
    assert isinstance(refused, AlreadyExists)


async def test_lists_are_filtered_and_their_pages_stay_in_place(client: Client) -> None:
    for number in range(5):
        labels = {"number": str(number), "all": "yes"}
        await client.start(patient, id=f"l-{number}", queue="odd" if number % 2 else "even", labels=labels)
    page, token = await client.list_page(page_size=2)
    await client.start(patient, id="later")
    rest, end = await client.list_page(page_size=10, page_token=token)
    assert [view.execution_id for view in (*page, *rest)] == ["l-4", "l-3", "l-2", "l-1", "l-0"]
    assert end == ""

    async def ids(**selection: Any) -> list[str]:
        return [view.execution_id async for view in client.list(ExecutionFilter(**selection))]

    assert await ids(queue="odd") == ["l-3", "l-1"]
    assert await ids(labels={"all": "yes", "number": "2"}) == ["l-2"]
    assert await ids(created_by="client:test", kind="patient", queue="default") == ["later"]
    assert await ids(created_by="client:other") == []
    assert await ids(created_after=(await client.handle("later").describe()).created_at) == ["later"]
    await client.handle("l-1").cancel()
    assert await ids(statuses=(ExecutionStatus.CANCELLED,)) == ["l-1"]


async def test_cancel_where_counts_what_it_met_and_repeating_it_is_harmless(client: Client) -> None:
    await client.start_many(StartExecution("patient", queue=f"q-{number % 2}") for number in range(1_200))
    selection = ExecutionFilter(queue="q-1")
    steps = [dict(counts) async for counts in client.cancel_where(selection, "too many")]
    assert steps[-1] == {CancelTaskResult.CANCELLED: 600}
    assert len(steps) >= 2, "in steps, so that others are served meanwhile"
    assert [dict(counts) async for counts in client.cancel_where(selection)][-1] == {}
    again = ExecutionFilter(queue="q-1", statuses=(ExecutionStatus.CANCELLED,))
    assert [dict(counts) async for counts in client.cancel_where(again)][-1] == {
        CancelTaskResult.ALREADY_CANCELLED: 600
    }


async def test_cancel_where_selects_the_tasks_of_a_worker(client: Client, worker: Worker) -> None:
    events = watch("d-1", "d-2")
    handle = await client.start(race, "d")
    await all_of(events[:2])
    assert [dict(each) async for each in client.cancel_where(TaskFilter(worker_id="w-2"))][-1] == {}  # type: ignore[arg-type]
    selection = TaskFilter(worker_id="w-1", kind="hang")  # type: ignore[arg-type]
    assert [dict(each) async for each in client.cancel_where(selection)][-1] == {CancelTaskResult.CANCELLED: 2}
    await all_of(events[2:])
    await handle.signal("go", 1)
    assert await handle.result() == [1, 0]


async def test_a_worker_that_stops_hands_back_what_it_runs(client: Client, server: Server) -> None:
    async with Worker(server.address, agents=AGENTS, tasks=TASKS):
        handle = await client.start(patient)
        await handle.signal("go", 1)
        assert await handle.result() == 1
        waiting = await client.start(patient)
    async with Worker(server.address, agents=AGENTS, tasks=TASKS):
        await waiting.signal("go", "heard by the second worker")
        assert await waiting.result() == "heard by the second worker"


async def test_everything_goes_on_behind_a_restart_of_the_server(tmp_path: Path) -> None:
    """The worker comes back by itself, what it runs goes on, and the caller that waits gets its result."""
    events = watch("e-1", "e-2")
    store = tmp_path / "store.db"
    async with Server(store, "127.0.0.1:0") as server:
        address = server.address
        worker = Worker(address, agents=AGENTS, tasks=TASKS, worker_id="w-1")
        working = asyncio.create_task(worker.run())
        client = Client(address, by="client:test", patience=LONGEST)
        handle = await client.start(race, "e", id="e")
        ended = await client.start(patient, id="ended")
        await ended.cancel()
        await all_of(events[:2])
        waiting = asyncio.create_task(handle.result())
    async with Server(store, address):
        await handle.signal("go", "after the restart")
        assert await waiting == ["after the restart", 2]
        await all_of(events[2:])
        assert [task.attempts for task in await handle.tasks()] == [1, 1, 1]
        assert await ended.cancel() is CancelTaskResult.ALREADY_CANCELLED
        later = await client.start(patient, id="later")
        assert [view.execution_id async for view in client.list()] == ["later", "ended", "e"]
        await later.cancel()
        await worker.stop()
        await working
        await client.close()


async def test_a_caller_that_leaves_withdraws_nothing(client: Client, worker: Worker) -> None:
    events = watch("f-1", "f-2")
    handle = await client.start(race, "f")
    await all_of(events[:2])
    waiting = asyncio.create_task(handle.result())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await handle.signal("go", 1)
    assert await handle.result() == [1, 2]


async def test_a_store_has_one_server(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is another server using it"):
        async with Server(tmp_path / "store.db", "127.0.0.1:0"):
            pass


async def test_an_address_has_one_server(server: Server) -> None:
    with pytest.raises(AddressUnavailable, match="cannot be served at"):
        async with Server(None, server.address):
            pass


async def test_no_server_is_told_by_its_address() -> None:
    async with Client("127.0.0.1:1") as client:
        with pytest.raises(ServerUnavailable, match=r"the server at 127\.0\.0\.1:1 cannot be reached"):
            await client.start("agent")


async def test_health_and_reflection_tell_what_is_served(server: Server) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", *SERVICES):
            reply = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert reply.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_server_whose_engine_fails_refuses_and_tells_why(server: Server, client: Client) -> None:
    await client.start(patient, id="before")

    async def broken(decisions: Any) -> None:
        raise ValueError("a fault of ours")

    server.host._store.commit = broken  # type: ignore[method-assign]
    with pytest.raises(ServerUnavailable, match="a fault of ours"):
        await client.start(patient, id="after")
    assert "a fault of ours" in str(await server.wait_failed())
    with pytest.raises(ServerUnavailable):
        await client.handle("before").describe()


async def test_a_stop_state_is_told_beside_the_status(client: Client, worker: Worker) -> None:
    events = watch("g-1", "g-2")
    handle = await client.start(race, "g")
    await all_of(events[:2])
    await handle.signal("go", 1)
    await handle.result()
    await all_of(events[2:])

    async def is_stopped() -> bool:
        states = [task.stop_state for task in await handle.tasks()]
        return states == [StopState.STOPPED, StopState.STOPPED, None]

    await eventually(is_stopped)
