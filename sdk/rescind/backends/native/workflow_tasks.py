"""The tasks of one run of a workflow: how they ended, as far as the code has been told, and who waits for what."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from rescind.model import workflow_events as events
from rescind.model.ids import TaskId
from rescind.model.operation_base import WaitCondition
from rescind.model.outcome import Failure, Outcome
from rescind.model.status import FailureKind, TaskStatus

_UNKNOWN: Final = Outcome(
    TaskStatus.FAILED, failure=Failure(FailureKind.REJECTED, "this workflow has no such task", retryable=False)
)
TaskEnd = events.TaskCompleted | events.TaskFailed | events.TaskCancelled


class _Wait:
    __slots__ = ("condition", "members", "needed", "waiter")

    def __init__(self, members: Sequence[TaskId], condition: WaitCondition, needed: int) -> None:
        self.members = members
        self.condition = condition
        self.needed = needed
        self.waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class WorkflowTasks:
    """What is known of the tasks.

    Attributes:
        recorded_ids: the id under which the log knows a task, where that is not the one that the code derived: an
            idempotency key may belong to an earlier task.
    """

    __slots__ = ("_ends", "_known", "_local_ids", "_waits", "recorded_ids")

    def __init__(self) -> None:
        """Know of none."""
        self._known: set[TaskId] = set()
        self._local_ids: dict[TaskId, TaskId] = {}
        self.recorded_ids: dict[TaskId, TaskId] = {}
        # In the order of their ends.
        self._ends: dict[TaskId, Outcome] = {}
        self._waits: list[_Wait] = []

    def add(self, task_id: TaskId) -> None:
        """The code scheduled a task."""
        self._known.add(task_id)

    def rename(self, task_id: TaskId, recorded: TaskId) -> None:
        """The log knows this task under another id."""
        self._local_ids[recorded] = task_id
        self.recorded_ids[task_id] = recorded

    def knows(self, task_id: TaskId) -> bool:
        """Whether the code scheduled it."""
        return task_id in self._known

    def end(self, event: TaskEnd) -> None:
        """A task has ended; whoever waited for that goes on."""
        task_id = self._local_ids.get(event.task_execution_id, event.task_execution_id)
        self._ends.setdefault(task_id, _outcome(event))
        for wait in [wait for wait in self._waits if self._holds(wait)]:
            self._waits.remove(wait)
            if not wait.waiter.done():
                wait.waiter.set_result(None)

    def outcome(self, task_id: TaskId) -> Outcome | None:
        """How a task ended; None if it is open."""
        if task_id not in self._known:
            return _UNKNOWN
        return self._ends.get(task_id)

    def ended(self, members: Sequence[TaskId]) -> list[tuple[TaskId, Outcome]]:
        """Those of them that have ended, in the order of their ends; unknown ones first."""
        wanted = set(members)
        unknown = [(task_id, _UNKNOWN) for task_id in dict.fromkeys(members) if task_id not in self._known]
        return unknown + [(task_id, end) for task_id, end in self._ends.items() if task_id in wanted]

    def open(self, members: Sequence[TaskId]) -> list[TaskId]:
        """Those of them that are open, in input order, each once."""
        return [task_id for task_id in dict.fromkeys(members) if self.outcome(task_id) is None]

    @property
    def waited_for(self) -> list[TaskId]:
        """What somebody waits for now."""
        return [task_id for wait in self._waits for task_id in self.open(wait.members)]

    async def wait(self, members: Sequence[TaskId], condition: WaitCondition, needed: int = 1) -> None:
        """Return when a condition holds for these tasks."""
        wait = _Wait(members, condition, needed)
        if self._holds(wait):
            return
        self._waits.append(wait)
        try:
            await wait.waiter
        finally:
            if wait in self._waits:
                self._waits.remove(wait)

    def _holds(self, wait: _Wait) -> bool:
        ends = [self.outcome(task_id) for task_id in wait.members]
        completed = sum(end is not None and end.status is TaskStatus.COMPLETED for end in ends)
        still_open = ends.count(None)
        otherwise = len(ends) - completed - still_open
        match wait.condition:
            case WaitCondition.ALL_COMPLETED:
                return not still_open or otherwise > 0
            case WaitCondition.ALL_ENDED:
                return not still_open
            case WaitCondition.SOME_COMPLETED:
                return completed >= wait.needed or completed + still_open < wait.needed
            case WaitCondition.ANY_ENDED:
                return still_open < len(ends)


def _outcome(event: TaskEnd) -> Outcome:
    match event:
        case events.TaskCompleted():
            return Outcome(TaskStatus.COMPLETED, output=event.output, attempts=1)
        case events.TaskFailed():
            failure = event.failure or Failure(_kind_of(event.error), event.error, retryable=event.retryable)
            return Outcome(TaskStatus.FAILED, failure=failure, attempts=1)
        case events.TaskCancelled():
            return Outcome(TaskStatus.CANCELLED, cause=event.cause, attempts=1)


def _kind_of(error: str) -> FailureKind:
    # Other servers say it in words alone.
    return FailureKind.TIMED_OUT if "timed out" in error else FailureKind.ERROR
