"""What a measurement is, and what it is given."""

from __future__ import annotations

import enum
import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.figures import Figure, Series
from bench.floors import Floors

T = TypeVar("T")


class Effort(enum.IntEnum):
    """How much time may be spent."""

    QUICK = 0
    USUAL = 1
    LONG = 2


@dataclass(frozen=True)
class Setting:
    """What a measurement is given.

    Attributes:
        effort: how much time may be spent.
        folder: an empty folder of its own, on the disk that is measured.
        floors: what the bare parts take, measured in the same run.
    """

    effort: Effort
    folder: Path
    floors: Floors

    def pick(self, quick: T, usual: T, long: T | None = None) -> T:
        """One of these, by the effort; without a third, a long run does what a usual one does."""
        if self.effort is Effort.LONG and long is not None:
            return long
        return quick if self.effort is Effort.QUICK else usual


@dataclass(frozen=True)
class Measurement:
    """One measurement: it starts what it measures, and ends it.

    Attributes:
        name: subject and name, with a dot between them: what ``--only`` takes.
        about: what it measures, in a line.
        measure: measures.
        limit: after how many seconds it is given up.
        least: the least effort at which it is taken.
    """

    name: str
    about: str
    measure: Callable[[Setting], Awaitable[Sequence[Figure | Series]]]
    limit: float = 120.0
    least: Effort = Effort.QUICK

    @property
    def subject(self) -> str:
        """The part of its name before the dot."""
        return self.name.partition(".")[0]


def seconds_of(work: Callable[[], object]) -> float:
    """How long one call takes, with the garbage of what came before out of the way."""
    gc.collect()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def rounds(measure: Callable[[], float], count: int = 5) -> list[float]:
    """The same measurement several times, after one that warms up."""
    measure()
    return [measure() for _ in range(count)]
