"""Waiting for several things of a workflow at once, whatever they are: tasks, timers, promises, children, signals.

What is about tasks alone, and needs their statuses, is in `rescind.runtime.combinators`, for agents and workflows
alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from rescind.errors import DeadlineExceeded, InvalidInput


async def join_all(futures: Sequence[Awaitable[Any]]) -> list[Any]:
    """The values of all, in input order; the first error, in list order among those that are there, is raised."""
    found: dict[int, Any] = {}
    async with _Waiting(futures) as waiting:
        while len(found) < len(futures):
            for place in await waiting.newly_ready():
                found[place] = waiting.value(place)
    return [found[place] for place in range(len(futures))]


async def select(futures: Sequence[Awaitable[Any]]) -> tuple[int, Any]:
    """Place and value of the first that is there, in list order; if that failed, its error is raised."""
    if not futures:
        raise InvalidInput("select was given nothing to choose from. Give at least one.")
    async with _Waiting(futures) as waiting:
        place = (await waiting.newly_ready())[0]
        return place, waiting.value(place)


async def join_n(futures: Sequence[Awaitable[Any]], count: int) -> list[tuple[int, Any]]:
    """Places and values of the first `count`, in the order in which they came; errors are raised."""
    if isinstance(count, bool) or not isinstance(count, int):
        raise InvalidInput(f"join_n was asked for {count!r} futures; give a whole number.")
    wanted = max(0, min(count, len(futures)))
    found: list[tuple[int, Any]] = []
    async with _Waiting(futures) as waiting:
        while len(found) < wanted:
            found += [(place, waiting.value(place)) for place in await waiting.newly_ready()]
    return found[:wanted]


async def with_timeout(future: Awaitable[Any], timer: Awaitable[Any]) -> Any:
    """The value of the future if it is there before the timer has fired; the timer is cancelled then.

    Raises:
        DeadlineExceeded: the timer was first.
    """
    async with _Waiting([future, timer]) as waiting:
        first = (await waiting.newly_ready())[0]
        if first == 0:
            cancel_timer = getattr(timer, "cancel", None)
            if cancel_timer is not None:
                cancel_timer()
            return waiting.value(0)
        waiting.value(1)
    raise DeadlineExceeded("Operation timed out. Allow more time, or catch this and go on without.")


class _Waiting:
    """One branch per future, each waiting for its own; left, none of them waits any more."""

    def __init__(self, futures: Sequence[Awaitable[Any]]) -> None:
        self._futures = futures
        self._branches: list[asyncio.Task[Any]] = []
        self._told: set[int] = set()

    async def __aenter__(self) -> _Waiting:
        self._branches = [asyncio.get_running_loop().create_task(_wait_for(future)) for future in self._futures]
        return self

    async def __aexit__(self, *_: object) -> None:
        for branch in self._branches:
            branch.cancel()
        # Their ends are awaited: a signal that one of them had taken is given back before the code goes on.
        await asyncio.gather(*self._branches, return_exceptions=True)

    async def newly_ready(self) -> list[int]:
        """Places of those that have come since the last call, in list order; waits for one."""
        waiting = [branch for place, branch in enumerate(self._branches) if place not in self._told]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        ready = [place for place, branch in enumerate(self._branches) if branch.done() and place not in self._told]
        self._told.update(ready)
        return ready

    def value(self, place: int) -> Any:
        """The value of one that is there; raises its error."""
        return self._branches[place].result()


async def _wait_for(future: Awaitable[Any]) -> Any:
    return await future
