"""Workflows on a real server, over real gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from rescind import (
    AlreadyExists,
    ChildWorkflowCancelled,
    Client,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionHandle,
    ExecutionWasCancelled,
    NotFound,
    StepFailed,
    TaskContext,
    Worker,
    WorkflowContext,
    task,
    workflow,
)
from rescind.model.events import EventType, HistoryEvent
from rescind.model.workflow_export import exported
from rescind.testing import replay_workflow
from rescind_server.app import Server


def play(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario, 60))


@task("echo", heartbeat=60, max_retries=0)
async def echo(_: TaskContext, value: str) -> str:
    if value == "fail":
        raise ValueError("no luck")
    return value


@workflow("kid")
async def kid(ctx: WorkflowContext) -> None:
    try:
        await ctx.promise_raw("never")
    except ExecutionCancelled:
        async with ctx.shield():
            await ctx.set_raw("undone", await ctx.schedule(echo, "undo"))
        raise


@workflow("order")
async def order(ctx: WorkflowContext, item: str) -> list[Any]:
    told: list[Any] = [await ctx.schedule(echo, item)]
    told.append(await ctx.promise("approval", str))
    child = ctx.schedule_workflow("kid", kid)
    told.append(await ctx.wait_for_signal("go", int))
    child.cancel("changed my mind")
    with pytest.raises(ChildWorkflowCancelled, match="changed my mind"):
        await child
    told.append(await ctx.run(lambda: 42, name="roll"))
    with pytest.raises(StepFailed, match="ValueError"):
        await ctx.run(int, "x")
    async with asyncio.timeout(30):
        await asyncio.sleep(0.01)
    hung = ctx.schedule_raw("nobody-runs-this")
    return [*told, str(await hung.cancel())]


@workflow("broken")
async def broken(ctx: WorkflowContext) -> None:
    await ctx.schedule(echo, "fail")


def test_a_workflow_runs_with_all_that_it_can_do() -> None:
    async def scenario() -> None:
        async with (
            Server(None, "127.0.0.1:0") as server,
            Client(server.address) as client,
            Worker(server.address, workflows=[order, kid], tasks=[echo]),
        ):
            handle = await client.start(order, "tea", id="order-1")
            await handle.signal("go", 9)
            await promised(client, handle)
            assert await client.resolve_promise("order-1", "approval", "yes")
            assert await handle.result() == ["tea", "yes", 9, 42, "CANCELLED"]
            assert (await handle.describe()).is_workflow
            log = await client.workflow_events("order-1")
            assert replay_workflow(order, exported(log), execution_id="order-1").new_commands == ()

    play(scenario())


async def promised(client: Client, handle: ExecutionHandle[Any]) -> None:
    """Return when the code waits, and has made its promise: in which pass, depends on what came before."""
    async for event in handle.follow():
        if isinstance(event, HistoryEvent) and event.type is EventType.EXECUTION_SUSPENDED:
            log = await client.workflow_events(handle.id)
            if any(logged.event.event_type == "PROMISE_CREATED" for logged in log):
                return


async def suspended(handle: ExecutionHandle[Any]) -> None:
    """Return when the code waits."""
    async for event in handle.follow():
        if isinstance(event, HistoryEvent) and event.type is EventType.EXECUTION_SUSPENDED:
            return


def test_a_cancelled_workflow_cleans_up() -> None:
    async def scenario() -> None:
        async with (
            Server(None, "127.0.0.1:0") as server,
            Client(server.address) as client,
            Worker(server.address, workflows=[kid], tasks=[echo]),
        ):
            handle = await client.start(kid)
            await suspended(handle)
            await handle.cancel("enough")
            with pytest.raises(ExecutionWasCancelled, match="enough"):
                await handle.result()
            assert [each.status.value for each in await handle.tasks()] == ["COMPLETED"]

    play(scenario())


def test_failures_and_refusals_reach_the_caller() -> None:
    async def scenario() -> None:
        async with (
            Server(None, "127.0.0.1:0") as server,
            Client(server.address) as client,
            Worker(server.address, workflows=[broken], tasks=[echo]),
        ):
            handle = await client.start(broken, id="it")
            with pytest.raises(Exception, match="no luck"):
                await handle.result()
            with pytest.raises(AlreadyExists):
                await client.start_workflow("other", id="it")
            with pytest.raises(NotFound):
                await client.workflow_events("unknown")
            slow = await client.start_workflow("nobody-runs-this", timeout=0.05)
            with pytest.raises(ExecutionFailed, match="timed out"):
                await slow.result()

    play(scenario())


def test_a_workflow_goes_on_behind_a_restart_of_its_server(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = tmp_path / "kept.db"
        async with Server(store, "127.0.0.1:0") as server:
            address = server.address
            async with Client(address) as client, Worker(address, workflows=[order, kid], tasks=[echo]):
                await promised(client, await client.start(order, "tea", id="it"))
        async with (
            Server(store, address) as server,
            Client(address) as client,
            Worker(address, workflows=[order, kid], tasks=[echo]),
        ):
            assert await client.resolve_promise("it", "approval", "yes")
            await client.handle("it").signal("go", 9)
            assert await client.handle("it").result() == ["tea", "yes", 9, 42, "CANCELLED"]

    play(scenario())


def test_signal_with_start_starts_once() -> None:
    async def scenario() -> None:
        async with Server(None, "127.0.0.1:0") as server, Client(server.address) as client:
            first = await client.signal_with_start(order, "tea", "go", 1, idempotency_key="k")
            second = await client.signal_with_start(order, "tea", "go", 2, idempotency_key="k")
            assert first.id == second.id
            types = [one.event.event_type for one in await client.workflow_events(first.id)]
            assert types == ["WORKFLOW_STARTED", "SIGNAL_RECEIVED", "SIGNAL_RECEIVED"]

    play(scenario())
