"""How work is stopped: told, told again, cleaned up behind. cancellation.md, section 4."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rescind import AgentContext, ExecutionHandle, TaskContext, TaskDefinition, agent, task
from rescind.testing import Environment

Seen = list[Any]


async def cancelled_after_a_second(
    env: Environment, definition: TaskDefinition[Any, Any], **options: Any
) -> ExecutionHandle[Any]:
    """Start an agent that schedules this one task, cancels it after a second, and lives on for a minute."""

    @agent("cancelling")
    async def cancelling(ctx: AgentContext) -> str:
        future = ctx.schedule(definition, **options)
        await ctx.sleep(1)
        result = await future.cancel("enough")
        await ctx.sleep(60)
        return result.value

    env.register(definition, cancelling)
    return await env.start(cancelling)


def clock(env: Environment) -> Callable[[], float]:
    return lambda: env.elapsed().total_seconds()


async def test_async_code_is_told_at_its_next_await_and_ends_in_its_own_time(rescind_env: Environment) -> None:
    @task("tidy")
    async def tidy(ctx: TaskContext) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(3)

    handle = await cancelled_after_a_second(rescind_env, tidy)
    await asyncio.sleep(2)
    (record,) = await handle.tasks()
    assert (record.status, record.stop_state) == ("CANCELLED", "DELIVERED")
    await asyncio.sleep(3)
    (record,) = await handle.tasks()
    assert record.stop_state == "STOPPED"
    (stop,) = record.stops
    assert stop.ended_at is not None
    assert stop.ended_at - stop.requested_at == 3_000_000


async def test_code_that_swallows_its_cancel_is_cancelled_anyway_and_told_again_after_its_grace(
    rescind_env: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    seen: Seen = []

    @task("deaf", grace=5)
    async def deaf(ctx: TaskContext) -> str:
        while len(seen) < 4:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                seen.append(rescind_env.elapsed().total_seconds())
        return "a result that nobody wants"

    handle = await cancelled_after_a_second(rescind_env, deaf)
    (worker,) = [worker for worker, _ in rescind_env._workers]
    await asyncio.sleep(5.5)
    assert [each.activation.kind for each in worker.unresponsive] == []
    with caplog.at_level(logging.WARNING, "rescind.worker"):
        await asyncio.sleep(1)
    assert [each.activation.kind for each in worker.unresponsive] == ["deaf"]
    assert "(deaf) still runs 5000 ms after it was told to stop" in caplog.text
    assert await handle.result() == "CANCELLED"
    assert seen == [1, 6, 7, 8]
    assert worker.unresponsive == ()
    (record,) = await handle.tasks()
    assert (record.status, record.stop_state) == ("CANCELLED", "STOPPED")
    discarded = [event for event in await handle.history() if event.type == "RESULT_DISCARDED"]
    assert [event.details for event in discarded] == [{"bytes": len('"a result that nobody wants"')}]


async def test_a_thread_cooperates_by_asking(rescind_env: Environment) -> None:
    seen: Seen = []

    @task("asking")
    def asking(ctx: TaskContext) -> None:
        try:
            while True:
                time.sleep(0.3)
                ctx.check_cancelled()
        except Exception:
            seen.append("caught as an ordinary error")
        finally:
            cause = ctx.cancel_cause()
            seen.append((ctx.is_cancelled, cause and cause.reason))

    handle = await cancelled_after_a_second(rescind_env, asking)
    await handle.result()
    assert seen == [(True, "enough")]
    (record,) = await handle.tasks()
    (stop,) = record.stops
    assert (record.stop_state, stop.ended_at and stop.ended_at - stop.requested_at) == ("STOPPED", 200_000)


async def test_a_thread_that_never_asks_is_listed_until_it_ends(rescind_env: Environment) -> None:
    @task("busy", grace=2)
    def busy(ctx: TaskContext) -> str:
        time.sleep(20)
        return "too late"

    handle = await cancelled_after_a_second(rescind_env, busy)
    (worker,) = [worker for worker, _ in rescind_env._workers]
    await asyncio.sleep(10)
    assert [each.activation.kind for each in worker.unresponsive] == ["busy"]
    await asyncio.sleep(11)
    assert worker.unresponsive == ()
    (record,) = await handle.tasks()
    assert (record.status, record.stop_state) == ("CANCELLED", "STOPPED")


async def test_hooks_run_behind_the_code_in_order_each_once(rescind_env: Environment) -> None:
    seen: Seen = []
    now = clock(rescind_env)

    @task("hooked")
    async def hooked(ctx: TaskContext) -> None:
        async def later() -> None:
            seen.append(("async hook", now()))
            await asyncio.sleep(1)
            seen.append(("async hook ended", now()))

        ctx.on_cancel(lambda: seen.append(("first hook", now())))
        ctx.on_cancel(later)
        ctx.on_cancel(lambda: seen.append(("last hook", now())))
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(0.5)
            seen.append(("code ended", now()))

    handle = await cancelled_after_a_second(rescind_env, hooked)
    await handle.result()
    assert seen == [
        ("code ended", 1.5),
        ("first hook", 1.5),
        ("last hook", 1.5),
        ("async hook", 1.5),
        ("async hook ended", 2.5),
    ]
    (record,) = await handle.tasks()
    (stop,) = record.stops
    assert stop.ended_at is not None
    assert stop.ended_at - stop.requested_at == 1_500_000


async def test_the_hooks_of_a_thread_run_when_the_order_comes_so_they_can_unblock_it(
    rescind_env: Environment,
) -> None:
    seen: Seen = []

    @task("blocked")
    def blocked(ctx: TaskContext) -> None:
        closed = threading.Event()
        ctx.on_cancel(closed.set)
        closed.wait()
        seen.append(datetime.now(UTC).second)
        ctx.on_cancel(lambda: seen.append("given late, run at once"))

    handle = await cancelled_after_a_second(rescind_env, blocked)
    await handle.result()
    assert seen == [1, "given late, run at once"]


async def test_hooks_do_not_run_where_nothing_was_cancelled(rescind_env: Environment) -> None:
    seen: Seen = []

    @task("finishing")
    async def finishing(ctx: TaskContext) -> None:
        ctx.on_cancel(lambda: seen.append("ran"))

    handle = await cancelled_after_a_second(rescind_env, finishing)
    assert await handle.result() == "ALREADY_COMPLETED"
    assert seen == []


async def test_what_a_hook_raises_is_logged_and_the_others_run(
    rescind_env: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    seen: Seen = []

    @task("clumsy")
    async def clumsy(ctx: TaskContext) -> None:
        async def fails() -> None:
            raise LookupError("async trouble")

        def fails_at_once() -> None:
            raise ValueError("plain trouble")

        ctx.on_cancel(fails_at_once)
        ctx.on_cancel(fails)
        ctx.on_cancel(lambda: seen.append("ran"))
        await asyncio.sleep(100)

    handle = await cancelled_after_a_second(rescind_env, clumsy)
    assert await handle.result() == "CANCELLED"
    assert seen == ["ran"]
    assert "plain trouble" in caplog.text
    assert "async trouble" in caplog.text


async def test_hooks_are_cut_when_the_grace_is_over(rescind_env: Environment) -> None:
    seen: Seen = []

    @task("slow-hook", grace=3)
    async def slow_hook(ctx: TaskContext) -> None:
        async def forever() -> None:
            try:
                await asyncio.sleep(1_000)
            finally:
                seen.append(rescind_env.elapsed().total_seconds())

        ctx.on_cancel(forever)
        await asyncio.sleep(100)

    handle = await cancelled_after_a_second(rescind_env, slow_hook)
    await handle.result()
    assert seen == [4]
    assert (await handle.tasks())[0].stop_state == "STOPPED"


async def test_a_result_that_came_too_late_is_kept_as_discarded(rescind_env: Environment) -> None:
    @task("photo-finish")
    async def photo_finish(ctx: TaskContext) -> list[int]:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            return [1, 2, 3]
        return []

    handle = await cancelled_after_a_second(rescind_env, photo_finish)
    assert await handle.result() == "CANCELLED"
    types = (await handle.history()).types()
    assert types.count("RESULT_DISCARDED") == 1  # type: ignore[arg-type]
    assert "TASK_COMPLETED" not in types


async def test_a_task_cancelled_before_its_worker_began_it_never_runs(rescind_env: Environment) -> None:
    seen: Seen = []

    @task("late")
    async def late(ctx: TaskContext) -> None:
        seen.append("ran")

    @agent("hasty")
    async def hasty(ctx: AgentContext) -> Any:
        future = ctx.schedule(late)
        await ctx.flush_pending()
        return await future.cancel()

    rescind_env.register(late, hasty)
    handle = await rescind_env.start(hasty)
    result = await handle.result()
    await asyncio.sleep(1)
    (record,) = await handle.tasks()
    assert (record.status == "CANCELLED") is (result == "CANCELLED")
    if result == "CANCELLED" and seen == []:
        assert record.stop_state in (None, "STOPPED")


async def test_cancelling_at_the_very_instant_of_the_end_gives_one_of_the_two(rescind_env: Environment) -> None:
    @task("second")
    async def second(ctx: TaskContext) -> str:
        await asyncio.sleep(1)
        return "done"

    handle = await cancelled_after_a_second(rescind_env, second)
    result = await handle.result()
    (record,) = await handle.tasks()
    assert (result, record.status) in (("CANCELLED", "CANCELLED"), ("ALREADY_COMPLETED", "COMPLETED"))
    assert rescind_env.elapsed() == timedelta(seconds=61)
