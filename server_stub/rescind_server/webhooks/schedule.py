"""When a delivery that failed is tried again."""

from __future__ import annotations

from random import Random
from typing import Final

from rescind.model.ids import Instant

PAUSES_S: Final = (5, 30, 120, 900, 3_600, 10_800, 21_600, 43_200, 43_200)
"""How long to wait behind each attempt, in seconds: ten attempts within a day and a half."""
JITTER: Final = 0.2
"""By how much of itself a pause may be longer: who failed together does not come back together."""
LONGEST_WISH_S: Final = 86_400
"""The longest pause in seconds that an answer may ask for."""
_MICROSECONDS: Final = 1_000_000


def next_due(attempts: int, now: Instant, random: Random, wish_s: float | None = None) -> Instant | None:
    """When to try a delivery again; None if it is given up.

    Args:
        attempts: how often it was tried by now, 1 or more.
        now: the time.
        random: draws the jitter.
        wish_s: how long its receiver asked to wait, in seconds; never less than our own pause.
    """
    if attempts > len(PAUSES_S):
        return None
    pause = PAUSES_S[attempts - 1] * (1 + JITTER * random.random())
    return Instant(now + round(max(pause, min(wish_s or 0.0, LONGEST_WISH_S)) * _MICROSECONDS))
