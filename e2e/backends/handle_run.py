"""An execution in the hands of our own client, near or far."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from e2e.harness import SeenEntry, SeenTask
from rescind import ExecutionHandle, ExecutionStatus, StopState
from rescind.authoring.conversion import decode
from rescind.client.records import TaskRecord
from rescind.model.events import HistoryEvent
from rescind.model.status import TERMINAL_TASK

_STOPPING: Final = (StopState.REQUESTED, StopState.DELIVERED)
_LONGEST_WAIT: Final = 60.0
_LOOK_EVERY: Final = 0.02


class HandleRun:
    """See `Run`."""

    def __init__(self, handle: ExecutionHandle[Any], given: Mapping[str, Any]) -> None:
        self.input = given
        self._handle = handle

    async def result(self) -> Any:
        """See `Run`."""
        return await self._handle.result()

    async def status(self) -> ExecutionStatus:
        """See `Run`."""
        return await self._handle.status()

    async def tasks(self) -> Sequence[SeenTask]:
        """See `Run`."""
        return [_seen(task) for task in await self._handle.tasks()]

    async def entries(self) -> Sequence[SeenEntry]:
        """See `Run`."""
        return [SeenEntry(entry.entry_id, entry.role, entry.content) for entry in await self._handle.entries()]

    async def checkpoints(self) -> Sequence[Any]:
        """See `Run`."""
        return [decode(view.state, None, what="state of a checkpoint") for view in await self._handle.checkpoints()]

    async def history(self) -> Sequence[HistoryEvent] | None:
        """See `Run`."""
        return await self._handle.history()

    async def tasks_ended(self) -> None:
        """See `Run`."""
        await self._until(lambda task: task.status in TERMINAL_TASK)

    async def stopped(self) -> None:
        """See `Run`."""
        await self._until(lambda task: task.stop_state not in _STOPPING)

    async def _until(self, holds: Callable[[SeenTask], bool]) -> None:
        async with asyncio.timeout(_LONGEST_WAIT):
            while not all(holds(task) for task in await self.tasks()):  # noqa: ASYNC110 (no backend tells of it)
                await asyncio.sleep(_LOOK_EVERY)


def _seen(task: TaskRecord) -> SeenTask:
    return SeenTask(task.task_id, task.kind, task.status, task.stop_state, task.attempts, task.input, task.output)
