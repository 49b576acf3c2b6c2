"""The time of a `MockAgentContext`, and who waits in it.

On a `VirtualTimeLoop` it is the loop's. On another loop it jumps to the next thing due when the loop has nothing left
to run and somebody waits on the mock.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Final

from rescind.errors import InvalidInput, NotMocked
from rescind.model.ids import Instant
from rescind.testing.virtual_time import DEFAULT_START, VirtualTimeLoop

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Code that polls with asyncio.sleep(0), or a second mock, keeps the loop awake; after so many turns the mock goes on.
_TURNS_UNTIL_IDLE: Final = 1_000
# A timer that is further away on an ordinary loop, in seconds, guards the test; it drives nothing.
_LONGEST_REAL_WAIT: Final = 1.0


@dataclass(slots=True, eq=False)
class Alarm:
    """Something due at a time; `is_awaited` if the clock is to go on to it even while nobody waits on the mock."""

    due: int
    callback: Callable[[], object] | None
    is_awaited: bool = False
    timer: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        """It shall not happen."""
        self.callback = None
        if self.timer is not None:
            self.timer.cancel()


@dataclass(slots=True, eq=False)
class Wait:
    """Somebody waits. `is_over` is asked after each change; `answer` is called once, told whether time ran out.

    NotMocked with the text `refusal` is raised if nothing is left that could end it.
    """

    refusal: str
    is_shielded: bool
    is_over: Callable[[], bool]
    answer: Callable[[bool], Any]
    deadline: Alarm | None = None
    future: asyncio.Future[Any] = field(init=False)


class MockClock:
    """The mock's time, in microseconds from its first use, and who waits in it. While a step `holds` it, it stands."""

    def __init__(self, start: datetime | None) -> None:
        if start is not None and start.tzinfo is None:
            raise InvalidInput(f"start {start!r} has no time zone. Give it one: start.replace(tzinfo=timezone.utc).")
        self.holds = 0
        self._start = start
        self._elapsed = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bound_at = 0
        self._thread = threading.get_ident()
        self._alarms: list[tuple[int, int, Alarm]] = []
        self._orders = count()
        self._waits: list[Wait] = []
        self._turns = 0
        self._next_look: asyncio.TimerHandle | None = None

    def elapsed(self) -> int:
        """The time that has passed."""
        if isinstance(self._loop, VirtualTimeLoop):
            return self._elapsed + self._loop.microseconds() - self._bound_at
        return self._elapsed

    def now(self) -> Instant:
        """The instant."""
        return Instant(((self._start or DEFAULT_START) - _EPOCH) // timedelta(microseconds=1) + self.elapsed())

    def bind(self) -> bool:
        """Live by the running loop; returns whether the caller may use the mock from where it is."""
        loop = asyncio._get_running_loop()
        if loop is None or loop is self._loop:
            return threading.get_ident() == self._thread
        if self._waits and self._loop is not None and not self._loop.is_closed():
            return False
        self._elapsed = self.elapsed()
        self._loop, self._thread, self._turns = loop, threading.get_ident(), 0
        if isinstance(loop, VirtualTimeLoop):
            self._bound_at = loop.microseconds()
            self._start = self._start or loop.now() - timedelta(microseconds=self._elapsed)
        for _, _, alarm in self._alarms:
            self._set_timer(alarm)
        self.look()
        return True

    def call_after(self, delay_ms: int, callback: Callable[[], object], is_awaited: bool = False) -> Alarm:
        """Have something happen in so many milliseconds."""
        return self.call_at(self.elapsed() + delay_ms * 1_000, callback, is_awaited)

    def call_at(self, due: int, callback: Callable[[], object], is_awaited: bool = False) -> Alarm:
        """Have something happen at a time; if that is past, when the loop comes to rest."""
        alarm = Alarm(due, callback, is_awaited)
        heapq.heappush(self._alarms, (due, next(self._orders), alarm))
        self._set_timer(alarm)
        self.look()
        return alarm

    async def wait(self, wait: Wait, timeout_ms: int | None) -> Any:
        """Wait until it is over, or time runs out; returns its answer."""
        if wait.is_over() or timeout_ms == 0:
            return wait.answer(not wait.is_over())
        wait.future = asyncio.get_running_loop().create_future()
        self._waits.append(wait)
        if timeout_ms is not None:
            wait.deadline = self.call_after(timeout_ms, partial(self._settle, wait, timed_out=True))
        self.look()
        try:
            return await wait.future
        finally:
            self._forget(wait)

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        """``asyncio.timeout``, in the mock's time."""
        async with asyncio.timeout(None) as timeout:
            expire = partial(timeout.reschedule, asyncio.get_running_loop().time())
            deadline = self.call_after(round(seconds * 1_000), expire, is_awaited=True)
            try:
                yield
            finally:
                deadline.cancel()

    def look_at_waits(self) -> None:
        """Something has changed: end the waits that are over."""
        for wait in tuple(self._waits):
            if wait in self._waits and wait.is_over():
                self._settle(wait, timed_out=False)

    def interrupt(self, error_for: Callable[[Wait], BaseException | None]) -> None:
        """End waits with an error: those for which there is one."""
        for wait in tuple(self._waits):
            error = error_for(wait)
            if error is not None and not wait.future.done():
                self._forget(wait)
                wait.future.set_exception(error)

    def look(self) -> None:
        """Decide what comes next, when the loop has nothing left to run."""
        if self._turns == 0 and self._loop is not None and not self._loop.is_closed():
            self._turns = 1
            self._loop.call_soon(self._look_whether_idle)

    def _settle(self, wait: Wait, *, timed_out: bool) -> None:
        self._forget(wait)
        answer = wait.answer(timed_out)
        if not wait.future.done():
            wait.future.set_result(answer)

    def _forget(self, wait: Wait) -> None:
        self._waits = [other for other in self._waits if other is not wait]
        if wait.deadline is not None:
            wait.deadline.cancel()

    def _set_timer(self, alarm: Alarm) -> None:
        ahead = alarm.due - self.elapsed()
        if isinstance(self._loop, VirtualTimeLoop) and ahead > 0 and alarm.callback is not None:
            alarm.timer = self._loop.call_at(self._loop.time() + ahead / 1e6, self._ring)

    def _ring(self) -> None:
        while self._alarms and self._alarms[0][0] <= self.elapsed():
            callback = heapq.heappop(self._alarms)[2].callback
            if callback is not None:
                callback()
        self.look()

    def _look_whether_idle(self) -> None:
        assert self._loop is not None
        # What asyncio keeps ready to run; unchanged from 3.11 to 3.13.
        if getattr(self._loop, "_ready", True) and self._turns < _TURNS_UNTIL_IDLE:
            self._turns += 1
            self._loop.call_soon(self._look_whether_idle)
            return
        self._turns = 0
        while self._alarms and self._alarms[0][2].callback is None:
            heapq.heappop(self._alarms)
        if self._alarms and self._alarms[0][0] <= self.elapsed():
            self._ring()
        elif not self.holds and (self._waits or any(alarm.is_awaited for _, _, alarm in self._alarms)):
            self._go_on(self._loop)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """The agent waits, and nothing is due now: jump, look again behind the loop's next timer, or refuse."""
        if self._next_look is not None:
            self._next_look.cancel()
        is_virtual = isinstance(loop, VirtualTimeLoop)
        latest = math.inf if is_virtual else loop.time() + _LONGEST_REAL_WAIT
        handles = getattr(loop, "_scheduled", ())
        timers = [timer.when() for timer in handles if timer.when() <= latest and not timer.cancelled()]
        if self._alarms and (self._waits or not timers):
            if not is_virtual:
                self._elapsed = self._alarms[0][0]
                self._ring()
        elif timers:
            self._next_look = loop.call_at(min(timers), self.look)
        else:
            self.interrupt(lambda wait: NotMocked(wait.refusal))
