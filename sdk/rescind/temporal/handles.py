"""Waiting for handles of a workflow, and ending them, so that neither an end nor a cancel is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.exceptions import is_cancelled_exception

from rescind.errors import InvalidInput

T = TypeVar("T")

Condition = Callable[[Sequence["asyncio.Future[Any]"]], bool]


async def wait(members: Sequence[asyncio.Future[Any]], holds: Condition, seconds: float | None = None) -> bool:
    """Wait until a condition holds for those that have ended, in the order of their ends; False if time ran out.

    Neither `asyncio.wait`, whose sets have no order, nor `asyncio.wait_for`, which loses a cancel that comes together
    with the end of what it waits for.
    """
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[bool] = loop.create_future()
    ended: list[asyncio.Future[Any]] = []

    def note(handle: asyncio.Future[Any]) -> None:
        retrieve(handle)
        ended.append(handle)
        wake(in_time=True)

    def wake(*, in_time: bool) -> None:
        if not woken.done() and (not in_time or holds(ended)):
            woken.set_result(in_time)

    wake(in_time=True)
    for each in dict.fromkeys(members):
        each.add_done_callback(note)
    timer = loop.call_later(seconds, lambda: wake(in_time=False)) if seconds is not None and not woken.done() else None
    try:
        return await woken
    finally:
        if timer is not None:
            timer.cancel()
        for each in members:
            each.remove_done_callback(note)
            each.add_done_callback(retrieve)


async def take_back(members: Sequence[asyncio.Future[T]]) -> list[asyncio.Future[T]]:
    """Cancel what is open, and wait until it has ended; returns what was cancelled and not finished all the same.

    A cancel of the waiting code that comes meanwhile is raised at the end.
    """
    cancelled = cancel_open(members)
    told = await await_ends(cancelled)
    if told is not None:
        raise told
    return [each for each in cancelled if was_cancelled(each)]


def cancel_open(members: Sequence[asyncio.Future[T]]) -> list[asyncio.Future[T]]:
    """Cancel what is open; returns it."""
    still_open = [each for each in members if not each.done()]
    for each in dict.fromkeys(still_open):
        each.cancel()
    return still_open


async def await_ends(members: Sequence[asyncio.Future[Any]]) -> asyncio.CancelledError | None:
    """Wait until all have ended; returns the cancel of the waiting code that came meanwhile."""
    _, told = await wait_through(members, None)
    return told


async def wait_through(
    members: Sequence[asyncio.Future[Any]], seconds: float | None
) -> tuple[bool, asyncio.CancelledError | None]:
    """Wait until all have ended or time ran out, also when cancelled; returns whether in time, and that cancel."""
    told: asyncio.CancelledError | None = None
    loop = asyncio.get_running_loop()
    out_of_time: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(seconds, _set, out_of_time) if seconds is not None else None
    try:
        while not (out_of_time.done() or all(each.done() for each in members)):
            try:
                await wait([*members, out_of_time], lambda ended: out_of_time in ended or all_in(members, ended))
            except asyncio.CancelledError as error:
                # In a workflow that leaves its worker's memory all handles end now, and so does this.
                told = told or error
    finally:
        if timer is not None:
            timer.cancel()
    return all(each.done() for each in members), told


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def checked_handles(handles: Iterable[asyncio.Future[T]]) -> list[asyncio.Future[T]]:
    members = list(handles)
    for each in members:
        if not asyncio.isfuture(each):
            raise InvalidInput(
                f"{each!r} is no handle. Give what workflow.start_activity returns, or asyncio.create_task(...)."
            )
    return members


def seconds_of(given: float | timedelta) -> float:
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise InvalidInput(f"{given!r} is no time. Give seconds, 0 or more, or a timedelta.")
    return seconds


def all_in(members: Sequence[asyncio.Future[Any]], ended: Sequence[asyncio.Future[Any]]) -> bool:
    return len(ended) == len(dict.fromkeys(members))


def succeeded(handle: asyncio.Future[Any]) -> bool:
    return handle.done() and error_of(handle) is None


def error_of(handle: asyncio.Future[Any]) -> BaseException | None:
    if handle.cancelled():
        return asyncio.CancelledError()
    return handle.exception() if handle.done() else None


def was_cancelled(handle: asyncio.Future[Any]) -> bool:
    error = error_of(handle)
    return error is not None and is_cancelled_exception(error)


def retrieve(handle: asyncio.Future[Any]) -> None:
    """Look at its error: asyncio would complain of one that nobody ever looked at."""
    error_of(handle)
