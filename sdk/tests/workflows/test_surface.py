"""What a workflow can do, on the real engine in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rescind import (
    AllTasksFailed,
    ChildWorkflowFailed,
    DeadlineExceeded,
    ExecutionEnded,
    ExecutionFailed,
    NotFound,
    PromiseRejected,
    PromiseTimeout,
    TaskFailed,
    TimerCancelled,
    WorkflowContext,
    workflow,
)
from rescind.testing import Environment
from sdk.tests.workflows.work import broken, doubled, fails, nap, result_of, world

pytestmark = pytest.mark.rescind


@dataclass
class Order:
    item: str
    count: int


async def test_a_workflow_takes_and_gives_typed_values() -> None:
    @workflow("order")
    async def order(_: WorkflowContext, given: Order) -> Order:
        return Order(given.item, given.count + 1)

    async with Environment(workflows=[order]) as env:
        assert await (await env.start(order, Order("tea", 1))).result() == Order("tea", 2)


async def test_tasks_are_scheduled_raw_and_typed() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        return [await ctx.schedule(nap, 1.0), await ctx.schedule_raw("nap", 2)]

    assert await result_of(body) == [1.0, 2]


async def test_the_combinators_of_agents_work_on_tasks_of_workflows() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        value, cancelled = await ctx.select_ok_with_cancel([ctx.schedule(nap, 5.0), ctx.schedule(nap, 1.0)])
        settled = await ctx.join_all_settled([ctx.schedule(nap, 1.0), ctx.schedule(fails)])
        timed = await ctx.join_all_with_timeout([ctx.schedule(nap, 1.0), ctx.schedule(nap, 9.0)], 2_000)
        hedged = await ctx.hedge(nap, [50.0, 1.0], 500)
        two = await ctx.select_n_ok([ctx.schedule(nap, 3.0), ctx.schedule(nap, 1.0), ctx.schedule(nap, 2.0)], 2)
        return [
            value,
            len(cancelled),
            len(settled.completed),
            len(settled.failed),
            len(timed.completed),
            len(timed.cancelled),
            timed.timed_out,
            hedged,
            [each for _, each in two],
        ]

    assert await result_of(body) == [1.0, 1, 1, 1, 1, 1, True, 1.0, [1.0, 2.0]]


async def test_all_tasks_failing_ends_a_race() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        with pytest.raises(AllTasksFailed):
            await ctx.select_ok([ctx.schedule(fails), ctx.schedule(fails)])
        with pytest.raises(TaskFailed, match="no luck"):
            await ctx.schedule(fails)

    await result_of(body)


async def test_a_scope_cancels_what_is_open_when_it_is_left() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        async with ctx.move_on_after(2) as scope:
            await ctx.schedule(nap, 50.0)
        return scope.expired

    env, tested = world(body)
    async with env:
        handle = await env.start(tested)
        assert await handle.result() is True
        assert [each.status.value for each in await handle.tasks()] == ["CANCELLED"]


async def test_cancelling_a_task_answers_what_it_met() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        slow, quick = ctx.schedule(nap, 50.0), ctx.schedule(nap, 1.0)
        await quick
        first, second, late = await slow.cancel("enough"), await slow.cancel(), await quick.cancel()
        unknown = await ctx.cancel_task(ctx.random_uuid())
        return [first, second, late, unknown]

    assert await result_of(body) == ["CANCELLED", "ALREADY_CANCELLED", "ALREADY_COMPLETED", "NOT_FOUND"]


async def test_sleep_takes_its_time_and_no_real_one() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        begun = ctx.now()
        await ctx.sleep(timedelta(days=30))
        return (ctx.now() - begun).total_seconds()

    assert await result_of(body) == 30 * 86_400


async def test_a_cancelled_timer_raises_and_never_fires() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        timer = ctx.sleep(60)
        await ctx.sleep(1)
        assert [timer.cancel(), timer.cancel(), timer.is_cancelled] == [True, False, True]
        with pytest.raises(TimerCancelled, match="sleep-1"):
            await timer
        await ctx.sleep(100)

    env, tested = world(body)
    async with env:
        handle = await env.start(tested)
        await handle.result()
        types = [(each.event.event_type, getattr(each.event, "timer_id", "")) for each in await events(env, handle.id)]
        assert ("TIMER_CANCELLED", "sleep-1") in types
        assert ("TIMER_FIRED", "sleep-1") not in types


async def events(env: Environment, workflow_id: str) -> Any:
    return await env.client.workflow_events(workflow_id)


async def test_a_promise_is_resolved_from_outside_once() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        approval = ctx.promise("approval", Order)
        return await approval, await approval

    env, tested = world(body)
    async with env:
        handle = await env.start(tested)
        await env.settled()
        with pytest.raises(NotFound):
            await env.client.resolve_promise(handle.id, "other", 1)
        assert await env.client.resolve_promise(handle.id, "approval", {"item": "tea", "count": 1})
        assert not await env.client.resolve_promise(handle.id, "approval", {})
        assert await handle.result() == [{"item": "tea", "count": 1}] * 2


async def test_a_promise_is_rejected_from_outside_or_times_out() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        with pytest.raises(PromiseRejected, match="too expensive"):
            await ctx.promise_raw("approval")
        with pytest.raises(PromiseTimeout, match="never"):
            await ctx.promise_raw("never", 60)
        return ctx.now().second

    env, tested = world(body)
    async with env:
        handle = await env.start(tested)
        await env.settled()
        assert await env.client.reject_promise(handle.id, "approval", "too expensive")
        await handle.result()
        assert env.elapsed() == timedelta(seconds=60)


async def test_a_promise_can_be_settled_by_its_key_or_from_inside() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        inside = ctx.promise_raw("inside")
        outside = ctx.promise_raw("outside", idempotency_key="invoice-7")
        inside.resolve("mine")
        return [await inside, await outside]

    env, tested = world(body)
    async with env:
        handle = await env.start(tested)
        await env.settled()
        assert await env.client.resolve_promise(None, "invoice-7", "theirs")
        assert await handle.result() == ["mine", "theirs"]


async def test_signals_queue_by_name_and_are_handed_out_in_order() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        await ctx.sleep(1)
        counted = [ctx.has_signal("a"), ctx.pending_signal_count("a"), ctx.has_signal("c")]
        first = await ctx.wait_for_signal_raw("a")
        typed = await ctx.wait_for_signal("b", int)
        return [counted, first.name, first.value_as(int), typed, ctx.drain_signals_raw("a"), ctx.drain_signals_raw("a")]

    env, tested = world(body)
    async with env:
        handle = await env.start(tested)
        for name, value in (("a", 1), ("a", 2), ("b", 3), ("a", 4)):
            await handle.signal(name, value)
        assert await handle.result() == [[True, 3, False], "a", 1, 3, [2, 4], []]
        with pytest.raises(ExecutionEnded):
            await handle.signal("a", 5)


async def test_a_wait_for_a_signal_that_is_cancelled_loses_none() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        waiting = ctx.wait_for_signal_raw("a")
        with pytest.raises(DeadlineExceeded):
            await ctx.with_timeout(waiting, 1)
        other = await ctx.wait_for_signal_raw("a")
        return [other.value, (await waiting).value]

    env, tested = world(body)
    async with env:
        handle = await env.start(tested)
        await asyncio.sleep(2)
        await handle.signal("a", 1)
        await handle.signal("a", 2)
        assert await handle.result() == [1, 2]


async def test_a_child_gives_its_output_to_its_parent() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        kids = [ctx.schedule_workflow(f"kid-{n}", doubled, n) for n in range(3)]
        return await ctx.join_all(kids), await ctx.schedule_workflow_raw("raw", "doubled", 8)

    assert await result_of(body) == [[0, 2, 4], 16]


async def test_a_child_that_fails_tells_its_parent_why() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        with pytest.raises(ChildWorkflowFailed, match="broken child") as raised:
            await ctx.schedule_workflow("kid", broken)
        return raised.value.name

    assert await result_of(body) == "kid"


async def test_run_makes_a_side_effect_once() -> None:
    made: list[int] = []

    async def effect() -> int:
        made.append(1)
        return len(made)

    async def body(ctx: WorkflowContext) -> Any:
        first = await ctx.run(effect)
        await ctx.sleep(1)
        return [first, await ctx.run(effect)]

    assert await result_of(body) == [1, 2]
    assert len(made) == 2


async def test_select_takes_whatever_is_there_first() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        futures: list[Any] = [
            ctx.promise_raw("never"),
            ctx.sleep(5),
            ctx.schedule(nap, 1.0),
            ctx.wait_for_signal_raw("x"),
        ]
        place, value = await ctx.select(futures)
        some = await ctx.join_n([ctx.sleep(3), ctx.sleep(1), ctx.sleep(2)], 2)
        quick = await ctx.with_timeout(ctx.schedule(nap, 1.0), 10)
        await ctx.cancel_all(futures)
        return [place, value, [each for each, _ in some], quick]

    assert await result_of(body) == [2, 1.0, [1, 2], 1.0]


async def test_with_timeout_raises_when_the_time_is_over() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        with pytest.raises(DeadlineExceeded, match="Operation timed out"):
            await ctx.with_timeout(ctx.promise_raw("never"), ctx.sleep(1))

    await result_of(body)


async def test_asyncio_works_in_durable_time() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(asyncio.sleep(100, "slow"))
            quick = group.create_task(asyncio.wait_for(asyncio.sleep(1, "quick"), 5))
        return [slow.result(), quick.result(), ctx.now().minute]

    assert await result_of(body) == ["slow", "quick", 1]


async def test_time_random_numbers_and_ids_are_the_same_in_every_pass() -> None:
    seen: list[Any] = []

    async def body(ctx: WorkflowContext) -> Any:
        drawn = [ctx.now(), ctx.current_time_millis(), ctx.random(), ctx.uuid4(), ctx.random_uuid()]
        seen.append([*drawn, ctx.random_source.randint(1, 6)])
        await ctx.sleep(1)

    env, tested = world(body)
    async with env:
        handle = await env.start(tested)
        await env.settled()
        await env.kill_worker()
        env.start_worker()
        await handle.result()
    assert len(seen) == 2
    assert seen[0] == seen[1]


async def test_what_reaches_outside_is_told_of_the_workflow() -> None:
    async def body(_: WorkflowContext) -> Any:
        Path(__file__).read_text()  # noqa: ASYNC240 - what it is about

    with pytest.raises(ExecutionFailed, match=r"test_surface.py:\d+ reaches outside the workflow, where a recovery"):
        await result_of(body)


async def test_a_failed_workflow_goes_on_by_hand_and_keeps_what_it_did() -> None:
    made: list[int] = []

    async def body(ctx: WorkflowContext) -> Any:
        await ctx.run(lambda: made.append(1), name="once")
        if not mended:
            raise ValueError("not yet")
        return "done"

    mended: list[bool] = []
    env, tested = world(body)
    async with env:
        handle = await env.start(tested)
        with pytest.raises(ExecutionFailed, match="not yet"):
            await handle.result()
        mended.append(True)
        assert await handle.retry("mended") == 1
        assert await handle.result() == "done"
        assert made == [1]
        with pytest.raises(ExecutionEnded, match="COMPLETED; only a FAILED one is let go on by hand"):
            await handle.retry()
        with pytest.raises(NotFound):
            await env.handle("nobody").retry()
