"""Invariant 7: what was acknowledged is found again, behind every loss of a worker; what ran twice has two numbers."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest

from rescind import AgentContext, ExecutionHandle, ExecutionWasCancelled, TaskContext, agent, task
from rescind.model.events import EXECUTION_ENDS, EventType, HistoryEvent
from rescind.testing import Environment
from sdk.tests.invariants.conftest import Explore
from sdk.tests.invariants.workload import QUARTER, SOON

runs: Counter[tuple[str, int]] = Counter()


@task("counted", retry=SOON)
async def counted(ctx: TaskContext, value: int) -> int:
    """Counts its runs by the number of the attempt."""
    runs[str(ctx.task_id), ctx.attempt] += 1
    await asyncio.sleep(QUARTER)
    return value


@agent("listener")
async def listener(ctx: AgentContext, expected: int) -> dict[str, Any]:
    """Reads signals, works for each, and writes down what it read, at its own pace."""
    read: list[int] = []
    total = 0
    while len(read) < expected:
        if await ctx.has_signal("number"):
            numbers = await ctx.drain_signals_raw("number")
        else:
            numbers = [await ctx.wait_for_signal_raw("number")]
        read += numbers
        await ctx.append_entry("user", numbers)
        total += sum(await ctx.join_all([ctx.schedule(counted, number) for number in numbers]))
        drawn = await ctx.run(lambda: 1)
        await ctx.checkpoint({"read": len(read), "drawn": drawn})
    return {"read": read, "total": total, "dice": ctx.random(), "id": str(ctx.uuid4())}


class Acknowledged:
    """What callers were told, and what the history said at that moment."""

    def __init__(self, env: Environment, handle: ExecutionHandle[Any]) -> None:
        self._env = env
        self._handle = handle
        self._prefixes: list[tuple[HistoryEvent, ...]] = []

    def note(self, event: EventType, count: int) -> None:
        history = tuple(self._env.host.history(self._handle.id))
        found = sum(each.type is event for each in history)
        assert found >= count, f"{count} times {event} was acknowledged, and {found} are in the history"
        self._prefixes.append(history)

    def check(self) -> None:
        history = tuple(self._env.host.history(self._handle.id))
        for prefix in self._prefixes:
            assert history[: len(prefix)] == prefix, "what was in the history once is not there any more"


async def scenario(env: Environment) -> None:
    runs.clear()
    chance = Random(env.seed)
    numbers = [chance.randrange(100) for _ in range(4)]
    handle = await env.start(listener, len(numbers), id="listener")
    acknowledged = Acknowledged(env, handle)
    acknowledged.note(EventType.EXECUTION_STARTED, 1)
    for place, number in enumerate(numbers, start=1):
        await asyncio.sleep(chance.choice((0.0, 0.001, QUARTER, 2 * QUARTER)))
        await handle.signal("number", number)
        acknowledged.note(EventType.SIGNAL_RECEIVED, place)
    if chance.random() < 0.2:
        await asyncio.sleep(chance.choice((0.0, QUARTER)))
        answer = await handle.cancel("changed our minds")
        if answer.ok:
            acknowledged.note(EventType.EXECUTION_CANCEL_REQUESTED, 1)
            with pytest.raises(ExecutionWasCancelled):
                await handle.result()
    else:
        result = await handle.result()
        assert (result["read"], result["total"]) == (numbers, sum(numbers))
        assert [each for entry in await handle.entries() for each in entry.content] == numbers
    acknowledged.check()
    await asyncio.sleep(30)
    again = await env.start(listener, len(numbers), id="listener")
    history = env.host.history(again.id)
    assert sum(each.type in EXECUTION_ENDS for each in history) == 1, "a start that was asked for again began anew"
    started = {(str(each.task_id), each.attempt) for each in history if each.type is EventType.TASK_STARTED}
    assert runs.keys() <= started
    assert all(count == 1 for count in runs.values()), f"run twice under one number: {runs}"


@pytest.mark.invariants
def test_no_acknowledged_request_is_lost_and_no_task_runs_twice_without_a_new_attempt_number(explored: Explore) -> None:
    report = explored(scenario, agents=[listener], tasks=[counted])
    assert report.distinct_histories > report.seeds / 4
