"""A worker's life: slots and queues, leaving in order, ending at once."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from rescind import AgentContext, CancelMode, InvalidInput, TaskContext, TaskDefinition, agent, task
from rescind.testing import Environment


class Load:
    """How many attempts run at once, and in what order they began."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.begun: list[Any] = []

    def __enter__(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)

    def __exit__(self, *_: object) -> None:
        self.running -= 1


def working(load: Load) -> TaskDefinition[list[float], float]:
    """A task that takes as long as it is told, and counts itself."""

    @task("work")
    async def work(ctx: TaskContext, order: list[float]) -> float:
        with load:
            load.begun.append(order[0])
            await asyncio.sleep(order[1])
            return order[0]

    return work


@pytest.mark.rescind(slots=3)
async def test_never_more_attempts_than_slots_and_the_queue_keeps_its_order(rescind_env: Environment) -> None:
    load = Load()
    work = working(load)

    @agent("fan-out")
    async def fan_out(ctx: AgentContext) -> list[float]:
        return await ctx.join_all([ctx.schedule(work, [number, 1.0]) for number in range(10)])

    rescind_env.register(work, fan_out)
    assert await (await rescind_env.start(fan_out)).result() == list(range(10))
    assert (load.most, load.begun) == (3, list(range(10)))
    assert rescind_env.elapsed() == timedelta(seconds=4)


@pytest.mark.rescind(slots=2)
async def test_work_that_is_being_stopped_keeps_its_slot_until_it_has_stopped(rescind_env: Environment) -> None:
    load = Load()

    @task("lingers")
    async def lingers(ctx: TaskContext, seconds: float) -> None:
        with load:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(seconds)

    @task("next")
    async def following(ctx: TaskContext) -> float:
        with load:
            return ctx.attempt

    @agent("busy")
    async def busy(ctx: AgentContext) -> int:
        old = [ctx.schedule(lingers, 5.0), ctx.schedule(lingers, 5.0)]
        await ctx.sleep(1)
        await old[0].cancel()
        await old[1].cancel(mode=CancelMode.WAIT)
        await ctx.schedule(following)
        return ctx.now().second

    rescind_env.register(lingers, following, busy)
    assert await (await rescind_env.start(busy)).result() == 6
    assert load.most == 2


@pytest.mark.rescind(slots=2)
async def test_plain_functions_take_slots_like_all_others(rescind_env: Environment) -> None:
    load = Load()

    @task("plain")
    def plain(ctx: TaskContext) -> None:
        with load:
            time.sleep(1)

    @agent("fan-out")
    async def fan_out(ctx: AgentContext) -> None:
        await ctx.join_all([ctx.schedule(plain) for _ in range(5)])

    rescind_env.register(plain, fan_out)
    await (await rescind_env.start(fan_out)).result()
    assert (load.most, rescind_env.elapsed()) == (2, timedelta(seconds=3))


async def test_a_worker_takes_work_from_its_queues_alone(rescind_env: Environment) -> None:
    @task("where")
    async def where(ctx: TaskContext) -> None: ...

    @agent("spread")
    async def spread(ctx: AgentContext) -> None:
        await ctx.join_all([ctx.schedule(where, queue=queue) for queue in ("gpu", "default", "gpu")])

    rescind_env.register(where, spread)
    rescind_env.start_worker()
    rescind_env.start_worker(queues=["gpu"])
    handle = await rescind_env.start(spread)
    await handle.result()
    starts = [event for event in await handle.history() if event.type == "TASK_STARTED"]
    assert [(event.details or {})["worker"] for event in starts] == ["worker-2", "worker-1", "worker-2"]


async def test_two_workers_share_a_queue(rescind_env: Environment) -> None:
    load = Load()
    work = working(load)

    @agent("fan-out")
    async def fan_out(ctx: AgentContext) -> list[float]:
        return await ctx.join_all([ctx.schedule(work, [number, 1.0]) for number in range(6)])

    rescind_env.register(work, fan_out)
    for _ in range(2):
        rescind_env.start_worker(slots=2)
    assert await (await rescind_env.start(fan_out)).result() == list(range(6))
    assert (load.most, rescind_env.elapsed()) == (4, timedelta(seconds=2))


def test_a_worker_without_slots_or_queues_is_refused() -> None:
    async def start(**options: Any) -> None:
        async with Environment() as env:
            env.start_worker(**options)

    from rescind.testing import run  # noqa: PLC0415

    with pytest.raises(InvalidInput, match="at least one"):
        run(start(slots=0))
    with pytest.raises(InvalidInput, match="at least one"):
        run(start(queues=[]))


# --- leaving ---------------------------------------------------------------------------------------------------------


@pytest.mark.rescind(lease_ms=2_000)
async def test_a_worker_that_stops_lets_its_attempts_end_however_long_they_take(rescind_env: Environment) -> None:
    load = Load()
    work = working(load)

    @agent("long")
    async def long(ctx: AgentContext) -> list[float]:
        return await ctx.join_all([ctx.schedule(work, [1, 30.0]), ctx.schedule(work, [2, 60.0])])

    rescind_env.register(work, long)
    leaving = rescind_env.start_worker()
    handle = await rescind_env.start(long)
    await asyncio.sleep(1)
    stopping = asyncio.create_task(leaving.stop())
    await asyncio.sleep(1)
    rescind_env.start_worker()
    assert await handle.result() == [1, 2]
    await stopping
    assert rescind_env.elapsed() == timedelta(seconds=60)
    assert [each.attempts for each in await handle.tasks()] == [1, 1]
    assert load.begun == [1, 2]


async def test_a_worker_that_stops_takes_nothing_new(rescind_env: Environment) -> None:
    load = Load()
    work = working(load)

    @agent("following")
    async def following(ctx: AgentContext) -> float:
        await ctx.schedule(work, [1, 5.0])
        return await ctx.schedule(work, [2, 5.0])

    rescind_env.register(work, following)
    leaving = rescind_env.start_worker()
    handle = await rescind_env.start(following)
    await asyncio.sleep(1)
    stopping = asyncio.create_task(leaving.stop())
    await asyncio.sleep(60)
    assert stopping.done()
    assert load.begun == [1]
    assert await handle.status() == "PENDING"
    rescind_env.start_worker()
    assert await handle.result() == 2
    assert [each.attempts for each in await handle.tasks()] == [1, 1]


async def test_while_a_worker_stops_its_agents_go_on_with_another(rescind_env: Environment) -> None:
    load = Load()
    work = working(load)

    @agent("mixed")
    async def mixed(ctx: AgentContext) -> list[float]:
        long = ctx.schedule(work, [1, 60.0])
        await ctx.schedule(work, [2, 5.0])
        await ctx.schedule(work, [3, 5.0])
        at = ctx.now().second
        return [at, await long]

    rescind_env.register(work, mixed)
    leaving = rescind_env.start_worker()
    handle = await rescind_env.start(mixed)
    await asyncio.sleep(1)
    rescind_env.start_worker()
    await leaving.stop()
    assert await handle.result() == [10, 1]
    starts = [event for event in await handle.history() if event.type == "TASK_STARTED"]
    assert [(event.details or {})["worker"] for event in starts] == ["worker-1", "worker-1", "worker-2"]


async def test_a_worker_that_stops_still_hears_that_its_work_is_to_stop(rescind_env: Environment) -> None:
    @task("hangs")
    async def hangs(ctx: TaskContext) -> None:
        await asyncio.Event().wait()

    @agent("waiting")
    async def waiting(ctx: AgentContext) -> None:
        await ctx.schedule(hangs)

    rescind_env.register(hangs, waiting)
    leaving = rescind_env.start_worker()
    handle = await rescind_env.start(waiting)
    await asyncio.sleep(1)
    stopping = asyncio.create_task(leaving.stop())
    await asyncio.sleep(1)
    (record,) = await handle.tasks()
    assert await handle.cancel_task(record.task_id) == "CANCELLED"
    await stopping
    (record,) = await handle.tasks()
    assert (record.status, record.stop_state) == ("CANCELLED", "STOPPED")
    assert rescind_env.elapsed() == timedelta(seconds=2)


async def test_a_worker_with_nothing_to_do_stops_at_once_and_twice(rescind_env: Environment) -> None:
    worker = rescind_env.start_worker()
    await asyncio.sleep(1)
    await worker.stop()
    await worker.stop()
    assert rescind_env.elapsed() == timedelta(seconds=1)


async def test_a_step_that_runs_when_its_worker_stops_is_waited_for_and_not_made_again(
    rescind_env: Environment,
) -> None:
    made: list[str] = []

    async def make() -> str:
        made.append("begun")
        await asyncio.sleep(5)
        made.append("made")
        return "thing"

    @agent("making")
    async def making(ctx: AgentContext) -> str:
        return await ctx.run(make)

    rescind_env.register(making)
    leaving = rescind_env.start_worker()
    handle = await rescind_env.start(making)
    await asyncio.sleep(1)
    rescind_env.start_worker()
    await leaving.stop()
    assert await handle.result() == "thing"
    assert made == ["begun", "made"]


async def test_agents_are_handed_back_at_once_and_run_on_elsewhere(rescind_env: Environment) -> None:
    @agent("sleeping")
    async def sleeping(ctx: AgentContext) -> str:
        await ctx.sleep(10)
        return "awake"

    rescind_env.register(sleeping)
    leaving = rescind_env.start_worker()
    handle = await rescind_env.start(sleeping)
    await asyncio.sleep(1)
    await leaving.stop()
    rescind_env.start_worker()
    assert await handle.result() == "awake"
    assert rescind_env.elapsed() == timedelta(seconds=10)


async def test_a_worker_abandoned_while_it_stops_stops_waiting(rescind_env: Environment) -> None:
    @task("hangs")
    async def hangs(ctx: TaskContext) -> None:
        await asyncio.Event().wait()

    @agent("waiting")
    async def waiting(ctx: AgentContext) -> None:
        await ctx.schedule(hangs)

    rescind_env.register(hangs, waiting)
    worker = rescind_env.start_worker()
    await rescind_env.start(waiting)
    await asyncio.sleep(1)
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(1)
    worker.abandon()
    await asyncio.wait_for(stopping, 1)


@pytest.mark.rescind(lease_ms=5_000)
async def test_the_attempts_of_a_lost_worker_are_tried_again_when_its_lease_ends(rescind_env: Environment) -> None:
    load = Load()
    work = working(load)

    @agent("patient")
    async def patient(ctx: AgentContext) -> float:
        return await ctx.schedule(work, [1, 10.0])

    rescind_env.register(work, patient)
    handle = await rescind_env.start(patient)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    assert await handle.result() == 1
    # Lost at 1 s, its lease ends at 6 s, the pause at 7 s.
    assert rescind_env.elapsed() == timedelta(seconds=17)
    assert [each.attempts for each in await handle.tasks()] == [2]


@pytest.mark.parametrize("is_told", [False, True])
async def test_a_lost_worker_waits_for_no_thread_that_hangs(rescind_env: Environment, is_told: bool) -> None:
    @task("stuck")
    def stuck(ctx: TaskContext) -> None:
        time.sleep(10_000)

    @agent("waiting")
    async def waiting(ctx: AgentContext) -> None:
        await ctx.schedule(stuck)

    rescind_env.register(stuck, waiting)
    handle = await rescind_env.start(waiting)
    await asyncio.sleep(1)
    if is_told:
        await handle.cancel()
    before = asyncio.all_tasks()
    await rescind_env.kill_worker()
    await asyncio.sleep(0)
    assert not [each for each in before - asyncio.all_tasks() if not each.done()]
    await asyncio.sleep(1)
    assert not any("Attempt._run" in repr(each.get_coro()) for each in asyncio.all_tasks())


async def test_what_ends_at_one_instant_is_told_to_the_agent_at_once(rescind_env: Environment) -> None:
    work = working(Load())

    @agent("gathering")
    async def gathering(ctx: AgentContext) -> int:
        return len(await asyncio.gather(*(ctx.schedule(work, [number, 1.0]) for number in range(100))))

    rescind_env.register(work, gathering)
    handle = await rescind_env.start(gathering)
    assert await handle.result() == 100
    activations = [event for event in await handle.history() if event.type == "EXECUTION_ACTIVATED"]
    assert len(activations) == 3  # its start, the first of the ends, and all others together
