"""A workflow is cancelled: told at its await, cleans up in a shield, and ends. cancellation.md, section 7."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from rescind import (
    CancelTaskResult,
    ChildWorkflowCancelled,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionStatus,
    ExecutionWasCancelled,
    TaskCancelled,
    TaskContext,
    WorkflowContext,
    task,
    workflow,
)
from rescind.model.workflow_events import ChildWorkflowInitiated
from rescind.testing import Environment

pytestmark = pytest.mark.rescind

Wait = Callable[[WorkflowContext], Awaitable[Any]]


@task("nap")
async def nap(_: TaskContext, seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@workflow("kid")
async def kid(ctx: WorkflowContext) -> str:
    try:
        await ctx.sleep(1_000)
    except ExecutionCancelled as told:
        async with ctx.shield():
            await ctx.schedule(nap, 1.0)
            await ctx.set_raw("told", str(told.cause))
        raise
    return "slept"


WAITS: list[tuple[str, Wait]] = [
    ("timer", lambda ctx: ctx.sleep(1_000)),
    ("asyncio.sleep", lambda ctx: asyncio.sleep(1_000)),
    ("task", lambda ctx: ctx.schedule(nap, 1_000.0)),
    ("promise", lambda ctx: ctx.promise_raw("never")),
    ("signal", lambda ctx: ctx.wait_for_signal_raw("never")),
    ("child", lambda ctx: ctx.schedule_workflow("kid", kid)),
    ("select", lambda ctx: ctx.select([ctx.sleep(1_000), ctx.promise_raw("never")])),
    ("race", lambda ctx: ctx.select_ok([ctx.schedule(nap, 1_000.0)])),
    ("event", lambda ctx: asyncio.Event().wait()),
]


@pytest.mark.parametrize("wait", [pytest.param(wait, id=name) for name, wait in WAITS])
async def test_the_code_is_told_at_the_await_where_it_stands(wait: Wait) -> None:
    seen: list[Any] = []

    @workflow("waits")
    async def waits(ctx: WorkflowContext) -> None:
        try:
            await wait(ctx)
        except ExecutionCancelled as told:
            seen.append((str(told.cause), ctx.is_cancellation_requested, ctx.cancel_cause() == told.cause))
            raise

    async with Environment(tasks=[nap], workflows=[waits, kid]) as env:
        handle = await env.start(waits)
        await asyncio.sleep(1)
        assert await handle.cancel("enough") is CancelTaskResult.CANCELLED
        with pytest.raises(ExecutionWasCancelled, match="enough"):
            await handle.result()
        assert await handle.status() is ExecutionStatus.CANCELLED
        assert await handle.cancel() is CancelTaskResult.ALREADY_CANCELLED
    assert seen == [("request by client:local: enough", True, True)]


async def test_clean_up_may_use_the_context_in_a_shield() -> None:
    async with Environment(tasks=[nap], workflows=[kid]) as env:
        handle = await env.start(kid)
        await asyncio.sleep(1)
        await handle.cancel("enough")
        await env.settled()
        assert await handle.status() is ExecutionStatus.CANCELLING
        with pytest.raises(ExecutionWasCancelled):
            await handle.result()
        assert env.elapsed() == timedelta(seconds=2)
        assert "COMPLETED" in [each.status.value for each in await handle.tasks()]
        types = [one.event.event_type for one in await env.client.workflow_events(handle.id)]
        assert types[-1] == "WORKFLOW_CANCELLED"
        assert "STATE_SET" in types


async def test_a_clean_up_that_raises_ends_in_failed() -> None:
    @workflow("clumsy")
    async def clumsy(ctx: WorkflowContext) -> None:
        try:
            await ctx.sleep(1_000)
        finally:
            raise ValueError("clumsy")

    async with Environment(workflows=[clumsy]) as env:
        handle = await env.start(clumsy)
        await env.settled()
        await handle.cancel()
        with pytest.raises(ExecutionFailed, match="clumsy"):
            await handle.result()


async def test_code_that_swallows_its_cancel_is_told_again() -> None:
    told: list[int] = []

    @workflow("stubborn")
    async def stubborn(ctx: WorkflowContext) -> None:
        for number in range(3):
            try:
                await ctx.sleep(1_000)
            except ExecutionCancelled:
                told.append(number)
        await ctx.check_cancellation()

    async with Environment(workflows=[stubborn]) as env:
        handle = await env.start(stubborn)
        await env.settled()
        await handle.cancel()
        with pytest.raises(ExecutionWasCancelled):
            await handle.result()
    assert told == [0, 1, 2]


async def test_a_clean_up_that_takes_too_long_is_ended() -> None:
    @workflow("slow", cleanup_budget=5)
    async def slow(ctx: WorkflowContext) -> None:
        try:
            await ctx.sleep(1_000)
        finally:
            async with ctx.shield():
                await ctx.sleep(10_000)

    async with Environment(workflows=[slow]) as env:
        handle = await env.start(slow)
        await env.settled()
        await handle.cancel()
        with pytest.raises(ExecutionWasCancelled):
            await handle.result()
        assert env.elapsed() == timedelta(seconds=5)


async def test_the_end_of_the_budget_leaves_the_tasks_of_the_clean_up_no_grace() -> None:
    @task("undo", grace=1_000)
    async def undo(_: TaskContext) -> None:
        try:
            await asyncio.sleep(10_000)
        except asyncio.CancelledError:
            await asyncio.sleep(500)
            raise

    @workflow("slow", cleanup_budget=5)
    async def slow(ctx: WorkflowContext) -> None:
        try:
            await ctx.sleep(1_000)
        finally:
            async with ctx.shield():
                await ctx.schedule(undo)

    async with Environment(tasks=[undo], workflows=[slow]) as env:
        handle = await env.start(slow)
        await env.settled()
        await handle.cancel()
        with pytest.raises(ExecutionWasCancelled):
            await handle.result()
        assert env.elapsed() == timedelta(seconds=5)
        (task_view,) = await handle.tasks()
        assert task_view.status.value == "CANCELLED"


async def test_a_hard_cancel_ends_it_without_its_clean_up() -> None:
    async with Environment(tasks=[nap], workflows=[kid]) as env:
        handle = await env.start(kid)
        await env.settled()
        await handle.cancel(hard=True)
        with pytest.raises(ExecutionWasCancelled):
            await handle.result()
        assert env.elapsed() == timedelta()


async def test_a_task_that_is_cancelled_from_outside_wakes_the_workflow() -> None:
    @workflow("parent")
    async def parent(ctx: WorkflowContext) -> str:
        try:
            await ctx.schedule(nap, 1_000.0)
        except TaskCancelled as error:
            return str(error.cause)
        return "done"

    async with Environment(tasks=[nap], workflows=[parent]) as env:
        handle = await env.start(parent)
        await asyncio.sleep(1)
        (running,) = await handle.tasks()
        await handle.cancel_task(running.task_id, "not needed")
        assert await handle.result() == "request by client:local: not needed"


async def test_a_parent_cancels_its_child_and_hears_when_it_has_ended() -> None:
    @workflow("parent")
    async def parent(ctx: WorkflowContext) -> list[Any]:
        child = ctx.schedule_workflow("kid", kid)
        await ctx.sleep(1)
        asked = [child.cancel("changed my mind"), child.cancel()]
        with pytest.raises(ChildWorkflowCancelled) as raised:
            await child
        return [asked, raised.value.name, child.cancel()]

    async with Environment(tasks=[nap], workflows=[parent, kid]) as env:
        handle = await env.start(parent)
        assert await handle.result() == [[True, False], "kid", False]
        assert env.elapsed() == timedelta(seconds=2)
        types = [one.event.event_type for one in await env.client.workflow_events(handle.id)]
        assert types.count("CHILD_WORKFLOW_CANCELLATION_REQUESTED") == 1
        assert types.count("CHILD_WORKFLOW_FAILED") == 1


async def test_cancelling_a_parent_reaches_its_children() -> None:
    @workflow("parent")
    async def parent(ctx: WorkflowContext) -> None:
        await ctx.schedule_workflow("kid", kid)

    async with Environment(tasks=[nap], workflows=[parent, kid]) as env:
        handle = await env.start(parent)
        await asyncio.sleep(1)
        log = await env.client.workflow_events(handle.id)
        (child,) = [
            one.event.child_workflow_execution_id for one in log if isinstance(one.event, ChildWorkflowInitiated)
        ]
        await handle.cancel("enough")
        with pytest.raises(ExecutionWasCancelled):
            await env.handle(child).result()


async def test_losing_a_worker_is_no_cancel() -> None:
    cleaned: list[str] = []

    @workflow("calm")
    async def calm(ctx: WorkflowContext) -> str:
        try:
            await ctx.sleep(10)
        except ExecutionCancelled:
            cleaned.append("told")
            raise
        return "slept"

    async with Environment(workflows=[calm]) as env:
        handle = await env.start(calm)
        await asyncio.sleep(1)
        await env.kill_worker()
        env.start_worker()
        assert await handle.result() == "slept"
    assert cleaned == []
