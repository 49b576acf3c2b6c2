"""The same scenario under many legal orders of events, with faults in between. A seed that fails fails again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.task import TaskDefinition
from rescind.client.records import History
from rescind.runtime.ports import ClientPort
from rescind.testing.environment import Environment, SettledClientPort
from rescind.testing.history_rules import BrokenRule, check_history, unended_stops
from rescind.testing.virtual_time import VirtualTimeLoop
from rescind.testing.weather import ForgetfulServer, SeededWeather
from rescind_server.engine.machine import DEFAULT_LEASE_MS
from rescind_server.host.driver import Host

Scenario = Callable[[Environment], Awaitable[None]]
# Every so many seeds, the run is repeated and its history compared byte for byte (invariant 8).
_REPEAT_EVERY: Final = 20
_LATEST_LOSS: Final = 60


@dataclass(frozen=True, slots=True)
class ExploreReport:
    """What was explored.

    Attributes:
        seeds: how many runs there were.
        interleavings: how many of them went different ways: messages late or repeated, ties broken otherwise.
        distinct_histories: how many different histories came of it, times left out.
        losses: in how many runs the worker was lost.
        repeated: how many runs were made twice and compared byte for byte.
    """

    seeds: int
    interleavings: int
    distinct_histories: int
    losses: int
    repeated: int

    def __str__(self) -> str:
        return (
            f"{self.seeds} seeds, {self.interleavings} interleavings, {self.distinct_histories} distinct histories, "
            f"{self.losses} with a lost worker, {self.repeated} repeated byte for byte"
        )


class ExploredSeed(AssertionError):
    """A scenario failed under a seed; the same seed fails again."""


@dataclass(frozen=True, slots=True)
class _Run:
    histories: tuple[str, ...]
    shape: tuple[str, ...]
    interleaving: str
    lost: bool


def explore(
    scenario: Scenario,
    seeds: Iterable[int] = range(100),
    *,
    faults: bool = False,
    agents: Iterable[AgentDefinition[Any, Any]] = (),
    tasks: Iterable[TaskDefinition[Any, Any]] = (),
    lease_ms: int = DEFAULT_LEASE_MS,
) -> ExploreReport:
    """Run a scenario once per seed, each in an environment of its own, and check every history.

    Args:
        scenario: ``async def (env) -> None``; asserts what must hold under every seed.
        seeds: which.
        faults: also lose the worker at some message and start another, repeat messages, lose answers to callers.
        agents: registered before; the scenario may also call ``env.register(…)`` before its first start.
        tasks: likewise.
        lease_ms: how long a lost worker's attempts stay its own.

    Returns:
        How many ways it went.

    Raises:
        ExploredSeed: a seed failed; names it, and how to run it alone. Its cause is what failed.
    """
    definitions = (*agents, *tasks)
    interleavings: set[str] = set()
    shapes: set[tuple[str, ...]] = set()
    count = losses = repeated = 0
    for seed in seeds:
        run = _guarded(scenario, seed, faults, definitions, lease_ms)
        if count % _REPEAT_EVERY == 0:
            again = _guarded(scenario, seed, faults, definitions, lease_ms)
            repeated += 1
            if again.histories != run.histories:
                raise ExploredSeed(f"invariant 8: seed {seed} gave two different histories:\n{_difference(run, again)}")
        count += 1
        losses += run.lost
        interleavings.add(run.interleaving)
        shapes.add(run.shape)
    return ExploreReport(count, len(interleavings), len(shapes), losses, repeated)


def _guarded(scenario: Scenario, seed: int, faults: bool, definitions: tuple[Any, ...], lease_ms: int) -> _Run:
    weather = SeededWeather(seed, repeats=faults)
    factory = partial(VirtualTimeLoop, tie_break=weather.break_tie)
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(_run_seed(scenario, seed, faults, definitions, weather, lease_ms))
    except Exception as error:
        again = f"explore({getattr(scenario, '__name__', 'scenario')}, seeds=[{seed}], faults={faults})"
        raise ExploredSeed(
            f"seed {seed} failed: {type(error).__name__}: {error}\nIt fails again with {again}"
        ) from error


async def _run_seed(
    scenario: Scenario,
    seed: int,
    faults: bool,
    definitions: tuple[Any, ...],
    weather: SeededWeather,
    lease_ms: int,
) -> _Run:
    lost = False
    async with _Explored(seed, weather, faults, lease_ms) as env:
        env.register(*definitions)
        if faults:
            env.lose_worker_at(Random(f"loss {seed}"))
        await scenario(env)
        # Whatever was ordered to stop has stopped or is lost when the leases are over (invariant 6).
        await asyncio.sleep(2 * lease_ms / 1_000)
        await env.settled()
        lost = env.lost
        histories = [History(env.host.history(execution_id)) for execution_id in env.host.execution_ids()]
    for history in histories:
        check_history(history)
        stuck = unended_stops(history)
        if stuck:
            raise BrokenRule(f"invariant 6: an order to stop reached no end: {stuck[0]}")
    shape = tuple(" ".join(f"{event.type}:{event.task_id}" for event in history) for history in histories)
    return _Run(tuple(history.to_jsonl() for history in histories), shape, weather.interleaving(), lost)


class _Explored(Environment):
    """An environment in some weather."""

    def __init__(self, seed: int, weather: SeededWeather, faults: bool, lease_ms: int) -> None:
        super().__init__(seed=seed, weather=weather, lease_ms=lease_ms)
        self.lost = False
        self._seeded = weather
        self._faults = faults
        self._chance: Random | None = None
        self._losing: asyncio.Task[None] | None = None

    def lose_worker_at(self, chance: Random) -> None:
        """Lose the worker at some message, or, when that is far away, never."""
        self._chance = chance
        self._seeded.call_at_message(chance.randrange(1, _LATEST_LOSS), self._begin_loss)

    def _begin_loss(self) -> None:
        self._losing = asyncio.get_running_loop().create_task(self._lose())

    async def _lose(self) -> None:
        assert self._chance is not None
        self.lost = True
        await self.kill_worker()
        # Before or after the lease of what it ran.
        await asyncio.sleep(self._chance.choice((0.0, 0.001, 0.5, 1.5 * self._lease_ms / 1_000)))
        self.start_worker()

    def _client_port(self, host: Host) -> ClientPort:
        return SettledClientPort(ForgetfulServer(host, self._seed) if self._faults else host)


def _difference(run: _Run, again: _Run) -> str:
    for first, second in zip(run.histories, again.histories, strict=False):
        for one, other in zip(first.splitlines(), second.splitlines(), strict=False):
            if one != other:
                return f"  {one}\n  {other}"
    return "  one is longer than the other"
