"""Whose a task is: calls name the task alone."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from rescind.errors import NotFound
from rescind.model.ids import ExecutionId, TaskId
from rescind_server.gateway import organisations
from rescind_server.gateway.identity import Caller
from rescind_server.host.driver import Host

_MOST_KNOWN: Final = 100_000


class TaskOwners:
    """Finds the execution of a task: that of a task which was handed out lately is remembered."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._known: OrderedDict[TaskId, ExecutionId] = OrderedDict()

    def remember(self, task_id: TaskId, execution_id: ExecutionId) -> None:
        """The task is this execution's."""
        self._known[task_id] = execution_id
        self._known.move_to_end(task_id)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    async def owner_of(self, caller: Caller, task_id: TaskId) -> ExecutionId:
        """The execution of a task. Raises NotFound: there is no such task in the caller's organisation."""
        owner = self._known.get(task_id) or await self._host.execution_of_task(task_id)
        if owner is None or not organisations.belongs(caller.organisation, owner):
            raise no_task(task_id)
        return owner


def no_task(task_id: TaskId) -> NotFound:
    """The refusal for a task that this caller does not have."""
    return NotFound(f"no task {task_id!r}. Check the id, or list the tasks.")
