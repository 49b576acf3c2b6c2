"""The limits of a running attempt, measured where it runs: Temporal tells a workflow nothing of an activity's start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rescind.model.messages import TaskAlive
from rescind.temporal.records import AttemptOrder, Limit

_MILLISECONDS = 1_000


class AttemptWatch:
    """Measures an attempt's length and its silences, and tells of the first limit that is reached."""

    def __init__(self, order: AttemptOrder) -> None:
        """Begin to measure: the attempt starts now."""
        self._order = order
        self._clock = asyncio.get_running_loop().time
        self._started_at = self._last_contact = self._last_advance = self._clock()

    @property
    def is_needed(self) -> bool:
        """Whether there is a limit at all."""
        order = self._order
        return not (order.start_to_close_ms is None and order.heartbeat_ms is None and order.idle_ms is None)

    def note(self, alive: TaskAlive) -> None:
        """The attempt has told something."""
        self._last_contact = self._clock()
        if alive.advanced or alive.progress is not None:
            self._last_advance = self._last_contact

    async def run(self, tell: Callable[[Limit], Awaitable[None]]) -> None:
        """Wait for the first limit that is reached, and tell of it."""
        while True:
            due, limit = min(self._dues())
            left = due - self._clock()
            if left <= 0:
                await tell(limit)
                return
            await asyncio.sleep(left)

    def _dues(self) -> list[tuple[float, Limit]]:
        order = self._order
        dues: list[tuple[float, Limit]] = []
        if order.start_to_close_ms is not None:
            dues.append((self._started_at + order.start_to_close_ms / _MILLISECONDS, "start_to_close"))
        if order.heartbeat_ms is not None:
            dues.append((self._last_contact + order.heartbeat_ms / _MILLISECONDS, "heartbeat"))
        if order.idle_ms is not None:
            dues.append((self._last_advance + order.idle_ms / _MILLISECONDS, "idle"))
        return dues
