"""What a generated agent does: a tree of steps, as data. All times are in units; what a unit is, its start says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from hypothesis import strategies as st

from rescind.model.status import CancelMode

MOST_UNITS: Final = 40
_DEEPEST: Final = 2
_MOST_STEPS: Final = 5


class Schedule(msgspec.Struct, frozen=True, tag=True):
    """Schedule a part: a task that takes its time, and then succeeds or fails.

    Attributes:
        part: its number.
        units: how long it takes.
        failures: how many of its attempts fail; its last one of two does if that is 2.
        pause: the time between the two.
    """

    part: int
    units: int
    failures: int = 0
    pause: int = 0


class Select(msgspec.Struct, frozen=True, tag=True):
    """Wait for the first of these parts to succeed, and cancel the others or leave them."""

    parts: tuple[int, ...]
    cancels: bool


class Join(msgspec.Struct, frozen=True, tag=True):
    """Wait for these parts: until all have ended, or until one has failed."""

    parts: tuple[int, ...]
    settled: bool


class JoinInTime(msgspec.Struct, frozen=True, tag=True):
    """Wait for these parts until a deadline, at which those that are left are cancelled."""

    parts: tuple[int, ...]
    units: int


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Cancel one part."""

    part: int
    mode: CancelMode


class Sleep(msgspec.Struct, frozen=True, tag=True):
    """Let time pass."""

    units: int


class Note(msgspec.Struct, frozen=True, tag=True):
    """Append an entry."""

    text: str


class Scope(msgspec.Struct, frozen=True, tag=True):
    """Do these steps in a scope, with a deadline if `units` is given."""

    steps: tuple[Step, ...]
    units: int | None


class Branches(msgspec.Struct, frozen=True, tag=True):
    """Do all of these side by side."""

    branches: tuple[tuple[Step, ...], ...]


Step = Schedule | Select | Join | JoinInTime | Cancel | Sleep | Note | Scope | Branches


class Program(msgspec.Struct, frozen=True):
    """What one agent does.

    Attributes:
        steps: in their order.
        catches: whether it goes on when a wait raises; else it fails.
        unit_ms: the length of a unit in milliseconds.
    """

    steps: tuple[Step, ...]
    catches: bool
    unit_ms: int


def schedules(steps: Sequence[Step]) -> Iterator[Schedule]:
    """All that is scheduled in these steps and in those within them, by the order in the text."""
    for step in steps:
        match step:
            case Schedule():
                yield step
            case Scope():
                yield from schedules(step.steps)
            case Branches():
                for branch in step.branches:
                    yield from schedules(branch)


@st.composite
def programs(draw: st.DrawFn, unit_ms: int = 100) -> Program:
    """Programs of a few parts, that wait for them and cancel them in every way there is.

    Args:
        unit_ms: the length of a unit in milliseconds.
    """
    writer = _Writer(draw)
    known: list[int] = []
    first = [writer.schedule(known) for _ in range(draw(st.integers(2, 4)))]
    return Program((*first, *writer.steps(known, _DEEPEST)), draw(st.booleans()), unit_ms)


class _Writer:
    """Writes one program. A step names only parts that may have been scheduled before it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._parts = 0

    def steps(self, known: list[int], depth: int) -> tuple[Step, ...]:
        count = self._draw(st.integers(1, _MOST_STEPS))
        return tuple(self._step(known, depth) for _ in range(count))

    def schedule(self, known: list[int]) -> Schedule:
        known.append(self._parts)
        self._parts += 1
        failures = self._draw(st.sampled_from((0, 0, 0, 0, 1, 2)))
        # One that fails once is either tried again, or fails for good.
        pause = self._units(most=8) if failures == 2 or (failures == 1 and self._draw(st.booleans())) else 0
        return Schedule(known[-1], self._units(), failures, pause)

    def _step(self, known: list[int], depth: int) -> Step:
        choices = ["schedule", "select", "select", "join", "join", "join in time", "cancel", "cancel", "sleep", "note"]
        if depth:
            choices += ["scope", "scope", "branches"]
        match self._draw(st.sampled_from(choices)):
            case "schedule":
                return self.schedule(known)
            case "select":
                return Select(self._some(known), self._draw(st.booleans()))
            case "join":
                return Join(self._some(known), self._draw(st.booleans()))
            case "join in time":
                return JoinInTime(self._some(known), self._units())
            case "cancel":
                return Cancel(self._draw(st.sampled_from(known)), self._draw(st.sampled_from(_MODES)))
            case "sleep":
                return Sleep(self._units(most=15))
            case "note":
                return Note(self._draw(st.sampled_from(("one", "two", "three"))))
            case "scope":
                units = self._draw(st.none() | st.integers(3, MOST_UNITS))
                return Scope((self.schedule(known), *self.steps(known, depth - 1)), units)
            case _:
                return Branches((self._branch(known, depth), self._branch(known, depth)))

    def _branch(self, known: list[int], depth: int) -> tuple[Step, ...]:
        return (self.schedule(known), *self.steps(known, depth - 1))

    def _some(self, known: list[int]) -> tuple[int, ...]:
        return tuple(self._draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True)))

    def _units(self, most: int = MOST_UNITS) -> int:
        return self._draw(st.integers(3, most))


_MODES: Final = (CancelMode.TRY, CancelMode.TRY, CancelMode.WAIT, CancelMode.ABANDON)
