"""Races, joins and cancels of tasks under the mock: as on the engine, with set ends."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from rescind.errors import (
    AllTasksFailed,
    TaskCancelled,
    TaskFailed,
)
from rescind.model.agent_values import Losers, ReplaceAfter
from rescind.model.cause import CancelSource
from rescind.model.status import CancelMode, CancelTaskResult, StopState, TaskStatus
from rescind.testing import MockAgentContext, MockTask
from sdk.tests.testing.mocked import Runner, ids, slow

# --- the combinators -------------------------------------------------------------------------------------------------


def test_join_all_gives_values_in_input_order_and_takes_the_longest_delay(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results=slow(a=3, b=1, c=2))
        assert await ctx.join_all([ctx.schedule_raw(kind) for kind in "abc"]) == ["a", "b", "c"]
        assert ctx.elapsed == 3.0
        assert await ctx.join_all([]) == []

    run(main())


def test_join_all_raises_the_first_failure_in_time_and_leaves_the_others_running(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(
            task_results={**slow(a=5), "b": MockTask(error="late", delay=2), "c": ValueError("early")}
        )
        with pytest.raises(TaskFailed, match="early"):
            await ctx.join_all([ctx.schedule_raw(kind) for kind in "abc"])
        assert [scheduled.status for scheduled in ctx.scheduled_tasks] == [
            TaskStatus.RUNNING,
            TaskStatus.RUNNING,
            TaskStatus.FAILED,
        ]

    run(main())


def test_join_all_settled_tells_of_each_how_it_ended(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"a": 1, "b": ValueError("no"), "c": TaskCancelled})
        futures = [ctx.schedule_raw(kind) for kind in "abc"]
        settled = await ctx.join_all_settled(futures)
        first, second, third = map(str, ids(*futures))
        assert settled.completed == [(first, 1)]
        assert settled.failed == [(second, "no")]
        assert settled.cancelled == [third]

    run(main())


def test_join_all_with_timeout_cancels_what_is_open_at_the_deadline(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={**slow(a=1, b=2, c=3), "d": MockTask(never=True)})
        futures = [ctx.schedule_raw(kind) for kind in "abcd"]
        result = await ctx.join_all_with_timeout(futures, 2_000)
        assert result.timed_out
        assert [value for _, value in result.completed] == ["a", "b"]
        assert ctx.cancelled_tasks == ids(*futures[2:])
        assert {request.source for request in ctx.cancel_requests} == {CancelSource.DEADLINE}
        assert ctx.elapsed == 2.0

    run(main())


def test_select_ok_skips_failures_and_leaves_the_losers_running(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"a": ValueError("no"), **slow(b=2, c=1)})
        futures = [ctx.schedule_raw(kind) for kind in "abc"]
        value, remaining = await ctx.select_ok(futures)
        assert value == "c"
        assert remaining == futures[:2]
        assert ctx.cancelled_tasks == []
        assert await futures[1] == "b"

    run(main())


def test_select_ok_without_a_success_tells_every_cause(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"a": MockTask(error="one", delay=2), "b": MockTask(cancelled=True)})
        with pytest.raises(AllTasksFailed) as caught:
            await ctx.select_ok_with_cancel([ctx.schedule_raw("a"), ctx.schedule_raw("b")])
        assert [type(error) for error in caught.value.errors] == [TaskFailed, TaskCancelled]
        with pytest.raises(ValueError, match="nothing to choose from"):
            await ctx.select_ok([])

    run(main())


def test_select_ok_with_cancel_names_only_those_that_it_ended(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"a": MockTask(never=True), "b": ValueError("no"), **slow(c=1, d=2)})
        a, b, c, d = (ctx.schedule_raw(kind) for kind in "abcd")
        value, cancelled = await ctx.select_ok_with_cancel([d, c, b, a])
        assert value == "c"
        assert cancelled == ids(d, a) == ctx.cancelled_tasks

    run(main())


def test_select_n_ok_gives_the_first_n_in_the_order_of_their_ends(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results=slow(a=3, b=2, c=1))
        a, b, c = (ctx.schedule_raw(kind) for kind in "abc")
        assert await ctx.select_n_ok([a, b, c], 2, losers=Losers.CANCEL) == [(c, "c"), (b, "b")]
        assert ctx.cancelled_tasks == ids(a)

    run(main())


def test_hedge_starts_the_next_after_each_stagger_and_at_once_after_a_failure(run: Runner) -> None:
    async def main() -> None:
        answers = {1: MockTask(never=True), 2: MockTask(error="no"), 3: MockTask("third", delay=4), 4: 4}
        ctx = MockAgentContext(task_results={"work": lambda n: answers[n]})
        assert await ctx.hedge("work", [1, 2, 3, 4], 5_000) == "third"
        assert [scheduled.scheduled_at for scheduled in ctx.scheduled_tasks] == [0.0, 5.0, 5.0]
        assert ctx.cancelled_tasks == [ctx.scheduled_tasks[0].task_id]

    run(main())


@pytest.mark.parametrize("after", list(ReplaceAfter))
def test_replace_cancels_the_old_and_schedules_the_new(run: Runner, after: ReplaceAfter) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"old": MockTask(never=True), "new": 2})
        old = ctx.schedule_raw("old")
        assert await (await ctx.replace(old, "new", after=after)) == 2
        assert ctx.cancelled_tasks == ids(old)
        assert ctx.cancel_requests[0].source is CancelSource.REPLACED

    run(main())


# --- cancelling tasks ------------------------------------------------------------------------------------------------


def test_cancel_task_tells_what_it_met(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={**slow(a=1, c=9), "b": ValueError("no")})
        a, b, c = (ctx.schedule_raw(kind) for kind in "abc")
        await ctx.sleep(1)
        assert await a.cancel() is CancelTaskResult.ALREADY_COMPLETED
        assert await b.cancel() is CancelTaskResult.ALREADY_FAILED
        assert await c.cancel("too slow") is CancelTaskResult.CANCELLED
        assert await c.cancel() is CancelTaskResult.ALREADY_CANCELLED
        assert await ctx.cancel_task(uuid4()) is CancelTaskResult.NOT_FOUND
        assert [request.result for request in ctx.cancel_requests] == [
            CancelTaskResult.ALREADY_COMPLETED,
            CancelTaskResult.ALREADY_FAILED,
            CancelTaskResult.CANCELLED,
            CancelTaskResult.ALREADY_CANCELLED,
            CancelTaskResult.NOT_FOUND,
        ]
        kept = ctx.cancel_requests[2]
        assert (kept.task_id, kept.reason, kept.source, kept.mode) == (
            c.task_id,
            "too slow",
            CancelSource.REQUEST,
            CancelMode.TRY,
        )

    run(main())


def test_a_task_without_a_delay_is_open_until_the_agent_waits(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"work": 1})
        future = ctx.schedule_raw("work")
        await ctx.checkpoint({})
        assert await future.cancel() is CancelTaskResult.CANCELLED

    run(main())


def test_asked_to_stop_the_work_decides_and_a_finished_one_stays_so(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"work": MockTask(never=True), "fast": 1})
        work, fast = ctx.schedule_raw("work"), ctx.schedule_raw("fast")
        await ctx.flush_pending()
        both = await asyncio.gather(*(work.cancel(mode=CancelMode.WAIT) for _ in range(2)))
        assert both == [CancelTaskResult.CANCELLED, CancelTaskResult.ALREADY_CANCELLED]
        assert await fast.cancel(mode=CancelMode.WAIT) is CancelTaskResult.ALREADY_COMPLETED
        assert ctx.cancelled_tasks == ids(work)

    run(main())


def test_a_try_after_a_wait_decides_and_keeps_the_first_cause(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"work": MockTask(never=True)})
        work = ctx.schedule_raw("work")
        await ctx.flush_pending()
        asked = asyncio.ensure_future(work.cancel("please", mode=CancelMode.WAIT))
        async with ctx.scope():
            await asyncio.sleep(0)
            assert await work.cancel("now") is CancelTaskResult.CANCELLED
        assert await asked is CancelTaskResult.ALREADY_CANCELLED
        with pytest.raises(TaskCancelled) as caught:
            await work
        assert caught.value.cause is not None
        assert caught.value.cause.reason == "please"

    run(main())


def test_stop_states_are_those_of_work_that_ran(run: Runner) -> None:
    async def main() -> None:
        mocks = {
            "runs": MockTask(never=True),
            "killed": MockTask(never=True, stop_state=StopState.KILLED),
            "queued": MockTask(never=True, stop_state=None),
            "deaf": MockTask(never=True, stop_state=StopState.DELIVERED),
        }
        ctx = MockAgentContext(task_results=mocks)
        futures = {kind: ctx.schedule_raw(kind) for kind in mocks}
        await ctx.flush_pending()
        for future in futures.values():
            await future.cancel()
        states = await ctx.wait_stopped(list(futures.values()), timeout_ms=500)
        assert list(states.values()) == [StopState.STOPPED, StopState.KILLED, None, StopState.DELIVERED]
        assert ctx.elapsed == 0.5
        unsent = ctx.schedule_raw("runs")
        assert await unsent.cancel(confirm_ms=100) is CancelTaskResult.CANCELLED
        assert await ctx.wait_stopped([unsent]) == {unsent.task_id: None}

    run(main())


def test_leaving_a_scope_cancels_what_is_open_in_it(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results=slow(a=1, b=9))
        async with ctx.scope():
            a, b = ctx.schedule_raw("a"), ctx.schedule_raw("b")
            await a
        assert ctx.cancelled_tasks == ids(b)
        assert ctx.cancel_requests[0].source is CancelSource.SCOPE_LEFT

    run(main())
