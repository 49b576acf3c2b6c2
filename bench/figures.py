"""A figure: what was measured, how often, how it spreads, what it is to reach, and the floor under it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

Statistic = Literal["median", "p99"]
Better = Literal["lower", "higher"]

FLAT: Final = "< 1.25"
"""What counts as flat: the cost at the far end of a series, as a multiple of the cost at its near end."""


class Spread(msgspec.Struct, frozen=True):
    """How the samples of one measurement spread.

    Attributes:
        count: how many there are.
        lowest: the smallest.
        median: as many are below it as above it.
        p99: 99 of 100 are not above it.
        highest: the largest.
    """

    count: int
    lowest: float
    median: float
    p99: float
    highest: float


class Floor(msgspec.Struct, frozen=True):
    """What the bare parts take for the same work, measured in the same run.

    Attributes:
        value: in the unit of the figure above it.
        parts: what it is made of, in words.
    """

    value: float
    parts: str


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured figure. Made by `figure`.

    Attributes:
        name: what was measured.
        value: the figure.
        unit: its unit.
        statistic: which statistic of the samples it is.
        spread: how the samples spread.
        better: which direction is the better one.
        reach: what it is to reach: ``< 5`` or ``> 5000``, in its unit; "" if nothing was set.
        is_reached: whether it does; None if nothing was set.
        floor: what the bare parts take; None if there is nothing to compare it with.
        ratio: the figure as a multiple of its floor; None without one.
        measured_at: when, in UTC; set where it is saved.
    """

    name: str
    value: float
    unit: str
    statistic: Statistic
    spread: Spread
    better: Better
    reach: str = ""
    is_reached: bool | None = None
    floor: Floor | None = None
    ratio: float | None = None
    measured_at: str = ""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of one operation against the amount of something: what a plot shows.

    Attributes:
        name: what the operation is measured against, as the name of the plot's file.
        amount: what is counted along the plot, in words.
        operation: what was measured.
        unit: the unit of the cost.
        amounts: how many there were, ascending.
        costs: the cost at each of these amounts.
        measured_at: when, in UTC; set where it is saved.
    """

    name: str
    amount: str
    operation: str
    unit: str
    amounts: tuple[float, ...]
    costs: tuple[Spread, ...]
    measured_at: str = ""

    @property
    def flatness(self) -> Figure:
        """The median cost at the largest amount, as a multiple of that at the smallest."""
        multiple = ratio(self.costs[-1].median, self.costs[0].median)
        name = f"{self.operation}: {self.amounts[-1]:,.0f} against {self.amounts[0]:,.0f} {self.amount}"
        return figure(name, [multiple], "x", reach=FLAT)


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that is not exceeded by this share of all samples (nearest rank).

    Args:
        samples: at least one, in any order.
        share: between 0 and 1.

    Raises:
        ValueError: there are no samples, or the share is none.
    """
    if not samples or not 0 <= share <= 1:
        raise ValueError(f"no percentile {share} of {len(samples)} samples")
    return sorted(samples)[max(0, math.ceil(len(samples) * share) - 1)]


def spread(samples: Sequence[float]) -> Spread:
    """How samples spread. Raises ValueError if there are none."""
    ordered = sorted(samples)
    middle = (percentile(ordered, 0.5) + ordered[len(ordered) // 2]) / 2
    return Spread(len(ordered), ordered[0], middle, percentile(ordered, 0.99), ordered[-1])


def figure(
    name: str,
    samples: Sequence[float],
    unit: str,
    *,
    statistic: Statistic = "median",
    better: Better = "lower",
    reach: str = "",
    floor: Floor | None = None,
) -> Figure:
    """A figure of its samples; where something is to be reached, that says which direction is the better one."""
    if reach:
        better = "higher" if reach.startswith(">") else "lower"
    found = spread(samples)
    value = found.median if statistic == "median" else found.p99
    return Figure(
        name=name,
        value=value,
        unit=unit,
        statistic=statistic,
        spread=found,
        better=better,
        reach=reach,
        is_reached=is_within(value, reach) if reach else None,
        floor=floor,
        ratio=ratio(value, floor.value) if floor is not None else None,
    )


def is_within(value: float, reach: str) -> bool:
    """Whether a value is what is to be reached: ``< 5`` or ``> 5000``. Raises ValueError for anything else."""
    sign, _, bound = reach.partition(" ")
    if sign not in ("<", ">"):
        raise ValueError(f"{reach!r} is no mark: write '< 5' or '> 5000'")
    return value < float(bound.replace(",", "")) if sign == "<" else value > float(bound.replace(",", ""))


def ratio(value: float, base: float) -> float:
    """A value as a multiple of another; infinite where that is nothing."""
    return value / base if base else math.inf
