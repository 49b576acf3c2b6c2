"""How an agent's code hears that its execution is being cancelled (cancellation.md, section 7 and invariant 9).

asyncio throws a bare ``CancelledError`` into a task's coroutine. Once the owner has called ``request``, every task
outside a shield is told by ``ExecutionCancelled`` instead, at the await where it stands, and at each further await:
whoever swallows it is told again. Shields belong to tasks, and tasks that are started inside are born shielded.

asyncio's own counts stay right for ``timeout`` and ``TaskGroup``: telling again leaves ``Task.cancelling()`` as it
was, and entering a shield sets it to zero, so that clean-up code begins as if nothing had happened.

Up to Python 3.12 ``TaskGroup`` takes a subclass of ``CancelledError`` from its body for an error, and wraps it. Its
bookkeeping is told otherwise here, per group and only when a cancel is being told, so that ``ExecutionCancelled``
leaves it bare, as from 3.13 on. Groups are found where they are entered (``async with``, exit stacks, context
managers written as generators); one that could not be found wraps the error, which loses its wrapping where the task
ends, if it held nothing else.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType, MethodType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from rescind.errors import ExecutionCancelled

if TYPE_CHECKING:
    from rescind.backends.native.agent_loop import AgentLoop
    from rescind.model.cause import CancelCause

# Code that swallows its cancel in an endless loop must not hold the worker: then the next step tells it.
TELLINGS_PER_STEP: Final = 100


class AgentFuture(asyncio.Future[Any]):
    """A future with a place in the agent's order, so that a set of them iterates alike in every run."""

    __slots__ = ("order",)

    def __init__(self, loop: AgentLoop) -> None:
        self.order = loop.next_order()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.order


class AgentTask(asyncio.Task[Any]):
    """A task of an agent.

    Attributes:
        shields: how many shields its code is in; those that it was born in count as one.
        told_in: the step in which it was told last.
        tellings: how often in that step.
        is_due: whether it swallowed so many tellings that the next step has to go on.
    """

    __slots__ = ("delivery", "is_due", "order", "shields", "tellings", "told_in")

    def __init__(self, loop: AgentLoop, coroutine: AgentCoroutine, shields: int, name: Any, context: Any) -> None:
        self.order = loop.next_order()
        self.delivery = loop.delivery
        self.shields = shields
        self.told_in = self.tellings = 0
        self.is_due = False
        super().__init__(coroutine, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.order

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel as asyncio does, unless it is the execution's cancel and this task is shielded from it."""
        if self.shields and self.delivery.spares(self, sys._getframe(1)):
            return False
        return super().cancel(msg)


class AgentCoroutine(Coroutine[Any, Any, Any]):
    """What a task of the agent drives: the author's coroutine, with an ear at its every suspension."""

    __slots__ = ("_delivery", "_loop", "inner")

    def __init__(self, inner: Coroutine[Any, Any, Any], loop: AgentLoop) -> None:
        self.inner = inner
        self._loop = loop
        self._delivery = loop.delivery

    def send(self, value: Any) -> Any:
        """Run the author's code to its next suspension."""
        return self._resume(self.inner.send, value)

    def throw(self, error: Any, value: Any = None, traceback: TracebackType | None = None) -> Any:
        """Raise an error at the await where the author's code stands: the execution's cancel under its own name."""
        try:
            return self._resume(self.inner.throw, self._delivery.translate(error, self.inner))
        finally:
            del error, value, traceback  # An error's traceback holds this frame: a cycle.

    def close(self) -> None:
        """Close the author's coroutine."""
        self.inner.close()

    def __await__(self) -> Any:
        return self.inner.__await__()

    def __getattr__(self, name: str) -> Any:
        # cr_code, cr_frame, __qualname__ and the like: what asyncio prints of a task.
        return getattr(self.inner, name)

    def _resume(self, resume: Callable[[Any], Any], value: Any) -> Any:
        bare = None
        try:
            awaited = resume(value)
        except StopIteration as end:
            self._loop.task_ended(self, end)
            raise
        except BaseException as error:  # an agent's coroutine ends with whatever it likes
            if not self._loop.task_ended(self, error):
                return self._loop.parked()
            bare = _only_cancel_in(error)
            if bare is None:
                raise
        finally:
            del resume, value
        if bare is not None:
            try:
                raise bare
            finally:
                del bare
        return awaited if self._delivery.cause is None else self._delivery.suspended(self, awaited)


class CancellationDelivery:
    """How one run of an agent hears of its cancel: ``loop.delivery``."""

    __slots__ = ("_has_due", "_is_telling", "_loop", "_step", "cause")

    def __init__(self, loop: AgentLoop) -> None:
        """Belong to a loop, which makes it."""
        self._loop: AgentLoop | None = loop
        # The first cause; None until then. Once set it stays: the execution is being cancelled.
        self.cause: CancelCause | None = None
        self._step = 0
        self._is_telling = False
        self._has_due = False

    @property
    def requested(self) -> bool:
        """Whether the execution is being cancelled."""
        return self.cause is not None

    @property
    def wants_step(self) -> bool:
        """Whether a task swallowed so many tellings in this step that it must be told in another."""
        return self._has_due

    def request(self, cause: CancelCause) -> None:
        """Tell every task outside a shield, in the order of their creation, that the execution is being cancelled.

        Takes effect in the next step. Only the first cause counts; repeating it does nothing.
        """
        if self.cause is not None or self._loop is None:
            return
        self.cause = cause
        for task in self._others():
            self._tell(task)

    def enter_shield(self) -> None:
        """Keep the execution's cancel from the running task until ``leave_shield``. Shields nest."""
        if self._loop is None:
            return
        task = self._running_task()
        task.shields += 1
        while self.cause is not None and task.cancelling():
            task.uncancel()

    def leave_shield(self) -> None:
        """End what ``enter_shield`` began: the task is told at its next await, if there is something to tell."""
        if self._loop is None:
            return
        task = self._running_task()
        if task.shields == 0:
            raise RuntimeError("leave_shield() without enter_shield()")
        task.shields -= 1

    def is_telling(self) -> bool:
        """Whether the running task would be told at an await."""
        return self.cause is not None and self._loop is not None and self._running_task().shields == 0

    def raise_if_cancelled(self) -> None:
        """For operations that cannot wait.

        Raises:
            ExecutionCancelled: the execution is being cancelled, and the running task is not shielded.
        """
        if self.is_telling():
            _let_pass(_groups_on_the_stack(sys._getframe(1)))
            raise ExecutionCancelled(self.cause)

    async def tell_here(self) -> None:
        """For operations that can wait: an await like any other, so that even swallowing it in a loop is bounded.

        Raises:
            ExecutionCancelled: the execution is being cancelled, and the running task is not shielded.
        """
        if self._loop is None:
            # Discarded: an error could be swallowed, and the operation tried again, for ever.
            await asyncio.sleep(0)
        elif self.is_telling():
            await self._loop.create_future()

    # -- for the loop and its tasks --

    def begin_step(self) -> None:
        """Tell those who swallowed more tellings than the last step allowed."""
        self._step += 1
        if self._has_due:
            self._has_due = False
            for task in self._others():
                if task.is_due:
                    task.is_due = False
                    self._tell(task)

    def translate(self, error: Any, coroutine: Any) -> Any:
        """What a coroutine is to see of an error: the execution's cancel under its own name."""
        if self.cause is None or not isinstance(error, asyncio.CancelledError) or self._running_task().shields:
            return error
        _let_pass(_groups_entered_in(coroutine))
        return error if isinstance(error, ExecutionCancelled) else ExecutionCancelled(self.cause)

    def suspended(self, coroutine: AgentCoroutine, awaited: Any) -> Any:
        """Tell a task that suspends; returns what it is to wait for."""
        task = self._running_task()
        if task.shields or self._loop is None or _waits_for_the_told(coroutine.inner):
            return awaited
        if task.told_in != self._step:
            task.told_in, task.tellings = self._step, 0
        if task.tellings >= TELLINGS_PER_STEP:
            task.is_due = self._has_due = True
            # A bare yield would come back in this very step.
            return self._loop.parked() if awaited is None else awaited
        task.tellings += 1
        if task.cancelling():
            task.uncancel()
        task.cancel()
        return awaited

    def spares(self, task: AgentTask, caller: FrameType) -> bool:
        """Whether a shielded task stays untouched by a ``cancel()``: it follows from the execution's cancel.

        What clean-up code itself cancels, and what a time-out or a task group inside the shield cancels, is obeyed.
        """
        if self.cause is None or self._loop is None:
            return False
        if self._is_telling:
            return True
        canceller = asyncio.current_task(self._loop)
        if not isinstance(canceller, AgentTask) or canceller is task or canceller.shields:
            return False
        return str(caller.f_globals.get("__name__", "")).partition(".")[0] in ("asyncio", "rescind")

    def forget_loop(self) -> None:
        """The agent is being discarded: from now on nothing is told, and shields are nothing."""
        self._loop = None
        self._has_due = False

    def _others(self) -> list[AgentTask]:
        if self._loop is None:
            return []
        # The running task is told where it suspends; a cancel now would undo its result if it does not.
        running = asyncio.current_task(self._loop) if self._loop.is_running() else None
        return [task for task in self._loop.tasks.values() if task is not running and not task.shields]

    def _tell(self, task: AgentTask) -> None:
        self._is_telling = True
        try:
            task.cancel()
        finally:
            self._is_telling = False

    def _running_task(self) -> AgentTask:
        task = asyncio.current_task(self._loop)
        if not isinstance(task, AgentTask):
            raise RuntimeError("no task of this agent is running")
        return task


_GROUP_EXIT: Final = asyncio.TaskGroup.__aexit__.__code__
_CANCEL_AND_WAIT: Final = getattr(getattr(asyncio.tasks, "_cancel_and_wait", None), "__code__", None)
_CONDITION_WAIT: Final = asyncio.Condition.wait.__code__
_LOCK_ACQUIRE: Final = asyncio.Lock.acquire.__code__


def _waits_for_the_told(coroutine: Any) -> bool:
    # These awaits of asyncio's own only wait until tasks that were told have ended (or have let go of a lock), and
    # would begin again: telling them has no effect but a loop.
    outer = None
    while isinstance(awaited := getattr(coroutine, "cr_await", None), CoroutineType):
        outer, coroutine = coroutine, awaited
    code = getattr(coroutine, "cr_code", None)
    if code is _GROUP_EXIT:
        return bool(coroutine.cr_frame.f_locals["self"]._aborting)
    if code is _LOCK_ACQUIRE:
        return outer is not None and outer.cr_code is _CONDITION_WAIT
    return code is not None and code is _CANCEL_AND_WAIT


def _only_cancel_in(error: BaseException) -> ExecutionCancelled | None:
    if not isinstance(error, BaseExceptionGroup):
        return None
    found = [_only_cancel_in(one) or one for one in error.exceptions]
    first = found[0]
    return (
        first
        if isinstance(first, ExecutionCancelled) and all(isinstance(o, ExecutionCancelled) for o in found)
        else None
    )


_GROUP_WRAPS_SUBCLASSES: Final = sys.version_info < (3, 13)


class _ErrorsButTheCancel(list[Any]):
    def append(self, error: Any) -> None:
        if not isinstance(error, ExecutionCancelled):
            super().append(error)


def _let_pass(groups: Iterator[Any]) -> None:
    # With no error in its list a group lets what came out of its body go on as it is.
    if _GROUP_WRAPS_SUBCLASSES:
        for group in groups:
            errors = getattr(group, "_errors", None)
            if type(errors) is list:
                group._errors = _ErrorsButTheCancel(errors)


def _groups_on_the_stack(frame: FrameType | None) -> Iterator[asyncio.TaskGroup]:
    # Running frames hide what they have entered, but not the names that it was given.
    while frame is not None and frame.f_code is not AgentCoroutine._resume.__code__:
        yield from (value for value in frame.f_locals.values() if isinstance(value, asyncio.TaskGroup))
        frame = frame.f_back


_AWAITS: Final = (CoroutineType, AsyncGeneratorType, GeneratorType)
_AWAIT_NAMES: Final = frozenset({"coroutine_wrapper", "async_generator_asend", "async_generator_athrow"})


def _groups_entered_in(coroutine: Any) -> Iterator[asyncio.TaskGroup]:
    """The task groups that a suspended coroutine, and what it awaits, are in; perhaps also some that it only knows."""
    seen: set[int] = set()
    pending = [coroutine]
    while pending:
        held = pending.pop()
        if id(held) in seen:
            continue
        seen.add(id(held))
        if isinstance(held, asyncio.TaskGroup):
            yield held
        elif isinstance(held, MethodType):
            pending.extend(_held_by_context(held))
        elif isinstance(held, deque | tuple):
            pending.extend(held)
        elif isinstance(held, _AWAITS) or type(held).__name__ in _AWAIT_NAMES:
            pending.extend(gc.get_referents(held))


def _held_by_context(method: MethodType) -> Iterator[Any]:
    # An entered context is seen as its exit method, which waits on the frame's stack (or in an exit stack).
    if method.__name__ in ("__aexit__", "__exit__"):
        owner = method.__self__
        yield owner
        yield from getattr(owner, "__dict__", {}).values()
