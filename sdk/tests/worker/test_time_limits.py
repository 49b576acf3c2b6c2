"""Time-outs and retries as an agent sees them, with exact times: cancellation.md, section 9."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from rescind import (
    AgentContext,
    NonRetryable,
    RetryPolicy,
    TaskContext,
    TaskDefinition,
    TaskFailed,
    TaskTimedOut,
    agent,
    task,
)
from rescind.client.records import TaskRecord
from rescind.testing import Environment


async def failure_of(
    env: Environment, definition: TaskDefinition[Any, Any], **options: Any
) -> tuple[TaskFailed, TaskRecord]:
    """How a task fails that an agent schedules, and its record then."""

    @agent("scheduling")
    async def scheduling(ctx: AgentContext) -> Any:
        return await ctx.schedule(definition, **options)

    env.register(definition, scheduling)
    handle = await env.start(scheduling)
    with pytest.raises(TaskFailed) as caught:
        await handle.result()
    await asyncio.sleep(0)
    (record,) = await handle.tasks()
    return caught.value, record


@task("hangs")
async def hangs(ctx: TaskContext) -> None:
    await asyncio.Event().wait()


@task("hangs-on-a-thread")
def hangs_on_a_thread(ctx: TaskContext) -> None:
    while True:
        time.sleep(0.5)
        ctx.check_cancelled()


@task("beats")
async def beats(ctx: TaskContext) -> None:
    """Give a sign of life every second, five times; then none."""
    for _ in range(5):
        await asyncio.sleep(1)
        ctx.heartbeat()
    await asyncio.Event().wait()


@task("advances")
async def advances(ctx: TaskContext) -> None:
    """Stream every second, five times; then only give signs of life."""
    for _ in range(5):
        await asyncio.sleep(1)
        ctx.stream_token("x")
    while True:
        await asyncio.sleep(1)
        ctx.heartbeat()
        ctx.log("info", "still there")


@pytest.mark.parametrize(
    ("definition", "options", "ends_at"),
    [
        (hangs, {"start_to_close": 3}, 3.0),
        (hangs, {"schedule_to_close": timedelta(minutes=1)}, 60.0),
        (hangs, {"timeout": 2.5}, 2.5),
        (hangs, {"schedule_to_start": 4, "queue": "nowhere"}, 4.0),
        (hangs, {"heartbeat": 2}, 2.0),
        (hangs, {"idle": 2}, 2.0),
        (beats, {"heartbeat": 2}, 7.0),
        (beats, {"idle": 2}, 2.0),
        (advances, {"idle": 2}, 7.0),
        (hangs_on_a_thread, {"start_to_close": 3}, 3.0),
    ],
)
async def test_a_limit_ends_the_task_when_it_is_reached_and_says_which(
    rescind_env: Environment, definition: TaskDefinition[Any, Any], options: dict[str, Any], ends_at: float
) -> None:
    failed, record = await failure_of(rescind_env, definition, **options)
    limit = next(iter(options)) if "timeout" not in options else "schedule_to_close"
    assert isinstance(failed, TaskTimedOut)
    assert f"timed out after {int(_seconds(next(iter(options.values()))) * 1_000)} ms ({limit})" in failed.error
    assert rescind_env.elapsed().total_seconds() == ends_at
    assert record.attempts == (0 if limit == "schedule_to_start" else 1)


def _seconds(given: float | timedelta) -> float:
    return given.total_seconds() if isinstance(given, timedelta) else given


async def test_the_work_of_a_task_that_timed_out_is_stopped_with_its_cause(rescind_env: Environment) -> None:
    seen: list[Any] = []

    @task("watched")
    async def watched(ctx: TaskContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cause = ctx.cancel_cause()
            seen.append(cause and (cause.source.value, cause.by, cause.reason))

    _, record = await failure_of(rescind_env, watched, start_to_close=3)
    assert seen == [("deadline", "server", "start_to_close ran out")]
    assert (record.status, record.stop_state) == ("FAILED", "STOPPED")


async def test_a_failed_task_is_tried_again_after_pauses_that_double(rescind_env: Environment) -> None:
    started: list[float] = []

    @task("fails")
    async def fails(ctx: TaskContext) -> None:
        started.append(rescind_env.elapsed().total_seconds())
        raise ValueError("no")

    failed, record = await failure_of(rescind_env, fails)
    assert started == [0, 1, 3, 7]
    assert (failed.attempts, record.attempts) == (4, 4)


async def test_a_policy_says_how_often_how_soon_and_how_long_at_most(rescind_env: Environment) -> None:
    started: list[float] = []
    policy = RetryPolicy(max_attempts=6, initial_interval_ms=100, backoff=3, maximum_interval_ms=1_000)

    @task("fails", retry=policy)
    def fails(ctx: TaskContext) -> None:
        started.append(round(time.time() % 60, 3))
        raise ValueError("no")

    await failure_of(rescind_env, fails)
    assert started == [0, 0.1, 0.4, 1.3, 2.3, 3.3]


async def test_a_pause_of_zero_tries_again_at_once(rescind_env: Environment) -> None:
    @task("fails")
    async def fails(ctx: TaskContext) -> None:
        raise ValueError("no")

    _, record = await failure_of(rescind_env, fails, retry=RetryPolicy(max_attempts=3, initial_interval_ms=0))
    assert (record.attempts, rescind_env.elapsed()) == (3, timedelta(0))


async def test_an_error_that_another_attempt_cannot_help_ends_it_at_once(rescind_env: Environment) -> None:
    @task("final")
    async def final(ctx: TaskContext) -> None:
        raise NonRetryable("the account is closed")

    failed, record = await failure_of(rescind_env, final)
    assert (failed.error, record.attempts) == ("the account is closed", 1)


async def test_so_does_an_error_that_the_policy_names(rescind_env: Environment) -> None:
    @task("named", retry=RetryPolicy(non_retryable=("KeyError",)))
    async def named(ctx: TaskContext) -> None:
        raise KeyError("x") if ctx.attempt == 2 else ValueError("x")

    _, record = await failure_of(rescind_env, named)
    assert record.attempts == 2


async def test_a_time_out_is_tried_again_only_if_the_policy_says_so(rescind_env: Environment) -> None:
    failed, record = await failure_of(
        rescind_env, hangs, start_to_close=2, retry=RetryPolicy(max_attempts=3, retry_timeouts=True)
    )
    assert isinstance(failed, TaskTimedOut)
    # 2 s, a pause of 1 s, 2 s, a pause of 2 s, 2 s.
    assert (record.attempts, rescind_env.elapsed()) == (3, timedelta(seconds=9))
    assert [stop.state for stop in record.stops] == ["STOPPED"] * 3


async def test_schedule_to_close_counts_over_all_attempts_and_pauses(rescind_env: Environment) -> None:
    @task("fails")
    async def fails(ctx: TaskContext) -> None:
        raise ValueError("no")

    failed, record = await failure_of(rescind_env, fails, schedule_to_close=2)
    assert isinstance(failed, TaskTimedOut)
    assert (record.attempts, rescind_env.elapsed()) == (2, timedelta(seconds=2))


async def test_cancelled_error_raised_by_the_tasks_own_code_is_a_failure(rescind_env: Environment) -> None:
    @task("confused", max_retries=0)
    async def confused(ctx: TaskContext) -> None:
        raise asyncio.CancelledError

    failed, record = await failure_of(rescind_env, confused)
    assert "nobody cancelled it" in failed.error
    assert (record.status, record.attempts) == ("FAILED", 1)


@pytest.mark.parametrize("on_a_thread", [False, True])
async def test_a_task_that_exits_the_interpreter_ends_itself_and_not_its_worker(
    rescind_env: Environment, on_a_thread: bool
) -> None:
    async def exits(ctx: TaskContext) -> None:
        raise SystemExit(3)

    def exits_on_a_thread(ctx: TaskContext) -> None:
        raise SystemExit(3)

    definition: TaskDefinition[Any, Any] = task("exits", max_retries=1)(exits_on_a_thread if on_a_thread else exits)
    failed, record = await failure_of(rescind_env, definition)
    assert (failed.error, record.attempts) == ("3", 2)


async def test_input_that_fails_its_type_is_rejected_and_not_tried_again(rescind_env: Environment) -> None:
    @task("typed")
    async def typed(ctx: TaskContext, number: int) -> int:
        return number

    @agent("careless")
    async def careless(ctx: AgentContext) -> Any:
        return await ctx.schedule_raw("typed", "seven")

    rescind_env.register(typed, careless)
    handle = await rescind_env.start(careless)
    with pytest.raises(TaskFailed, match="input of task 'typed'") as caught:
        await handle.result()
    assert (caught.value.failure_kind, caught.value.attempts) == ("REJECTED", 1)


async def test_output_that_is_not_json_is_rejected_and_not_tried_again(rescind_env: Environment) -> None:
    @task("strange")
    async def strange(ctx: TaskContext) -> Any:
        return object()

    failed, record = await failure_of(rescind_env, strange)
    assert (failed.failure_kind, record.attempts) == ("REJECTED", 1)


async def test_a_task_without_a_result_gives_none(rescind_env: Environment) -> None:
    @task("silent")
    async def silent(ctx: TaskContext) -> None:
        return

    @agent("asking")
    async def asking(ctx: AgentContext) -> Any:
        return [await ctx.schedule(silent)]

    rescind_env.register(silent, asking)
    assert await (await rescind_env.start(asking)).result() == [None]
