"""`MockWorkflowContext`: the real context over set answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rescind import (
    ChildWorkflowCancelled,
    ChildWorkflowFailed,
    DeadlineExceeded,
    ExecutionCancelled,
    NotMocked,
    PromiseRejected,
    PromiseTimeout,
    TaskFailed,
    TimerCancelled,
    WorkflowContext,
    workflow,
)
from rescind.testing import MockTask, MockWorkflowContext
from sdk.tests.testing.mocked import Runner


@workflow("kid")
async def kid(_: WorkflowContext, number: int) -> int:
    return number


@workflow("order")
async def order(ctx: WorkflowContext, item: str) -> dict[str, Any]:
    paid = await ctx.schedule_raw("charge", {"item": item})
    approved = await ctx.promise("approval", bool, timeout=3600)
    number = await ctx.schedule_workflow("kid", kid, 7)
    await ctx.sleep(3600)
    note = await ctx.wait_for_signal("note", str)
    drawn = await ctx.run(lambda: 4, name="draw")
    await ctx.set_raw("item", item)
    return {"paid": paid, "approved": approved, "number": number, "note": note, "drawn": drawn}


def complete_mock() -> MockWorkflowContext:
    return MockWorkflowContext(
        task_results={"charge": 12},
        promise_results={"approval": MockTask(True, delay=60)},
        child_workflow_results={kid: lambda given: given * 2},
        signals=[("note", "quickly")],
    )


def test_a_workflow_runs_over_set_answers(run: Runner) -> None:
    ctx = complete_mock()
    assert run(order.run(ctx, "tea")) == {"paid": 12, "approved": True, "number": 14, "note": "quickly", "drawn": 4}
    assert ctx.scheduled_kinds == ["charge"]
    assert ctx.scheduled_workflows == [("kid", "kid", 7)]
    assert ctx.created_promises == ["approval"]
    assert ctx.recorded_operations == ["draw"]
    assert ctx.state_snapshot == {"item": "tea"}
    assert ctx.slept == [3600]
    assert ctx.elapsed == 3660
    assert ctx.was_workflow_scheduled(kid)
    assert ctx.was_promise_created("approval")
    assert ctx.was_operation_recorded("draw")


@pytest.mark.parametrize(
    ("wait", "named"),
    [
        (lambda ctx: ctx.promise_raw("approval"), "promise 'approval'"),
        (lambda ctx: ctx.schedule_workflow("it", kid, 1), "child workflow 'it' of kind 'kid'"),
        (lambda ctx: ctx.wait_for_signal_raw("note"), "signal 'note'"),
        (lambda ctx: ctx.schedule_raw("charge"), "charge"),
        (lambda ctx: ctx.select([ctx.promise_raw("approval")]), "promise 'approval'"),
    ],
)
def test_what_was_not_set_is_named(run: Runner, wait: Any, named: str) -> None:
    async def waits() -> None:
        await wait(MockWorkflowContext())

    with pytest.raises(NotMocked, match=named):
        run(waits())


def test_failures_are_set_as_those_of_tasks(run: Runner) -> None:
    async def meets() -> None:
        ctx = MockWorkflowContext(
            task_results={"charge": ValueError("no money")},
            promise_results={"no": ValueError("refused"), "late": MockTask(timed_out=True)},
            child_workflow_results={"broken": ValueError("broken"), "gone": MockTask(cancelled=True)},
        )
        with pytest.raises(TaskFailed, match="no money"):
            await ctx.schedule_raw("charge")
        with pytest.raises(PromiseRejected, match="refused"):
            await ctx.promise_raw("no")
        with pytest.raises(PromiseTimeout):
            await ctx.promise_raw("late")
        with pytest.raises(ChildWorkflowFailed, match="broken"):
            await ctx.schedule_workflow_raw("a", "broken")
        with pytest.raises(ChildWorkflowCancelled):
            await ctx.schedule_workflow_raw("b", "gone")

    run(meets())


def test_a_promise_times_out_in_the_mocks_time(run: Runner) -> None:
    async def waits() -> float:
        ctx = MockWorkflowContext()
        with pytest.raises(PromiseTimeout):
            await ctx.promise_raw("never", 3600)
        return ctx.elapsed

    assert run(waits()) == 3600


def test_timers_race_and_are_cancelled(run: Runner) -> None:
    async def races() -> Any:
        ctx = MockWorkflowContext()
        slow, quick = ctx.sleep(50), ctx.sleep(5)
        place, _ = await ctx.select([slow, quick])
        slow.cancel()
        with pytest.raises(TimerCancelled):
            await slow
        with pytest.raises(DeadlineExceeded):
            await ctx.with_timeout(ctx.promise_raw("never"), 5)
        return place, ctx.elapsed

    assert run(races()) == (1, 10)


def test_a_child_is_cancelled_with_its_reason(run: Runner) -> None:
    async def cancels() -> Any:
        ctx = MockWorkflowContext(child_workflow_results={kid: MockTask(never=True)})
        child = ctx.schedule_workflow("it", kid, 1)
        child.cancel("enough")
        with pytest.raises(ChildWorkflowCancelled, match="enough"):
            await child
        return ctx.cancelled_workflows

    assert run(cancels()) == [("it", "enough")]


def test_the_workflow_is_cancelled_and_cleans_up(run: Runner) -> None:
    async def cleans_up() -> Any:
        ctx = MockWorkflowContext(task_results={"undo": "undone"}, cancel_after=10)
        try:
            await ctx.promise_raw("never")
        except ExecutionCancelled:
            async with ctx.shield():
                return await ctx.schedule_raw("undo"), ctx.elapsed

    assert run(cleans_up()) == ("undone", 10)


def test_signals_may_come_later_and_are_not_lost(run: Runner) -> None:
    async def waits() -> Any:
        ctx = MockWorkflowContext(state={"seen": 1})
        ctx.add_signal("a", 1, after=10)
        ctx.add_signal("a", 2, after=20)
        waiting = ctx.wait_for_signal_raw("a")
        with pytest.raises(DeadlineExceeded):
            await ctx.with_timeout(waiting, 1)
        first, second = await asyncio.gather(ctx.wait_for_signal("a", int), ctx.wait_for_signal("a", int))
        return first, second, ctx.has_signal("a"), await ctx.get_raw("seen"), ctx.consumed_signals

    assert run(waits()) == (1, 2, False, 1, [("a", 1), ("a", 2)])
