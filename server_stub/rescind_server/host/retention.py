"""Forgets what ended long ago: in steps between the commits, so that nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from rescind.errors import InvalidInput, StoreError
from rescind.model.ids import Instant
from rescind_server.host.clock import Clock
from rescind_server.store.port import Store

STEP: Final = 500
"""How many rows are removed in one commit: some milliseconds of the disk."""

_SHORTEST_PAUSE: Final = 1_000_000
_LONGEST_PAUSE: Final = 3_600_000_000
_LOG: Final = logging.getLogger(__name__)


class Retention:
    """Removes closed executions from a store when they have reached an age.

    Nothing has to be remembered for it: when an execution is to be removed follows from when it ended, also after a
    restart, and with another age.
    """

    def __init__(self, store: Store, clock: Clock, age: timedelta) -> None:
        """Make one that does not run yet.

        Args:
            store: what to remove from.
            clock: what the time is.
            age: how long an execution is kept after its end, at least a second.

        Raises:
            InvalidInput: a shorter age.
        """
        if age < timedelta(seconds=1):
            raise InvalidInput(f"retention is {age}; give a second or more, or None to keep everything.")
        self._store = store
        self._clock = clock
        self._age = age // timedelta(microseconds=1)

    async def run(self) -> None:
        """Remove what is old enough, wait for the next, and so on, until cancelled."""
        while True:
            try:
                await self._remove_old()
                due = await self._next_due()
            except StoreError as error:
                # Whoever commits says it louder.
                _LOG.debug("nothing was removed: %s", error)
                due = self._after(_LONGEST_PAUSE)
            await self._until(due)

    async def _remove_old(self) -> None:
        ended_before = Instant(self._clock.now() - self._age)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while await self._store.remove_closed(ended_before, STEP):
            # As long as the step took: what is removed costs commits at most every other moment of the disk.
            await asyncio.sleep(loop.time() - begun)
            begun = loop.time()

    async def _next_due(self) -> Instant:
        oldest = await self._store.oldest_end()
        if oldest is None:
            return self._after(_LONGEST_PAUSE)
        # Just behind that age, and not once per execution where many end every second.
        return max(Instant(oldest + self._age + 1), self._after(_SHORTEST_PAUSE))

    def _after(self, pause: int) -> Instant:
        # What closes from now on is old enough when its whole age has passed, and not before.
        return Instant(self._clock.now() + min(pause, self._age))

    async def _until(self, due: Instant) -> None:
        come = asyncio.Event()
        alarm = self._clock.call_at(due, come.set)
        try:
            await come.wait()
        finally:
            alarm.cancel()
