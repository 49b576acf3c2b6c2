"""Tasks that no agent and no workflow has. A key names the same task, until it is freed."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_OID, uuid4, uuid5

import msgspec

from rescind.errors import InvalidInput
from rescind.model.ids import TaskId
from rescind.model.options import TaskOptions
from rescind.model.payload import Payload
from rescind.model.status import TaskStatus
from rescind_server.engine.calls import StartTask, TaskCreated, TaskKnown
from rescind_server.gateway import organisations
from rescind_server.gateway.flovyn.frame import ensure_done
from rescind_server.gateway.flovyn.owners import TaskOwners
from rescind_server.gateway.identity import Caller
from rescind_server.host.driver import Host

DEFAULT_KEY_SECONDS: Final = 86_400
LONGEST_KEY_SECONDS: Final = 30 * 86_400
_FREED: Final = (TaskStatus.FAILED, TaskStatus.CANCELLED)


class StandaloneTask(msgspec.Struct, frozen=True):
    """A task to create."""

    kind: str
    input: Payload
    queue: str
    options: TaskOptions


class StandaloneTasks:
    """Creates tasks, each at most once for its key."""

    def __init__(self, host: Host, owners: TaskOwners) -> None:
        self._host = host
        self._owners = owners

    async def submit(
        self, caller: Caller, task: StandaloneTask, key: str = "", key_seconds: int | None = None
    ) -> tuple[TaskId, bool]:
        """Create a task, or find the one that its key names; returns its id, and whether this call created it.

        Args:
            caller: who asks.
            task: what to create.
            key: names the task, for as long as the key lives and the task has not failed or been cancelled.
            key_seconds: how long the key lives, in seconds; None is a day.

        Raises:
            InvalidInput: the key is to live for a time that cannot be meant.
        """
        seconds = DEFAULT_KEY_SECONDS if key_seconds is None else key_seconds
        if not 0 < seconds <= LONGEST_KEY_SECONDS:
            raise InvalidInput(f"a key is to live for {seconds} s. Give 1 to {LONGEST_KEY_SECONDS}.")
        if not key:
            task_id = TaskId(str(uuid4()))
            await self._start(caller, task, task_id)
            return task_id, True
        # Each time that a key is freed, it names the next id: all who ask at once come to the same.
        use = 0
        while True:
            task_id = _id_of_use(caller, key, use)
            reply = await self._start(caller, task, task_id)
            if isinstance(reply, TaskCreated):
                return task_id, True
            lives_until = reply.scheduled_at + seconds * 1_000_000
            if reply.status not in _FREED and self._host.now() < lives_until:
                return task_id, False
            use += 1

    async def _start(self, caller: Caller, task: StandaloneTask, task_id: TaskId) -> TaskCreated | TaskKnown:
        execution_id = organisations.inner_id(caller.organisation, task_id)
        command = StartTask(
            execution_id=execution_id,
            task_id=task_id,
            organisation=caller.organisation,
            kind=task.kind,
            queue=organisations.inner(caller.organisation, task.queue),
            input=task.input,
            options=task.options,
            labels=task.options.labels,
            by=caller.name_for(""),
            trace_parent=caller.trace_parent,
        )
        reply = ensure_done(await self._host.ask(command), caller)
        assert isinstance(reply, TaskCreated | TaskKnown)
        self._owners.remember(task_id, execution_id)
        return reply


def _id_of_use(caller: Caller, key: str, use: int) -> TaskId:
    return TaskId(str(uuid5(NAMESPACE_OID, f"task:{caller.organisation}:{use}:{key}")))
