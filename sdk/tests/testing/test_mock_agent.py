"""What the mock of an agent's context promises: what tasks give, what is kept, and what was not set."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import uuid4

import pytest

from rescind.errors import (
    ContextNotActive,
    ForeignFuture,
    InvalidInput,
    NotMocked,
    StepFailed,
    TaskCancelled,
    TaskFailed,
    TaskTimedOut,
)
from rescind.model.agent_values import StreamEvent
from rescind.model.cause import CancelSource
from rescind.model.status import CancelTaskResult
from rescind.testing import Calls, MockAgentContext, MockTask, virtual_time
from sdk.tests.testing.mocked import DELAYS, REQUEST, Quote, Request, Runner, cheapest, one, quote, slow

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
