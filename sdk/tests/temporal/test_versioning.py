"""Worker versioning: a pinned agent stays with the build that began it, another goes on with the current one."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import WorkerDeploymentConfig

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, AgentDefinition, ExecutionHandle, agent

from .world import nap, world

pytestmark = pytest.mark.asyncio


def of_build(build_id: str) -> AgentDefinition[Any, Any]:
    """One agent, whose code says which build it is of."""

    @agent("says-its-build")
    async def says_its_build(ctx: AgentContext) -> str:
        await ctx.schedule(nap, 0.0)
        await ctx.wait_for_signal_raw("go")
        return build_id

    return says_its_build


def deployed(deployment: str, build_id: str, behaviour: VersioningBehavior) -> dict[str, Any]:
    version = WorkerDeploymentVersion(deployment, build_id)
    config = WorkerDeploymentConfig(version, use_worker_versioning=True, default_versioning_behavior=behaviour)
    return {"temporal_options": {"deployment_config": config}}


async def make_current(client: Client, deployment: str, build_id: str) -> None:
    """Have new work go to a build, as soon as the cluster knows of it."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace="default", deployment_name=deployment, build_id=build_id, ignore_missing_task_queues=True
    )
    while True:
        try:
            await client.workflow_service.set_worker_deployment_current_version(request)
        except RPCError:
            await asyncio.sleep(0.1)
        else:
            return


async def build_of(client: Client, workflow_id: str) -> str:
    described = await client.get_workflow_handle(workflow_id).describe()
    info = described.raw_description.workflow_execution_info.versioning_info
    build: str = info.deployment_version.build_id
    return build


async def takes_turns_until(client: Client, handle: ExecutionHandle[Any], build_id: str) -> None:
    """Give its workflow turns until a build took one: which is current is known everywhere a moment later."""
    while await build_of(client, handle.id) != build_id:
        await handle.signal("nothing")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("behaviour", "ends_on"), [(VersioningBehavior.PINNED, "b1"), (VersioningBehavior.AUTO_UPGRADE, "b2")]
)
async def test_an_agent_stays_with_its_build_or_goes_on_with_the_current_one(
    development_server: DevelopmentServer, behaviour: VersioningBehavior, ends_on: str
) -> None:
    deployment = f"shop-{uuid4()}"
    first, second = of_build("b1"), of_build("b2")
    async with world(development_server.address) as here:
        cluster = here.client.port.client
        async with here.worker([first], **deployed(deployment, "b1", behaviour)):
            await make_current(cluster, deployment, "b1")
            old = await here.start(first)
            await takes_turns_until(cluster, old, "b1")
            async with here.worker([second], **deployed(deployment, "b2", behaviour)):
                await make_current(cluster, deployment, "b2")
                new = await here.start(second)
                await new.signal("go")
                assert await new.result() == "b2"
                await takes_turns_until(cluster, old, ends_on)
                await old.signal("go")
                assert await old.result() == ends_on
        assert [await build_of(cluster, each.id) for each in (old, new)] == [ends_on, "b2"]
