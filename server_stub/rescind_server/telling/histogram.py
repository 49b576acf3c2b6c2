"""How values are distributed: how many are at most as large as each of some bounds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import inf


class Histogram:
    """Counts values by bounds. To note one costs the same, however many there were.

    Attributes:
        total: the sum of the values.
    """

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Make an empty one.

        Args:
            bounds: the largest value of each bucket, ascending; one without a bound is added behind them.
        """
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Each bound, with how many values are at most as large; the last bound is infinite."""
        count = 0
        for bound, within in zip((*self._bounds, inf), self._counts, strict=True):
            count += within
            yield bound, count
