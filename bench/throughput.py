"""How much goes through: fans of tasks, many agents at once."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from bench.figures import Figure, figure
from bench.latency import seconds_to_result
from bench.measuring import Measurement, Setting
from bench.processes import System, running_system

_AGENTS: Final = 100
_TASKS_EACH: Final = 10
_FAN: Final = 1_000


async def fan_out(setting: Setting) -> list[Figure]:
    """One agent schedules 1,000 tasks that do nothing, and joins them."""
    async with running_system(setting.folder) as system:
        await seconds_to_result(system, "fan-out", _FAN)
        measured = [_FAN / await seconds_to_result(system, "fan-out", _FAN) for _ in range(setting.pick(5, 15))]
    floor = setting.floors.fan_out
    return [figure("fan-out: one agent, 1,000 tasks, joined", measured, "tasks/s", reach="> 5,000", floor=floor)]


async def many_agents(setting: Setting) -> list[Figure]:
    """100 agents at once, with 10 tasks each."""
    async with running_system(setting.folder) as system:
        await _tasks_per_second(system)
        measured = [await _tasks_per_second(system) for _ in range(setting.pick(5, 15))]
    floor = setting.floors.fan_out
    return [figure("100 agents x 10 tasks", measured, "tasks/s", reach="> 6,000", floor=floor)]


async def _tasks_per_second(system: System) -> float:
    begun = time.perf_counter()
    await asyncio.gather(*(seconds_to_result(system, "fan-out", _TASKS_EACH) for _ in range(_AGENTS)))
    return _AGENTS * _TASKS_EACH / (time.perf_counter() - begun)


MEASUREMENTS: Final = (
    Measurement("throughput.fan-out", "one agent, 1,000 tasks that do nothing, joined", fan_out),
    Measurement("throughput.many-agents", "100 agents at once, 10 tasks each", many_agents),
)
