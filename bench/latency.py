"""How soon something happens: a cancel arrives, a step follows a step, a race is won."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final, Protocol

from bench.figures import Figure, figure
from bench.measuring import Measurement, Setting
from bench.notices import Notices, listening
from bench.processes import running_system
from rescind import ExecutionWasCancelled
from rescind.client.client import BaseClient

_CROWD: Final = 1_000
_STEPS: Final = 200
# Until a server is idle again.
_PAUSE: Final = 0.01


class Reachable(Protocol):
    """Whatever runs agents and can be called.

    Attributes:
        client: calls it.
    """

    @property
    def client(self) -> BaseClient: ...


async def one_cancel(system: Reachable, notices: Notices, *, pause: float = _PAUSE) -> float:
    """From the caller's cancel of a running task to its code seeing it, in ms; after a pause, in seconds."""
    handle = await system.client.start("held", notices.port)
    task_id = await notices.next("running")
    await asyncio.sleep(pause)
    begun = time.monotonic_ns()
    await handle.cancel_task(task_id)
    seen = int(await notices.next("seen"))
    await handle.result()
    return (seen - begun) / 1e6


async def cancels(system: Reachable, count: int) -> list[float]:
    """Many of them, one after another."""
    async with listening() as notices:
        for _ in range(10):
            await one_cancel(system, notices)
        return [await one_cancel(system, notices) for _ in range(count)]


async def cancel_idle(setting: Setting) -> list[Figure]:
    """A cancel on an idle server."""
    async with running_system(setting.folder) as system:
        measured = await cancels(system, setting.pick(60, 300))
    name, floor = "cancel call to the running code, idle server", setting.floors.cancel
    return [
        figure(name, measured, "ms", reach="< 2", floor=floor),
        figure(name, measured, "ms", statistic="p99", reach="< 5", floor=floor),
    ]


async def cancel_busy(setting: Setting) -> list[Figure]:
    """A cancel while many other tasks run."""
    async with running_system(setting.folder, slots=_CROWD + 100) as system:
        others = await system.client.start("crowd", _CROWD)
        while sum(each.started_at is not None for each in await others.tasks()) < _CROWD:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.1)
        measured = await cancels(system, setting.pick(60, 300))
        await others.cancel(hard=True)
        with suppress(ExecutionWasCancelled):
            await others.result()
    name, floor = "cancel call to the running code, 1,000 others run", setting.floors.cancel
    return [
        figure(name, measured, "ms", floor=floor),
        figure(name, measured, "ms", statistic="p99", reach="< 20", floor=floor),
    ]


async def steps(setting: Setting) -> list[Figure]:
    """Tasks one after another."""
    async with running_system(setting.folder) as system:
        await seconds_to_result(system, "steps", 20)
        measured = [await seconds_to_result(system, "steps", _STEPS) / _STEPS * 1e3 for _ in range(setting.pick(3, 10))]
    return [figure("200 tasks one after another, per step", measured, "ms", reach="< 2.5", floor=setting.floors.step)]


async def race(setting: Setting) -> list[Figure]:
    """A race of three."""
    async with running_system(setting.folder) as system:
        for _ in range(5):
            await seconds_to_result(system, "race", None)
        measured = [await seconds_to_result(system, "race", None) * 1e3 for _ in range(setting.pick(20, 100))]
    floor = setting.floors.race
    return [figure("race of three, winner after 10 ms, seen by the caller", measured, "ms", reach="< 16", floor=floor)]


async def seconds_to_result(system: Reachable, kind: str, given: object) -> float:
    """From the start of an agent to its result in the caller's hands."""
    begun = time.perf_counter()
    handle = await system.client.start(kind, given)
    await handle.result()
    return time.perf_counter() - begun


MEASUREMENTS: Final = (
    Measurement("latency.cancel-idle", "a client's cancel to the running code, on an idle server", cancel_idle),
    Measurement("latency.cancel-busy", "the same while 1,000 other tasks run", cancel_busy),
    Measurement("latency.steps", "200 tasks one after another", steps),
    Measurement("latency.race", "a race of three, whose winner takes 10 ms", race),
)
