"""Functions given to ``ctx.run``: they run outside the loop of the agent or workflow that asked for them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Any, Final

from rescind.worker.executors.daemon_threads import DaemonThreads

# How many plain functions run at once; more wait for a thread.
_THREADS: Final = 64


class SideEffects:
    """Runs such functions: coroutines on the worker's loop, plain ones on threads of their own."""

    def __init__(self) -> None:
        """Run nothing yet."""
        self._threads = DaemonThreads(_THREADS, "rescind-step")

    async def call(self, function: Callable[[], Awaitable[Any] | Any]) -> Any:
        """What the function gives; raises what it raises."""
        inner = getattr(function, "func", function)
        if inspect.iscoroutinefunction(inner):
            return await function()
        # As asyncio.to_thread: the thread knows what it belongs to.
        call = partial(copy_context().run, function)
        result = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        return await result if inspect.isawaitable(result) else result

    def close(self) -> None:
        """Begin none any more."""
        self._threads.shutdown()
