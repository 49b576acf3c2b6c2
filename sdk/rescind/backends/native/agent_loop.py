"""The agent's own event loop: deterministic, stepped by its owner, in durable time.

It has no selector and no threads. The owner tells it the time and which timers are due, and ``step`` runs all that
can run, in the order in which it became ready. asyncio's primitives are used as they are, on top of it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final, NoReturn

from rescind.backends.native.cancellation_delivery import AgentCoroutine, AgentFuture, AgentTask, CancellationDelivery
from rescind.backends.native.code_places import suspended_place
from rescind.backends.native.coroutine_closing import close_coroutine
from rescind.backends.native.durability_guard import DurableLoop, enter_loop, given_to_as_completed, leave_loop, refuse
from rescind.backends.native.durable_timers import (
    MICROSECONDS,
    DurableTimerHandle,
    DurableTimers,
    TimerPort,
    due_after,
    due_at,
)
from rescind.backends.native.given_order import StartedAhead
from rescind.errors import NotDurableError

_LOG: Final = logging.getLogger("rescind.agent")
_serials = itertools.count(1)
# More callbacks than any work that is worth its while runs in one step; they take about a second.
_MOST_CALLBACKS: Final = 500_000


class AbandonRun(BaseException):
    """Raised by what an agent calls, to its owner: this run must not go on. The loop can only be closed then."""


class SpinningRun(AbandonRun):
    """The agent's code goes round and round within one step, and waits for nothing."""


class AgentLoop(DurableLoop):
    """An event loop for one run of one agent.

    Attributes:
        sort: what is run, in one word, for messages.
        tasks: the tasks that have not ended, in the order of their creation.
        delivery: how they hear of the execution's cancel.
    """

    __slots__ = (
        *("_timers", "_now", "_ready", "_order", "_ahead", "_exception_handler"),
        *("_stepping", "_abandoned", "_closed", "sort", "tasks", "delivery"),
    )

    def __init__(self, timers: TimerPort, now: int, sort: str = "agent") -> None:
        """Make a loop.

        Args:
            timers: starts and cancels durable timers.
            now: the agent's clock, in microseconds since the Unix epoch.
            sort: what is run, in one word, for messages.
        """
        super().__init__()
        self.sort = sort
        self._timers = DurableTimers(timers)
        self._now = now
        self._ready: list[asyncio.Handle] = []
        # The low bits count within this agent and alone decide how small sets iterate; the high bits keep the
        # tasks of different agents apart in asyncio's set of all tasks.
        self._order = next(_serials) << 24
        self._ahead = StartedAhead()
        self._exception_handler: Any = None
        self._stepping = False
        self._abandoned: AbandonRun | bool = False
        self._closed = False
        self.tasks: dict[AgentCoroutine, AgentTask] = {}
        self.delivery = CancellationDelivery(self)

    # -- the owner's side --

    @property
    def now(self) -> int:
        """The agent's clock, in microseconds since the Unix epoch."""
        return self._now

    def step(self, now: int) -> None:
        """Advance the agent's clock and run every ready callback until none is left.

        Args:
            now: microseconds since the Unix epoch. The clock never goes back.

        Raises:
            AbandonRun: code of the agent raised it.
            SpinningRun: code of the agent goes round and round, as ``while True: await asyncio.sleep(0)`` does.
            KeyboardInterrupt, SystemExit: code of the agent raised it; what was ready stays ready.
            RuntimeError: the loop is closed, abandoned or being stepped.
        """
        if self._closed or self._abandoned or self._stepping:
            raise RuntimeError(f"{self!r} cannot be stepped")
        self._now = max(now, self._now)
        surroundings = enter_loop(self, self._drop_generator)
        self._stepping = True
        try:
            self.delivery.begin_step()
            self._run_ready()
        finally:
            self._stepping = False
            leave_loop(surroundings)

    def fire_timer(self, timer: int) -> None:
        """Make the callback of a timer ready for the next step. Unknown and cancelled timers are ignored."""
        if handle := self._timers.take_fired(timer):
            self._ready.append(handle)

    def discard(self) -> None:
        """Throw the agent out of memory, as if it had never run: no callback, no warning, no effect.

        Python runs the ``finally`` blocks of suspended coroutines; what they ask of this loop does nothing, what
        they raise is dropped. Repeating it does nothing.
        """
        if self._stepping:
            raise RuntimeError(f"{self!r} cannot be discarded from within its own step")
        if self._closed:
            return
        self._closed = True
        self._timers.shut()
        self.delivery.forget_loop()
        surroundings = enter_loop(self, self._drop_generator)
        try:
            self._close_tasks()
        finally:
            leave_loop(surroundings)
        self._timers.clear()
        self._ahead.clear()
        self._ready = []
        self._exception_handler = None

    close = discard

    def abandon(self, reason: AbandonRun) -> None:
        """Stop the step after the callback that runs now, whatever the agent's code does."""
        if not self._abandoned:
            self._abandoned = reason

    async def abandon_here(self, reason: AbandonRun) -> NoReturn:
        """Stop the step here: the caller never goes on, so the agent's code has nothing to catch."""
        self.abandon(reason)
        while True:
            await self.create_future()

    # -- for tasks and futures --

    def next_order(self) -> int:
        """The next place in the agent's order of tasks and futures."""
        self._order += 1
        return self._order

    def task_ended(self, coroutine: AgentCoroutine, error: BaseException) -> bool:
        """Note how a task's coroutine ended; returns whether the task may know, which is not so of ``AbandonRun``."""
        self.tasks.pop(coroutine, None)
        if isinstance(error, AbandonRun):
            self.abandon(error)
            return False
        return True

    def parked(self) -> AgentFuture:
        """A future that nobody resolves, as a coroutine hands it to its task."""
        future = self.create_future()
        future._asyncio_future_blocking = True
        return future

    # -- asyncio's side --

    def time(self) -> float:
        """The agent's clock in seconds since the Unix epoch; it stands still within a step."""
        return self._now / MICROSECONDS

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback after those that are ready."""
        handle = asyncio.Handle(callback, args, self, context)
        if not self._closed:
            self._ready.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As ``call_soon``, and from the agent's own code only."""
        if asyncio._get_running_loop() is not self:
            refuse("loop.call_soon_threadsafe")
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback after a durable delay in seconds, rounded up to the microsecond; beyond 100 years, never."""
        due = due_after(delay, self._now)
        return self._call_when_due(due, self.time() + delay, callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback at an instant of ``time()``, rounded up to the microsecond; beyond 100 years, never."""
        return self._call_when_due(due_at(when, self._now), when, callback, args, context)

    def create_future(self) -> AgentFuture:
        """A future of this agent."""
        return AgentFuture(self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: object = None, context: Context | None = None, **options: Any
    ) -> AgentTask:
        """A task of this agent; it starts at the next turn of the loop, also when asked to start eagerly."""
        if self._closed:
            return self._never_started(coro)
        try:
            given = given_to_as_completed(sys._getframe(1))
        except NotDurableError:
            coro.close()
            raise
        if given is not None:
            return self._ahead.task_of(coro, given, self._start)
        return self._start(coro, name, context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell an error that nobody caught. Never raises; after ``discard`` it says nothing."""
        if self._closed:
            return
        try:
            (self._exception_handler or type(self).default_exception_handler)(self, context)
        except Exception:  # the handler is the agent's own code: whatever it raises must not end the step
            _LOG.exception("the agent's exception handler failed on: %s", context.get("message"))

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Log the error."""
        _LOG.error("%s", context.get("message") or "unhandled error", exc_info=context.get("exception"))

    def set_exception_handler(self, handler: Any) -> None:
        """Replace what tells uncaught errors; None: the log."""
        self._exception_handler = handler

    def get_exception_handler(self) -> Any:
        """What replaces the log, or None."""
        return self._exception_handler

    def is_running(self) -> bool:
        """Whether a step is under way."""
        return self._stepping

    def is_closed(self) -> bool:
        """Whether the agent was discarded."""
        return self._closed

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self._timers.cancel(handle)

    def __repr__(self) -> str:
        state = (
            "closed" if self._closed else "abandoned" if self._abandoned else "running" if self._stepping else "idle"
        )
        return f"<AgentLoop {state} at {self.time():.6f} s, {len(self.tasks)} tasks, {len(self._timers)} timers>"

    # -- inside --

    def _run_ready(self) -> None:
        callbacks = 0
        while self._ready:
            batch, self._ready = self._ready, []
            callbacks += len(batch)
            if callbacks > _MOST_CALLBACKS:
                # The worker's other agents, its heartbeats and the whole process stand still meanwhile.
                self.abandon(_spinning(batch[0]))
                self._raise_abandoned()
            done = 0
            try:
                for handle in batch:
                    done += 1
                    if not handle._cancelled:
                        self._run(handle)
                    if self._abandoned:
                        self._raise_abandoned()
            except BaseException:  # whatever ends the step, Ctrl+C among it: what has not run stays ready
                self._ready[:0] = batch[done:]
                raise

    def _run(self, handle: Any) -> None:
        try:
            handle._context.run(handle._callback, *handle._args)
        except (KeyboardInterrupt, SystemExit):
            raise
        except AbandonRun as reason:
            self.abandon(reason)
        except BaseException as error:  # code of the agent, which may raise what it likes, and ends nobody else's turn
            message = f"unhandled error in a callback of an agent: {handle!r}"
            self.call_exception_handler({"message": message, "exception": error, "handle": handle})

    def _raise_abandoned(self) -> None:
        reason, self._abandoned = self._abandoned, True
        if isinstance(reason, AbandonRun):
            try:
                raise reason
            finally:
                del reason

    def _call_when_due(
        self, due: float, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> DurableTimerHandle:
        handle = DurableTimerHandle(when, callback, args, self, context)
        if not self._closed and self._timers.wait(handle, due, self._now):
            self._ready.append(handle)
        return handle

    def _start(self, inner: Coroutine[Any, Any, Any], name: object = None, context: Context | None = None) -> AgentTask:
        parent = asyncio.current_task(self) if self._stepping else None
        shields = 1 if isinstance(parent, AgentTask) and parent.shields else 0
        coroutine = AgentCoroutine(inner, self)
        task = AgentTask(self, coroutine, shields, name, context)
        self.tasks[coroutine] = task
        return task

    def _never_started(self, inner: Coroutine[Any, Any, Any]) -> AgentTask:
        # Nothing raises after discard: clean-up code could swallow that, and try again for ever. It waits instead.
        inner.close()
        task = AgentTask(self, AgentCoroutine(inner, self), 0, None, None)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        return task

    def _close_tasks(self) -> None:
        while self.tasks:
            coroutine, task = self.tasks.popitem()
            # As the current task: where there is none, a time-out refuses at once, and code that swallows all and tries
            # again would spin here.
            asyncio.tasks._enter_task(self, task)
            try:
                close_coroutine(coroutine.inner)
            finally:
                asyncio.tasks._leave_task(self, task)
            # The base's cancel ends what the task waits for, and the task, and tells nobody: they hold each other,
            # and would stay in memory till the garbage collector came.
            waiter = getattr(task, "_fut_waiter", None)
            if isinstance(waiter, asyncio.Future):
                asyncio.Future.cancel(waiter)
            asyncio.Future.cancel(task)

    def _drop_generator(self, generator: Any) -> None:
        # As asyncio does, but only while the agent runs: else Python drops the frame without running its code.
        if asyncio._get_running_loop() is self and self._stepping:
            self.create_task(generator.aclose())


def _spinning(handle: Any) -> SpinningRun:
    task = getattr(handle._callback, "__self__", None)
    place = f" at {suspended_place(task.get_coro())}" if isinstance(task, asyncio.Task) else ""
    return SpinningRun(
        f"the agent spins{place} without waiting for anything; await an event, a signal or ctx.sleep with a time "
        "above zero."
    )
