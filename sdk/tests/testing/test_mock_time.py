"""The mock's own time, and the cancel of the agent under test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rescind.errors import (
    DeadlineExceeded,
    ExecutionCancelled,
)
from rescind.model.cause import CancelSource
from rescind.model.status import TaskStatus
from rescind.runtime.agent_context import AgentContext
from rescind.testing import MockAgentContext, MockTask, virtual_time
from sdk.tests.testing.mocked import Runner, slow, tidy

# --- time ------------------------------------------------------------------------------------------------------------


def test_now_moves_with_what_is_waited_for(run: Runner) -> None:
    async def main() -> None:
        start = datetime(2030, 5, 1, tzinfo=UTC)
        ctx = MockAgentContext(task_results=slow(work=90), start=start)
        assert ctx.now() == start
        await ctx.schedule_raw("work")
        await ctx.sleep(timedelta(hours=1))
        assert ctx.now() == start + timedelta(seconds=3_690)
        assert ctx.slept == [3_600.0]

    run(main())


def test_move_on_after_ends_its_block_in_the_mocks_time(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results=slow(work=10))
        async with ctx.move_on_after(4) as scope:
            await ctx.schedule_raw("work")
        assert scope.expired
        assert ctx.elapsed == 4.0
        assert ctx.cancel_requests[0].source is CancelSource.DEADLINE
        async with ctx.move_on_after(20) as scope:
            await ctx.schedule_raw("work")
        assert not scope.expired

    run(main())


def test_fail_after_raises_in_the_mocks_time_whatever_the_block_waits_for(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext()
        with pytest.raises(DeadlineExceeded):
            async with ctx.fail_after(3):
                await ctx.wait_for_signal_raw("never")
        with pytest.raises(DeadlineExceeded):
            async with ctx.fail_after(3):
                await asyncio.Event().wait()
        assert ctx.elapsed == 6.0

    run(main())


def test_branches_wait_side_by_side(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results=slow(a=2, b=3))
        order: list[str] = []

        async def branch(awaitable: Awaitable[Any], name: str) -> None:
            await awaitable
            order.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(branch(ctx.schedule_raw("b"), "b"))
            group.create_task(branch(ctx.sleep(2.5), "slept"))
            group.create_task(branch(ctx.schedule_raw("a"), "a"))
        assert order == ["a", "slept", "b"]
        assert ctx.elapsed == 3.0

    run(main())


def test_in_virtual_time_asyncios_own_timers_and_the_mock_share_one_clock() -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results=slow(work=10))
        begun = ctx.now()
        future = ctx.schedule_raw("work")
        await asyncio.sleep(4)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await future
        assert await future == "work"
        assert ctx.now() - begun == timedelta(seconds=10)
        assert virtual_time.virtual_loop().time() == 10.0

    virtual_time.run(main())


# --- cancelling the agent --------------------------------------------------------------------------------------------


def test_a_cancelled_agent_is_told_where_it_waits_and_cleans_up_in_its_shield(run: Runner) -> None:
    ctx = MockAgentContext(task_results={"work": MockTask(never=True), **slow(release=2)}, cancel_after=5)
    with pytest.raises(ExecutionCancelled) as caught:
        run(tidy(ctx))
    assert caught.value.cause == ctx.cancel_cause()
    assert ctx.entries[0].content == {"cause": "request by client:test"}
    assert ctx.elapsed == 7.0
    assert ctx.scheduled_tasks[1].status is TaskStatus.COMPLETED


def test_an_agent_that_swallows_its_cancel_is_told_again_at_each_await(run: Runner) -> None:
    async def stubborn(ctx: AgentContext) -> int:
        told = 0
        for attempt in (ctx.flush_pending, lambda: ctx.checkpoint(1), lambda: ctx.sleep(1), ctx.check_cancellation):
            try:
                await attempt()
            except ExecutionCancelled:
                told += 1
        return told

    ctx = MockAgentContext()
    ctx.request_cancellation("enough")
    ctx.request_cancellation("later words change nothing")
    assert run(stubborn(ctx)) == 4
    assert ctx.checkpoints == []
    cause = ctx.cancel_cause()
    assert cause is not None
    assert cause.reason == "enough"


def test_an_agent_can_be_cancelled_at_each_of_its_awaits(run: Runner) -> None:
    async def main(ctx: AgentContext) -> None:
        await ctx.append_entry("user", "hello")
        await ctx.schedule_raw("work")
        await ctx.checkpoint("done")

    whole = MockAgentContext(task_results={"work": 1})
    run(main(whole))
    assert whole.awaits == 3
    reached = []
    for number in range(1, whole.awaits + 1):
        ctx = MockAgentContext(task_results={"work": 1}, cancel_at_await=number)
        with pytest.raises(ExecutionCancelled):
            run(main(ctx))
        reached.append((len(ctx.entries), ctx.scheduled_kinds, ctx.checkpoints))
    assert reached == [(0, [], []), (1, ["work"], []), (1, ["work"], [])]


def test_a_shield_that_takes_too_long_ends_in_the_mocks_time(run: Runner) -> None:
    async def main(ctx: AgentContext) -> None:
        async with ctx.shield(within_ms=1_500):
            await ctx.schedule_raw("work")

    ctx = MockAgentContext(task_results={"work": MockTask(never=True)}, cancel_after=1)
    with pytest.raises(ExecutionCancelled):
        run(main(ctx))
    assert ctx.elapsed == 1.5


def test_all_branches_outside_shields_are_told(run: Runner) -> None:
    async def shielded(ctx: AgentContext) -> str:
        async with ctx.shield():
            await asyncio.gather(ctx.sleep(3), ctx.sleep(4))
        return "cleaned up"

    async def main(ctx: AgentContext) -> Any:
        return await asyncio.gather(ctx.sleep(9), ctx.wait_for_signal_raw("x"), shielded(ctx), return_exceptions=True)

    ctx = MockAgentContext(cancel_after=2)
    *told, cleaned_up = run(main(ctx))
    assert all(isinstance(result, asyncio.CancelledError) for result in told)
    assert cleaned_up == "cleaned up"
    assert ctx.elapsed == 4.0
