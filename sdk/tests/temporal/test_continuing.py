"""An agent that loops for months continues as new at its checkpoints: nobody notices, and its history stays one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, TaskContext, agent, task
from rescind.model.filters import ExecutionFilter

from .world import nap, world

pytestmark = [pytest.mark.asyncio, pytest.mark.temporal]
ROUNDS = 8
PAID: list[int] = []


@task("pays")
async def pays(ctx: TaskContext) -> int:
    PAID.append(1)
    return len(PAID)


@pytest.fixture(scope="module")
def impatient_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentServer]:
    """A server that finds a history of 15 events long."""
    server = DevelopmentServer(
        tmp_path_factory.mktemp("impatient"), dynamic_config={"limit.historyCount.suggestContinueAsNew": 15}
    )
    server.start()
    yield server
    server.stop()


@agent("counts-for-long", recovery="checkpoint")
async def counts_for_long(ctx: AgentContext) -> dict[str, Any]:
    state = ctx.state(dict) or {"rounds": 0, "heard": []}
    while state["rounds"] < ROUNDS:
        await ctx.schedule(nap, 0.0)
        state["heard"].append(await ctx.wait_for_signal_raw("tick"))
        state["rounds"] += 1
        await ctx.append_entry("assistant", f"round {state['rounds']}")
        await ctx.checkpoint(state)
    return state


async def test_state_entries_signals_and_history_outlive_the_runs_of_the_workflow(
    impatient_server: DevelopmentServer,
) -> None:
    async with world(impatient_server.address, [counts_for_long]) as here:
        handle = await here.start(counts_for_long)
        for each in range(ROUNDS):
            await handle.signal("tick", each)
        assert await handle.result() == {"rounds": ROUNDS, "heard": list(range(ROUNDS))}
        entries = [each.content for each in await handle.entries()]
        history = await handle.history()
        described = await here.client.port.client.get_workflow_handle(handle.id).describe()
        first = await here.client.port.client.get_workflow_handle(handle.id).fetch_history()
    assert entries == [f"round {each + 1}" for each in range(ROUNDS)]
    assert [each.sequence for each in history] == list(range(1, len(history) + 1))
    assert first.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    assert described.run_id


@agent("pays-once", recovery="checkpoint")
async def pays_once(ctx: AgentContext) -> dict[str, Any]:
    state = ctx.state(dict) or {"rounds": 0, "attempts": []}
    while state["rounds"] < ROUNDS:
        await ctx.schedule(nap, 0.0)
        state["attempts"].append(await ctx.schedule(pays, idempotency_key="the-bill"))
        state["rounds"] += 1
        await ctx.checkpoint(state)
    return state


async def test_tasks_and_their_idempotency_keys_outlive_the_runs_of_the_workflow(
    impatient_server: DevelopmentServer,
) -> None:
    PAID.clear()
    async with world(impatient_server.address, [pays_once], [nap, pays]) as here:
        handle = await here.start(pays_once)
        assert await handle.result() == {"rounds": ROUNDS, "attempts": [1] * ROUNDS}
        kinds = [each.kind for each in await handle.tasks()]
        first = await here.client.port.client.get_workflow_handle(handle.id).fetch_history()
    assert len(PAID) == 1
    assert kinds == ["nap", "pays", *["nap"] * (ROUNDS - 1)]
    assert first.events[0].workflow_execution_started_event_attributes.continued_execution_run_id


@agent("waits-to-be-told")
async def waits_to_be_told(ctx: AgentContext, number: int) -> int:
    assert await ctx.signal_parent("here", number)
    await ctx.wait_for_signal_raw("enough")
    return number


@agent("outlives-its-runs", recovery="checkpoint")
async def outlives_its_runs(ctx: AgentContext) -> list[Any]:
    state = ctx.state(dict) or {"rounds": 0, "children": []}
    if not state["children"]:
        children = [await ctx.spawn_agent(waits_to_be_told, number) for number in range(3)]
        state["children"] = [each.child_id for each in children]
        for _ in children:
            await ctx.wait_for_signal_raw("here")
        await ctx.checkpoint(state)
    while state["rounds"] < ROUNDS:
        await ctx.schedule(nap, 0.0)
        state["rounds"] += 1
        await ctx.checkpoint(state)
    first, second, third = [await ctx.get_child_handle(each) for each in state["children"]]
    answers = [await ctx.signal_child(first, "enough"), (await ctx.cancel_child(second)).value]
    events = [type(each).__name__ for each in await ctx.join_children([first, second])]
    await ctx.signal_child(third, "enough")
    return [*answers, *events, await third]


async def test_children_outlive_the_runs_of_their_parents_workflow(impatient_server: DevelopmentServer) -> None:
    async with world(impatient_server.address, [outlives_its_runs, waits_to_be_told]) as here:
        handle = await here.start(outlives_its_runs)
        assert await handle.result() == [True, "CANCELLED", "ChildCompleted", "ChildCancelledEvent", 2]
        first = await here.client.port.client.get_workflow_handle(handle.id).fetch_history()
        created = [each.created_at async for each in here.client.list(ExecutionFilter(kind="outlives-its-runs"))]
        view = await handle.describe()
    assert first.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    assert created == [view.created_at]
