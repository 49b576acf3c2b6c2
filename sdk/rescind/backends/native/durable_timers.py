"""The timers of an agent's event loop: callbacks that become ready when a durable timer fires."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final, Protocol

MICROSECONDS: Final = 1_000_000
# Floats near today's date lie 0.25 µs apart: that much is noise, not a later instant.
_NOISE: Final = 0.25
# A wait beyond 100 years is meant for ever, and needs no timer.
_FOR_EVER: Final = 100 * 365 * 86_400


class TimerPort(Protocol):
    """What the loop asks of its owner: durable timers."""

    def start_timer(self, due: int) -> int:
        """Start a timer.

        Args:
            due: the instant, in microseconds since the Unix epoch.

        Returns:
            The timer's id, given back to ``AgentLoop.fire_timer``.
        """
        ...

    def cancel_timer(self, timer: int) -> None:
        """Forget a timer that was started and has not fired."""
        ...


class DurableTimerHandle(asyncio.TimerHandle):
    """A callback that may wait for a timer.

    Attributes:
        timer: the timer's id; None if there is none, or none any more.
    """

    __slots__ = ("timer",)
    timer: int | None

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        """Make one that waits for nothing yet."""
        super().__init__(when, callback, args, loop, context)
        self.timer = None


class DurableTimers:
    """The timers of one loop that have been started and have not fired."""

    __slots__ = ("_handles", "_port")

    def __init__(self, port: TimerPort) -> None:
        """Make it without timers."""
        self._port: TimerPort | None = port
        self._handles: dict[int, DurableTimerHandle] = {}

    def wait(self, handle: DurableTimerHandle, due: float, now: int) -> bool:
        """Have a callback wait until `due`, for ever if that is infinite; returns whether it is ready already.

        Args:
            handle: the callback.
            due: when, in microseconds since the Unix epoch.
            now: the loop's time, alike.
        """
        if self._port is None or due == math.inf:
            return False
        if due <= now:
            return True
        handle.timer = self._port.start_timer(int(due))
        self._handles[handle.timer] = handle
        return False

    def take_fired(self, timer: int) -> DurableTimerHandle | None:
        """The callback that waited for a timer; None if nobody does."""
        handle = self._handles.pop(timer, None)
        if handle is not None:
            handle.timer = None
        return handle

    def cancel(self, handle: asyncio.TimerHandle) -> None:
        """A callback was cancelled: its timer, if it has one, is not needed."""
        if isinstance(handle, DurableTimerHandle) and handle.timer is not None:
            timer, handle.timer = handle.timer, None
            if self._handles.pop(timer, None) is not None and self._port is not None:
                self._port.cancel_timer(timer)

    def shut(self) -> None:
        """From now on, the owner hears nothing of timers."""
        self._port = None

    def clear(self) -> None:
        """Forget all callbacks."""
        self._handles.clear()

    def __len__(self) -> int:
        return len(self._handles)


def due_after(delay: float, now: int) -> float:
    """When a delay in seconds is over, in microseconds since the Unix epoch, rounded up; beyond 100 years, never."""
    return math.inf if delay > _FOR_EVER else now + math.ceil(delay * MICROSECONDS - 1e-6)


def due_at(when: float, now: int) -> float:
    """An instant in seconds since the Unix epoch in microseconds, rounded up; beyond 100 years from now, never."""
    return math.inf if when > now / MICROSECONDS + _FOR_EVER else math.ceil(when * MICROSECONDS - _NOISE)
