"""Plain functions in threads, in step with a virtual loop.

A thread of a virtual loop runs only while the loop stands still and waits for it, so never two of them run at once, and
the order of their effects is the same at each run. It hands the turn back when it ends, sleeps, or waits: see
`blocking_calls`. What wakes it puts it in the loop's queue like any other callback.

A thread that keeps the turn for long gets out of step in two cases, since otherwise nothing could ever go on:

- input arrives at a socket of the loop: the thread may wait for what a server of this loop will answer. It holds the
  clock, not the loop.
- it hangs on a plain lock while the whole process idles: only another thread or the loop can release the lock. It holds
  neither. This is seen on Linux only.

It falls into step again at its next sleep or wait.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import threading
from _thread import allocate_lock
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from rescind.testing.standstill import LOOK_EVERY, StuckWatch
from rescind.testing.virtual_clock import VirtualClock, serving

_PATIENCE: Final = 0.02  # real seconds until a thread that keeps the turn is looked at


class ThreadUnwound(BaseException):
    """The loop of this thread was closed while it slept or waited: nothing could wake it any more."""


class LoopWithThreads(VirtualClock, asyncio.SelectorEventLoop):
    """A virtual loop, as far as its threads know it."""

    @abstractmethod
    def has_input(self) -> bool:
        """Whether a file or socket of the loop is ready."""


class _Serving(threading.local):
    function: ThreadedFunction | None = None


_this_thread: Final = _Serving()


def function_of_this_thread() -> ThreadedFunction | None:
    """What the calling thread carries out for a virtual loop, if anything."""
    return _this_thread.function


class ThreadedFunction:
    """One call of a plain function, in a thread that takes turns with the loop.

    Attributes:
        function: what is called.
        future: gets what it returns or raises.
        worker: the thread that carries it out, once it has begun.
        stuck: looks whether it hangs on a lock, while it is out of step.
    """

    def __init__(self, crew: _Crew, function: Callable[[], Any]) -> None:
        self.function = function
        self.loop: Final = crew.threads.loop
        self.future: Final[asyncio.Future[Any]] = self.loop.create_future()
        self.worker: _Worker | None = None
        self.stuck: StuckWatch | None = None
        self.waits_for: WaitLock | None = None
        self._crew = crew
        self._go = allocate_lock()
        self._go.acquire()
        self._handed_back = allocate_lock()
        self._handed_back.acquire()
        self._time_limit: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        # How often it has waited. Whoever wakes it says which wait they mean, so none is ended by a wake-up too late.
        self._wait_number = 0
        self._waiting = False
        self._ended = False
        self._error: BaseException | None = None
        self._result: Any = None
        self._unwinding = False

    def __repr__(self) -> str:
        inner = getattr(self.function, "func", self.function)
        # asyncio.to_thread wraps the function in Context.run
        if isinstance(self.function, functools.partial) and getattr(inner, "__name__", "") == "run":
            inner = self.function.args[0]
        return str(getattr(inner, "__qualname__", inner))

    # Called by the loop, in its own thread.

    def begin(self) -> None:
        """Run it until it waits or ends; if it was cancelled before, do not."""
        if self.future.cancelled():
            self._crew.end(self)
            return
        self.worker = self._crew.worker()
        self.worker.carry_out(self)
        self._wait_for_turn()

    def resume(self, wait_number: int) -> None:
        """Let it go on from its wait `wait_number`, until it waits again or ends."""
        if not self._waiting or wait_number != self._wait_number:
            return
        self._waiting = False
        if self._timer is not None:
            self._timer.cancel()
        self._go.release()
        self._wait_for_turn()

    def take_turn_back(self) -> None:
        """Bring it back into step, if it has handed back the turn by now."""
        if self.stuck is not None and self._handed_back.acquire(blocking=False):
            self._into_step()

    def lock_released(self, lock: WaitLock) -> None:
        """What it waits for has come, if it still waits."""
        if self._waiting and self.waits_for is lock:
            self.resume(self._wait_number)

    def unwind(self) -> None:
        """Make its wait raise, and wait in real time until it has ended."""
        self.take_turn_back()
        self._unwinding = True
        if self._waiting:
            self._waiting = False
            self._go.release()

    def _wait_for_turn(self) -> None:
        if self._handed_back.acquire(timeout=_PATIENCE):
            self._into_step()
            return
        assert self.worker is not None
        watch = StuckWatch(self.worker.native_id)
        try:
            while not (self.loop.has_input() or watch.is_stuck()):
                if self._handed_back.acquire(timeout=LOOK_EVERY):
                    self._into_step()
                    return
        finally:
            if not (self._waiting or self._ended):
                self._out_of_step(watch)

    def _out_of_step(self, watch: StuckWatch) -> None:
        self.stuck = watch
        self._crew.threads.out_of_step.append(self)
        self.take_turn_back()  # it may have handed back before it could know that nobody waits

    def _into_step(self) -> None:
        if self.stuck is not None:
            self.stuck = None
            self._crew.threads.out_of_step.remove(self)
        if self._ended:
            self._settle()
            self._crew.end(self)
            return
        self._waiting = True
        self._wait_number += 1
        self._timer = None
        if self.waits_for is not None and not self.waits_for.locked():
            self.loop.call_soon(self.resume, self._wait_number)
        elif self._time_limit is not None:
            self._timer = self.loop.call_later(self._time_limit, self.resume, self._wait_number)

    def _settle(self) -> None:
        if self.future.done():
            return
        if self._error is None:
            self.future.set_result(self._result)
        elif isinstance(self._error, StopIteration):
            failure = RuntimeError("a function in a thread raised StopIteration, which no future can carry")
            failure.__cause__ = self._error
            self.future.set_exception(failure)
        else:
            self.future.set_exception(self._error)
        self._error = None

    # Called in the thread that carries it out.

    def run(self, initializer: Callable[[], Any] | None) -> None:
        """Call the function, and hand back the turn for good."""
        _this_thread.function = self
        try:
            with serving(self.loop):
                if initializer is not None:
                    initializer()
                self._result = self.function()
        except BaseException as error:  # as in concurrent.futures, it is raised where the result is awaited
            self._error = error
        finally:
            _this_thread.function = None
            self._ended = True
            self._hand_back()

    def wait(self, lock: WaitLock | None, seconds: float | None) -> None:
        """Hand back the turn until `lock` is released or `seconds` of virtual time are over."""
        if self._unwinding:
            raise ThreadUnwound
        self.waits_for, self._time_limit = lock, seconds
        self._hand_back()
        self._go.acquire()
        self.waits_for = None
        if self._unwinding:
            raise ThreadUnwound

    def _hand_back(self) -> None:
        self._handed_back.release()
        if self.stuck is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits for the turn
                self.loop.call_soon_threadsafe(self.take_turn_back)


class WaitLock:
    """The lock in which one call of ``Condition.wait`` waits, when a thread of a virtual loop calls it."""

    def __init__(self, waiter: ThreadedFunction) -> None:
        self._waiter = waiter
        self._locked = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._locked and blocking:
            self._waiter.wait(self, None if timeout < 0 else timeout)
        was_free, self._locked = not self._locked, True
        return was_free

    def release(self) -> None:
        self._locked = False
        with contextlib.suppress(RuntimeError):  # the loop is closed, so its thread was unwound
            self._waiter.loop.call_soon_threadsafe(self._waiter.lock_released, self)

    def locked(self) -> bool:
        return self._locked


class _Worker(threading.Thread):
    """A thread that carries out one function after the other."""

    def __init__(self, crew: _Crew, number: int) -> None:
        super().__init__(name=f"virtual-{number}", daemon=True)
        self._initializer = crew.initializer
        self._go = allocate_lock()
        self._go.acquire()
        self._work: ThreadedFunction | None = None

    def carry_out(self, work: ThreadedFunction | None) -> None:
        """Begin `work`, or end if there is none."""
        self._work = work
        self._go.release()

    def run(self) -> None:
        self._go.acquire()
        while (work := self._work) is not None:
            self._work = None
            work.run(self._initializer)
            self._initializer = None
            del work
            self._go.acquire()


class _Crew:
    """The threads that stand for one executor, never more than it has itself."""

    def __init__(self, threads: LockstepThreads, pool: concurrent.futures.ThreadPoolExecutor | None) -> None:
        self.threads = threads
        self.initializer: Callable[[], Any] | None = None
        initializer = getattr(pool, "_initializer", None)
        if initializer is not None:
            arguments = getattr(pool, "_initargs", ())
            self.initializer = lambda: initializer(*arguments)
        self._limit: float = getattr(pool, "_max_workers", float("inf"))
        self._busy = 0
        self._idle: list[_Worker] = []
        self._queue: deque[ThreadedFunction] = deque()

    def add(self, work: ThreadedFunction) -> None:
        """Begin `work` as soon as a thread is free."""
        self.threads.open_functions[work] = None
        if self._busy < self._limit:
            self._busy += 1
            self.threads.loop.call_soon(work.begin)
        else:
            self._queue.append(work)

    def worker(self) -> _Worker:
        """A thread with nothing to do."""
        if self._idle:
            return self._idle.pop()
        worker = _Worker(self, len(self.threads.workers))
        self.threads.workers.append(worker)
        worker.start()
        return worker

    def end(self, work: ThreadedFunction) -> None:
        """`work` is over: give its thread to the next in the queue."""
        del self.threads.open_functions[work]
        if work.worker is not None:
            self._idle.append(work.worker)
        if self._queue:
            self.threads.loop.call_soon(self._queue.popleft().begin)
        else:
            self._busy -= 1


class LockstepThreads:
    """All threads of one virtual loop.

    Attributes:
        out_of_step: those that neither wait nor have ended, though the loop goes on.
        open_functions: what was given to a thread and has not ended, in this order.
    """

    def __init__(self, loop: LoopWithThreads) -> None:
        self.loop = loop
        self.workers: list[_Worker] = []
        self.out_of_step: list[ThreadedFunction] = []
        self.open_functions: dict[ThreadedFunction, None] = {}
        self._default_crew = _Crew(self, None)
        self._crews: WeakKeyDictionary[concurrent.futures.ThreadPoolExecutor, _Crew] = WeakKeyDictionary()

    def submit(
        self, pool: concurrent.futures.ThreadPoolExecutor | None, function: Callable[[], Any]
    ) -> asyncio.Future[Any]:
        """Call `function` in a thread, from the next round of the loop on.

        Args:
            pool: whose number of threads and initializer to heed; its own threads are not used. None: no limit.
            function: what to call.

        Raises:
            RuntimeError: `pool` was shut down.
        """
        if getattr(pool, "_shutdown", False):
            raise RuntimeError("cannot schedule new futures after shutdown")
        crew = self._default_crew if pool is None else self._crews.setdefault(pool, _Crew(self, pool))
        work = ThreadedFunction(crew, function)
        crew.add(work)
        return work.future

    def look_again(self) -> None:
        """Callbacks have run, which may have released the lock that a thread hangs on."""
        for work in self.out_of_step:
            if work.stuck is not None:
                work.stuck.look_again()

    def hold_clock(self) -> bool:
        """Whether a thread computes, or does real input or output."""
        return any(work.stuck is not None and not work.stuck.is_stuck() for work in self.out_of_step)

    def close(self) -> None:
        """End all threads, by `ThreadUnwound` where they wait. A thread that hangs or computes is left behind."""
        for work in list(self.open_functions):
            work.unwind()
            if work.worker is not None and work.stuck is None:
                work.worker.carry_out(None)
                work.worker.join(timeout=1)
                self.workers.remove(work.worker)
        for worker in self.workers:
            worker.carry_out(None)
        for worker in self.workers:
            if not any(work.worker is worker for work in self.out_of_step):
                worker.join(timeout=1)
        self.workers.clear()
