"""Async functions, on the worker's event loop. A cancel is asyncio.CancelledError at their next await."""

from __future__ import annotations

from typing import Any

from rescind.authoring.task import TaskDefinition
from rescind.runtime.task_context import TaskContext


class CoroutineExecutor:
    """See `Executor`."""

    hooks_end_it = False
    ends_by_force = False

    async def run(self, definition: TaskDefinition[Any, Any], context: TaskContext, task_input: Any) -> Any:
        """See `Executor.run`."""
        if definition.takes_input:
            return await definition.run(context, task_input)
        return await definition.run(context)

    def prepare(self) -> None:
        """See `Executor.prepare`."""

    def close(self) -> None:
        """See `Executor.close`. There is nothing to give back."""
