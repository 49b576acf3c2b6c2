"""Tasks of ``asyncio.as_completed``, started in the order in which their coroutines were given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from rescind.backends.native.cancellation_delivery import AgentTask


class StartedAhead:
    """The tasks that were started with the first of them, and that asyncio has not asked for yet."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        """Make it empty."""
        # By the identity of what was given. It is kept along, so that nothing else can get the same.
        self._tasks: dict[int, tuple[Any, AgentTask]] = {}

    def task_of(
        self,
        asked: Coroutine[Any, Any, Any],
        given: Iterable[Any],
        start: Callable[[Coroutine[Any, Any, Any]], AgentTask],
    ) -> AgentTask:
        """The task of one of the things given.

        Args:
            asked: what asyncio wants a task of: one of them, or its own wrapping of one.
            given: all of them, in order.
            start: starts a task.
        """
        key = _wrapped_in(asked)
        if id(key) not in self._tasks:
            self._tasks = {}
            for one in given:
                if not asyncio.isfuture(one) and id(one) not in self._tasks:
                    inner = one if asyncio.iscoroutine(one) else _wait_for(one)
                    self._tasks[id(one)] = (one, start(inner))
        _, task = self._tasks.pop(id(key))
        if key is not asked:
            # asyncio's wrapping of an awaitable, which was wrapped before.
            asked.close()
        return task

    def clear(self) -> None:
        """Forget them."""
        self._tasks = {}


def _wrapped_in(coroutine: Any) -> Any:
    if getattr(coroutine, "__name__", "") != "_wrap_awaitable":
        return coroutine
    frame = coroutine.gi_frame if hasattr(coroutine, "gi_frame") else coroutine.cr_frame
    return frame.f_locals["awaitable"]


async def _wait_for(awaitable: Any) -> Any:
    return await awaitable
