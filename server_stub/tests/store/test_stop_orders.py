"""An order to stop is kept in the file with its cause, until its worker has come back for it."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from rescind import AgentContext, CancelMode, CancelTaskResult, TaskContext, agent, task
from rescind.model.ids import Instant, TaskId
from rescind.model.messages import StopOrder, WorkerJoined
from rescind.testing import Environment
from rescind_server.engine.machine import Engine
from rescind_server.store.sqlite import SqliteStore


@task("stuck")
async def stuck(ctx: TaskContext) -> None:
    await asyncio.sleep(100_000)


@agent("waiting")
async def waiting(ctx: AgentContext) -> None:
    await ctx.join_all_settled([ctx.schedule(stuck)])


@pytest.mark.rescind
@pytest.mark.parametrize("by_force", [False, True])
async def test_a_worker_that_comes_back_behind_a_restart_is_ordered_to_stop_with_the_first_cause(
    tmp_path: Path, by_force: bool
) -> None:
    path = tmp_path / "store.db"
    async with Environment(agents=[waiting], tasks=[stuck], store=path) as env:
        handle = await env.start(waiting, id="w-1")
        await env.settled()
        await env.kill_worker()
        (only,) = await handle.tasks()
        assert await handle.cancel_task(only.task_id, "not wanted") is CancelTaskResult.CANCELLED
        if by_force:
            assert await handle.cancel_task(only.task_id, mode=CancelMode.FORCE) is CancelTaskResult.ALREADY_CANCELLED
        (only,) = await handle.tasks()

    with closing(SqliteStore(path)) as store:
        loaded = store.load()
        ((execution, _),) = loaded.executions
        attempts = execution.tasks[TaskId(str(only.task_id))].attempts
        assert attempts is not None
        (attempt,) = attempts
        assert (attempt.stop_forced_at, attempt.deliveries) == (only.stops[0].forced_at, only.stops[0].deliveries)
        now = Instant(attempt.started_at + 1)
        engine = Engine()
        engine.restore(*loaded, now)
        joined = WorkerJoined(attempt.worker_id, 10, (), (), (), 1, running=(attempt.lease,))
        (order,) = [message for _, message in engine.decide(joined, now).pushes]
    assert isinstance(order, StopOrder)
    assert (order.lease, order.cause.reason, order.force) == (attempt.lease, "not wanted", by_force)
