"""The outcome of one rule: how much was compared, and what did not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one rule compared.

    Attributes:
        what: what was compared, in words.
        count: how many.
        problems: what did not hold, each in one line.
    """

    what: str
    count: int
    problems: Sequence[str] = ()
