"""Virtual time: an event loop whose clock jumps when nothing can run.

When no callback is ready, the clock jumps to the next timer; a week of sleep takes no real time, and what happens in it
happens in the same order at each run. Timers that fall due together run in the order in which they were set.

**Threads** (``asyncio.to_thread``, ``run_in_executor``) take turns with the loop: see `virtual_threads`.

**Real input and output** holds the clock: while a connection, a pipe or a subprocess is open, the loop waits for it in
real time and the clock stands still. These do not hold it, since nothing can be on its way through them:

- a socket that listens, or a datagram socket that is not connected: nobody may ever call;
- a connection whose both ends belong to this loop, when neither end has anything to read.

With ``wait_for_io=False`` nothing of this holds it: the loop looks at its files once per jump, and goes on.

**Blocking** the loop itself with ``time.sleep`` moves the clock, and runs nothing meanwhile.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import heapq
import math
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import nullcontext
from contextvars import Context
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

from rescind.errors import AuthoringError, WrongEventLoop
from rescind.testing.blocking_calls import virtual_waits
from rescind.testing.open_io import Outside, outside_of
from rescind.testing.standstill import LOOK_EVERY, is_the_engines, place_of
from rescind.testing.virtual_clock import VirtualClock, whole_microseconds
from rescind.testing.virtual_threads import LockstepThreads, LoopWithThreads
from rescind.testing.wall_clock import following_wall_clock, frozen_start

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

DEFAULT_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
# Later timers never fall due: from 2 ** 33 s on, floats lie further apart than asyncio's look ahead, so that such a
# timer would be due for the clock, and not yet for asyncio, for ever.
_FOR_EVER: Final = 100 * 365 * 86_400
# What one end of a loopback connection sent is nearly always there at once at the other. Nearly.
_LOOPBACK_DELAY: Final = 0.0005


class Deadlock(AuthoringError):
    """Every task waits for something that nobody is left to do."""


class _Timer(asyncio.TimerHandle):
    """A timer that keeps its place among those of the same instant."""

    __slots__ = ("_order",)

    _order: int
    _when: float
    _scheduled: bool
    _cancelled: bool

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Timer):
            return NotImplemented
        return (self._when, self._order) < (other._when, other._order)


class _AskingSelector(selectors.DefaultSelector):
    """The place where asyncio waits: here the loop decides whether to wait, to jump, or neither."""

    next_events: Callable[[], list[tuple[selectors.SelectorKey, int]]]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self.next_events()

    def select_for_real(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout)


class VirtualTimeLoop(LoopWithThreads):
    """An event loop with a virtual clock.

    Args:
        start: the instant at which its clock begins, aware.
        wait_for_io: whether open connections, pipes and subprocesses hold the clock.
        tie_break: where n timers fall due together, ``tie_break(n)`` says which of them runs next, from 0 for the one
            that was set first to n - 1. It is asked again for those that remain.

    Attributes:
        describers: each gives lines that explain a standstill to whoever has to mend it.
    """

    _closed = True  # until asyncio has opened it: a loop whose start is refused is not to be closed

    # What asyncio's own loop keeps; unchanged from 3.11 to 3.13.
    _ready: deque[asyncio.Handle]
    _scheduled: list[_Timer]
    _stopping: bool
    _signal_handlers: dict[int, asyncio.Handle]
    _transports: Mapping[int, object]
    _ssock: socket.socket
    _timer_cancelled_count: int
    _clock_resolution: float
    _default_executor: concurrent.futures.Executor | None
    _executor_shutdown_called: bool

    def __init__(
        self,
        *,
        start: datetime = DEFAULT_START,
        wait_for_io: bool = True,
        tie_break: Callable[[int], int] | None = None,
    ) -> None:
        VirtualClock.__init__(self, start)
        self._io = _AskingSelector()
        self._io.next_events = self._next_events
        asyncio.SelectorEventLoop.__init__(self, self._io)
        # asyncio runs what is due before now plus this: half of our smallest step keeps the comparison exact.
        self._clock_resolution = 0.5e-6
        self._wait_for_io = wait_for_io
        self._tie_break = tie_break
        self.describers: list[Callable[[], Iterable[str]]] = []
        self._timers_set = 0
        self._threads = LockstepThreads(self)
        self._threads_before = set(threading.enumerate())
        self._settling: deque[asyncio.Future[None]] = deque()
        self._own_sockets: set[int] = set()
        self._children: set[int] = set()
        self._elsewhere: set[asyncio.Future[Any]] = set()
        self._blocked = False

    # The clock and its timers.

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's, `when` rounded up to a whole microsecond; beyond 100 years on this clock, never."""
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        rounded = math.inf if when > _FOR_EVER else whole_microseconds(when) / 1e6
        timer = _Timer(rounded, callback, args, self, context)
        timer._order = self._timers_set = self._timers_set + 1
        timer._scheduled = True
        heapq.heappush(self._scheduled, timer)
        return timer

    async def settled(self) -> None:
        """Return when everything else that can run at this instant has run.

        No callback is ready, no thread runs, and the clock would jump or wait next. Several waiters go on one after
        the other, each when what the one before has set off has run too.
        """
        waiter: asyncio.Future[None] = self.create_future()
        self._settling.append(waiter)
        await waiter

    def _next_events(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Decide what comes next; asyncio runs the callbacks of these events, of the timers due, and all ready ones."""
        if self._ready or self._stopping:
            self._threads.look_again()
            events = self._poll()
        else:
            events = self._poll() or self._when_idle()
        if self._tie_break is not None:
            self._order_due_timers(self._tie_break)
        return events

    def _when_idle(self) -> list[tuple[selectors.SelectorKey, int]]:
        due = self._next_deadline()
        if self._ready or (due is not None and due <= self.time()):
            return []
        if self._threads.hold_clock():
            return self._block(LOOK_EVERY)
        if self._settle_next():
            return []
        if self._wait_for_io and self._outside() is Outside.OPEN:
            return self._block(None)
        if due is None:
            return self._wait_for_others()
        if events := self._poll(_LOOPBACK_DELAY if self._wait_for_io else 0):
            return events
        self._elapsed = whole_microseconds(due)
        return []

    def _next_deadline(self) -> float | None:
        while self._scheduled and self._scheduled[0]._cancelled:
            self._drop_first_timer()
        return self._scheduled[0]._when if self._scheduled and not math.isinf(self._scheduled[0]._when) else None

    def _drop_first_timer(self) -> _Timer:
        timer = heapq.heappop(self._scheduled)
        timer._scheduled = False
        self._timer_cancelled_count -= timer._cancelled
        return timer

    def _order_due_timers(self, tie_break: Callable[[int], int]) -> None:
        due: list[_Timer] = []
        while (deadline := self._next_deadline()) is not None and deadline <= self.time():
            due.append(self._drop_first_timer())
        while due:
            self._ready.append(due.pop(tie_break(len(due)) if len(due) > 1 else 0))

    def _settle_next(self) -> bool:
        while self._settling:
            waiter = self._settling.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return True
        return False

    # Real input and output.

    def has_input(self) -> bool:
        """Whether a file or socket of the loop is ready."""
        return (
            any(key.fd != self._ssock.fileno() for key, _ in self._io.select_for_real(0)) if self._has_io() else False
        )

    def _has_io(self) -> bool:
        return len(self._io.get_map()) > 1

    def _poll(self, timeout: float = 0) -> list[tuple[selectors.SelectorKey, int]]:
        # Without files there is nothing to ask for, and the system call would be most of the cost of a round.
        if not (self._has_io() or self._signal_handlers):
            return []
        return self._io.select_for_real(timeout)

    def _block(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for real: for files, for a signal, for a callback from another thread."""
        self._blocked = True
        try:
            # A callback that came before `_blocked` was set has not written to the pipe that wakes the loop.
            return self._io.select_for_real(0 if self._ready else timeout)
        finally:
            self._blocked = False

    def _write_to_self(self) -> None:
        if self._blocked:
            super()._write_to_self()  # type: ignore[misc]

    def _outside(self) -> Outside:
        if self._children or self._elsewhere:
            return Outside.OPEN
        registered = {key.fd for key in self._io.get_map().values() if key.fd != self._ssock.fileno()}
        outside = outside_of(registered, registered | set(self._transports) | self._own_sockets)
        return Outside.LISTENING if outside is Outside.CLOSED and self._signal_handlers else outside

    async def sock_accept(self, sock: socket.socket) -> tuple[socket.socket, Any]:
        connection, address = await super().sock_accept(sock)
        self._own_sockets.add(connection.fileno())
        return connection, address

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self._own_sockets.add(sock.fileno())
        await super().sock_connect(sock, address)

    async def _make_subprocess_transport(self, *args: Any, **options: Any) -> asyncio.SubprocessTransport:
        transport: asyncio.SubprocessTransport = await super()._make_subprocess_transport(*args, **options)  # type: ignore[misc]
        if transport.get_returncode() is None:
            self._children.add(transport.get_pid())
        return transport

    def _child_watcher_callback(self, pid: int, returncode: int, transport: Any) -> None:
        super()._child_watcher_callback(pid, returncode, transport)  # type: ignore[misc]
        self.call_soon_threadsafe(self._children.discard, pid)

    # Threads.

    def run_in_executor(
        self, executor: concurrent.futures.Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As asyncio's; a thread takes turns with the loop, another process holds the clock until it is done."""
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        if executor is None:
            if self._executor_shutdown_called:
                raise RuntimeError("Executor shutdown has been called")
            executor = self._default_executor
        if executor is None or isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            return self._threads.submit(executor, functools.partial(func, *args) if args else func)
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._elsewhere.add(future)
        future.add_done_callback(self._elsewhere.discard)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Take no more functions, and wait for threads that run. Those that wait are ended by `close`."""
        self._executor_shutdown_called = True
        if self._threads.hold_clock():
            await self.settled()

    def run_forever(self) -> None:
        with virtual_waits():
            super().run_forever()

    def close(self) -> None:
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self.is_closed():
            return
        with virtual_waits():
            self._threads.close()
        super().close()
        del self._io.next_events  # it knows this loop, and would keep it alive until a collection

    # When nothing is left.

    def _wait_for_others(self) -> list[tuple[selectors.SelectorKey, int]]:
        if self._outside() is not Outside.CLOSED:
            return self._block(None)
        if set(threading.enumerate()) - self._threads_before - set(self._threads.workers):
            return self._block(LOOK_EVERY)  # a thread that the program started by itself may still call
        raise Deadlock(self._who_waits())

    def _who_waits(self) -> str:
        waiting = (task for task in asyncio.all_tasks(self) if not is_the_engines(task))
        tasks = sorted(waiting, key=lambda task: task.get_name())
        lines = [f"  task {task.get_name()!r} at {place_of(task)}" for task in tasks]
        lines += [f"  thread of {work}" for work in self._threads.open_functions]
        lines += [f"  {line}" for describe in self.describers for line in _described(describe)]
        return (
            f"Nothing can run any more: no callback is ready, no timer is set, no input or output is open, at "
            f"+{self.time():.6f} s of virtual time. These wait for what nobody will do:\n" + "\n".join(lines)
        )


def _described(describe: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return list(describe())
    except Exception as error:  # what cannot be explained stands still all the same
        return [f"({type(error).__name__} while this was looked into: {error})"]


def run(
    main: Coroutine[Any, Any, T],
    *,
    start: datetime | None = None,
    wait_for_io: bool = True,
    wall_clock: bool = True,
    debug: bool | None = None,
) -> T:
    """Run `main` in virtual time, as ``asyncio.run`` runs it in real time.

    Args:
        main: the coroutine to run.
        start: the instant at which the clock begins, aware. None: where freezegun holds the time, if it does, else the
            first of January 2026, 00:00 UTC.
        wait_for_io: whether open connections, pipes and subprocesses hold the clock.
        wall_clock: whether `datetime` and `time` follow the clock.
        debug: asyncio's debug mode; None leaves the choice to asyncio.

    Returns:
        What `main` returns.

    Raises:
        WrongEventLoop: called from code of a running event loop.
        Deadlock: everything waits, and nothing is left that could end it.
    """
    outer = asyncio._get_running_loop()
    if outer is not None:
        main.close()
        raise WrongEventLoop(
            f"rescind.testing.run() opens an event loop of its own, but {type(outer).__name__} is running here. Await "
            f"the coroutine instead, or call run() from a plain function: `def test_…():`, not `async def test_…():`"
        )
    begin = start or frozen_start() or DEFAULT_START
    with (
        following_wall_clock() if wall_clock else nullcontext(),
        asyncio.Runner(
            debug=debug, loop_factory=lambda: VirtualTimeLoop(start=begin, wait_for_io=wait_for_io)
        ) as runner,
    ):
        return runner.run(main)


def virtual_loop() -> VirtualTimeLoop:
    """The virtual loop that is running.

    Raises:
        WrongEventLoop: another loop is running, or none.
    """
    loop = asyncio._get_running_loop()
    if isinstance(loop, VirtualTimeLoop):
        return loop
    found = "no running event loop" if loop is None else type(loop).__name__
    raise WrongEventLoop(
        f"Virtual time needs its own event loop, but this was opened on {found}; run the program with "
        f"rescind.testing.run(main()), mark the test `@pytest.mark.rescind`, or use the fixtures "
        f"rescind_env / mock_agent_context"
    )
