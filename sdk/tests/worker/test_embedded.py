"""``rescind.embedded`` in real time, on an ordinary event loop, with tiny delays."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import pytest

import rescind
from rescind import AgentContext, ExecutionWasCancelled, TaskContext, agent, task


@task("nap")
async def nap(ctx: TaskContext, seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@task("plain")
def plain(ctx: TaskContext, barrier_size: int) -> int:
    """Meets all the others: it ends only if they run side by side."""
    _barrier(barrier_size).wait(30)
    return barrier_size


_barriers: dict[int, threading.Barrier] = {}
_lock = threading.Lock()


def _barrier(size: int) -> threading.Barrier:
    with _lock:
        return _barriers.setdefault(size, threading.Barrier(size))


@task("polite")
def polite(ctx: TaskContext) -> None:
    ctx.report_progress(0.5)
    while True:
        time.sleep(0.001)
        ctx.check_cancelled()


@agent("race")
async def race(ctx: AgentContext) -> Any:
    value, cancelled = await ctx.select_ok_with_cancel(
        [ctx.schedule(nap, 0.001), ctx.schedule_raw("polite"), ctx.schedule(nap, 60.0)], confirm_ms=30_000
    )
    stopped = await ctx.wait_stopped(cancelled, 0)
    return [value, list(stopped.values()), await ctx.run(threading.active_count) > 0]


@agent("wide")
async def wide(ctx: AgentContext, width: int) -> int:
    return len(await ctx.join_all([ctx.schedule(plain, width) for _ in range(width)]))


@agent("patient")
async def patient(ctx: AgentContext) -> None:
    await ctx.wait_for_signal_raw("never")


def test_the_engine_runs_in_real_time_on_an_ordinary_loop() -> None:
    async def main() -> None:
        async with rescind.embedded([race, patient], [nap, polite]) as env:
            assert await (await env.start(race)).result() == [0.001, ["STOPPED", "STOPPED"], True]
            waiting = await env.start(patient)
            await waiting.cancel("enough")
            with pytest.raises(ExecutionWasCancelled, match="enough"):
                await waiting.result()

    # In debug mode the loop refuses what is not made for other threads.
    asyncio.run(main(), debug=True)


def test_as_many_plain_functions_run_at_once_as_there_are_slots() -> None:
    width = 60  # more than the threads of a loop's own executor, on any machine that runs these tests

    async def main() -> int:
        async with rescind.embedded([wide], [plain], slots=width) as env:
            return await (await env.start(wide, width)).result()

    assert asyncio.run(main()) == width


def test_a_function_that_hangs_on_a_thread_does_not_keep_the_interpreter_from_exiting() -> None:
    program = """
        import asyncio, threading
        import rescind
        from rescind import agent, task

        @task("hangs")
        def hangs(ctx) -> None:
            threading.Event().wait()

        @agent("waits")
        async def waits(ctx) -> None:
            ctx.schedule(hangs)
            await ctx.run(threading.Event().wait)

        async def main() -> None:
            async with rescind.embedded([waits], [hangs]) as env:
                handle = await env.start(waits)
                while not await handle.tasks() or (await handle.tasks())[0].status != "RUNNING":
                    await asyncio.sleep(0.001)
            print("left")

        asyncio.run(main())
        print("exits")
    """
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, ["left", "exits"], "")


def test_an_agent_that_swallows_being_closed_does_not_keep_the_interpreter_from_exiting() -> None:
    program = """
        import asyncio
        import rescind
        from rescind import agent

        @agent("mad")
        async def mad(ctx) -> None:
            while True:
                try:
                    await ctx.sleep(0.001)
                    ctx.random()
                except BaseException:
                    continue

        async def main() -> None:
            async with rescind.embedded([mad]) as env:
                handle = await env.start(mad)
                await asyncio.sleep(0.01)
                await handle.cancel(hard=True)
            print("left")

        asyncio.run(main())
        print("exits")
    """
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, ["left", "exits"], "")
