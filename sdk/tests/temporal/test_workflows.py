"""Workflows on a cluster: the same definitions give the same outputs and the same logs as on the embedded engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from uuid import uuid4

import pytest

import rescind
from fixtures.temporal_servers.running import DevelopmentServer
from rescind import (
    AgentContext,
    ChildWorkflowCancelled,
    ExecutionCancelled,
    ExecutionHandle,
    ExecutionStatus,
    PromiseTimeout,
    TimerCancelled,
    WorkflowContext,
    WorkflowDefinition,
    agent,
    workflow,
)
from rescind.client.client import BaseClient
from rescind.errors import AlreadyExists, DuplicateKind, ExecutionWasCancelled, NotFound, NotSupported
from rescind.model.cause import CancelSource
from rescind.model.filters import ExecutionFilter
from rescind.model.workflow_events import ChildWorkflowInitiated, LoggedEvent, WorkflowSuspended
from rescind.temporal import TemporalClient, TemporalReplayer, TemporalWorker

from .world import LONGEST, TASKS, breaks, histories, nap

pytestmark = pytest.mark.asyncio


@workflow("races")
async def races(ctx: WorkflowContext) -> float:
    slow = ctx.schedule(nap, 60.0)
    place, seconds = await ctx.select([ctx.schedule(nap, 0.05), slow])
    assert (place, seconds) == (0, 0.05)
    await slow.cancel("it lost")
    return 0.05


@workflow("takes-back")
async def takes_back(ctx: WorkflowContext) -> list[str]:
    slow = ctx.schedule(nap, 60.0)
    await ctx.sleep(0.05)
    answer = await slow.cancel("not needed")
    try:
        await ctx.schedule(breaks, 0.0)
    except Exception as error:
        return [answer.value, type(error).__name__]
    return [answer.value]


@workflow("cancels-a-timer")
async def cancels_a_timer(ctx: WorkflowContext) -> str:
    timer = ctx.sleep(3600)
    await ctx.sleep(0.05)
    timer.cancel()
    try:
        await timer
    except TimerCancelled:
        return "cancelled"
    return "fired"


def forty() -> int:
    return 40


@workflow("keeps")
async def keeps(ctx: WorkflowContext) -> list[Any]:
    made = await ctx.run(forty)
    await ctx.set_raw("made", made)
    await ctx.set_raw("gone", 1)
    await ctx.clear("gone")
    return [made, await ctx.get_raw("made"), list(await ctx.state_keys())]


@workflow("waits-in-vain")
async def waits_in_vain(ctx: WorkflowContext) -> str:
    try:
        await ctx.promise("approval", bool, timeout=0.05)
    except PromiseTimeout:
        return "timed out"
    return "settled"


@workflow("asks")
async def asks(ctx: WorkflowContext, name: str) -> list[Any]:
    approved = await ctx.promise("approval", bool)
    words = await ctx.wait_for_signal("words", str)
    return [name, approved, words]


@workflow("cleans-up")
async def cleans_up(ctx: WorkflowContext) -> None:
    task = ctx.schedule(nap, 60.0)
    try:
        await task
    except ExecutionCancelled:
        async with ctx.shield():
            await ctx.set_raw("cleaned", await ctx.schedule(nap, 0.0))
        raise


@workflow("adds-one-later")
async def adds_one_later(ctx: WorkflowContext, number: int) -> int:
    await ctx.schedule(nap, 0.0)
    return number + 1


@workflow("has-children")
async def has_children(ctx: WorkflowContext) -> list[Any]:
    total = await ctx.schedule_workflow("adds", adds_one_later, 41)
    child = ctx.schedule_workflow("naps", cleans_up)
    await ctx.sleep(0.3)
    child.cancel("it rains")
    try:
        await child
    except ChildWorkflowCancelled as error:
        return [total, error.name]
    return [total]


@workflow("waits-for-a-child")
async def waits_for_a_child(ctx: WorkflowContext) -> None:
    await ctx.schedule_workflow("naps", cleans_up)


PARENTS: Final = (adds_one_later, has_children, waits_for_a_child)
WORKFLOWS: Final = (races, takes_back, cancels_a_timer, keeps, waits_in_vain, asks, cleans_up, *PARENTS)


class Place:
    """Where workflows of a test run: a client, a queue of their own, and what was started."""

    def __init__(self, client: BaseClient, queue: str) -> None:
        self.client = client
        self.queue = queue
        self.started: list[str] = []

    async def start(self, flow: WorkflowDefinition[Any, Any], given: Any = None) -> ExecutionHandle[Any]:
        handle: ExecutionHandle[Any] = await self.client.start(flow, given, queue=self.queue)
        self.started.append(handle.id)
        return handle

    async def log(self, handle: ExecutionHandle[Any]) -> Sequence[LoggedEvent]:
        return await self.client.workflow_events(handle.id)


Play = Callable[[Place], Awaitable[tuple[Any, ExecutionHandle[Any]]]]


async def on_the_cluster(server: DevelopmentServer, play: Play) -> tuple[Any, list[str]]:
    """What a play gives on the development server, and its log; each history is replayed."""
    queue = f"queue-{uuid4()}"
    async with (
        asyncio.timeout(LONGEST),
        TemporalClient(server.address, by="client:test") as client,
        TemporalWorker(server.address, workflows=WORKFLOWS, tasks=TASKS, queue=queue, shutdown_grace_ms=100),
    ):
        place = Place(client, queue)
        given, handle = await play(place)
        types = types_of(await place.log(handle))
        replayer = TemporalReplayer(workflows=WORKFLOWS)
        for execution_id in place.started:
            for history in await histories(client, execution_id):
                await replayer.replay(history)
    return given, types


async def embedded(play: Play) -> tuple[Any, list[str]]:
    async with asyncio.timeout(LONGEST), rescind.embedded(workflows=WORKFLOWS, tasks=TASKS) as engine:
        engine.start_worker()
        place = Place(engine.client, "default")
        given, handle = await play(place)
        return given, types_of(await place.log(handle))


def types_of(log: Sequence[LoggedEvent]) -> list[str]:
    """Their types in order, but for where passes ended: that is each backend's own."""
    kept = [each.event for each in log if not isinstance(each.event, WorkflowSuspended)]
    return [str(type(each).__struct_config__.tag) for each in kept]


async def both(server: DevelopmentServer, play: Play) -> tuple[Any, list[str]]:
    """What a play gives, which must be the same on both."""
    here, there = await embedded(play), await on_the_cluster(server, play)
    assert there == here
    return there


def ends_by_itself(flow: WorkflowDefinition[Any, Any]) -> Play:
    async def play(place: Place) -> tuple[Any, ExecutionHandle[Any]]:
        handle = await place.start(flow)
        return await handle.result(), handle

    return play


@pytest.mark.parametrize(
    ("flow", "output"),
    [
        (races, 0.05),
        (takes_back, ["CANCELLED", "TaskFailed"]),
        (cancels_a_timer, "cancelled"),
        (keeps, [40, 40, ["made"]]),
        (waits_in_vain, "timed out"),
        (has_children, [42, "naps"]),
    ],
    ids=lambda given: given.kind if isinstance(given, WorkflowDefinition) else "",
)
async def test_a_workflow_takes_the_same_path_on_a_cluster(
    development_server: DevelopmentServer, flow: WorkflowDefinition[Any, Any], output: Any
) -> None:
    given, _ = await both(development_server, ends_by_itself(flow))
    assert given == output


async def until_logged(place: Place, handle: ExecutionHandle[Any], tag: str) -> None:
    while tag not in types_of(await place.log(handle)):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def its_task_is_scheduled(place: Place, child: ExecutionHandle[Any]) -> None:
    """Return when a child's code runs; on a cluster it exists a moment after its parent says so."""
    while True:
        try:
            return await until_logged(place, child, "TASK_SCHEDULED")
        except NotFound:
            await asyncio.sleep(0.02)


async def plays_asked(place: Place) -> tuple[Any, ExecutionHandle[Any]]:
    handle = await place.start(asks, "tea")
    await until_logged(place, handle, "PROMISE_CREATED")
    settled = [await place.client.resolve_promise(handle.id, "approval", each) for each in (True, False)]
    await handle.signal("words", "please")
    with pytest.raises(NotFound):
        await place.client.reject_promise(handle.id, "unknown", "no")
    return [settled, await handle.result()], handle


async def test_promises_and_signals_come_from_clients(development_server: DevelopmentServer) -> None:
    given, _ = await both(development_server, plays_asked)
    assert given == [[True, False], ["tea", True, "please"]]


async def plays_cancelled(place: Place) -> tuple[Any, ExecutionHandle[Any]]:
    handle = await place.start(cleans_up)
    await until_logged(place, handle, "TASK_SCHEDULED")
    answer = await handle.cancel("it rains")
    with pytest.raises(ExecutionWasCancelled, match="it rains"):
        await handle.result()
    details = await handle.details()
    statuses = sorted(each.status for each in await handle.tasks())
    return [answer.value, details.execution.status, statuses], handle


async def test_a_cancelled_workflow_cleans_up(development_server: DevelopmentServer) -> None:
    given, log = await both(development_server, plays_cancelled)
    assert given == ["CANCELLED", ExecutionStatus.CANCELLED, ["CANCELLED", "COMPLETED"]]
    assert log[-1] == "WORKFLOW_CANCELLED"


async def test_a_cancel_reaches_the_children(development_server: DevelopmentServer) -> None:
    async def play(place: Place) -> tuple[Any, ExecutionHandle[Any]]:
        handle = await place.start(waits_for_a_child)
        await until_logged(place, handle, "CHILD_WORKFLOW_INITIATED")
        (child_id,) = [
            each.event.child_workflow_execution_id
            for each in await place.log(handle)
            if isinstance(each.event, ChildWorkflowInitiated)
        ]
        child = place.client.handle(child_id)
        await its_task_is_scheduled(place, child)
        await handle.cancel("it rains")
        for cancelled in (handle, child):
            with pytest.raises(ExecutionWasCancelled, match="it rains"):
                await cancelled.result()
        place.started.append(child.id)
        cause = (await child.details()).execution.cause
        assert cause is not None
        return [cause.source, types_of(await place.log(child))[-1]], handle

    given, _ = await both(development_server, play)
    assert given == [CancelSource.PARENT, "WORKFLOW_CANCELLED"]


async def test_a_key_finds_its_workflow_and_a_signal_starts_one(development_server: DevelopmentServer) -> None:
    async def play(place: Place) -> tuple[Any, ExecutionHandle[Any]]:
        key = str(uuid4())
        client, queue = place.client, place.queue
        first = await client.signal_with_start(asks, "tea", "words", "one", idempotency_key=key, queue=queue)
        place.started.append(first.id)
        await until_logged(place, first, "PROMISE_CREATED")
        again = await client.signal_with_start(asks, "no", "words", "two", idempotency_key=key, queue=queue)
        found = await client.start_workflow(asks, "no", idempotency_key=key, queue=queue)
        assert await client.resolve_promise(first.id, "approval", True)
        return [first.id == again.id == found.id, await found.result()], first

    given, _ = await both(development_server, play)
    assert given == [True, ["tea", True, "one"]]


@workflow("lists-child")
async def lists_child(ctx: WorkflowContext) -> Any:
    return await ctx.schedule_workflow("below", asks, "tea")


@agent("waits-beside")
async def waits_beside(ctx: AgentContext) -> Any:
    return await ctx.wait_for_signal_raw("go")


async def test_lists_tell_workflows_from_agents(development_server: DevelopmentServer) -> None:
    queue = f"queue-{uuid4()}"
    worker = TemporalWorker(
        development_server.address, agents=[waits_beside], workflows=[asks, lists_child], queue=queue
    )
    async with worker, TemporalClient(development_server.address) as client, asyncio.timeout(LONGEST):
        by_definition = await client.start(asks, "tea", queue=queue)
        by_kind = await client.start("asks", "tea", queue=queue)
        parent = await client.start_workflow("lists-child", queue=queue)
        agents = [await client.start("waits-beside", queue=queue), await client.start(waits_beside, queue=queue)]
        wanted: dict[str, bool] = {each.id: True for each in (by_definition, by_kind, parent)}
        wanted |= {each.id: False for each in agents}
        told: dict[str, bool] = {}
        # Temporal's list is a moment behind, and the child comes a moment after its parent.
        while len(told) != len(wanted) + 1 or not told[by_kind.id]:
            views = [view async for view in client.list(ExecutionFilter(queue=queue))]
            told = {str(view.execution_id): view.is_workflow for view in views}
        (child,) = told.keys() - wanted.keys()
        assert told == {**wanted, child: True}
        for each in told:
            await client.handle(each).cancel()


async def test_what_a_cluster_cannot_do_is_refused(development_server: DevelopmentServer) -> None:
    async with TemporalClient(development_server.address) as client:
        for refused in (
            {"priority": 5},
            {"idempotency_key": "key", "idempotency_key_ttl": 60},
            {"id": "one", "idempotency_key": "another"},
        ):
            with pytest.raises(NotSupported):
                await client.start_workflow("asks", "tea", **refused)
        with pytest.raises(NotSupported, match="idempotency keys of promises"):
            await client.resolve_promise(None, "key", True)
        handle = await client.start_workflow(asks, "tea", queue=f"queue-{uuid4()}")
        with pytest.raises(AlreadyExists):
            await client.start_workflow(asks, "coffee", id=handle.id)


async def test_an_agent_and_a_workflow_of_one_kind_are_refused() -> None:
    @rescind.agent("asks")
    async def asks_too(ctx: rescind.AgentContext) -> None: ...

    with pytest.raises(DuplicateKind, match="have the kind 'asks'"):
        TemporalWorker(agents=[asks_too], workflows=[asks])
