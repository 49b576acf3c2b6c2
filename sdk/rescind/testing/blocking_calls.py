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
import inspect
import sys
import threading
import time
from _thread import allocate_lock
from collections.abc import Iterator
from typing import Any, Final

from rescind.backends.native.durability_guard import DurableLoop, install_guard, refuse
from rescind.testing.virtual_clock import Substitution, VirtualClock, current_clock
from rescind.testing.virtual_threads import WaitLock, function_of_this_thread

# The guard of agents wraps the real function at the first agent of the process. It does so here, so that it never
# wraps the stand-in.
install_guard()
_guarded_sleep: Final = time.sleep
_real_sleep: Final = inspect.unwrap(time.sleep)
_STARTS_A_THREAD: Final = threading.Thread.start.__code__
# They poll real processes between their sleeps, so virtual sleep would make them spin.
_SLEEP_FOR_REAL: Final = ("subprocess", "multiprocessing")


def _sleep(seconds: float) -> None:
    loop = asyncio._get_running_loop()
    if isinstance(loop, DurableLoop):
        refuse("time.sleep")
    clock, caller = current_clock(), sys._getframe(1).f_globals.get("__name__", "")
    if clock is None or caller.startswith(_SLEEP_FOR_REAL):
        _real_sleep(seconds)
    elif isinstance(loop, VirtualClock):
        clock.advance(seconds)
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


_sleepers: Final = Substitution([(_real_sleep, _sleep), (_guarded_sleep, _sleep)], spared=_SLEEP_FOR_REAL)
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
            threading._allocate_lock = _allocate_lock  # type: ignore[attr-defined]
    try:
        yield
    finally:
        with _lock:
            _open_blocks -= 1
            if _open_blocks == 0:
                _sleepers.undo()
                threading._allocate_lock = allocate_lock  # type: ignore[attr-defined]
