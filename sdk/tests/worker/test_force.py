"""Force: work that is to end at once, from the first moment or when it has been told to stop already."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from rescind import AgentContext, CancelMode, TaskContext, TaskDefinition, agent, task
from rescind.model.events import EventType
from rescind.model.messages import StopOrder
from rescind.testing import Environment
from rescind.worker.worker import Worker

Seen = list[Any]
FIRST = [None, CancelMode.TRY, CancelMode.WAIT]


async def forced(
    env: Environment, definition: TaskDefinition[Any, Any], first: CancelMode | None = None
) -> tuple[str, str | None]:
    """Cancel a task after a second in some mode, and another second later by force; how it stands a second behind."""

    @agent("forcing")
    async def forcing(ctx: AgentContext) -> None:
        future = ctx.schedule(definition)
        await ctx.sleep(1)
        if first is not None:
            asking = asyncio.create_task(future.cancel("enough", mode=first))
        await ctx.sleep(1)
        await future.cancel("now", mode=CancelMode.FORCE)
        if first is not None:
            await asking
        await ctx.sleep(60)

    env.register(definition, forcing)
    handle = await env.start(forcing)
    await asyncio.sleep(3)
    (record,) = await handle.tasks()
    return record.status, record.stop_state


def the_worker(env: Environment) -> Worker:
    ((worker, _),) = env._workers
    return worker


@pytest.mark.parametrize("first", FIRST)
async def test_async_code_that_cleans_up_is_interrupted_at_once(
    first: CancelMode | None, rescind_env: Environment
) -> None:
    seen: Seen = []

    @task("tidy", grace=600)
    async def tidy(ctx: TaskContext) -> None:
        try:
            await asyncio.sleep(1_000)
        finally:
            try:
                await asyncio.sleep(500)
            finally:
                seen.append(rescind_env.elapsed().total_seconds())

    assert await forced(rescind_env, tidy, first) == ("CANCELLED", "STOPPED")
    assert seen == [2]
    assert the_worker(rescind_env).unresponsive == ()


async def test_clean_ups_that_run_are_cut(rescind_env: Environment) -> None:
    seen: Seen = []

    async def clean_up() -> None:
        try:
            await asyncio.sleep(500)
        finally:
            seen.append(rescind_env.elapsed().total_seconds())

    @task("tidy", grace=600)
    async def tidy(ctx: TaskContext) -> None:
        ctx.on_cancel(clean_up)
        await asyncio.sleep(1_000)

    assert await forced(rescind_env, tidy, CancelMode.TRY) == ("CANCELLED", "STOPPED")
    assert seen == [2]


@pytest.mark.parametrize("first", FIRST)
async def test_a_thread_that_never_asks_is_unresponsive_at_once_and_listed_until_it_ends(
    first: CancelMode | None, rescind_env: Environment
) -> None:
    @task("busy", grace=600)
    def busy(ctx: TaskContext) -> None:
        time.sleep(20)

    assert await forced(rescind_env, busy, first) == ("CANCELLED", "DELIVERED")
    await asyncio.sleep(0.5)
    assert [each.activation.kind for each in the_worker(rescind_env).unresponsive] == ["busy"]
    await asyncio.sleep(20)
    assert the_worker(rescind_env).unresponsive == ()


async def test_the_cause_that_the_code_sees_is_the_first(rescind_env: Environment) -> None:
    seen: Seen = []

    @task("tidy", grace=600)
    async def tidy(ctx: TaskContext) -> None:
        try:
            await asyncio.sleep(1_000)
        finally:
            try:
                await asyncio.sleep(500)
            finally:
                cause = ctx.cancel_cause()
                seen.append(cause and cause.reason)

    await forced(rescind_env, tidy, CancelMode.TRY)
    assert seen == ["enough"]


@pytest.mark.parametrize("force", [False, True])
async def test_an_order_that_comes_again_is_acknowledged_again_and_does_nothing_else(
    force: bool, rescind_env: Environment
) -> None:
    seen: Seen = []

    @task("swallowing", grace=600)
    async def swallowing(ctx: TaskContext) -> None:
        while True:
            try:
                await asyncio.sleep(1_000)
            except asyncio.CancelledError:
                seen.append(rescind_env.elapsed().total_seconds())
                if len(seen) > 2:
                    raise

    @agent("repeating")
    async def repeating(ctx: AgentContext) -> None:
        future = ctx.schedule(swallowing)
        await ctx.sleep(1)
        await future.cancel("enough", mode=CancelMode.FORCE if force else CancelMode.TRY)
        await ctx.sleep(60)

    rescind_env.register(swallowing, repeating)
    handle = await rescind_env.start(repeating)
    await asyncio.sleep(1.5)
    worker = the_worker(rescind_env)
    (attempt,) = worker._attempts.values()
    assert attempt._cause is not None
    before = list(seen)
    order = StopOrder(attempt.activation.task_id, attempt.activation.lease, attempt._cause, force=force)
    for _ in range(3):
        worker._receive(order)
    await asyncio.sleep(0.1)
    assert seen == before == [1, 1][: 1 + force]
    types = [event.type for event in await handle.history()]
    assert types.count(EventType.STOP_DELIVERED) == 1
    await handle.cancel(hard=True)
    await asyncio.sleep(5)


async def test_a_hard_cancel_of_an_agent_interrupts_the_clean_up_of_its_tasks(rescind_env: Environment) -> None:
    @task("tidy", grace=600)
    async def tidy(ctx: TaskContext) -> None:
        try:
            await asyncio.sleep(1_000)
        finally:
            await asyncio.sleep(500)

    @agent("waiting")
    async def waiting(ctx: AgentContext) -> None:
        await ctx.schedule(tidy)

    rescind_env.register(tidy, waiting)
    handle = await rescind_env.start(waiting)
    await asyncio.sleep(1)
    await handle.cancel("enough")
    await asyncio.sleep(10)
    (record,) = await handle.tasks()
    assert (record.status, record.stop_state) == ("CANCELLED", "DELIVERED")
    await handle.cancel("now", hard=True)
    await asyncio.sleep(0.1)
    (record,) = await handle.tasks()
    assert (record.status, record.stop_state) == ("CANCELLED", "STOPPED")
