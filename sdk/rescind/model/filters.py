"""What selects executions and tasks: everything that is set must hold. Times are instants."""

from __future__ import annotations

import msgspec

from rescind.model.ids import ExecutionId, Instant, WorkerId
from rescind.model.status import ExecutionStatus, TaskStatus


class ExecutionFilter(msgspec.Struct, frozen=True, gc=False):
    """Selects executions.

    Attributes:
        statuses: one of these; empty is any.
        kind: this kind.
        queue: this queue.
        created_by: started by this caller.
        labels: each of these, with this value.
        created_before: started before this time.
        created_after: started at this time or later.
        organisation: of this organisation.
        worker_id: in the memory of this worker.
        id_prefix: their id begins so.
        parent_id: spawned by this execution.
        stopping: ended, while something of it, or below it, is still being stopped.
    """

    statuses: tuple[ExecutionStatus, ...] = ()
    kind: str | None = None
    queue: str | None = None
    created_by: str | None = None
    labels: dict[str, str] = {}
    created_before: Instant | None = None
    created_after: Instant | None = None
    organisation: str | None = None
    worker_id: WorkerId | None = None
    id_prefix: str | None = None
    parent_id: ExecutionId | None = None
    stopping: bool = False


class TaskFilter(msgspec.Struct, frozen=True, gc=False):
    """Selects tasks of open executions.

    Attributes:
        statuses: one of these; empty is any.
        kind: this kind of task.
        queue: this queue.
        worker_id: held by this worker.
        execution_id: of this execution.
        created_by: of executions that this caller started.
        labels: each of these, with this value.
        scheduled_before: scheduled before this time.
        organisation: of this organisation.
        scheduled_after: scheduled at this time or later.
        agent: of executions of this kind.
        stopping: ordered or asked to stop, and still at work.
        unsettled: not ended, or ended and still at work.
    """

    statuses: tuple[TaskStatus, ...] = ()
    kind: str | None = None
    queue: str | None = None
    worker_id: WorkerId | None = None
    execution_id: ExecutionId | None = None
    created_by: str | None = None
    labels: dict[str, str] = {}
    scheduled_before: Instant | None = None
    organisation: str | None = None
    scheduled_after: Instant | None = None
    agent: str | None = None
    stopping: bool = False
    unsettled: bool = False
