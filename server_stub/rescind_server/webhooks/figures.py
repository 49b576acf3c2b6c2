"""What became of deliveries, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from rescind_server.store.outbox import Depth

Result = Literal["delivered", "failed", "dead"]
"""What an attempt came to: it was taken; it is tried again; it was given up."""


class DeliveryCounts:
    """Attempts since the server began, by organisation and what they came to."""

    def __init__(self) -> None:
        self._attempts: Counter[tuple[str, Result]] = Counter()

    def note(self, organisation: str, result: Result) -> None:
        """Count an attempt."""
        self._attempts[organisation, result] += 1

    def attempts(self, organisation: str) -> Mapping[Result, int]:
        """How many attempts of an organisation came to what."""
        return {result: count for (owner, result), count in self._attempts.items() if owner == organisation}


def total(depths: Mapping[str, Depth]) -> Depth:
    """How much there is of several webhooks together."""
    return Depth(sum(each.waiting for each in depths.values()), sum(each.dead for each in depths.values()))
