"""What queries answer: executions, tasks and their stopping, as they stand."""

from __future__ import annotations

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.children import NOTHING_USED, Budget, Usage
from rescind.model.ids import ExecutionId, Instant, TaskId, WorkerId
from rescind.model.messages import EntryRecord
from rescind.model.outcome import Failure
from rescind.model.payload import Payload
from rescind.model.status import ExecutionStatus, ParentClosePolicy, StopState, TaskStatus


class StopView(msgspec.Struct, frozen=True, gc=False):
    """The stop record of one attempt (cancellation.md, section 4), each state with its time.

    Attributes:
        attempt: the attempt's number.
        state: how far it has come.
        requested_at: when the order was decided.
        delivered_at: when the worker had it.
        ended_at: when the work ended.
        forced_at: when it was decided to end it by force, without its grace; None if it was not.
        deliveries: how often the order that stands was sent. One that is not acknowledged is sent again.
    """

    attempt: int
    state: StopState
    requested_at: Instant
    delivered_at: Instant | None = None
    ended_at: Instant | None = None
    forced_at: Instant | None = None
    deliveries: int = 0


class TaskView(msgspec.Struct, frozen=True, gc=False):
    """A task as it stands.

    Attributes:
        task_id: its id.
        kind: its kind.
        queue: its queue.
        status: where it stands.
        attempts: how many attempts were started.
        stop_state: how far the stopping of its last attempt has come; None if there was nothing to stop.
        stops: the stop records of all its attempts.
        input: its input.
        output: its result, if COMPLETED.
        failure: its last failure.
        cause: why it was cancelled, or asked to stop.
        cancel_requested_at: when it was asked to stop (mode WAIT).
        scheduled_at: when it was scheduled.
        started_at: when its last attempt was claimed.
        ended_at: when it ended.
        worker_id: who holds its running attempt.
        progress: the last that its code reported.
        labels: free text by name.
    """

    task_id: TaskId
    kind: str
    queue: str
    status: TaskStatus
    attempts: int
    stop_state: StopState | None
    stops: tuple[StopView, ...]
    input: Payload
    output: Payload | None
    failure: Failure | None
    cause: CancelCause | None
    cancel_requested_at: Instant | None
    scheduled_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    worker_id: WorkerId | None
    progress: float | None
    labels: dict[str, str]


class CheckpointView(msgspec.Struct, frozen=True, gc=False):
    """A checkpoint: its number (1, 2, 3 …), its state, its time, and the entry that was last then."""

    sequence: int
    state: Payload
    at: Instant
    leaf_entry_id: str | None = None


class ExecutionView(msgspec.Struct, frozen=True, gc=False):
    """An execution as it stands.

    Attributes:
        execution_id: its id.
        kind: its kind.
        queue: its queue.
        status: where it stands.
        input: its input.
        output: its result, if COMPLETED.
        failure: why, if FAILED.
        cause: why it is being, or was, cancelled.
        parked: what a new deployment must mend, if its code cannot go on from its journal.
        labels: free text by name.
        created_by: who started it.
        created_at: when it was started.
        ended_at: when it ended.
        checkpoint: the last checkpoint's number; -1 before the first.
        parent_id: the agent that spawned it, if one did.
        budget: what it may use up; None is no limit.
        usage: what it has used up.
        is_workflow: whether it is a workflow, and no agent.
        stopping: of one that is cancelled or has ended, how much of it is still being stopped: attempts of its tasks,
            and those of its children of which, at whatever level below, something is. None if that cannot be told.
        children_stopping: how many of `stopping` are such children.
    """

    execution_id: ExecutionId
    kind: str
    queue: str
    status: ExecutionStatus
    input: Payload
    output: Payload | None
    failure: Failure | None
    cause: CancelCause | None
    parked: str | None
    labels: dict[str, str]
    created_by: str
    created_at: Instant
    ended_at: Instant | None
    checkpoint: int
    parent_id: ExecutionId | None = None
    budget: Budget | None = None
    usage: Usage = NOTHING_USED
    is_workflow: bool = False
    stopping: int | None = None
    children_stopping: int | None = None


class ChildView(msgspec.Struct, frozen=True, gc=False):
    """An agent that an execution spawned.

    Attributes:
        execution_id: its id.
        kind: its kind.
        parent_close: what becomes of it when its parent ends first.
        status: where it stands; None if that is not known where its parent was asked about.
    """

    execution_id: ExecutionId
    kind: str
    parent_close: ParentClosePolicy = ParentClosePolicy.CANCEL
    status: ExecutionStatus | None = None


class ExecutionDetails(msgspec.Struct, frozen=True, gc=False):
    """An execution with all that belongs to it: its tasks in the order of scheduling, entries and checkpoints.

    Attributes:
        execution: the execution.
        tasks: its tasks, in the order of scheduling.
        entries: its conversation, oldest first.
        checkpoints: its checkpoints, oldest first.
        children: the agents that it spawned, in order.
    """

    execution: ExecutionView
    tasks: tuple[TaskView, ...] = ()
    entries: tuple[EntryRecord, ...] = ()
    checkpoints: tuple[CheckpointView, ...] = ()
    children: tuple[ChildView, ...] = ()


class PartialDetails(ExecutionDetails, frozen=True, gc=False):
    """An execution without what belongs to it: on a Temporal cluster only a worker can tell that, and none answered.

    Attributes:
        missing: why it is not here, and what to do.
    """

    missing: str = ""
