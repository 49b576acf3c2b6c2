"""Where the engine's time comes from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

from rescind.model.ids import Instant

_LONGEST_NAP: Final = 10.0
"""How long the machine's clock is not looked at while something waits for a time, in seconds."""


class Alarm(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """Do not call any more."""


class Clock(Protocol):
    """Tells the time, and calls when it has come."""

    def now(self) -> Instant:
        """The present time. It never goes back."""

    def call_at(self, due: Instant, callback: Callable[[], None]) -> Alarm:
        """Call back on the running event loop when `due` has come, not before."""


class WallClock:
    """The machine's clock, without its jumps backwards.

    Between two looks it goes on as steadily as the event loop's own time, which nobody can set. Set back by an operator
    or by a time server, the machine's clock is not followed: what waits for a time would wait for that much longer. Set
    forward, it is followed, and what has come due meanwhile comes due within ten seconds.
    """

    def __init__(self, read: Callable[[], int] | None = None, steady: Callable[[], float] | None = None) -> None:
        """Make a clock, on a running event loop.

        Args:
            read: the machine's clock, in nanoseconds since the epoch.
            steady: a time that is never set, in seconds since whenever.
        """
        self._read = read
        self._steady = steady or asyncio.get_running_loop().time
        self._start = self._microseconds()
        self._start_steady = self._steady()

    def now(self) -> Instant:
        """Microseconds since the epoch."""
        steady = self._start + round((self._steady() - self._start_steady) * 1_000_000)
        read = self._microseconds()
        if read <= steady:
            return Instant(steady)
        self._start, self._start_steady = read, self._steady()
        return Instant(read)

    def call_at(self, due: Instant, callback: Callable[[], None]) -> Alarm:
        """See `Clock.call_at`."""
        return _WallAlarm(self, due, callback)

    def _microseconds(self) -> int:
        return (self._read or time.time_ns)() // 1_000


class _WallAlarm:
    """Looks at the clock now and then: the event loop's timers do not notice that it was set forward."""

    def __init__(self, clock: WallClock, due: Instant, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._due = due
        self._callback = callback
        self._handle = self._set()

    def cancel(self) -> None:
        """See `Alarm.cancel`."""
        self._handle.cancel()

    def _set(self) -> asyncio.TimerHandle:
        delay = (self._due - self._clock.now()) / 1_000_000
        return asyncio.get_running_loop().call_later(min(max(0.0, delay), _LONGEST_NAP), self._look)

    def _look(self) -> None:
        if self._clock.now() < self._due:
            self._handle = self._set()
        else:
            self._callback()
