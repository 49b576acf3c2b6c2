"""Nothing stays behind: what ran and was cancelled takes no memory, no task of the event loop, no thread."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any

import pytest

from rescind import AgentContext, TaskContext, agent, task
from rescind.backends.native.agent_loop import AgentLoop
from rescind.backends.native.agent_run import AgentRun
from rescind.testing import Environment, run
from rescind.worker.attempt import Attempt
from rescind.worker.executors.daemon_threads import DaemonThreads

STORMS = 200


@task("async-work")
async def async_work(ctx: TaskContext) -> None:
    ctx.on_cancel(lambda: None)
    try:
        await asyncio.sleep(100)
    finally:
        await asyncio.sleep(0.1)


@task("thread-work")
def thread_work(ctx: TaskContext) -> None:
    while True:
        time.sleep(0.1)
        ctx.check_cancelled()


@agent("storm")
async def storm(ctx: AgentContext) -> None:
    """Everything that has to be undone: scopes, timers, waits, steps, branches, a shielded clean-up."""
    branch = asyncio.create_task(ctx.wait_for_signal_raw("never"))
    try:
        async with ctx.scope():
            ctx.schedule(thread_work)
            async with ctx.move_on_after(0.5):
                await ctx.select_ok_with_cancel([ctx.schedule(async_work) for _ in range(3)])
            async with asyncio.timeout(1_000):
                await asyncio.gather(ctx.schedule(async_work), ctx.run(asyncio.sleep, 1_000), branch)
    finally:
        async with ctx.shield():
            await ctx.sleep(0.1)


def test_two_hundred_cancel_storms_leave_nothing_behind() -> None:
    threads_before = set(threading.enumerate())
    gc.collect()
    # Tests before this one may have left an error whose traceback keeps a loop.
    kept_before = {id(each) for each in _kept()}

    async def storms(count: int) -> dict[str, int]:
        async with Environment([storm], [async_work, thread_work]) as env:
            env.start_worker()
            await asyncio.sleep(1)
            tasks_before = len(asyncio.all_tasks())
            for number in range(count):
                handle = await env.start(storm, id=f"storm-{number}")
                await asyncio.sleep(0.7)
                await handle.cancel("enough")
                async for _ in handle.follow():
                    pass
            await asyncio.sleep(10)
            await env.settled()
            return {"tasks": len(asyncio.all_tasks()) - tasks_before, **_sizes(env)}

    assert run(storms(3)) == run(storms(STORMS))
    assert set(threading.enumerate()) == threads_before
    gc.collect()
    assert [each for each in _kept() if id(each) not in kept_before] == []


def _kept() -> list[object]:
    return [each for each in gc.get_objects() if type(each) in (AgentLoop, AgentRun, Attempt)]


def _sizes(env: Environment) -> dict[str, int]:
    """How many things the engine, the host and the worker remember."""
    ((worker, session),) = env._workers
    state = env.host._engine._state
    return {
        "executions": len(state.executions),
        "attempts": len(state.attempts),
        "deadlines": len(state.deadlines),
        "backlog": sum(len(each) for each in state.task_backlog.values()),
        "running": sum(len(each.running) for each in state.workers.values()),
        "held": sum(len(each.held) for each in state.workers.values()),
        "worker's attempts": len(worker._attempts),
        "worker's agents": len(worker._runs),
        "worker's steps": len(worker._runs._steps),
        "on the way": len(session._up._waiting) + len(session._down._waiting),
        "followers": len(env.host.watchers._subscriptions),
    }


def test_workers_that_come_and_go_leave_nothing_behind() -> None:
    threads_before = set(threading.enumerate())

    async def come_and_go() -> Any:
        async with Environment([storm], [async_work, thread_work], lease_ms=100) as env:
            handle = await env.start(storm)
            for _ in range(50):
                await asyncio.sleep(0.3)
                await env.kill_worker()
                env.start_worker()
            await handle.cancel(hard=True)
            await asyncio.sleep(10)
            state = env.host._engine._state
            return [len(state.workers), len(state.executions), len(state.attempts), len(env._workers)]

    assert run(come_and_go()) == [1, 0, 0, 1]
    assert set(threading.enumerate()) == threads_before


def test_daemon_threads_are_as_many_as_are_needed_and_end_with_their_pool() -> None:
    pool = DaemonThreads(4, "spec")
    try:
        barrier = threading.Barrier(4)
        names = {each.result(10) for each in [pool.submit(_meet, barrier) for _ in range(4)]}
        assert names == {f"spec-{number}" for number in (1, 2, 3, 4)}
        assert pool.submit(_meet, threading.Barrier(1)).result(10) in names
        failed = pool.submit(_raise, "trouble")
        assert str(failed.exception(10)) == "trouble"
    finally:
        threads = [each for each in threading.enumerate() if each.name.startswith("spec-")]
        pool.shutdown()
    assert all(each.daemon for each in threads)
    for each in threads:
        each.join(10)
    assert not any(each.is_alive() for each in threads)
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(_raise, "never")


def _meet(barrier: threading.Barrier) -> str:
    barrier.wait(10)
    return threading.current_thread().name


def _raise(text: str) -> None:
    raise ValueError(text)
