"""What a task may say while it runs, and who hears it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from rescind import (
    AgentContext,
    ExecutionHandle,
    InvalidInput,
    StreamEvent,
    TaskContext,
    TaskDefinition,
    TaskFailed,
    agent,
    task,
)
from rescind.model.events import HistoryEvent
from rescind.testing import Environment


async def begin(env: Environment, definition: TaskDefinition[Any, Any], **options: Any) -> ExecutionHandle[Any]:
    """Start an agent that schedules this one task and returns what it gives."""

    @agent("scheduling")
    async def scheduling(ctx: AgentContext) -> Any:
        return await ctx.schedule(definition, **options)

    env.register(definition, scheduling)
    return await env.start(scheduling, id="a-1")


async def streamed(handle: ExecutionHandle[Any]) -> list[tuple[str, Any]]:
    """What was streamed until the end of an execution."""
    return [(each.kind, each.value) async for each in handle.follow() if not isinstance(each, HistoryEvent)]


def _say_everything(ctx: TaskContext) -> None:
    ctx.report_progress(0.5, "half")
    ctx.log("info", "a word")
    ctx.stream_token("tok")
    ctx.stream_progress(7.0, "clamped")
    ctx.stream_data_value({"n": 1})
    ctx.stream_error("odd", "E1")
    ctx.stream(StreamEvent.token("en"))
    ctx.heartbeat()


SAID = [
    ("progress", {"progress": 0.5, "details": "half"}),
    ("log", {"level": "info", "message": "a word"}),
    ("token", {"text": "tok"}),
    ("progress", {"progress": 1.0, "details": "clamped"}),
    ("data", {"data": {"n": 1}}),
    ("error", {"message": "odd", "code": "E1"}),
    ("token", {"text": "en"}),
]


@task("says")
async def says(ctx: TaskContext) -> str:
    _say_everything(ctx)
    await asyncio.sleep(1)
    return "said"


@task("says-on-a-thread")
def says_on_a_thread(ctx: TaskContext) -> str:
    _say_everything(ctx)
    time.sleep(1)
    return "said"


@task("says-in-its-last-breath")
async def says_in_its_last_breath(ctx: TaskContext) -> str:
    _say_everything(ctx)
    return "said"


@task("says-from-a-thread-of-its-own")
async def says_from_a_thread_of_its_own(ctx: TaskContext) -> str:
    await asyncio.to_thread(_say_everything, ctx)
    return "said"


@pytest.mark.parametrize("definition", [says, says_on_a_thread, says_in_its_last_breath, says_from_a_thread_of_its_own])
async def test_what_a_task_says_reaches_those_who_follow_in_order(
    rescind_env: Environment, definition: TaskDefinition[Any, Any]
) -> None:
    handle = await begin(rescind_env, definition)
    assert await streamed(handle) == SAID
    assert await handle.result() == "said"
    assert (await handle.tasks())[0].progress == 0.5


async def test_reports_may_be_awaited_and_take_no_time(rescind_env: Environment) -> None:
    @task("awaiting")
    async def awaiting(ctx: TaskContext) -> str:
        await ctx.report_progress(0.1)
        await ctx.heartbeat()
        await ctx.log("warn", "x")
        await ctx.stream_token("x")
        await ctx.check_cancellation()
        return "said"

    assert await (await begin(rescind_env, awaiting)).result() == "said"
    assert rescind_env.elapsed().total_seconds() == 0


@pytest.mark.parametrize("progress", [-0.1, 1.1, float("nan")])
async def test_progress_outside_zero_to_one_is_refused_and_names_the_value(
    rescind_env: Environment, progress: float
) -> None:
    @task("overshooting")
    async def overshooting(ctx: TaskContext) -> str:
        with pytest.raises(InvalidInput, match=str(progress)):
            ctx.report_progress(progress)
        with pytest.raises(InvalidInput, match="debug, info, warn, error"):
            ctx.log("loud", "x")  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="streamed data"):
            ctx.stream_data_value(object())
        with pytest.raises(InvalidInput, match="function without parameters"):
            ctx.on_cancel("x")  # type: ignore[arg-type]
        return "refused"

    assert await (await begin(rescind_env, overshooting)).result() == "refused"


async def test_a_task_knows_who_it_is(rescind_env: Environment) -> None:
    @task("knowing", labels={"team": "blue"})
    async def knowing(ctx: TaskContext) -> list[Any]:
        assert ctx.task_execution_id == ctx.task_id
        return [str(ctx.task_id), ctx.execution_id, ctx.kind, ctx.attempt, dict(ctx.labels), ctx.is_cancelled]

    handle = await begin(rescind_env, knowing)
    (record,) = [await handle.result()]
    (scheduled,) = await handle.tasks()
    assert record == [str(scheduled.task_id), "a-1", "knowing", 1, {"team": "blue"}, False]


async def test_plain_functions_run_side_by_side_in_virtual_time(rescind_env: Environment) -> None:
    @task("plain")
    def plain(ctx: TaskContext, seconds: float) -> str:
        time.sleep(seconds)
        return threading.current_thread().name

    @agent("many")
    async def many(ctx: AgentContext) -> int:
        return len(set(await ctx.join_all([ctx.schedule(plain, 10.0) for _ in range(40)])))

    rescind_env.register(plain, many)
    assert await (await rescind_env.start(many)).result() == 40
    assert rescind_env.elapsed().total_seconds() == 10


async def test_what_a_task_says_after_its_end_is_dropped(rescind_env: Environment) -> None:
    kept: list[TaskContext] = []

    @task("leaving")
    async def leaving(ctx: TaskContext) -> None:
        kept.append(ctx)

    handle = await begin(rescind_env, leaving)
    await handle.result()
    before = len(await handle.history())
    _say_everything(kept[0])
    await asyncio.to_thread(_say_everything, kept[0])
    assert (len(await handle.history()), (await handle.tasks())[0].progress) == (before, None)


async def test_a_failure_carries_the_text_and_the_number_of_attempts(rescind_env: Environment) -> None:
    @task("failing", max_retries=2)
    async def failing(ctx: TaskContext) -> None:
        raise LookupError(f"no carrier in attempt {ctx.attempt}")

    handle = await begin(rescind_env, failing)
    with pytest.raises(TaskFailed, match="no carrier in attempt 3") as caught:
        await handle.result()
    assert (caught.value.failure_kind, caught.value.attempts) == ("ERROR", 3)
