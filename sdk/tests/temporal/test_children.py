"""Children on a cluster are workflows of their own: spawned, awaited, signalled and cancelled as everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

import rescind
from fixtures.temporal_servers.running import DevelopmentServer, TemporalServer, TimeSkippingServer
from rescind import AgentContext, AgentDefinition, ExecutionHandle, ExecutionStatus, agent
from rescind.errors import ChildCancelled, NotFound
from rescind.model.child_values import CancellationMode, ChildCancelledEvent, ChildEvent
from rescind.model.children import Budget
from rescind.model.events import EventType
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId
from rescind.model.status import ParentClosePolicy
from rescind.runtime.child_handle import ChildHandle

from .test_overseeing import all_of, until
from .world import TASKS, World, breaks, nap, stopped, world

pytestmark = pytest.mark.asyncio
OF_CHILDREN = frozenset(each for each in EventType if "CHILD" in each or "PARENT" in each)


@agent("adds-one")
async def adds_one(ctx: AgentContext, number: int) -> int:
    await ctx.schedule(nap, 0.0)
    return number + 1


@agent("fails")
async def fails(ctx: AgentContext) -> None:
    await ctx.schedule(breaks, 0.0)


@agent("naps-for-long")
async def naps_for_long(ctx: AgentContext) -> None:
    try:
        await ctx.schedule(nap, 60.0)
    finally:
        async with ctx.shield():
            await ctx.append_entry("assistant", str(ctx.cancel_cause()))


@agent("joins")
async def joins(ctx: AgentContext) -> list[str]:
    children: list[ChildHandle[Any]] = [await ctx.spawn_agent(adds_one, each) for each in range(3)]
    children.append(await ctx.spawn_agent(fails))
    children.append(await ctx.spawn_agent("adds-one", 1, idempotency_key="mine"))
    first: int = await children[0]
    events = await ctx.join_children(children)
    return [str(first), *(type(each).__name__ for each in events)]


async def test_children_are_workflows_whose_ends_are_told_to_their_parent(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [joins, adds_one, fails]) as here:
        handle = await here.start(joins, labels={"team": "eu"})
        assert await handle.result() == ["1", *["ChildCompleted"] * 3, "ChildFailedEvent", "ChildCompleted"]
        assert (await handle.history()).types().count(EventType.CHILD_ENDED) == 5
        mine = ExecutionFilter(kind="adds-one", queue=here.queue)
        found = await until(lambda: all_of(here.client.list(mine)), lambda found: len(found) == 4)
        of_it = await all_of(here.client.list(ExecutionFilter(parent_id=ExecutionId(handle.id))))
        children = [(each.kind, each.status) for each in await handle.children()]
    assert children == [*[("adds-one", "COMPLETED")] * 3, ("fails", "FAILED"), ("adds-one", "COMPLETED")]
    assert {each.execution_id for each in found} < {each.execution_id for each in of_it}
    assert {each.parent_id for each in of_it} == {handle.id}
    assert {each.created_by for each in found} == {"client:test"}


def why(event: ChildEvent) -> str:
    assert isinstance(event, ChildCancelledEvent)
    assert isinstance(event.error, ChildCancelled)
    return str(event.error.cause)


@agent("cancels")
async def cancels(ctx: AgentContext, how: str) -> list[str]:
    child = await ctx.spawn_agent(naps_for_long)
    if how != "at once":
        await ctx.wait_for_signal_raw("go")
    mode = CancellationMode.hard() if how == "hard" else CancellationMode.graceful(5)
    answers = [(await ctx.cancel_child(child, mode, reason="too slow")).value for _ in range(2)]
    (event,) = await ctx.join_children([child])
    answers.append((await ctx.cancel_child(child)).value)
    return [*answers, type(event).__name__, why(event)]


async def child_of(here: World, parent: ExecutionHandle[Any]) -> ExecutionHandle[Any]:
    """The one child of an execution, as soon as its workflow is there."""
    while True:
        spawned = [each.details for each in await parent.history() if each.type is EventType.CHILD_SPAWNED]
        if spawned and spawned[0] is not None:
            child: ExecutionHandle[Any] = here.client.handle(str(spawned[0]["child_id"]))
            with suppress(NotFound):
                await child.status()
                return child
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("how", ["at once", "while it runs", "hard"])
async def test_a_child_is_cancelled_with_its_reason_and_the_answer_says_what_the_request_met(
    development_server: DevelopmentServer, how: str
) -> None:
    async with world(development_server.address, [cancels, naps_for_long]) as here:
        handle = await here.start(cancels, how)
        child = await child_of(here, handle)
        if how != "at once":
            await until(child.tasks, lambda tasks: [each.status for each in tasks] == ["RUNNING"])
            await handle.signal("go")
        *answers, event, told = await handle.result()
        view = await child.describe()
        entries = [each.content for each in await child.entries()]
    cause = f"request by agent:{handle.id}: too slow"
    assert answers == ["CANCELLED", "ALREADY_CANCELLED", "ALREADY_CANCELLED"]
    assert (event, view.status) == ("ChildCancelledEvent", ExecutionStatus.CANCELLED)
    assert (told, str(view.cause)) == (cause, cause)
    if how != "at once":
        assert entries == ([cause] if how == "while it runs" else [])


@agent("cleans-up-slowly")
async def cleans_up_slowly(ctx: AgentContext) -> None:
    try:
        await ctx.schedule(nap, 60.0)
    finally:
        async with ctx.shield():
            await ctx.wait_for_signal_raw("clean")


@agent("cancels-later")
async def cancels_later(ctx: AgentContext) -> list[str]:
    child = await ctx.spawn_agent(cleans_up_slowly)
    await ctx.wait_for_signal_raw("go")
    answers = [(await ctx.cancel_child(child, reason="too slow")).value]
    answers.append((await ctx.cancel_child(child, CancellationMode.hard())).value)
    (event,) = await ctx.join_children([child])
    return [*answers, why(event)]


async def test_a_cancel_of_a_child_that_somebody_else_has_cancelled_is_answered_and_force_reaches_it(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [cancels_later, cleans_up_slowly]) as here:
        handle = await here.start(cancels_later)
        child = await child_of(here, handle)
        await until(child.tasks, bool)
        await child.cancel("from outside")
        await handle.signal("go")
        assert await handle.result() == ["ALREADY_CANCELLED"] * 2 + ["request by client:test: from outside"]


@agent("waits-for-its-child")
async def waits_for_its_child(ctx: AgentContext) -> str:
    (event,) = await ctx.join_children([await ctx.spawn_agent(naps_for_long)])
    return why(event)


@agent("leaves-its-child")
async def leaves_its_child(ctx: AgentContext, policy: str) -> str:
    await ctx.spawn_agent(naps_for_long, parent_close=ParentClosePolicy(policy))
    await ctx.wait_for_signal_raw("leave")
    return "left"


async def test_who_cancelled_a_child_from_outside_is_told_to_its_parent(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [waits_for_its_child, naps_for_long]) as here:
        handle = await here.start(waits_for_its_child)
        child = await child_of(here, handle)
        await until(child.tasks, bool)
        await child.cancel("from outside")
        assert await handle.result() == "request by client:test: from outside"


@pytest.mark.parametrize("policy", ["CANCEL", "ABANDON"])
async def test_a_child_goes_with_its_parent_or_is_left_as_it_was_spawned(
    development_server: DevelopmentServer, policy: str
) -> None:
    async with world(development_server.address, [leaves_its_child, naps_for_long]) as here:
        handle = await here.start(leaves_its_child, policy)
        child = await child_of(here, handle)
        await until(child.tasks, bool)
        await handle.signal("leave")
        assert await handle.result() == "left"
        if policy == "ABANDON":
            assert await child.status() in (ExecutionStatus.WAITING, ExecutionStatus.RUNNING)
            await child.cancel("enough")
        await stopped(child)
        view = await until(child.describe, lambda view: view.status is ExecutionStatus.CANCELLED)
    left = f"parent by agent:{handle.id}: its agent is COMPLETED"
    assert str(view.cause) == (left if policy == "CANCEL" else "request by client:test: enough")


async def test_a_cancel_of_the_parent_reaches_its_child(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [leaves_its_child, naps_for_long]) as here:
        handle = await here.start(leaves_its_child, "CANCEL")
        child = await child_of(here, handle)
        await until(child.tasks, bool)
        assert (await handle.cancel("no more")).value == "CANCELLED"
        view = await until(child.describe, lambda view: view.status is ExecutionStatus.CANCELLED)
    assert str(view.cause) == f"parent by agent:{handle.id}: no more"


async def test_a_child_is_cancelled_when_its_parents_workflow_is_terminated(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [leaves_its_child, naps_for_long]) as here:
        handle = await here.start(leaves_its_child, "CANCEL")
        child = await child_of(here, handle)
        await until(child.tasks, bool)
        await here.client.port.client.get_workflow_handle(handle.id).terminate("by hand")
        view = await until(child.describe, lambda view: view.status is ExecutionStatus.CANCELLED)
    assert str(view.cause) == f"parent by agent:{handle.id}: its parent's workflow was closed"


@agent("asks-its-parent")
async def asks_its_parent(ctx: AgentContext) -> str:
    assert await ctx.signal_parent("question", {"of": "a child"})
    answer = await ctx.wait_for_signal_raw("answer")
    await ctx.report_usage(7, 0.5)
    return str(answer)


@agent("answers-its-child")
async def answers_its_child(ctx: AgentContext) -> list[Any]:
    child = await ctx.spawn_agent(asks_its_parent, budget=Budget(max_tokens=10))
    question = await ctx.select_child([child])
    assert await ctx.signal_child(child, "answer", "yes")
    end = await ctx.select_child([child])
    late = await ctx.signal_child(child, "answer", "no")
    return [type(question).__name__, type(end).__name__, late, await child, getattr(end, "usage", None)]


async def test_signals_go_both_ways_and_one_to_a_child_that_has_ended_is_not_delivered(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [answers_its_child, asks_its_parent]) as here:
        handle = await here.start(answers_its_child)
        *told, usage = await handle.result()
    assert told == ["ChildSignalled", "ChildCompleted", False, "yes"]
    assert usage == {"tokens": 7, "cost_usd": 0.5}


@agent("cancels-two")
async def cancels_two(ctx: AgentContext) -> list[Any]:
    async with ctx.scope():
        left = await ctx.spawn_agent(naps_for_long)
    children = [left, await ctx.spawn_agent(naps_for_long, idempotency_key="one")]
    again = await ctx.spawn_agent(naps_for_long, idempotency_key="one")
    answers = [(await ctx.cancel_child(each, CancellationMode.hard())).ok for each in children]
    events = await ctx.join_children(children)
    causes = [why(each).partition(" by ")[0] for each in events]
    return [*answers, *causes, again.child_id == children[1].child_id, await ctx.handoff_to_agent(adds_one, 4)]


@pytest.fixture(scope="module")
def other_test_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimeSkippingServer]:
    """A test server for these children alone: its clock stands still for as long as it has anything of theirs open."""
    server = TimeSkippingServer(tmp_path_factory.mktemp("other-test-server"))
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("spawner", [joins, answers_its_child, cancels_two])
@pytest.mark.parametrize("sort", ["development_server", "other_test_server"])
@pytest.mark.temporal
async def test_an_agent_cannot_tell_whether_its_children_are_workflows(
    request: pytest.FixtureRequest, sort: str, spawner: AgentDefinition[Any, Any]
) -> None:
    server: TemporalServer = request.getfixturevalue(sort)
    agents = [spawner, adds_one, fails, asks_its_parent, naps_for_long]

    async def played(handle: ExecutionHandle[Any]) -> tuple[Any, list[EventType]]:
        result = await handle.result()
        told = [each.type for each in await handle.history() if each.type in OF_CHILDREN]
        return result, sorted(told)

    async with rescind.embedded(agents=agents, tasks=TASKS) as environment:
        here = await played(await environment.start(spawner))
    async with world(server.address, agents) as there:
        assert await played(await there.start(spawner)) == here
