"""Cancels on a cluster: the five answers, the modes, the clean-up of agents, and Temporal's own cancel."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, CancelMode, CancelTaskResult, ExecutionCancelled, agent
from rescind.errors import ExecutionWasCancelled
from rescind.model.ids import ExecutionId

from .world import CAUSES, breaks, lingers, nap, stopped, world

pytestmark = pytest.mark.asyncio


@agent("cancels-all-sorts")
async def cancels_all_sorts(ctx: AgentContext) -> list[str]:
    done, broken, running = ctx.schedule(nap, 0.0), ctx.schedule(breaks, 0.0), ctx.schedule(nap, 60.0)
    await ctx.join_all_settled([done, broken])
    answers = [await each.cancel("enough") for each in (running, running, done, broken)]
    unknown = await ctx.cancel_task("00000000-0000-5000-8000-000000000000")
    return [each.value for each in (*answers, unknown)]


@agent("cancels-in-the-same-step")
async def cancels_in_the_same_step(ctx: AgentContext) -> str:
    future = ctx.schedule(nap, 60.0)
    return (await future.cancel()).value


@agent("cancels-as-soon-as-it-is-scheduled")
async def cancels_as_soon_as_it_is_scheduled(ctx: AgentContext) -> str:
    future = ctx.schedule(nap, 60.0)
    await ctx.checkpoint({})
    return (await future.cancel()).value


@agent("asks-its-task-to-stop")
async def asks_its_task_to_stop(ctx: AgentContext) -> str:
    future = ctx.schedule(lingers, 0.0)
    await ctx.sleep(0.5)
    return (await future.cancel("please", mode=CancelMode.WAIT)).value


@agent("cleans-up")
async def cleans_up(ctx: AgentContext) -> None:
    try:
        await ctx.schedule(nap, 60.0)
    except ExecutionCancelled:
        async with ctx.shield(within_ms=10_000):
            await ctx.schedule(nap, 0.0)
            await ctx.append_entry("assistant", f"cleaned up: {ctx.cancel_cause()}")
        raise


@agent("waits")
async def waits(ctx: AgentContext) -> None:
    await ctx.schedule(nap, 60.0)


@agent("leaves-slow-work")
async def leaves_slow_work(ctx: AgentContext) -> str:
    future = ctx.schedule(lingers, 1.0)
    await ctx.sleep(0.5)
    await future.cancel()
    return "told at once"


async def begun(handle: Any) -> None:
    """Return when its first task runs."""
    while not await handle.tasks():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def test_each_of_the_five_answers_is_given(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [cancels_all_sorts]) as here:
        handle = await here.start(cancels_all_sorts)
        assert await handle.result() == [
            "CANCELLED",
            "ALREADY_CANCELLED",
            "ALREADY_COMPLETED",
            "ALREADY_FAILED",
            "NOT_FOUND",
        ]


async def test_a_task_cancelled_in_the_step_that_schedules_it_never_starts(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [cancels_in_the_same_step]) as here:
        handle = await here.start(cancels_in_the_same_step)
        assert await handle.result() == "CANCELLED"
        (task,) = await handle.tasks()
    assert (task.attempts, task.stop_state) == (0, None)


async def test_a_cancel_right_behind_the_start_of_an_activity_is_not_lost(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [cancels_as_soon_as_it_is_scheduled]) as here:
        handle = await here.start(cancels_as_soon_as_it_is_scheduled)
        assert await handle.result() == "CANCELLED"
        (task,) = await stopped(handle)
    assert (task.status, task.stop_state) == ("CANCELLED", "STOPPED")


async def test_work_that_is_asked_may_finish_instead(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [asks_its_task_to_stop]) as here:
        handle = await here.start(asks_its_task_to_stop)
        assert await handle.result() == "ALREADY_COMPLETED"
        (task,) = await handle.tasks()
    assert (task.status, task.output) == ("COMPLETED", "late")


async def test_a_cancelled_agent_cleans_up_and_ends_as_cancelled_for_temporal_too(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [cleans_up]) as here:
        handle = await here.start(cleans_up)
        await begun(handle)
        assert await handle.cancel("no longer needed") is CancelTaskResult.CANCELLED
        with pytest.raises(ExecutionWasCancelled, match="no longer needed"):
            await handle.result()
        assert await handle.cancel() is CancelTaskResult.ALREADY_CANCELLED
        (entry,) = await handle.entries()
        work, clean_up = await stopped(handle)
        described = await here.client.port.client.get_workflow_handle(handle.id).describe()
    assert "request by client:test: no longer needed" in str(entry.content)
    assert (work.status, clean_up.status) == ("CANCELLED", "COMPLETED")
    assert CAUSES[str(work.task_id)] == "parent by client:test: no longer needed"
    assert described.status is WorkflowExecutionStatus.CANCELED


async def test_a_hard_cancel_skips_the_clean_up(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [cleans_up]) as here:
        handle = await here.start(cleans_up)
        await begun(handle)
        assert await handle.cancel("at once", hard=True) is CancelTaskResult.CANCELLED
        with pytest.raises(ExecutionWasCancelled):
            await handle.result()
        assert await handle.entries() == []


async def test_temporals_own_cancel_is_a_cancel_of_the_agent(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [cleans_up]) as here:
        handle = await here.start(cleans_up)
        await begun(handle)
        await here.client.port.client.get_workflow_handle(handle.id).cancel(reason="from the web page")
        with pytest.raises(ExecutionWasCancelled, match="request by temporal: from the web page"):
            await handle.result()


async def test_a_cancel_of_what_is_not_there_or_has_ended_is_an_answer(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [cancels_in_the_same_step]) as here:
        handle = await here.start(cancels_in_the_same_step)
        await handle.result()
        (task,) = await handle.tasks()
        assert await handle.cancel() is CancelTaskResult.ALREADY_COMPLETED
        assert await handle.cancel_task(task.task_id) is CancelTaskResult.ALREADY_CANCELLED
        missing = await here.client.port.cancel_execution(ExecutionId("nobody"), None, hard=False)
        assert missing is CancelTaskResult.NOT_FOUND


async def test_a_caller_cancels_one_task_of_a_running_agent(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [waits]) as here:
        handle = await here.start(waits)
        await begun(handle)
        (task,) = await handle.tasks()
        answers = [await handle.cancel_task(task.task_id, "mine") for _ in range(2)]
        (task,) = await stopped(handle)
    assert answers == [CancelTaskResult.CANCELLED, CancelTaskResult.ALREADY_CANCELLED]
    assert CAUSES[str(task.task_id)] == "request by client:test: mine"


async def test_the_result_is_told_while_work_is_still_being_stopped(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [leaves_slow_work]) as here:
        handle = await here.start(leaves_slow_work)
        assert await handle.result() == "told at once"
        (task,) = await handle.tasks()
        assert task.stop_state in ("REQUESTED", "DELIVERED")
        (task,) = await stopped(handle)
    assert task.stop_state == "STOPPED"
    assert task.output is None
