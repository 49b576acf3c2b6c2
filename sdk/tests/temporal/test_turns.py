"""What a worker is told of Temporal's own, and how few turns of a workflow an agent takes: none of its waits spins."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig, WorkerTuner

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, AgentDefinition, ExecutionHandle, agent
from rescind.errors import TaskCancelled

from .world import World, nap, world

pytestmark = pytest.mark.asyncio


@agent("waits-with-wait-for")
async def waits_with_wait_for(ctx: AgentContext) -> str:
    try:
        await asyncio.wait_for(ctx.schedule(nap, 60.0), 1.0)
    except TimeoutError:
        return "too long"
    return "in time"


@agent("waits-with-timeout")
async def waits_with_timeout(ctx: AgentContext) -> str:
    future = ctx.schedule(nap, 60.0)
    try:
        async with asyncio.timeout(1.0):
            await future
    except TimeoutError:
        await future.cancel("too long")
    with pytest.raises(TaskCancelled):
        await future
    return "too long"


@agent("waits-in-time")
async def waits_in_time(ctx: AgentContext) -> str:
    async with asyncio.timeout(60.0):
        await asyncio.wait_for(ctx.schedule(nap, 0.5), 60.0)
    return "in time"


@agent("naps-once")
async def naps_once(ctx: AgentContext) -> None:
    await ctx.schedule(nap, 0.0)


async def happened(here: World, handle: ExecutionHandle[object]) -> Counter[int]:
    """How often each kind of event stands in Temporal's history of an execution."""
    history = here.client.port.client.get_workflow_handle(handle.id).fetch_history_events()
    return Counter([event.event_type async for event in history])


@pytest.mark.parametrize(
    ("waiting", "told"),
    [(waits_with_wait_for, "too long"), (waits_with_timeout, "too long"), (waits_in_time, "in time")],
    ids=lambda value: getattr(value, "kind", value),
)
async def test_a_wait_with_a_limit_takes_a_turn_for_each_thing_that_happens_and_no_more(
    development_server: DevelopmentServer, waiting: AgentDefinition[Any, Any], told: str
) -> None:
    async with world(development_server.address, [waiting]) as here:
        handle = await here.start(waiting)
        assert await handle.result() == told
        kinds = await happened(here, handle)
    # The start, the timer, the stop that is delivered, the end of the activity; and one that came at a bad moment.
    assert kinds[EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED] <= 5
    assert kinds[EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED] == 0
    assert kinds[EventType.EVENT_TYPE_TIMER_STARTED] <= 2


async def test_temporals_versioning_and_tuning_are_passed_through(development_server: DevelopmentServer) -> None:
    version = WorkerDeploymentVersion(f"shop-{uuid4()}", "build-7")
    options = {
        "tuner": WorkerTuner.create_fixed(workflow_slots=2, activity_slots=2, local_activity_slots=2),
        "deployment_config": WorkerDeploymentConfig(
            version=version,
            use_worker_versioning=False,
            default_versioning_behavior=VersioningBehavior.UNSPECIFIED,
        ),
        "graceful_shutdown_timeout": timedelta(milliseconds=50),
    }
    async with world(development_server.address, [naps_once], temporal_options=options) as here:
        handle = await here.start(naps_once)
        await handle.result()
        history = here.client.port.client.get_workflow_handle(handle.id).fetch_history_events()
        turns = [
            event.workflow_task_completed_event_attributes
            async for event in history
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        ]
    assert {turn.worker_version.build_id for turn in turns} == {version.build_id}
