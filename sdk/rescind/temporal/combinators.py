"""Rescind's combinators for workflows of your own, written with Temporal's SDK.

They take what `workflow.start_activity` and `workflow.start_child_workflow` give, and any future or task beside: here
all of them are called handles. Their names and rules are those of an agent's context. All is deterministic, and works
inside Temporal's sandbox::

    with workflow.unsafe.imports_passed_through():
        from rescind.temporal.combinators import select_ok_with_cancel

A cancel that reaches the waiting code is never lost, whatever ends at the same moment: each function raises
`asyncio.CancelledError`. Those that cancel what they wait for, do so then, too; the others leave it running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from temporalio.exceptions import ApplicationError, is_cancelled_exception

from rescind.errors import AllTasksFailed, DeadlineExceeded, InvalidInput
from rescind.temporal.handles import (
    all_in,
    await_ends,
    cancel_open,
    checked_handles,
    error_of,
    seconds_of,
    succeeded,
    take_back,
    wait,
    wait_through,
    was_cancelled,
)

T = TypeVar("T")
HandleT = TypeVar("HandleT", bound="asyncio.Future[Any]")


class AllHandlesFailed(AllTasksFailed, ApplicationError):
    """A race that nobody can win any more. Unhandled it fails the workflow, as Temporal's own failures do.

    Attributes:
        errors: what each handle ended with, in input order; `asyncio.CancelledError` for one that was cancelled before
            it began.
    """

    errors: tuple[BaseException, ...]  # type: ignore[assignment]  # of Temporal's tree, not of ours

    def __init__(self, errors: Sequence[BaseException]) -> None:
        told = "; ".join(str(error.__cause__ or error) or type(error).__name__ for error in errors)
        ApplicationError.__init__(self, f"All tasks failed: {told}", type="AllTasksFailed", non_retryable=True)
        self.errors = tuple(errors)


class OutOfTime(DeadlineExceeded, ApplicationError):
    """A shielded clean-up took longer than it may. Unhandled it fails the workflow, as Temporal's own failures do."""

    def __init__(self, seconds: float) -> None:
        message = f"the clean-up took longer than {seconds:g} s. Allow more, or do less in it."
        ApplicationError.__init__(self, message, type="DeadlineExceeded", non_retryable=True)


@dataclass(frozen=True, slots=True)
class SettledHandles(Generic[T]):
    """How a group of handles ended; each list in input order.

    Attributes:
        completed: the handle and value of each that completed.
        failed: the handle and error of each that failed.
        cancelled: those that were cancelled.
        timed_out: whether the deadline ended the wait, if there was one.
    """

    completed: list[tuple[asyncio.Future[T], T]] = field(default_factory=list)
    failed: list[tuple[asyncio.Future[T], BaseException]] = field(default_factory=list)
    cancelled: list[asyncio.Future[T]] = field(default_factory=list)
    timed_out: bool = False

    def total(self) -> int:
        """How many handles there were."""
        return len(self.completed) + len(self.failed) + len(self.cancelled)

    def all_succeeded(self) -> bool:
        """Whether none failed and none was cancelled; true of no handles at all."""
        return not self.failed and not self.cancelled

    def any_succeeded(self) -> bool:
        """Whether at least one completed."""
        return bool(self.completed)

    def all_failed(self) -> bool:
        """Whether nothing completed and at least one failed; cancelled ones alone don't count."""
        return not self.completed and bool(self.failed)


async def join_all(handles: Iterable[asyncio.Future[T]]) -> list[T]:
    """Wait until all have completed; the first that cannot is raised, as itself. The others are left running.

    Returns:
        Their values, in input order.
    """
    members = checked_handles(handles)
    await wait(members, lambda ended: any(not succeeded(each) for each in ended) or all_in(members, ended))
    for each in members:
        if each.done() and not succeeded(each):
            each.result()
    return [each.result() for each in members]


async def join_all_settled(handles: Iterable[asyncio.Future[T]]) -> SettledHandles[T]:
    """Wait until all have ended, however."""
    members = checked_handles(handles)
    await wait(members, lambda ended: all_in(members, ended))
    return _settled(members)


async def join_all_with_timeout(handles: Iterable[asyncio.Future[T]], timeout: float | timedelta) -> SettledHandles[T]:
    """Wait until all have ended or the deadline has come; what is open then is cancelled, and its end awaited.

    Args:
        handles: what to wait for.
        timeout: how long, in seconds or as a timedelta. The timer is durable.

    Raises:
        InvalidInput: a time below 0.
    """
    members, seconds = checked_handles(handles), seconds_of(timeout)
    try:
        in_time = await wait(members, lambda ended: all_in(members, ended), seconds)
    except asyncio.CancelledError:
        await take_back(members)
        raise
    await take_back(members)
    return _settled(members, timed_out=not in_time)


async def select_ok(handles: Iterable[asyncio.Future[T]]) -> tuple[T, list[asyncio.Future[T]]]:
    """Wait for the first success: a failure or a cancelled handle is passed over.

    Returns:
        Its value, and the other handles in input order; they go on.

    Raises:
        AllHandlesFailed: none succeeded.
        InvalidInput: no handles.
    """
    members = checked_handles(handles)
    winner = await _first_success(members, "select_ok")
    place = next(place for place, each in enumerate(members) if each is winner)
    return winner.result(), [each for at, each in enumerate(members) if at != place]


async def select_ok_with_cancel(
    handles: Iterable[asyncio.Future[T]],
) -> tuple[T, list[asyncio.Future[T]]]:
    """Wait for the first success; the others are cancelled, and their ends awaited.

    How long that takes is said by their cancellation type: none with ``TRY_CANCEL``, as long as their code takes with
    ``WAIT_CANCELLATION_COMPLETED``.

    Returns:
        Its value, and the handles that this call cancelled, in input order. One that ended by itself is not among them.

    Raises:
        AllHandlesFailed: none succeeded.
        InvalidInput: no handles.
    """
    members = checked_handles(handles)
    try:
        winner = await _first_success(members, "select_ok_with_cancel")
    except asyncio.CancelledError:
        await take_back(members)
        raise
    return winner.result(), await take_back(members)


async def shielded(clean_up: Awaitable[T], within: float | timedelta | None = None) -> T:
    """Run a clean-up to its end, also where a cancel comes meanwhile. The cancel is raised when it has ended.

    Where the clean-up itself raises, that is raised, and the cancel at the next await.

    Args:
        clean_up: what is to be done, as a coroutine.
        within: how long it may take, in seconds or as a timedelta; then it is cancelled. None sets no limit.

    Raises:
        OutOfTime: it took longer, and no cancel came meanwhile.
    """
    seconds = seconds_of(within) if within is not None else None
    work = asyncio.ensure_future(clean_up)
    in_time, told = await wait_through([work], seconds)
    if not in_time:
        told = (await await_ends(cancel_open([work]))) or told
    _tell_cancel(told, work)
    if not in_time and not succeeded(work):
        raise OutOfTime(seconds or 0.0)
    return work.result()


def _tell_cancel(told: asyncio.CancelledError | None, work: asyncio.Future[Any]) -> None:
    if told is None:
        return
    if succeeded(work) or was_cancelled(work):
        raise told
    running = asyncio.current_task()
    if running is not None:
        running.cancel(*told.args)


def scope() -> Scope:
    """A block that takes back what was begun in it and is still open when it is left, by whatever door::

    async with scope() as here:
        quote = here.add(workflow.start_activity(...))
        child = await here.start(workflow.start_child_workflow(...))
    """
    return Scope()


class Scope:
    """See `scope`."""

    def __init__(self) -> None:
        self._handles: list[asyncio.Future[Any]] = []
        self._is_left = False

    def add(self, handle: HandleT) -> HandleT:
        """Count a handle as begun in this block; returns it.

        Raises:
            InvalidInput: it is no handle; or the block was left before, and the handle is cancelled.
        """
        (checked,) = checked_handles([handle])
        if self._is_left:
            checked.cancel()
            raise InvalidInput("the scope was left; what is begun after that is cancelled. Begin it inside the block.")
        self._handles.append(checked)
        return handle

    async def start(self, start: Coroutine[Any, Any, HandleT]) -> HandleT:
        """Await a start, as that of a child workflow, and count its handle as begun in this block.

        Temporal's own `start_child_workflow` swallows a cancel that comes while it waits, and goes on. This one tells
        the child, and raises it.
        """
        starting = asyncio.ensure_future(start)
        try:
            await wait([starting], bool)
        except asyncio.CancelledError:
            await await_ends(cancel_open([starting]))
            if succeeded(starting):
                self.add(starting.result()).cancel()
            raise
        return self.add(starting.result())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_left = True
        await take_back(self._handles)


async def _first_success(members: Sequence[asyncio.Future[T]], name: str) -> asyncio.Future[T]:
    if not members:
        raise InvalidInput(f"{name} was given nothing to choose from. Give at least one.")
    winners: list[asyncio.Future[T]] = []

    def is_decided(ended: Sequence[asyncio.Future[T]]) -> bool:
        if not winners:
            winners.extend(each for each in ended[-1:] if succeeded(each))
        return bool(winners) or all_in(members, ended)

    await wait(members, is_decided)
    if not winners:
        raise AllHandlesFailed([error for each in members if (error := error_of(each)) is not None])
    return winners[0]


def _settled(members: Sequence[asyncio.Future[T]], *, timed_out: bool = False) -> SettledHandles[T]:
    result: SettledHandles[T] = SettledHandles(timed_out=timed_out)
    for each in members:
        error = error_of(each)
        if error is None:
            result.completed.append((each, each.result()))
        elif is_cancelled_exception(error):
            result.cancelled.append(each)
        else:
            result.failed.append((each, error))
    return result
