"""Tasks with manners of all sorts, and callers from outside who cancel them. Times are quarters of seconds, to meet."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from rescind import CancelMode, ExecutionHandle, ExecutionWasCancelled, OutcomeError, RetryPolicy, TaskContext, task
from rescind.model.events import EventType
from rescind.model.ids import TaskId
from rescind.testing import Environment

QUARTER: Final = 0.25
MODES: Final = tuple(CancelMode)
SOON: Final = RetryPolicy(max_attempts=4, initial_interval_ms=250, backoff=1.0, retry_timeouts=True)


@task("nap", retry=SOON)
async def nap(ctx: TaskContext, seconds: float) -> float:
    """Sleeps."""
    await asyncio.sleep(seconds)
    return seconds


@task("flaky", retry=SOON)
async def flaky(ctx: TaskContext, failures: int) -> int:
    """Fails so often, each time after a quarter of a second."""
    await asyncio.sleep(QUARTER)
    if ctx.attempt <= failures:
        raise ValueError(f"attempt {ctx.attempt} of {failures} that fail")
    return ctx.attempt


@task("breaks", max_retries=0)
async def breaks(ctx: TaskContext, seconds: float) -> None:
    """Fails for good."""
    await asyncio.sleep(seconds)
    raise ValueError("broken")


@task("late", start_to_close=2 * QUARTER, max_retries=1, retry=None)
async def late(ctx: TaskContext, seconds: float) -> float:
    """Times out after half a second."""
    await asyncio.sleep(seconds)
    return seconds


@task("stubborn", grace=QUARTER, retry=SOON)
async def stubborn(ctx: TaskContext, refusals: int) -> str:
    """Swallows its cancel so often, and goes on each time."""
    for _ in range(refusals + 1):
        try:
            await asyncio.sleep(2 * QUARTER)
        except asyncio.CancelledError:
            continue
    return "done"


@task("tidy", grace=1.0, retry=SOON)
async def tidy(ctx: TaskContext, seconds: float) -> float:
    """Cleans up for a quarter of a second behind its cancel."""
    ctx.on_cancel(lambda: asyncio.sleep(QUARTER))
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.sleep(0)
    return seconds


@task("beating", heartbeat=2 * QUARTER, retry=SOON)
async def beating(ctx: TaskContext, beats: int) -> int:
    """Reports each quarter of a second, so often."""
    for beat in range(beats):
        await asyncio.sleep(QUARTER)
        ctx.report_progress((beat + 1) / beats)
    return beats


TASKS: Final = (nap, flaky, breaks, late, stubborn, tidy, beating)


async def pester(
    env: Environment, handle: ExecutionHandle[Any], chance: Random, times: int, modes: Sequence[CancelMode] = MODES
) -> None:
    """Somebody from outside, who cancels whatever tasks there are, two at once, some of them twice."""
    async with asyncio.TaskGroup() as requests:
        for _ in range(times):
            await asyncio.sleep(QUARTER * chance.randrange(3))
            known = scheduled(env, handle)
            for task_id in chance.choices(known, k=2) if known else ():
                requests.create_task(handle.cancel_task(task_id, "pestered", mode=chance.choice(modes)))


def scheduled(env: Environment, handle: ExecutionHandle[Any]) -> list[TaskId]:
    """The tasks of an execution as far as they are known at this very moment, before the dust has settled."""
    events = env.host.history(handle.id)
    return [event.task_id for event in events if event.type is EventType.TASK_SCHEDULED and event.task_id is not None]


async def ended(handle: ExecutionHandle[Any]) -> None:
    """Wait for the end of an execution, whatever it is."""
    with contextlib.suppress(ExecutionWasCancelled, OutcomeError):
        await handle.result()
