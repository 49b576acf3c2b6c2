"""Invariant 4: tasks write down themselves when their code starts; their starts are cancelled, lost and repeated."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest

from rescind import AgentContext, CancelMode, TaskContext, agent, task
from rescind.model.events import TASK_ENDS, EventType
from rescind.testing import Environment
from sdk.tests.invariants.conftest import Explore
from sdk.tests.invariants.workload import QUARTER, SOON, ended, scheduled


class Record:
    """What the tasks' own code has seen."""

    def __init__(self) -> None:
        self.starts: Counter[tuple[str, int]] = Counter()
        self.told_before: set[tuple[str, int]] = set()
        self.last_line: dict[tuple[str, int], float] = {}

    def note_start(self, ctx: TaskContext) -> None:
        attempt = (str(ctx.task_id), ctx.attempt)
        self.starts[attempt] += 1
        if ctx.is_cancelled:
            self.told_before.add(attempt)


record = Record()


@task("noted", retry=SOON)
async def noted(ctx: TaskContext, seconds: float) -> None:
    """Writes down its start, and fails the first time."""
    record.note_start(ctx)
    await asyncio.sleep(seconds)
    if ctx.attempt == 1:
        raise ValueError("once more")


@task("noted-on-a-thread", retry=SOON)
def noted_on_a_thread(ctx: TaskContext) -> None:
    """Writes down its start."""
    record.note_start(ctx)


@agent("hasty")
async def hasty(ctx: AgentContext) -> list[str]:
    """Cancels before the claim, while the start is on its way, during the back-off, and together with an end."""
    never = ctx.schedule(noted, 0.0)
    answers = [await never.cancel("before anybody could claim it")]
    tasks = [ctx.schedule(noted, seconds) for seconds in (0.0, 0.0, QUARTER, QUARTER)]
    threads = [ctx.schedule(noted_on_a_thread) for _ in range(2)]
    await ctx.flush_pending()
    answers.append(await tasks[0].cancel())
    answers.append(await threads[0].cancel())
    await ctx.sleep(QUARTER)
    answers.append(await tasks[1].cancel("during its back-off"))
    answers.append(await tasks[2].cancel(mode=CancelMode.WAIT))
    await ctx.join_all_settled([*tasks, *threads])
    assert str(never.task_id) not in {task_id for task_id, _ in record.starts}
    return [each.value for each in answers]


async def scenario(env: Environment) -> None:
    global record
    record = Record()
    chance = Random(env.seed)
    handle = await env.start(hasty, id="hasty")
    for _ in range(4):
        await asyncio.sleep(chance.choice((0.0, 0.001, 0.002, QUARTER)))
        known = scheduled(env, handle)
        for task_id in chance.choices(known, k=2) if known else ():
            await handle.cancel_task(task_id)
    await ended(handle)
    await asyncio.sleep(30)
    check(env, handle.id)


def check(env: Environment, execution_id: str) -> None:
    claimed: set[tuple[str, int]] = set()
    over: set[str] = set()
    for event in env.host.history(env.handle(execution_id).id):
        if event.type is EventType.TASK_STARTED:
            assert event.task_id not in over, f"claimed behind its end: {event}"
            claimed.add((str(event.task_id), event.attempt))
        elif event.type in TASK_ENDS:
            over.add(str(event.task_id))
    doubled = [attempt for attempt, count in record.starts.items() if count > 1]
    assert not doubled, f"attempts whose code was started twice: {doubled}"
    assert record.starts.keys() <= claimed, "code was started that nobody had claimed"
    assert not record.told_before, f"code was started that had been told to stop: {record.told_before}"


@pytest.mark.invariants
def test_code_starts_at_most_once_per_attempt(explored: Explore) -> None:
    report = explored(scenario, agents=[hasty], tasks=[noted, noted_on_a_thread])
    assert report.distinct_histories > report.seeds / 4
