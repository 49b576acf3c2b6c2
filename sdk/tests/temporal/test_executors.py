"""Tasks of every executor on a cluster are stopped by the same escalation as elsewhere, and it is recorded."""

from __future__ import annotations

import time
from typing import Final

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, TaskContext, agent, task
from rescind.executors import shell
from rescind.model.events import EventType

from .functions import ignores_its_end, in_a_process
from .world import its_code_runs, stopped, world

pytestmark = pytest.mark.asyncio


@task("on-a-thread")
def on_a_thread(ctx: TaskContext) -> None:
    ctx.stream_token("at work")
    while True:
        ctx.check_cancelled()
        time.sleep(0.01)


asks = shell("asks", "echo at work; sleep 60", grace=5)
ignores = shell("ignores", "trap '' TERM; echo at work; while :; do sleep 1; done", grace=0.2)


@agent("races-work")
async def races_work(ctx: AgentContext, kind: str) -> None:
    (work,) = [each for each in WORK if each.kind == kind]
    future = ctx.schedule(work)
    await ctx.wait_for_signal_raw("enough")
    await future.cancel("enough")


WORK: Final = (on_a_thread, in_a_process, ignores_its_end, asks, ignores)


@pytest.mark.parametrize(
    ("kind", "state", "executor"),
    [
        ("on-a-thread", "STOPPED", "thread"),
        ("in-a-process", "STOPPED", "process"),
        ("ignores-its-end", "KILLED", "process"),
        ("asks", "STOPPED", "shell"),
        ("ignores", "KILLED", "shell"),
    ],
)
async def test_work_of_every_executor_is_stopped_or_killed_and_that_is_recorded(
    development_server: DevelopmentServer, kind: str, state: str, executor: str
) -> None:
    async with world(development_server.address, [races_work], WORK) as here:
        handle = await here.start(races_work, kind)
        await its_code_runs(handle)
        await handle.signal("enough")
        await handle.result()
        (stopped_task,) = await stopped(handle)
        ends = [each.details for each in await handle.history() if each.type is EventType.STOP_ENDED]
    assert stopped_task.stop_state == state
    assert ends == [{"state": state, "executor": executor}]
