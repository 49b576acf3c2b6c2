"""The engine alone, and embedded: ``python -m bench.engine``."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable

import rescind
from bench.measuring import Figure, figure, rounds, save, seconds_of, show
from rescind import AgentContext, TaskContext, agent, task
from rescind.embedding import Embedded
from rescind.model.commands import Started, StartExecution
from rescind.model.ids import ExecutionId, Instant, WorkerId, task_id_from_key
from rescind.model.messages import (
    AgentCompleted,
    AgentKind,
    AgentProgress,
    TaskActivation,
    TaskReported,
    WorkerJoined,
)
from rescind.model.operations import AwaitTasks, ScheduleTask, WaitCondition
from rescind.model.payload import NULL_PAYLOAD
from rescind.testing import Environment, explore, run
from rescind_server.engine.machine import Engine


@task("nothing")
async def nothing(ctx: TaskContext) -> None:
    """The smallest task."""


@agent("fan-out")
async def fan_out(ctx: AgentContext, count: int) -> int:
    """Schedules many tasks at once and joins them."""
    return len(await ctx.join_all([ctx.schedule(nothing) for _ in range(count)]))


@agent("waiting")
async def waiting(ctx: AgentContext) -> None:
    """Waits for a signal that does not come."""
    await ctx.wait_for_signal_raw("never")


@agent("race")
async def race(ctx: AgentContext) -> None:
    """The smallest race."""
    await ctx.select_ok_with_cancel([ctx.schedule(nothing) for _ in range(3)])


def engine_fan_out(count: int) -> tuple[int, float]:
    """One agent with `count` tasks through the bare engine: transitions, and seconds."""
    engine = Engine()
    engine.decide(WorkerJoined(WorkerId("w"), 1, ("default",), (AgentKind("a"),), ("t",), task_slots=count), Instant(1))
    reply = engine.decide(StartExecution("a"), Instant(2)).reply
    assert isinstance(reply, Started)
    execution_id = reply.execution_id
    batch = _batch(execution_id, count)
    gc.collect()
    begun = time.perf_counter()
    decision = engine.decide(batch, Instant(3))
    transitions = len(decision.events)
    for _, message in decision.pushes:
        assert isinstance(message, TaskActivation)
        reported = engine.decide(TaskReported(message.task_id, message.lease, NULL_PAYLOAD), Instant(4))
        transitions += len(reported.events)
    ended = engine.decide(AgentProgress(execution_id, 1, 2, (), AgentCompleted(NULL_PAYLOAD)), Instant(5))
    return transitions + len(ended.events), time.perf_counter() - begun


def _batch(execution_id: ExecutionId, count: int) -> AgentProgress:
    ids = [task_id_from_key(f"{execution_id}:{place}") for place in range(count)]
    schedules = [ScheduleTask(place + 1, ids[place], "t", NULL_PAYLOAD) for place in range(count)]
    wait = AwaitTasks(count + 1, tuple(ids), WaitCondition.ALL_COMPLETED)
    return AgentProgress(execution_id, 1, 1, (*schedules, wait))


def embedded_fan_out(count: int) -> float:
    """Tasks per second of one agent on the embedded engine, in real time."""

    async def scenario() -> float:
        async with Embedded(agents=[fan_out], tasks=[nothing], slots=count) as env:
            await (await env.start(fan_out, 10)).result()
            begun = time.perf_counter()
            await (await env.start(fan_out, count)).result()
            return count / (time.perf_counter() - begun)

    return asyncio.run(scenario())


def asyncio_fan_out(count: int) -> float:
    """The floor: as many asyncio tasks that do nothing, gathered; per second."""

    async def nothing_at_all() -> None:
        await asyncio.sleep(0)

    async def scenario() -> float:
        begun = time.perf_counter()
        await asyncio.gather(*(nothing_at_all() for _ in range(count)))
        return count / (time.perf_counter() - begun)

    return asyncio.run(scenario())


def waiting_agent_bytes(count: int) -> float:
    """Memory of one waiting agent, engine and worker together."""

    async def scenario() -> float:
        async with Embedded(agents=[waiting]) as env:
            for place in range(10):
                await env.start(waiting, id=f"warm-{place}")
            await asyncio.sleep(0.05)
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            for place in range(count):
                await env.start(waiting, id=f"agent-{place}")
            await asyncio.sleep(0.05)
            gc.collect()
            after = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
            return (after - before) / count

    return asyncio.run(scenario())


def a_day_of_races(count: int) -> float:
    """Races per second in virtual time, one after the other."""

    async def scenario() -> None:
        async with Environment(agents=[race], tasks=[nothing]) as env:
            for _ in range(count):
                await (await env.start(race)).result()

    return count / seconds_of(lambda: run(scenario(), wall_clock=False))


def explored_seeds(count: int) -> float:
    """Seeds per second that `explore` goes through, with faults."""

    async def scenario(env: Environment) -> None:
        await (await env.start(race, id="race")).result()

    return count / seconds_of(
        lambda: explore(scenario, seeds=range(count), faults=True, agents=[race], tasks=[nothing])
    )


def first_line_of_the_demo() -> float:
    """Milliseconds from typing ``rescind demo`` to its first line."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "rescind", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return (time.perf_counter() - begun) * 1_000


def cost_per_task(count: int) -> float:
    """Microseconds per task in the bare engine, for fan-outs of one size."""
    return engine_fan_out(count)[1] / count * 1e6


def rate(transitions_and_seconds: tuple[int, float]) -> float:
    transitions, seconds = transitions_and_seconds
    return transitions / seconds


def figures() -> list[Figure]:
    """Every figure of this file, in the order in which it is shown."""
    floor = figure("", rounds(lambda: asyncio_fan_out(1_000)), "").value
    costs: list[tuple[str, Callable[[], float]]] = [
        (f"engine: cost per task, fan-out of {count:,}", lambda count=count: cost_per_task(count))  # type: ignore[misc]
        for count in (1_000, 10_000, 100_000)
    ]
    return [
        figure("engine: transitions", rounds(lambda: rate(engine_fan_out(10_000))), "1/s", reach="> 100,000"),
        *(figure(name, rounds(measure, 3), "µs", reach="flat") for name, measure in costs),
        figure("plain asyncio: 1,000 tasks that do nothing", [floor], "1/s"),
        figure(
            "embedded: fan-out of 1,000 tasks that do nothing",
            rounds(lambda: embedded_fan_out(1_000)),
            "1/s",
            reach="> 10,000",
            floor=floor,
        ),
        figure("embedded: fan-out of 10,000", rounds(lambda: embedded_fan_out(10_000), 3), "1/s", floor=floor),
        figure(
            "embedded: memory of a waiting agent",
            rounds(lambda: waiting_agent_bytes(2_000), 3),
            "bytes",
            reach="< 10,240",
        ),
        figure("virtual time: races one after the other", rounds(lambda: a_day_of_races(300), 3), "1/s"),
        figure("explore: seeds with faults", rounds(lambda: explored_seeds(300), 3), "1/s"),
        figure("rescind demo: first line", rounds(first_line_of_the_demo, 5), "ms", reach="< 1,000"),
    ]


def main() -> None:
    """Measure, show, save."""
    measured = figures()
    print(f"rescind {rescind.__version__}")
    show(measured)
    print(f"written to {save('engine', measured)}")


if __name__ == "__main__":
    main()
