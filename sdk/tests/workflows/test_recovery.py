"""A worker may be lost at any event: the workflow gives the same output, and its log says the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from rescind import TaskContext, WorkflowContext, task, workflow
from rescind.model.events import HistoryEvent
from rescind.model.workflow_json import event_data
from rescind.testing import Environment, run


@task("nap")
async def nap(_: TaskContext, seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@workflow("kid")
async def kid(ctx: WorkflowContext, number: int) -> int:
    await ctx.sleep(number)
    return number


@workflow("everything")
async def everything(ctx: WorkflowContext) -> list[Any]:
    told: list[Any] = []
    quick, slow = ctx.schedule(nap, 1.0), ctx.schedule(nap, 30.0)
    told.append(await ctx.select([slow, quick, ctx.wait_for_signal_raw("never")]))
    told.append(str(await slow.cancel("enough")))
    told.append(await ctx.run(lambda: 5, name="step"))
    told.append(await ctx.join_all([ctx.schedule_workflow(f"kid-{n}", kid, n) for n in (2, 1)]))
    signals = [await ctx.wait_for_signal("note", int) for _ in range(2)]
    await ctx.set_raw("signals", signals)
    told += [signals, await ctx.get_raw("signals")]
    async with asyncio.timeout(50):
        told.append(await ctx.promise_raw("approval"))
    timer = ctx.sleep(100)
    await asyncio.sleep(0.5)
    timer.cancel()
    dropped = ctx.schedule_workflow("dropped", kid, 1_000)
    await ctx.sleep(1)
    dropped.cancel("not needed")
    told += await asyncio.gather(dropped, return_exceptions=True)
    told[-1] = type(told[-1]).__name__
    return [*told, ctx.random(), str(ctx.random_uuid()), ctx.now().isoformat()]


@dataclass(frozen=True)
class Played:
    """What a run of it gave: its output, its log without times, and how many events its history has."""

    output: Any
    log: list[tuple[str, bytes]]
    count: int

    def without_passes(self) -> list[tuple[str, bytes]]:
        """The log, but for where passes ended: one that is lost leaves no end, and the next one takes in more."""
        return [each for each in self.log if each[0] != "WORKFLOW_SUSPENDED"]


def played(*, lost_at: int | None = None) -> Played:
    """Play it; the worker is lost at that event of its history."""

    async def play() -> Played:
        async with Environment(tasks=[nap], workflows=[everything, kid], lease_ms=1_000) as env:
            handle = await env.start(everything, id="it")
            outside = asyncio.get_running_loop().create_task(others(env))
            count = 0
            async for event in handle.follow():
                count += 1
                if isinstance(event, HistoryEvent) and event.sequence == lost_at:
                    await env.kill_worker()
                    env.start_worker()
            await outside
            log = await env.client.workflow_events("it")
            said = [(one.event.event_type, event_data(one.event)) for one in log]
            return Played(await handle.result(), said, count)

    async def others(env: Environment) -> None:
        await asyncio.sleep(8)
        for number in (1, 2):
            await env.handle("it").signal("note", number)
        await asyncio.sleep(8)
        await env.client.resolve_promise("it", "approval", "yes")

    return run(play())


def test_a_worker_lost_at_any_event_changes_nothing() -> None:
    undisturbed = played()
    assert undisturbed.output[:3] == [[1, 1.0], "CANCELLED", 5]
    for lost_at in range(1, undisturbed.count):
        disturbed = played(lost_at=lost_at)
        assert disturbed.output == undisturbed.output, lost_at
        assert disturbed.without_passes() == undisturbed.without_passes(), lost_at


def test_the_same_seed_gives_the_same_log() -> None:
    assert played() == played()


def test_a_workflow_goes_on_from_a_file(tmp_path: Any) -> None:
    file = tmp_path / "kept.db"

    async def first() -> None:
        async with Environment(tasks=[nap], workflows=[kid], store=file) as env:
            await env.start(kid, 1_000, id="it")
            await asyncio.sleep(1)

    async def second() -> int:
        async with Environment(tasks=[nap], workflows=[kid], store=file) as env:
            return int(await env.handle("it").result())

    run(first())
    assert run(second()) == 1_000
