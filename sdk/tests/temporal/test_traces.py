"""One trace on a cluster, too: the client's request, the agent, its tasks and steps; and cancels are linked to it."""

from __future__ import annotations

import asyncio

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, ExecutionWasCancelled, agent
from rescind.temporal.records import CancelRequest
from sdk.tests.telemetry.conftest import made
from sdk.tests.telemetry.made_spans import Made, linked, parent_id, span_id, trace_id

from .world import nap, stopped, world

__all__ = ["made"]
pytestmark = pytest.mark.asyncio


@agent("steps-and-naps")
async def steps_and_naps(ctx: AgentContext) -> None:
    await ctx.run(lambda: None, name="look it up")
    await ctx.schedule(nap, 0.0)


@agent("naps-long")
async def naps_long(ctx: AgentContext) -> None:
    await ctx.schedule(nap, 60.0)


async def test_the_clients_trace_holds_the_agent_its_tasks_and_its_steps(
    development_server: DevelopmentServer, made: Made
) -> None:
    async with world(development_server.address, [steps_and_naps]) as here:
        with made.tracer.start_as_current_span("the request"):
            handle = await here.start(steps_and_naps)
        await handle.result()
    start, agents = made.one("start steps-and-naps"), made.one("agent steps-and-naps")
    assert parent_id(start) == span_id(made.one("the request"))
    assert parent_id(agents) == span_id(start)
    assert [parent_id(made.one(name)) for name in ("step", "task nap")] == [span_id(agents)] * 2
    assert len({trace_id(each) for each in made.exporter.get_finished_spans()}) == 1


async def test_a_cancel_is_linked_to_the_agent_and_to_the_stop_of_its_task(
    development_server: DevelopmentServer, made: Made
) -> None:
    async with world(development_server.address, [naps_long]) as here:
        handle = await here.start(naps_long)
        while [each.status for each in await handle.tasks()] != ["RUNNING"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        with made.tracer.start_as_current_span("somebody else's request"):
            await handle.cancel("not needed")
        with pytest.raises(ExecutionWasCancelled):
            await handle.result()
        await stopped(handle)
    cancel = made.one("cancel execution")
    assert linked(made.one("stop")) == linked(made.one("agent naps-long")) == [span_id(cancel)]


@pytest.mark.parametrize("trace", [None, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])
@pytest.mark.parametrize("reason", [None, "too slow (by far)"])
async def test_a_cancels_trace_outlives_its_way_through_temporals_reason(trace: str | None, reason: str | None) -> None:
    asked = CancelRequest("client:me", reason, True, "3f0c7a9e-56ab-4d0e-9ea6-0f2f65e0d7a1", trace)
    assert CancelRequest.from_reason(asked.as_reason()) == asked
