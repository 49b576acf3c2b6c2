"""Plain functions, each on a thread. They can only cooperate: `ctx.check_cancelled()`, and hooks that unblock them."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from functools import partial
from typing import Any

from rescind.authoring.task import TaskDefinition
from rescind.runtime.task_context import TaskContext, is_lost
from rescind.worker.executors.daemon_threads import DaemonThreads


class ThreadExecutor:
    """See `Executor`."""

    hooks_end_it = True
    ends_by_force = False

    def __init__(self, slots: int) -> None:
        """As many threads as slots: a loop's own executor has fewer, and would let attempts wait in it."""
        self._threads = DaemonThreads(slots, "rescind-task")

    async def run(self, definition: TaskDefinition[Any, Any], context: TaskContext, task_input: Any) -> Any:
        """See `Executor.run`. A cancel that comes before the thread was begun keeps the code from running at all."""
        arguments = (context, task_input) if definition.takes_input else (context,)
        # As asyncio.to_thread: the thread knows what it belongs to.
        call = partial(copy_context().run, _call, definition, context, arguments)
        thread = asyncio.get_running_loop().run_in_executor(self._threads, call)
        thread.add_done_callback(_heed)
        while True:
            try:
                return await asyncio.shield(thread)
            except asyncio.CancelledError:
                if thread.done() or is_lost(context):
                    raise

    def prepare(self) -> None:
        """See `Executor.prepare`."""

    def close(self) -> None:
        """See `Executor.close`."""
        self._threads.shutdown()


def _heed(thread: asyncio.Future[Any]) -> None:
    """Where the worker is lost, nobody waits for what a thread still raises: that is no news for asyncio's log."""
    if not thread.cancelled():
        thread.exception()


def _call(definition: TaskDefinition[Any, Any], context: TaskContext, arguments: tuple[Any, ...]) -> Any:
    context.check_cancelled()
    return definition.run(*arguments)
