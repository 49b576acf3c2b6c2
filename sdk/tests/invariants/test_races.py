"""Races around a cancel, each by its name, under many orders of events and with faults.

Those between real processes have tests of the same names beside their executors, and in `e2e/crash`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final

from rescind import (
    AgentContext,
    CancelMode,
    CancelTaskResult,
    ExecutionHandle,
    TaskContext,
    TaskDefinition,
    agent,
    task,
)
from rescind.client.records import TaskRecord
from rescind.errors import NotFound
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.events import TASK_ENDS, EventType
from rescind.model.filters import TaskFilter
from rescind.model.status import STOP_ENDED
from rescind.testing import Environment
from rescind_server.host.queries import Queries
from sdk.tests.invariants.conftest import Explore
from sdk.tests.invariants.workload import QUARTER, SOON, ended

ANSWERS: Final = {
    "COMPLETED": {CancelTaskResult.ALREADY_COMPLETED},
    # Who was not heard asks again, and then meets what it did itself.
    "CANCELLED": {CancelTaskResult.CANCELLED, CancelTaskResult.ALREADY_CANCELLED},
}
MODES: Final = (CancelMode.TRY, CancelMode.FORCE)
LONG: Final = 1_000.0
ALL_OVER: Final = 100.0
"""Longer than any lease, and any pause before an attempt."""

started: Counter[str] = Counter()


@task("brief", retry=SOON)
async def brief(ctx: TaskContext) -> str:
    """Ends at a second."""
    await asyncio.sleep(4 * QUARTER)
    return "done"


@task("brief-on-a-thread", retry=SOON)
def brief_on_a_thread(ctx: TaskContext) -> str:
    """The same, on a thread."""
    time.sleep(4 * QUARTER)
    return "done"


@task("cleaning", retry=SOON, grace=LONG)
async def cleaning(ctx: TaskContext) -> None:
    """Takes its time when it is told to stop."""
    started[str(ctx.task_id)] += 1
    try:
        await asyncio.sleep(LONG)
    finally:
        await asyncio.sleep(4 * QUARTER)


@task("endless", retry=SOON)
async def endless(ctx: TaskContext, number: int) -> None:
    """Runs until it is told to stop."""
    await asyncio.sleep(LONG)


@agent("runs-one")
async def runs_one(ctx: AgentContext, kind: str) -> None:
    await ctx.join_all_settled([ctx.schedule_raw(kind)])


@agent("runs-many")
async def runs_many(ctx: AgentContext, count: int) -> None:
    teams = ("a", "b", "both")
    tasks = [ctx.schedule(endless, each, labels={"team": teams[each % 3]}) for each in range(count)]
    await ctx.join_all_settled(tasks)


async def task_when(handle: ExecutionHandle[Any], is_so: Callable[[TaskRecord], bool]) -> TaskRecord:
    """The one task of an execution, as soon as something is so."""
    while True:
        with contextlib.suppress(ValueError):
            (record,) = await handle.tasks()
            if is_so(record):
                return record
        await asyncio.sleep(QUARTER / 8)


def ends_of(env: Environment, handle: ExecutionHandle[Any]) -> Counter[str]:
    """How often each task of an execution ended."""
    return Counter(str(event.task_id) for event in env.host.history(handle.id) if event.type in TASK_ENDS)


def test_cancel_at_the_moment_of_exit_either_the_end_wins_or_the_cancel_and_never_both(explored: Explore) -> None:
    seen: Counter[str] = Counter()

    async def scenario(env: Environment) -> None:
        chance = Random(env.seed)
        handle = await env.start(runs_one, chance.choice((brief, brief_on_a_thread)).kind)
        record = await task_when(handle, lambda record: record.status != "PENDING")
        started_at = record.view.started_at or record.view.scheduled_at
        moment = (started_at - env.host.now()) / 1e6 + 4 * QUARTER
        await asyncio.sleep(max(0.0, moment + chance.choice((-0.002, -0.001, 0.0, 0.001, 0.002))))
        mode = chance.choice((CancelMode.TRY, CancelMode.WAIT, CancelMode.FORCE))
        answer = await handle.cancel_task(record.task_id, mode=mode)
        await ended(handle)
        (record,) = await handle.tasks()
        assert answer in ANSWERS[record.status.value], (answer, record.status)
        assert (record.view.output is not None) is (record.status == "COMPLETED")
        assert ends_of(env, handle)[str(record.task_id)] == 1
        seen[record.status.value] += 1

    explored(scenario, agents=[runs_one], tasks=[brief, brief_on_a_thread])
    assert seen.keys() == {"COMPLETED", "CANCELLED"}, seen


def test_worker_dies_between_its_order_to_stop_and_its_report(explored: Explore) -> None:
    seen: Counter[str | None] = Counter()

    async def scenario(env: Environment) -> None:
        started.clear()
        chance = Random(env.seed)
        handle = await env.start(runs_one, cleaning.kind)
        record = await task_when(handle, lambda record: record.status == "RUNNING")
        await handle.cancel_task(record.task_id, "enough")
        begun = started.total()
        await asyncio.sleep(chance.choice((0.0, 0.001, QUARTER, 4 * QUARTER)))
        await env.kill_worker()
        env.start_worker()
        await ended(handle)
        await asyncio.sleep(ALL_OVER)
        (record,) = await handle.tasks()
        assert record.status == "CANCELLED"
        assert all(stop.state in STOP_ENDED for stop in record.stops)
        assert started.total() <= begun + 1, "it was started again behind its cancel"
        seen[record.stop_state] += 1

    explored(scenario, agents=[runs_one], tasks=[cleaning])
    assert seen["LOST"] > 0, seen


def test_force_races_the_end_of_a_graceful_stop_and_changes_no_outcome(explored: Explore) -> None:
    async def scenario(env: Environment) -> None:
        chance = Random(env.seed)
        handle = await env.start(runs_one, cleaning.kind)
        record = await task_when(handle, lambda record: record.status == "RUNNING")
        await handle.cancel_task(record.task_id, "enough")
        await asyncio.sleep(4 * QUARTER + chance.choice((-0.9, -0.001, 0.0, 0.001)))
        by_force = [
            handle.cancel_task(record.task_id, mode=CancelMode.FORCE),
            handle.cancel("all of it", hard=True),
        ]
        await asyncio.gather(*chance.sample(by_force, 2))
        await ended(handle)
        await asyncio.sleep(ALL_OVER)
        (record,) = await handle.tasks()
        assert record.status == "CANCELLED"
        assert record.view.cause is not None
        assert record.view.cause.reason == "enough"
        assert all(stop.state in STOP_ENDED for stop in record.stops)
        assert ends_of(env, handle)[str(record.task_id)] == 1

    explored(scenario, agents=[runs_one], tasks=[cleaning])


def test_two_operators_with_overlapping_filters(explored: Explore) -> None:
    async def scenario(env: Environment) -> None:
        chance = Random(env.seed)
        handle = await env.start(runs_many, 12)
        while len(await handle.tasks()) < 12:  # noqa: ASYNC110 - nobody is told when a task is scheduled
            await asyncio.sleep(QUARTER / 8)
        await asyncio.sleep(chance.choice((0.0, 0.001, QUARTER)))
        queries = Queries(env.host, env.host._engine, env.host._store)

        async def cancels(by: str, *teams: str) -> list[Counter[CancelTaskResult]]:
            done = []
            for team in teams:
                selection = TaskFilter(labels={"team": team})
                cause = CancelCause(CancelSource.REQUEST, by)
                counts: Counter[CancelTaskResult] = Counter()
                async for so_far in queries.cancel_tasks(selection, cause, chance.choice(MODES)):
                    counts = Counter(so_far)
                done.append(counts)
            return done

        answers = await asyncio.gather(cancels("one", "a", "both"), cancels("two", "both", "b"))
        await ended(handle)
        total = sum((counts for each in answers for counts in each), Counter[CancelTaskResult]())
        assert total[CancelTaskResult.CANCELLED] == 12, total
        assert total.keys() <= {CancelTaskResult.CANCELLED, CancelTaskResult.ALREADY_CANCELLED}
        assert {each.status for each in await handle.tasks()} == {"CANCELLED"}
        assert set(ends_of(env, handle).values()) == {1}

    explored(scenario, agents=[runs_many], tasks=[endless])


def test_disconnect_before_the_execution_is_registered(explored: Explore) -> None:
    async def scenario(env: Environment) -> None:
        chance = Random(env.seed)
        starting = asyncio.create_task(env.start(runs_one, cleaning.kind, id="early"))
        for _ in range(chance.randrange(8)):
            await asyncio.sleep(0)
        # Whoever started it has gone, and is not told that it exists: what acts for them cancels it all the same.
        starting.cancel()
        await asyncio.wait([starting])
        handle = env.handle("early")
        answer = await handle.cancel("the client has left")
        await asyncio.sleep(ALL_OVER)
        try:
            status = await handle.status()
        except NotFound:
            assert answer is CancelTaskResult.NOT_FOUND
            return
        if answer is CancelTaskResult.NOT_FOUND:
            await handle.cancel("it has come behind its cancel")
            await ended(handle)
        else:
            assert status == "CANCELLED"
        assert EventType.EXECUTION_CANCELLED in (await handle.history()).types()

    explored(scenario, agents=[runs_one], tasks=[cleaning])


def test_cancel_while_the_code_is_being_started(explored: Explore) -> None:
    told_before: list[str] = []

    @task("noticing", retry=SOON)
    async def noticing(ctx: TaskContext) -> None:
        if ctx.is_cancelled:
            told_before.append(str(ctx.task_id))
        await asyncio.sleep(LONG)

    @task("noticing-on-a-thread", retry=SOON)
    def noticing_on_a_thread(ctx: TaskContext) -> None:
        while True:
            ctx.check_cancelled()
            time.sleep(QUARTER)

    async def scenario(env: Environment) -> None:
        chance = Random(env.seed)
        definition: TaskDefinition[Any, Any] = chance.choice((noticing, noticing_on_a_thread))
        handle = await env.start(runs_one, definition.kind)
        record = await task_when(handle, lambda record: True)
        await asyncio.sleep(chance.choice((0.0, 0.001, 0.002, 0.004)))
        await handle.cancel_task(record.task_id, mode=chance.choice(MODES))
        await ended(handle)
        await asyncio.sleep(ALL_OVER)
        (record,) = await handle.tasks()
        assert record.status == "CANCELLED"
        assert all(stop.state in STOP_ENDED for stop in record.stops)
        assert not told_before, "code was started that had been told to stop"

    explored(scenario, agents=[runs_one], tasks=[noticing, noticing_on_a_thread])
