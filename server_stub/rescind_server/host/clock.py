"""Where the engine's time comes from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from rescind.model.ids import Instant


class Clock(Protocol):
    """Tells the time, and calls when it has come."""

    def now(self) -> Instant:
        """The present time."""

    def call_at(self, due: Instant, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back on the running event loop when `due` has come, not before."""


class WallClock:
    """The machine's clock, as far as it goes forward."""

    def now(self) -> Instant:
        """Microseconds since the epoch, by the machine."""
        return Instant(time.time_ns() // 1_000)

    def call_at(self, due: Instant, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See `Clock.call_at`."""
        delay = max(0.0, (due - self.now()) / 1_000_000)
        return asyncio.get_running_loop().call_later(delay, callback)
