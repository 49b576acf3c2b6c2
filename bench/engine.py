"""The engine alone, and embedded.

Each measurement runs in a process of its own: ``python -m bench.engine NAME ROUNDS`` prints its samples as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Final

from bench.figures import Figure, Series, figure, spread
from bench.measuring import Measurement, Setting, rounds, seconds_of
from bench.processes import json_of
from bench.workload import fan_out, nothing, waiting
from rescind import AgentContext, agent
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


def cost_per_task(count: int) -> float:
    """Microseconds per task in the bare engine, for fan-outs of one size."""
    return engine_fan_out(count)[1] / count * 1e6


def rate(transitions_and_seconds: tuple[int, float]) -> float:
    transitions, seconds = transitions_and_seconds
    return transitions / seconds


SAMPLES: Final[Mapping[str, Callable[[], float]]] = {
    "transitions": lambda: rate(engine_fan_out(10_000)),
    "cost-1000": lambda: cost_per_task(1_000),
    "cost-10000": lambda: cost_per_task(10_000),
    "cost-100000": lambda: cost_per_task(100_000),
    "fan-out-1000": lambda: embedded_fan_out(1_000),
    "fan-out-10000": lambda: embedded_fan_out(10_000),
    "waiting-agent": lambda: waiting_agent_bytes(2_000),
    "races": lambda: a_day_of_races(300),
    "seeds": lambda: explored_seeds(300),
}


async def samples_of(name: str, count: int) -> list[float]:
    """Take samples of one of these in a process of its own."""
    taken: list[float] = await json_of("-m", "bench.engine", name, str(count))
    return taken


async def transitions(setting: Setting) -> list[Figure | Series]:
    """Transitions per second in the bare engine, and the cost of a task in fan-outs of several sizes."""
    counts = setting.pick((1_000, 10_000), (1_000, 10_000, 100_000))
    few = setting.pick(2, 3)
    costs = tuple([spread(await samples_of(f"cost-{count}", few)) for count in counts])
    at = tuple(map(float, counts))
    rates = await samples_of("transitions", setting.pick(3, 5))
    floor = setting.floors.running
    return [
        figure("engine: transitions", rates, "1/s", reach="> 100,000", floor=floor),
        Series(
            name="engine-tasks", amount="tasks", operation="bare engine, per task", unit="µs", amounts=at, costs=costs
        ),
    ]


async def embedded(setting: Setting) -> list[Figure]:
    """Fan-outs on the embedded engine, and the memory of an agent that waits."""
    few = setting.pick(2, 5)
    floor = setting.floors.running
    record = setting.floors.record
    thousand = await samples_of("fan-out-1000", few)
    waiting_agent = await samples_of("waiting-agent", few)
    return [
        figure("embedded: fan-out of 1,000", thousand, "tasks/s", reach="> 10,000", floor=floor),
        figure(
            "embedded: fan-out of 10,000",
            await samples_of("fan-out-10000", few),
            "tasks/s",
            better="higher",
            floor=floor,
        ),
        figure("embedded: memory of a waiting agent", waiting_agent, "bytes", reach="< 10,240", floor=record),
    ]


async def virtual_time(setting: Setting) -> list[Figure]:
    """Races in virtual time, and seeds of `explore`."""
    few = setting.pick(2, 3)
    floor = setting.floors.running
    return [
        figure(
            "virtual time: races one after another", await samples_of("races", few), "1/s", better="higher", floor=floor
        ),
        figure("explore: seeds with faults", await samples_of("seeds", few), "1/s", better="higher", floor=floor),
    ]


MEASUREMENTS: Final = (
    Measurement("engine.transitions", "the bare engine: transitions, and cost per task", transitions),
    Measurement("engine.embedded", "embedded: fan-outs, and the memory of an agent that waits", embedded),
    Measurement("engine.virtual-time", "races in virtual time, seeds of explore", virtual_time),
)


if __name__ == "__main__":
    print(json.dumps(rounds(SAMPLES[sys.argv[1]], int(sys.argv[2]))))
