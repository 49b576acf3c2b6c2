"""Calls that block a thread, in virtual time.

In a thread of a virtual loop ``time.sleep`` takes virtual time. So do the time-outs of events, conditions, semaphores,
queues and futures of ``concurrent.futures``: all of these wait in ``threading.Condition.wait``, and there the thread
hands back its turn. In code that runs on the loop itself ``time.sleep`` moves the clock and runs nothing meanwhile. In
any other thread all this is as ever.

Not covered: a plain ``Lock`` and ``queue.SimpleQueue`` (their waits are no Python code), ``Thread.join``, and threads
that a thread of the loop starts by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from typing import Any, Final

from rescind.backends.native.durability_guard import DurableLoop, refuse
from rescind.testing.virtual_clock import Substitution, VirtualClock, current_clock
from rescind.testing.virtual_threads import WaitLock, function_of_this_thread

_real_sleep: Final = time.sleep
_STARTS_A_THREAD: Final = threading.Thread.start.__code__
# They poll real processes between their sleeps, so virtual sleep would make them spin.
_SLEEP_FOR_REAL: Final = ("subprocess", "multiprocessing")


def _sleep(seconds: float) -> None:
    clock, caller = current_clock(), sys._getframe(1).f_globals.get("__name__", "")
    if clock is None or caller.startswith(_SLEEP_FOR_REAL):
        _sleep_outside(seconds)
    elif isinstance(loop := asyncio._get_running_loop(), VirtualClock):
        clock.advance(seconds)
    elif isinstance(loop, DurableLoop):
        refuse("time.sleep")
    elif (function := function_of_this_thread()) is not None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        function.wait(None, seconds)


def _allocate_lock() -> Any:
    function = function_of_this_thread()
    if function is None or _waits_for_a_thread_to_start():
        return allocate_lock()
    return WaitLock(function)


def _waits_for_a_thread_to_start() -> bool:
    # The stack: here, _allocate_lock, Condition.wait, Event.wait, Thread.start.
    return sys._getframe(4).f_code is _STARTS_A_THREAD


def _take_the_place_of_a_wrapper() -> None:
    """An agent's guard may have wrapped the real function before: then the stand-in goes before the wrapper."""
    global _sleep_outside
    if getattr(time.sleep, "__wrapped__", None) is _real_sleep:
        _sleep_outside = time.sleep
        time.sleep = _sleep  # type: ignore[assignment]


def _give_back_the_place() -> None:
    global _sleep_outside
    if time.sleep is _sleep:
        time.sleep = _sleep_outside
        _sleep_outside = _real_sleep


_sleep_outside: Callable[[Any], None] = _real_sleep
_sleepers: Final = Substitution([(_real_sleep, _sleep)], spared=_SLEEP_FOR_REAL)
_lock: Final = threading.Lock()
_open_blocks = 0


@contextlib.contextmanager
def virtual_waits() -> Iterator[None]:
    """While the block is open, sleeping and waiting in a thread of a virtual loop takes its time, not real time."""
    global _open_blocks
    with _lock:
        _open_blocks += 1
        if _open_blocks == 1:
            _sleepers.apply()
            _take_the_place_of_a_wrapper()
            threading._allocate_lock = _allocate_lock  # type: ignore[attr-defined]
    try:
        yield
    finally:
        with _lock:
            _open_blocks -= 1
            if _open_blocks == 0:
                _give_back_the_place()
                _sleepers.undo()
                threading._allocate_lock = allocate_lock  # type: ignore[attr-defined]
