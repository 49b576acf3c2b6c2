"""The same agents on everything that can run them, side by side: embedded, our server, Temporal's development server.

Each has one worker with the same slots, and runs alone on the machine while it is measured. What each of them has on
the disk when it answers stands in its name: there is nothing to compare between one that waits for a disk and one that
does not.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import rescind
from bench.figures import Figure, figure
from bench.latency import Reachable, one_cancel, seconds_to_result
from bench.measuring import Measurement, Setting
from bench.notices import listening
from bench.processes import DEFAULT_SLOTS, running_system
from bench.temporal_system import running_temporal
from rescind.cli.definitions import definitions_at

_FAN: Final = 300
_STEPS: Final = 200
_LONGEST_PAUSE: Final = 0.5


@dataclass(frozen=True)
class Backend:
    """Something that runs agents.

    Attributes:
        name: what it is, and what it has on the disk when it answers.
        open: starts it in an empty folder with a worker, and ends it with the block.
    """

    name: str
    open: Callable[[Path], AbstractAsyncContextManager[Reachable]]


@asynccontextmanager
async def _embedded(folder: Path, store: str | None = None) -> AsyncIterator[Reachable]:
    found = definitions_at("bench.workload")
    file = folder / store if store is not None else None
    async with rescind.embedded(found.agents, found.tasks, slots=DEFAULT_SLOTS, store=file) as environment:
        environment.start_worker()
        yield environment


BACKENDS: Final = (
    Backend("embedded, memory", _embedded),
    Backend("embedded, file, fsync", lambda folder: _embedded(folder, "store.db")),
    Backend("server, file, fsync", running_system),
    Backend("Temporal, memory", running_temporal),
    Backend("Temporal, file, fsync", lambda folder: running_temporal(folder, database=True, tuned=True)),
    Backend("Temporal, file as shipped, fsync", lambda folder: running_temporal(folder, database=True)),
)
CANCELS_BY_HEARTBEAT: Final = (
    Backend("Temporal, memory, by heartbeats", lambda folder: running_temporal(folder, dynamic_config={})),
    Backend(
        "Temporal, memory, by heartbeats within 100 ms",
        lambda folder: running_temporal(folder, dynamic_config={}, cancel_within_ms=100),
    ),
)


async def fan_out(setting: Setting) -> list[Figure]:
    """One agent schedules 300 tasks that do nothing, and joins them."""

    async def measure(system: Reachable) -> list[float]:
        await seconds_to_result(system, "fan-out", _FAN)
        return [_FAN / await seconds_to_result(system, "fan-out", _FAN) for _ in range(setting.pick(3, 7))]

    found = await _side_by_side(setting, BACKENDS, measure)
    return [figure(f"fan-out of 300: {name}", taken, "tasks/s", better="higher") for name, taken in found.items()]


async def steps(setting: Setting) -> list[Figure]:
    """Tasks one after another."""

    async def measure(system: Reachable) -> list[float]:
        await seconds_to_result(system, "steps", 20)
        return [await seconds_to_result(system, "steps", _STEPS) / _STEPS * 1e3 for _ in range(setting.pick(2, 5))]

    found = await _side_by_side(setting, BACKENDS, measure)
    return [figure(f"200 in a row, per step: {name}", taken, "ms") for name, taken in found.items()]


async def race(setting: Setting) -> list[Figure]:
    """A race of three, whose winner takes 10 ms."""

    async def measure(system: Reachable) -> list[float]:
        for _ in range(5):
            await seconds_to_result(system, "race", None)
        return [await seconds_to_result(system, "race", None) * 1e3 for _ in range(setting.pick(20, 50))]

    found = await _side_by_side(setting, BACKENDS, measure)
    return [figure(f"race of three: {name}", taken, "ms") for name, taken in found.items()]


async def cancel(setting: Setting) -> list[Figure]:
    """A caller's cancel of a running task, until its code sees it; at any moment between two heartbeats."""
    moments = random.Random(5)

    async def measure(system: Reachable) -> list[float]:
        async with listening() as notices:
            for _ in range(3):
                await one_cancel(system, notices)
            return [
                await one_cancel(system, notices, pause=moments.uniform(0.01, _LONGEST_PAUSE))
                for _ in range(setting.pick(20, 50))
            ]

    found = await _side_by_side(setting, (*BACKENDS, *CANCELS_BY_HEARTBEAT), measure)
    medians = [figure(f"cancel to running code: {name}", taken, "ms") for name, taken in found.items()]
    tails = [figure(f"cancel to running code: {name}", taken, "ms", statistic="p99") for name, taken in found.items()]
    return medians + tails


async def _side_by_side(
    setting: Setting, backends: Sequence[Backend], measure: Callable[[Reachable], Awaitable[list[float]]]
) -> dict[str, list[float]]:
    """What each of them takes, by name, one after another."""
    found: dict[str, list[float]] = {}
    for number, backend in enumerate(backends):
        folder = setting.folder / str(number)
        folder.mkdir()
        async with backend.open(folder) as system:
            found[backend.name] = await measure(system)
    return found


MEASUREMENTS: Final = (
    Measurement("backends.fan-out", "one agent, 300 tasks, joined: on each backend", fan_out, limit=300.0),
    Measurement("backends.steps", "200 tasks one after another: on each backend", steps, limit=300.0),
    Measurement("backends.race", "a race of three, whose winner takes 10 ms: on each backend", race, limit=300.0),
    Measurement("backends.cancel", "a cancel to the running code: on each backend", cancel, limit=300.0),
)
