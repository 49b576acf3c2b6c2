"""The same scenario under many legal orders of events, with faults in between. A seed that fails fails again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.task import TaskDefinition
from rescind.authoring.workflow import WorkflowDefinition
from rescind.client.records import History
from rescind.errors import WrongEventLoop
from rescind.model.events import EventType, HistoryEvent
from rescind.testing.disturbances import CalmEnvironment, Disturbance, DisturbedEnvironment, disturbances_of
from rescind.testing.environment import Environment
from rescind.testing.history_rules import BrokenRule, check_history, unended_stops
from rescind.testing.virtual_time import VirtualTimeLoop
from rescind.testing.wall_clock import following_wall_clock
from rescind.testing.weather import SeededWeather
from rescind_server.engine.machine import DEFAULT_LEASE_MS

Scenario = Callable[[Environment], Awaitable[None]]
Definition = AgentDefinition[Any, Any] | TaskDefinition[Any, Any] | WorkflowDefinition[Any, Any]

# Every so many seeds, the run is repeated and its history compared byte for byte (invariant 8).
_REPEAT_EVERY: Final = 20
_EXECUTIONS_SHOWN: Final = 3
_EVENTS_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class ExploreReport:
    """What was explored.

    Attributes:
        seeds: how many runs there were.
        interleavings: how many of them went different ways: messages arrived in another order, again, or not at all.
        distinct_histories: how many different histories came of it, times and ids left out.
        messages: how many messages an undisturbed run has.
        losses: in how many runs a worker was lost.
        cuts: in how many runs a worker was cut off, and came back.
        lost_at: at how many different messages a worker was lost.
        repeated: how many runs were made twice and compared byte for byte.
        digests: for each seed a hash over its histories, byte for byte; the same seed gives the same.
    """

    seeds: int
    interleavings: int
    distinct_histories: int
    messages: int
    losses: int
    cuts: int
    lost_at: int
    repeated: int
    digests: tuple[str, ...] = field(repr=False)

    def __str__(self) -> str:
        told = (
            f"{self.seeds:,} seeds: {self.interleavings:,} interleavings, "
            f"{self.distinct_histories:,} distinct histories"
        )
        if self.losses or self.cuts:
            told += (
                f"; worker lost in {self.losses:,} runs at {self.lost_at:,} places of {self.messages:,}, "
                f"cut off in {self.cuts:,}"
            )
        return f"{told}; {self.repeated:,} repeated byte for byte"


class ExploredSeed(AssertionError):
    """A scenario failed under a seed; the same seed fails again.

    Attributes:
        seed: which; None if it failed without any delay or fault.
    """

    def __init__(self, message: str, seed: int | None = None) -> None:
        super().__init__(message)
        self.seed = seed


@dataclass(frozen=True, slots=True)
class _Run:
    histories: tuple[History, ...]
    interleaving: str
    lost_at: tuple[int, ...]
    cuts: int

    def text(self) -> str:
        return "\n".join(history.to_jsonl() for history in self.histories)


def explore(
    scenario: Scenario,
    seeds: Iterable[int] = range(100),
    *,
    faults: bool = False,
    agents: Iterable[AgentDefinition[Any, Any]] = (),
    tasks: Iterable[TaskDefinition[Any, Any]] = (),
    workflows: Iterable[WorkflowDefinition[Any, Any]] = (),
    lease_ms: int = DEFAULT_LEASE_MS,
) -> ExploreReport:
    """Run a scenario once per seed, each in an environment of its own in virtual time, and check every history.

    A seed decides how late each message is, which of two things due at one instant comes first, and how long a commit
    takes. It is a plain function, for plain tests: ``def test_…(): explore(scenario, …)``.

    Args:
        scenario: ``async def (env) -> None``; asserts what must hold under every seed.
        seeds: which. With faults, four times as many in a row as a run has messages lose a worker at each of them.
        faults: also lose workers or cut them off for a while, deliver messages and requests twice, lose questions and
            answers of callers. Whoever then asks again may hear ALREADY_CANCELLED of its own cancel.
        agents: registered before; the scenario may also call ``env.register(…)`` before its first start.
        tasks: likewise.
        workflows: likewise.
        lease_ms: how long a lost worker's attempts stay its own.

    Returns:
        How many ways it went.

    Raises:
        ExploredSeed: a seed failed; names it, and how to run it alone. Its cause is what failed.
        WrongEventLoop: called from code of a running event loop.
    """
    _refuse_running_loop()
    exploration = _Exploration(scenario, faults, (*agents, *tasks, *workflows), lease_ms)
    with following_wall_clock():
        return exploration.run(seeds)


def _refuse_running_loop() -> None:
    outer = asyncio._get_running_loop()
    if outer is not None:
        raise WrongEventLoop(
            f"explore() opens an event loop for each seed, but {type(outer).__name__} is running here. Call it from a "
            "plain function: `def test_…():`, not `async def test_…():`"
        )


class _Exploration:
    """One call of `explore`."""

    def __init__(self, scenario: Scenario, faults: bool, definitions: Sequence[Definition], lease_ms: int) -> None:
        self._scenario = scenario
        self._name = getattr(scenario, "__name__", "scenario")
        self._faults = faults
        self._definitions = definitions
        self._lease_ms = lease_ms
        self._messages = 1
        self._uncaught: list[BaseException] = []

    def run(self, seeds: Iterable[int]) -> ExploreReport:
        if self._faults:
            self._messages = self._count_messages()
        interleavings: set[str] = set()
        shapes: set[int] = set()
        lost_at: set[int] = set()
        digests: list[str] = []
        count = losses = cuts = repeated = 0
        for seed in seeds:
            run = self._run_seed(seed)
            text = run.text()
            if count % _REPEAT_EVERY == 0:
                self._compare(seed, text, self._run_seed(seed).text())
                repeated += 1
            count += 1
            losses += bool(run.lost_at)
            cuts += bool(run.cuts)
            lost_at.update(place for place in run.lost_at if place <= self._messages)
            interleavings.add(run.interleaving)
            shapes.add(hash(tuple(_shape(history) for history in run.histories)))
            digests.append(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
        return ExploreReport(
            count,
            len(interleavings),
            len(shapes),
            self._messages,
            losses,
            cuts,
            len(lost_at),
            repeated,
            tuple(digests),
        )

    def _count_messages(self) -> int:
        env = CalmEnvironment(0, self._lease_ms)
        try:
            _run_on(VirtualTimeLoop, self._play(env))
        except Exception as error:  # the scenario's failed assertions and errors are what is looked for
            first = self._first(error, env)
            raise ExploredSeed(
                f"{self._name} failed where nothing was late and nothing was lost: {_told(first, env)}"
            ) from first
        return max(1, env.weather.messages)

    def _run_seed(self, seed: int) -> _Run:
        weather = SeededWeather(seed, repeats=self._faults)
        plan = disturbances_of(seed, self._messages) if self._faults else ()
        env = DisturbedEnvironment(seed, weather, plan, faults=self._faults, lease_ms=self._lease_ms)
        replay = f"It fails again with explore({self._name}, seeds=[{seed}], faults={self._faults})"
        try:
            histories = _run_on(partial(VirtualTimeLoop, tie_break=weather.break_tie), self._play(env))
        except (Exception, asyncio.CancelledError) as error:  # as above, and a cancel that got out of the scenario
            first = self._first(error, env)
            raise ExploredSeed(f"seed {seed} failed: {_told(first, env)}\n{replay}", seed) from first
        except BaseException as error:
            # pytest.fail and its kin, which must stay what they are.
            error.add_note(f"under seed {seed} of explore. {replay}")
            raise
        lost_at = tuple(each.message for each in env.happened if each.what is Disturbance.LOSS)
        return _Run(histories, weather.interleaving(), lost_at, len(env.happened) - len(lost_at))

    async def _play(self, env: Environment) -> tuple[History, ...]:
        _note_uncaught(self._uncaught)
        async with env:
            env.register(*self._definitions)
            await self._scenario(env)
            # Whatever was ordered to stop has stopped or is lost when the leases are over (invariant 6).
            await asyncio.sleep(2 * self._lease_ms / 1_000)
            if isinstance(env, DisturbedEnvironment):
                await env.until_undisturbed()
            await env.settled()
            histories = tuple(History(env.host.history(each)) for each in env.host.execution_ids())
        if self._uncaught:
            raise self._uncaught[0]
        for history in histories:
            check_history(history)
            stuck = unended_stops(history)
            if stuck:
                raise BrokenRule("invariant 6: an order to stop reached no end", stuck[0], history)
        return histories

    def _first(self, error: BaseException, env: Environment) -> BaseException:
        """What failed first: a scenario also fails when the engine, or a callback, under it has."""
        return next(iter(self._uncaught), None) or env.host.failure or error

    def _compare(self, seed: int, text: str, again: str) -> None:
        if text == again:
            return
        for one, other in zip(text.splitlines(), again.splitlines(), strict=False):
            if one != other:
                difference = f"  {one}\n  {other}"
                break
        else:
            difference = "  one is longer than the other"
        raise ExploredSeed(
            f"invariant 8: seed {seed} of {self._name} gave two different histories:\n{difference}", seed
        )


def _run_on(factory: Callable[[], asyncio.AbstractEventLoop], play: Any) -> tuple[History, ...]:
    with asyncio.Runner(loop_factory=factory) as runner:
        histories: tuple[History, ...] = runner.run(play)
        return histories


def _note_uncaught(errors: list[BaseException]) -> None:
    """Note errors of callbacks, which the loop would only log: one is a message that could not be taken in."""
    errors.clear()

    def note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "handle" in context and isinstance(context.get("exception"), BaseException):
            errors.append(context["exception"])
        loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(note)


def _told(error: BaseException, env: Environment) -> str:
    named = "; ".join(f"{type(each).__name__}: {each}" for each in _leaves(error))
    return f"{named}\n{_last_events(error, env)}"


def _leaves(error: BaseException) -> list[BaseException]:
    """What a task group has gathered, one by one."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in _leaves(each)]


def _last_events(error: BaseException, env: Environment) -> str:
    if isinstance(error, BrokenRule):
        around = max(0, error.event.sequence - _EVENTS_SHOWN // 2)
        return _listed("what happened around it", error.history[around : around + _EVENTS_SHOWN])
    ids = env.host.execution_ids()[-_EXECUTIONS_SHOWN:]
    return "\n".join(_listed(f"the last events of {each!r}", env.host.history(each)[-_EVENTS_SHOWN:]) for each in ids)


def _listed(title: str, events: Sequence[HistoryEvent]) -> str:
    return f"{title}:\n" + "\n".join(f"  {event.to_json()}" for event in events)


def _shape(history: History) -> tuple[tuple[object, ...], ...]:
    """A history without times and ids: tasks are numbered by their first appearance."""
    numbers: dict[str | None, int] = {None: 0}
    return tuple(
        (
            event.type,
            numbers.setdefault(event.task_id, len(numbers)),
            event.attempt,
            (event.details or {}).get("result") if event.type is EventType.TASK_CANCEL_REQUESTED else None,
        )
        for event in history
    )
