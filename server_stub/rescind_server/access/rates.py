"""How often each caller may ask: a bucket of calls that fills again with time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rescind.errors import InvalidInput, RateLimited

_MOST_BUCKETS: Final = 10_000
"""Buckets that are full again are forgotten when there are more than this."""


class Rates:
    """Counts the calls of each caller."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Set the rate.

        Args:
            per_second: how many calls a caller may make, for long.
            burst: how many at once.
            clock: seconds that only go forward.
        """
        if per_second <= 0 or burst < 1:
            raise InvalidInput(f"a rate of {per_second} per second, {burst} at once, lets nothing through.")
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def count(self, caller: str) -> None:
        """Count one call. Raises RateLimited if it is one too many."""
        now = self._clock()
        left, then = self._buckets.get(caller, (float(self._burst), now))
        left = min(float(self._burst), left + (now - then) * self._per_second)
        if left < 1.0:
            self._buckets[caller] = (left, now)
            raise RateLimited(
                f"token {caller} makes more than {self._per_second:g} calls per second. Wait a moment, and make fewer."
            )
        self._buckets[caller] = (left - 1.0, now)
        if len(self._buckets) > _MOST_BUCKETS:
            self._forget(now)

    def _forget(self, now: float) -> None:
        filled = self._burst / self._per_second
        self._buckets = {caller: each for caller, each in self._buckets.items() if now - each[1] < filled}
