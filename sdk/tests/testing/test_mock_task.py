"""What the mock of a task's context promises."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from rescind.authoring.task import task
from rescind.errors import InvalidInput
from rescind.model.agent_values import StreamEvent
from rescind.model.cause import CancelSource
from rescind.runtime.task_context import TaskContext
from rescind.testing import virtual_time
from rescind.testing.mock_task import MockTaskContext


@task("count")
async def count(ctx: TaskContext, limit: int) -> int:
    for number in range(limit):
        ctx.check_cancelled()
        await ctx.report_progress(number / limit, f"at {number}")
        await asyncio.sleep(1)
    return limit


@task("count-plainly")
def count_plainly(ctx: TaskContext, limit: int) -> int:
    for number in range(limit):
        ctx.check_cancelled()
        ctx.report_progress(number / limit)
    return limit


def test_an_async_task_runs_without_a_worker() -> None:
    ctx = MockTaskContext()
    assert virtual_time.run(count.run(ctx, 2)) == 2
    assert ctx.progress_reports == [(0.0, "at 0"), (0.5, "at 1")]
    assert ctx.last_progress == (0.5, "at 1")


def test_a_plain_task_runs_without_an_event_loop() -> None:
    ctx = MockTaskContext()
    assert count_plainly.run(ctx, 2) == 2
    assert [report.progress for report in ctx.progress_reports] == [0.0, 0.5]


def test_a_plain_task_runs_on_a_thread() -> None:
    ctx = MockTaskContext()
    assert asyncio.run(asyncio.to_thread(count_plainly.run, ctx, 3)) == 3
    assert len(ctx.progress_reports) == 3


def test_it_is_the_attempt_that_the_test_says() -> None:
    task_id = UUID(int=7)
    ctx = MockTaskContext(task_id=task_id, execution_id="order-7", kind="count", attempt=2, labels={"a": "b"})
    assert (ctx.task_id, ctx.execution_id, ctx.kind, ctx.attempt) == (task_id, "order-7", "count", 2)
    assert ctx.labels == {"a": "b"}
    ctx.set_attempt(3)
    assert ctx.attempt == 3
    assert repr(ctx) == f"<MockTaskContext of 'count' {task_id}, attempt 3>"
    assert MockTaskContext().task_id != MockTaskContext().task_id


def test_progress_out_of_range_is_refused_as_in_a_worker() -> None:
    ctx = MockTaskContext()
    with pytest.raises(InvalidInput, match=r"1\.5"):
        ctx.report_progress(1.5)
    assert ctx.last_progress is None


def test_the_log_is_kept_by_level() -> None:
    ctx = MockTaskContext()
    ctx.log("info", "begun")
    ctx.log("warn", "slow disk")
    assert ctx.log_messages == [("info", "begun"), ("warn", "slow disk")]
    assert ctx.log_messages_at_level("warn") == ["slow disk"]
    assert ctx.was_logged("disk")
    assert not ctx.was_logged("memory")
    assert ctx.stream_events == []


def test_streamed_events_are_kept_apart_from_reports_and_heartbeats() -> None:
    ctx = MockTaskContext()
    ctx.stream_token("Hel")
    ctx.report_progress(0.1)
    ctx.heartbeat()
    ctx.stream_token("lo")
    ctx.stream_progress(2.0)
    ctx.stream_error("oh", "E1")
    assert ctx.joined_tokens == "Hello"
    assert ctx.token_events == [StreamEvent.token("Hel"), StreamEvent.token("lo")]
    assert ctx.stream_events_of_type("progress") == [StreamEvent.progress(1.0)]
    assert ctx.last_stream_event == StreamEvent.error("oh", "E1")
    assert ctx.heartbeats == 1
    assert len(ctx.progress_reports) == 1


def test_recordings_can_be_cleared() -> None:
    ctx = MockTaskContext()
    ctx.stream_token("a")
    ctx.log("info", "b")
    ctx.report_progress(0.5)
    ctx.heartbeat()
    ctx.clear_recordings()
    assert (ctx.stream_events, ctx.log_messages, ctx.progress_reports, ctx.heartbeats) == ([], [], [], 0)
    assert ctx.last_stream_event is None


def test_a_cancelled_task_stops_where_it_looks() -> None:
    with pytest.raises(asyncio.CancelledError):
        virtual_time.run(count.run(MockTaskContext(cancelled=True), 2))
    with pytest.raises(asyncio.CancelledError):
        count_plainly.run(MockTaskContext(cancelled=True), 2)


def test_a_cancel_carries_its_cause_and_the_first_is_kept() -> None:
    ctx = MockTaskContext()
    assert not ctx.is_cancelled
    assert ctx.cancel_cause() is None
    ctx.cancel("too slow", source=CancelSource.DEADLINE)
    ctx.cancel("later")
    assert ctx.is_cancelled
    assert str(ctx.cancel_cause()) == "deadline by client:test: too slow"


def test_a_task_can_be_cancelled_in_the_middle() -> None:
    async def main() -> list[float]:
        ctx = MockTaskContext()
        running = asyncio.ensure_future(count.run(ctx, 9))
        await asyncio.sleep(2.5)
        ctx.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return [report.progress * 9 for report in ctx.progress_reports]

    assert virtual_time.run(main()) == [0.0, 1.0, 2.0]


def test_clean_ups_run_once_in_order_and_late_ones_at_once() -> None:
    ran: list[str] = []

    async def close() -> None:
        ran.append("closed")

    ctx = MockTaskContext()
    ctx.on_cancel(lambda: ran.append("first"))
    ctx.on_cancel(close)
    ctx.cancel()
    ctx.cancel()
    assert ran == ["first", "closed"]
    ctx.on_cancel(lambda: ran.append("late"))
    assert ran == ["first", "closed", "late"]


def test_asynchronous_clean_ups_run_on_the_loop_and_can_be_waited_for() -> None:
    async def main() -> list[str]:
        ran: list[str] = []

        async def close() -> None:
            await asyncio.sleep(5)
            ran.append("closed")

        ctx = MockTaskContext()
        ctx.on_cancel(close)
        ctx.cancel()
        assert ran == []
        await ctx.cleaned_up()
        return ran

    assert virtual_time.run(main()) == ["closed"]


def test_what_a_clean_up_raises_is_logged_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise OSError("disk full")

    ran: list[str] = []
    ctx = MockTaskContext()
    ctx.on_cancel(broken)
    ctx.on_cancel(lambda: ran.append("second"))
    ctx.cancel()
    assert ran == ["second"]
    assert "disk full" in caplog.text
