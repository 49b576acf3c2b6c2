"""A start by kind alone, a start that says what it means, and what is told of workers that run workflows."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from rescind import WorkflowContext, workflow
from rescind.client.connecting import Client
from rescind.worker.connecting import Worker
from rescind_server.app import Server

from .calls import EXECUTIONS

pytestmark = pytest.mark.asyncio


@workflow("order")
async def order(ctx: WorkflowContext) -> str:
    return await ctx.wait_for_signal("approval", str)


@pytest_asyncio.fixture
async def flows(server: Server) -> AsyncIterator[Worker]:
    """A worker that runs a workflow, and nothing else."""
    async with Worker(server.address, workflows=[order], worker_id="flows") as joined:
        yield joined


async def is_workflow(server: Server, http: httpx.AsyncClient, **body: object) -> bool:
    """Start `order` over HTTP; returns whether that began a workflow."""
    answer = await http.post(EXECUTIONS, json={"kind": "order", **body})
    assert answer.status_code == 201, answer.text
    async with Client(server.address) as client:
        return (await client.handle(answer.json()["execution_id"]).describe()).is_workflow


async def test_what_a_start_begins_is_decided_by_workers_unless_it_says_so(
    server: Server, http: httpx.AsyncClient, flows: Worker
) -> None:
    assert await is_workflow(server, http)
    assert not await is_workflow(server, http, workflow=False)
    assert not await is_workflow(server, http, queue="other")
    assert await is_workflow(server, http, queue="other", workflow=True)


async def test_callers_over_grpc_get_what_workers_run_by_the_kind(server: Server, flows: Worker) -> None:
    async with Client(server.address) as client:
        handle = await client.start("order", id="order-1")
        assert (await handle.describe()).is_workflow
        await handle.signal("approval", "yes")
        assert await handle.result() == "yes"
        assert (await (await client.start("order", id="order-1")).describe()).is_workflow


async def test_workers_are_told_with_their_workflows(http: httpx.AsyncClient, flows: Worker) -> None:
    (worker,) = (await http.get("/api/v1/workers")).json()["workers"]
    assert (worker["agents"], worker["tasks"], worker["workflows"]) == ([], [], ["order"])
    assert (worker["connected"], worker["polls"]) == (True, False)


async def test_an_agent_that_was_meant_as_a_workflow_can_be_told(http: httpx.AsyncClient, flows: Worker) -> None:
    await http.post(EXECUTIONS, json={"kind": "order", "workflow": False})
    await http.post(EXECUTIONS, json={"kind": "order", "workflow": True, "queue": "nobody"})
    agent, flow = (await http.get("/api/v1/stuck")).json()["waiting"]
    assert (agent["subject"], agent["workers"], agent["workers_of_workflow"]) == ("agent", 0, 1)
    assert (flow["subject"], flow["queue"], flow["count"], flow["workers"]) == ("workflow", "nobody", 1, 0)
