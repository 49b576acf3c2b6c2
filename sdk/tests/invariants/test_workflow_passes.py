"""A workflow under many orders of events, with faults: what it gives and what its log says stays the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rescind import ExecutionCancelled, ExecutionWasCancelled, TaskContext, WorkflowContext, task, workflow
from rescind.errors import ChildWorkflowCancelled
from rescind.testing import Environment
from sdk.tests.invariants.conftest import Explore
from sdk.tests.invariants.workload import SOON
from server_stub.tests.engine.workflow_laws import check_log

LEASE_MS = 1_000
# One test is to take less than two minutes on any machine. No multiple of 4: by that the seed picks the faults.
PARTS = 5
NEVER = 1_000_000.0


@task("nap", retry=SOON)
async def nap(_: TaskContext, seconds: float) -> float:
    """Ends after so many seconds."""
    await asyncio.sleep(seconds)
    return seconds


@workflow("kid")
async def kid(ctx: WorkflowContext, seconds: float) -> float:
    """Sleeps, and says so; it cleans up with a task when it is cancelled."""
    try:
        await ctx.sleep(seconds)
    except ExecutionCancelled:
        async with ctx.shield():
            await ctx.set_raw("undone", await ctx.schedule(nap, 0.1))
        raise
    return seconds


@workflow("family")
async def family(ctx: WorkflowContext) -> list[Any]:
    """Races tasks, cancels the one that lost, a timer and a child; then waits until it is cancelled itself."""
    quick, slow = ctx.schedule(nap, 1.0), ctx.schedule(nap, NEVER)
    place, value = await ctx.select([slow, quick])
    told: list[Any] = [place, value, (await slow.cancel("lost")).value]
    told.append(await ctx.run(lambda: 5, name="step"))
    timer = ctx.sleep(NEVER)
    told.append(await ctx.schedule_workflow("brief", kid, 0.5))
    timer.cancel()
    dropped = ctx.schedule_workflow("dropped", kid, NEVER)
    await ctx.sleep(0.5)
    dropped.cancel("not needed")
    try:
        await dropped
    except ChildWorkflowCancelled as error:
        told.append(error.name)
    told.append(await ctx.promise("approval", str))
    await ctx.set_raw("told", told)
    forever = ctx.schedule_workflow("forever", kid, NEVER)
    try:
        await forever
    except ExecutionCancelled:
        async with ctx.shield():
            await ctx.schedule(nap, 0.1)
        raise
    return told


async def family_scenario(env: Environment) -> None:
    """Start it, approve, wait until it says what it has seen, cancel it, and look at all logs."""
    handle = await env.start(family, id="it")
    await logged(env, "PROMISE_CREATED")
    await env.client.resolve_promise("it", "approval", "yes")
    await logged(env, "STATE_SET")
    state = [one.event for one in await env.client.workflow_events("it") if one.event.event_type == "STATE_SET"]
    assert state[0].value.data == b'[1,1.0,"CANCELLED",5,0.5,"dropped","yes"]'  # type: ignore[union-attr]
    await asyncio.sleep(0.01 * (env.seed % 7))
    await handle.cancel("enough")
    with pytest.raises(ExecutionWasCancelled):
        await handle.result()
    await asyncio.sleep(100)
    for execution_id in env.host.execution_ids():
        check_log(await env.client.workflow_events(execution_id))
        assert (await types(env, execution_id))[-1] in ("WORKFLOW_COMPLETED", "WORKFLOW_CANCELLED")
    asked = await types(env, "it")
    assert asked.count("OPERATION_COMPLETED") == 1
    assert asked.count("TIMER_CANCELLED") == 1
    assert asked.count("CHILD_WORKFLOW_INITIATED") in (2, 3)


async def logged(env: Environment, event_type: str) -> None:
    """Return when its log has such an event: nobody outside is told of one."""
    while event_type not in await types(env, "it"):  # noqa: ASYNC110
        await asyncio.sleep(1)


async def types(env: Environment, execution_id: Any) -> list[str]:
    """The types of the events of a log."""
    return [one.event.event_type for one in await env.client.workflow_events(execution_id)]


@pytest.mark.invariants
@pytest.mark.parametrize("part", range(PARTS))
def test_a_workflow_gives_the_same_whatever_meets_its_passes(part: int, seeds: range, explored: Explore) -> None:
    report = explored(family_scenario, seeds[part::PARTS], workflows=[family, kid], tasks=[nap], lease_ms=LEASE_MS)
    assert report.losses
    assert report.cuts
