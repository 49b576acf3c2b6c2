"""What the mock of an agent's context promises; most rules hold in virtual time and on an ordinary loop alike."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from rescind.authoring.agent import agent
from rescind.authoring.task import task
from rescind.errors import (
    AllTasksFailed,
    ContextNotActive,
    DeadlineExceeded,
    ExecutionCancelled,
    ForeignFuture,
    InvalidInput,
    NotMocked,
    StepFailed,
    TaskCancelled,
    TaskFailed,
    TaskTimedOut,
)
from rescind.model.agent_values import Losers, ReplaceAfter, StreamEvent
from rescind.model.cause import CancelSource
from rescind.model.status import CancelMode, CancelTaskResult, StopState, TaskStatus
from rescind.runtime.agent_context import AgentContext
from rescind.runtime.task_context import TaskContext
from rescind.testing import Calls, MockAgentContext, MockTask, virtual_time

Runner = Callable[[Coroutine[Any, Any, Any]], Any]


@dataclass
class Request:
    carriers: list[str]


@dataclass
class Quote:
    carrier: str
    price: float


@task("quote")
async def quote(ctx: TaskContext, carrier: str) -> Quote:
    raise AssertionError("a mocked task does not run")


@agent("cheapest-quote")
async def cheapest(ctx: AgentContext, request: Request) -> Quote:
    offers = [ctx.schedule(quote, carrier, queue=carrier) for carrier in request.carriers]
    winner, cancelled = await ctx.select_ok_with_cancel(offers)
    await ctx.checkpoint({"cancelled": [str(task_id) for task_id in cancelled]})
    return winner


REQUEST = Request(["ant", "bee", "cat"])
DELAYS = {"ant": 3.0, "bee": 1.0, "cat": 2.0}


@pytest.fixture(params=["virtual", "ordinary"])
def run(request: pytest.FixtureRequest) -> Runner:
    """Runs a coroutine on a virtual loop, then on an ordinary one, where nothing may take real time."""
    if request.param == "virtual":
        return virtual_time.run

    def run_for_real(main: Coroutine[Any, Any, Any]) -> Any:
        begun = time.monotonic()
        result = asyncio.run(asyncio.wait_for(main, 30))
        assert time.monotonic() - begun < 5
        return result

    return run_for_real


def slow(**delays: float) -> dict[str, MockTask]:
    """Tasks that give their own kind after so many seconds."""
    return {kind: MockTask(kind, delay=delay) for kind, delay in delays.items()}


def ids(*futures: Any) -> list[UUID]:
    return [future.task_id for future in futures]


# --- the readme's agent ----------------------------------------------------------------------------------------------


def test_an_agent_runs_without_engine_worker_or_server(run: Runner) -> None:
    ctx = MockAgentContext(task_results={"quote": {"carrier": "ant", "price": 7.5}})
    assert run(cheapest.run(ctx, REQUEST)) == Quote("ant", 7.5)
    assert ctx.was_task_scheduled("quote")
    assert ctx.was_task_scheduled(quote)
    assert not ctx.was_task_scheduled("invoice")
    assert [scheduled.queue for scheduled in ctx.scheduled_tasks] == ["ant", "bee", "cat"]
    assert ctx.cancelled_tasks == [scheduled.task_id for scheduled in ctx.scheduled_tasks[1:]]


def test_the_first_success_in_time_wins_and_the_losers_are_told_in_input_order(run: Runner) -> None:
    def answer(carrier: str) -> MockTask:
        return MockTask(Quote(carrier, 1.0), delay=DELAYS[carrier])

    ctx = MockAgentContext(task_results={quote: answer})
    assert run(cheapest.run(ctx, REQUEST)) == Quote("bee", 1.0)
    ant, _, cat = ctx.scheduled_tasks
    assert ctx.cancelled_tasks == [ant.task_id, cat.task_id]
    assert ctx.checkpoints == [{"cancelled": [str(ant.task_id), str(cat.task_id)]}]
    assert {request.source for request in ctx.cancel_requests} == {CancelSource.RACE_LOST}
    assert ctx.elapsed == 1.0


# --- what a task may do ----------------------------------------------------------------------------------------------


async def one(ctx: AgentContext, task_input: Any = None) -> Any:
    return await ctx.schedule_raw("work", task_input)


@pytest.mark.parametrize("value", [1, None, [1, 2], {"a": None}, "text", Quote("ant", 2.0)])
def test_a_value_is_the_result_also_a_list(run: Runner, value: Any) -> None:
    expected = {"carrier": "ant", "price": 2.0} if isinstance(value, Quote) else value
    assert run(one(MockAgentContext(task_results={"work": value}))) == expected


@pytest.mark.parametrize(
    "error", [ValueError("no stock"), MockTask(error="no stock"), TaskFailed(uuid4(), "x", "no stock")]
)
def test_an_error_fails_the_task_with_its_text(run: Runner, error: Any) -> None:
    with pytest.raises(TaskFailed, match=r"Task 'work' \(id=.*\) failed: no stock$") as caught:
        run(one(MockAgentContext(task_results={"work": error})))
    assert caught.value.error == "no stock"


@pytest.mark.parametrize("error", [TaskCancelled, asyncio.CancelledError(), MockTask(cancelled=True)])
def test_a_cancel_by_somebody_else_cancels_the_task_and_not_the_agent(run: Runner, error: Any) -> None:
    ctx = MockAgentContext(task_results={"work": error})
    with pytest.raises(TaskCancelled):
        run(one(ctx))
    assert ctx.cancelled_tasks == []


@pytest.mark.parametrize("error", [TaskTimedOut, MockTask(timed_out=True)])
def test_a_time_out_fails_the_task_as_timed_out(run: Runner, error: Any) -> None:
    with pytest.raises(TaskTimedOut, match="timed out"):
        run(one(MockAgentContext(task_results={"work": error})))


def test_a_function_answers_by_input_as_json_or_as_the_type_of_the_task(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(
            task_results={"work": lambda given: given["n"] + 1, quote: lambda name: Quote(name, 1.0)}
        )
        assert await one(ctx, {"n": 1}) == 2
        assert await ctx.schedule(quote, "ant") == Quote("ant", 1.0)

    run(main())


def test_a_function_that_raises_fails_its_task_but_its_assertions_are_the_tests_own(run: Runner) -> None:
    def refuse(given: Any) -> Any:
        assert given is not None, "always with an input"
        raise LookupError("gone")

    ctx = MockAgentContext(task_results={"work": refuse})
    with pytest.raises(TaskFailed, match="gone"):
        run(one(ctx, 1))
    with pytest.raises(AssertionError, match="always with an input"):
        run(one(ctx))


def test_calls_gives_one_answer_to_each_in_the_order_of_scheduling(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"work": Calls([[1], ValueError("second"), MockTask(3, delay=9)])})
        settled = await ctx.join_all_settled([ctx.schedule_raw("work") for _ in range(3)])
        assert [value for _, value in settled.completed] == [[1], 3]
        assert [text for _, text in settled.failed] == ["second"]
        with pytest.raises(NotMocked, match="further result"):
            await ctx.schedule_raw("work")

    run(main())


def test_a_task_ends_in_one_way() -> None:
    with pytest.raises(InvalidInput, match="result and never"):
        MockTask(1, never=True)
    with pytest.raises(InvalidInput, match="delay"):
        MockTask(1, delay=-1)
    with pytest.raises(InvalidInput, match="Calls was given"):
        Calls("ab")


def test_time_outs_of_the_schedule_hold_in_the_mocks_time(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"work": MockTask(never=True)})
        with pytest.raises(TaskTimedOut, match=r"timed out after 2000 ms \(start_to_close\)"):
            await ctx.schedule_raw("work", start_to_close=2, schedule_to_close=60)
        assert ctx.elapsed == 2.0

    run(main())


# --- what was not set ------------------------------------------------------------------------------------------------


def test_waiting_for_a_task_without_a_result_names_it(run: Runner) -> None:
    with pytest.raises(NotMocked, match=r"task 'work' \(input \{'n': 1\}\) was awaited, and no result is set for it"):
        run(one(MockAgentContext(), {"n": 1}))


def test_a_task_without_a_result_may_be_scheduled_and_cancelled(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext()
        future = ctx.schedule_raw("work")
        assert await future.cancel() is CancelTaskResult.CANCELLED
        with pytest.raises(TaskCancelled):
            await future

    run(main())


def test_waiting_for_a_signal_that_nobody_sends_names_it(run: Runner) -> None:
    ctx = MockAgentContext()
    with pytest.raises(NotMocked, match=r"signal 'approve' was awaited, and nobody sends it"):
        run(ctx.wait_for_signal_raw("approve"))


def test_waiting_for_what_never_ends_is_an_error_not_a_hang(run: Runner) -> None:
    with pytest.raises(NotMocked, match=r"task 'work' .* nothing is left that could end the wait"):
        run(one(MockAgentContext(task_results={"work": MockTask(never=True)})))


def test_a_test_that_sends_later_is_waited_for(run: Runner) -> None:
    async def main() -> Any:
        ctx = MockAgentContext(task_results={"work": MockTask(never=True)})
        signal = asyncio.ensure_future(ctx.wait_for_signal_raw("approve"))
        result = asyncio.ensure_future(one(ctx))
        await asyncio.sleep(0.01)
        ctx.add_signal("approve", "yes")
        await asyncio.sleep(0.01)
        ctx.set_task_result("work", "done")
        return await signal, await result

    assert run(main()) == ("yes", "done")


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


async def tidy(ctx: AgentContext) -> None:
    try:
        await ctx.schedule_raw("work")
    finally:
        async with ctx.shield():
            await ctx.append_entry("assistant", {"cause": str(ctx.cancel_cause())})
            await ctx.schedule_raw("release")


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


# --- conversation, signals, steps ------------------------------------------------------------------------------------


def test_what_the_agent_finds_is_what_the_test_gave() -> None:
    ctx = MockAgentContext(
        input={"carriers": ["ant"]},
        messages=[("system", "be brief"), ("user", {"text": "hi"})],
        state={"phase": 2},
        execution_id="order-7",
        organisation="acme",
        queue="fast",
        labels={"a": "b"},
        parent_execution_id="order-6",
    )
    assert ctx.input(Request) == Request(["ant"])
    assert [(message.role, message.content) for message in ctx.load_messages()] == [
        ("system", "be brief"),
        ("user", {"text": "hi"}),
    ]
    assert (ctx.state(), ctx.checkpoint_sequence) == ({"phase": 2}, 1)
    assert (ctx.execution_id, ctx.organisation, ctx.queue) == ("order-7", "acme", "fast")
    assert (ctx.labels, ctx.parent_execution_id) == ({"a": "b"}, "order-6")
    assert MockAgentContext().checkpoint_sequence == -1
    assert MockAgentContext(seed=3).random() == MockAgentContext(seed=3).random() != MockAgentContext(seed=4).random()


def test_entries_checkpoints_and_streams_are_kept_in_the_real_contexts_form(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext()
        await ctx.append_tool_call("search", {"q": 1})
        await ctx.append_tool_result_with_id("call-1", "search", [2])
        await ctx.checkpoint({"n": 1})
        await ctx.checkpoint({"n": 2})
        await ctx.stream_token("a")
        assert [(entry.role, entry.content) for entry in ctx.entries] == [
            ("assistant", {"tool_name": "search", "input": {"q": 1}}),
            ("tool_result", {"toolCallId": "call-1", "tool_name": "search", "output": [2]}),
        ]
        assert ctx.load_messages() == ctx.entries
        assert ctx.checkpoints == [{"n": 1}, {"n": 2}]
        assert (ctx.current_checkpoint_state, ctx.checkpoint_sequence) == ({"n": 2}, 2)
        assert ctx.streamed_events == [StreamEvent.token("a")]

    run(main())


def test_signals_are_taken_once_each_oldest_first(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(signals=[("a.x", 1), ("b", 2), ("a.y", 3), ("b", 4)])
        assert await ctx.has_signal("b")
        assert await ctx.wait_for_signal("b", int) == 2
        assert await ctx.drain_signals_by_pattern("a.*") == [("a.x", 1), ("a.y", 3)]
        assert ctx.consumed_signals == [("b", 2), ("a.x", 1), ("a.y", 3)]
        assert ctx.queued_signals == [("b", 4)]
        assert not await MockAgentContext(signals={"c": 1}).has_signal("b")

    run(main())


def test_a_signal_may_come_later_and_a_wait_that_is_cancelled_takes_none(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext()
        ctx.add_signal("go", "now", after=5)
        async with ctx.move_on_after(3):
            await ctx.wait_for_signal_raw("go")
        assert await ctx.wait_for_signal_raw("go") == "now"
        assert ctx.elapsed == 5.0
        first, second = (asyncio.ensure_future(ctx.wait_for_signal_raw("go")) for _ in range(2))
        await asyncio.sleep(0)
        ctx.add_signal("go", "again")
        first.cancel()
        assert await second == "again"
        assert ctx.queued_signals == []

    run(main())


def test_steps_run_for_real_unless_the_test_says_what_they_give(run: Runner) -> None:
    async def fetch(number: int) -> Any:
        await asyncio.sleep(0)
        return number + 1

    def broken(*_: int) -> Any:
        raise OSError("disk full")

    async def main() -> None:
        results = {"told": 5, "fails": ValueError("no"), "counts": Calls([1, 2]), "adds": lambda a, b: a + b}
        ctx = MockAgentContext(step_results=results)
        plus_one: Any = fetch
        assert await ctx.run(plus_one, 1) == 2
        assert await ctx.run(threading.get_ident) != threading.get_ident()
        with pytest.raises(StepFailed, match="disk full"):
            await ctx.run(broken)
        assert await ctx.run(broken, name="told") == 5
        with pytest.raises(StepFailed, match="no"):
            await ctx.run(broken, name="fails")
        assert [await ctx.run(broken, name="counts") for _ in range(2)] == [1, 2]
        assert await ctx.run(broken, 2, 3, name="adds") == 5
        with pytest.raises(NotMocked, match="more often than its Calls have answers"):
            await ctx.run(broken, name="counts")
        assert ctx.steps == ["fetch", "get_ident", "broken", "told", "fails", "counts", "counts", "adds", "counts"]

    run(main())


# --- its limits ------------------------------------------------------------------------------------------------------


def test_a_future_of_another_agent_is_refused(run: Runner) -> None:
    async def main() -> None:
        foreign = MockAgentContext(task_results={"work": 1}).schedule_raw("work")
        ctx = MockAgentContext()
        with pytest.raises(ForeignFuture, match="Only its own agent can"):
            await ctx.join_all([foreign])
        assert await ctx.cancel_task(foreign.task_id) is CancelTaskResult.NOT_FOUND

    run(main())


def test_the_context_is_refused_in_steps_and_in_other_threads(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext()

        async def reach_back() -> None:
            await ctx.checkpoint(1)

        step: Any = reach_back
        with pytest.raises(StepFailed, match="ContextNotActive"):
            await ctx.run(step)
        with pytest.raises(ContextNotActive):
            await asyncio.to_thread(ctx.schedule_raw, "work")

    run(main())


def test_one_idempotency_key_is_one_task_and_equal_inputs_are_two(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"work": 1})
        first, second = (ctx.schedule_raw("work", idempotency_key="k") for _ in range(2))
        third, fourth = (ctx.schedule_raw("work") for _ in range(2))
        assert first.task_id == second.task_id
        assert third.task_id != fourth.task_id
        assert await ctx.join_all([first, second, third]) == [1, 1, 1]
        assert len(ctx.scheduled_tasks) == 3

    run(main())


def test_reprs_tell_how_things_stand(run: Runner) -> None:
    ctx = MockAgentContext(task_results=slow(a=1.25, b=9), execution_id="order-7")

    async def main() -> None:
        await ctx.select_ok_with_cancel([ctx.schedule_raw("a"), ctx.schedule_raw("b")])

    run(main())
    _, lost = ctx.scheduled_tasks
    assert repr(ctx) == "<MockAgentContext 'order-7' at +1.250 s, tasks: 1 COMPLETED, 1 CANCELLED>"
    assert (
        repr(lost) == f"<Task {str(lost.task_id)[:8]} 'b' CANCELLED at +1.250 s, race_lost by agent:order-7, STOPPED>"
    )


def test_two_mocks_on_one_loop_do_not_keep_it_awake(run: Runner) -> None:
    async def main() -> list[Any]:
        contexts = [MockAgentContext(task_results=slow(work=delay)) for delay in (3, 1, 2)]
        return await asyncio.gather(*(one(ctx) for ctx in contexts))

    assert run(main()) == ["work"] * 3


def test_code_that_polls_does_not_stop_the_mock(run: Runner) -> None:
    async def main() -> None:
        ctx = MockAgentContext(task_results={"work": 1})
        future = asyncio.ensure_future(one(ctx))
        for _ in range(5_000):
            await asyncio.sleep(0)
        assert future.done()
        assert await future == 1

    run(main())


def test_one_context_may_be_used_on_one_loop_after_another() -> None:
    ctx = MockAgentContext(task_results=slow(work=2))
    asyncio.run(one(ctx))
    virtual_time.run(one(ctx))
    assert ctx.elapsed == 4.0
