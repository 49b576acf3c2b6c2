"""Rows: what of an execution is written down, and how its entities come back from it.

A row holds what decides; what follows from it (counts of a wait, indexes, deadlines) is worked out again on the way
back. The field order of these records is the stored form: new fields go to the end, with a default.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.child_operations import AwaitChildren
from rescind.model.children import NOTHING_USED, Spawned, Usage
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId, WorkerId
from rescind.model.messages import EntryRecord, Issued, JournalEntry, Recovery
from rescind.model.operations import (
    AnyOperation,
    AwaitSignal,
    AwaitStopped,
    AwaitTasks,
    BeginStep,
    Resolution,
    Signal,
    StartTimer,
)
from rescind.model.options import TaskOptions
from rescind.model.outcome import Failure, Outcome
from rescind.model.payload import Payload
from rescind.model.status import ExecutionStatus, StopState, TaskStatus
from rescind.model.views import CheckpointView
from rescind.model.workflow_events import LoggedEvent
from rescind_server.engine.entities import (
    Attempt,
    Called,
    CancelWait,
    Execution,
    OpenOperation,
    Phase,
    SignalWait,
    StepWait,
    StopWait,
    Task,
    TaskNotes,
    TaskWait,
    Timer,
)
from rescind_server.store.child_records import ChildRecord, add_children, child_wait_of
from rescind_server.store.workflow_records import WorkflowRecord, record_of_workflow, workflow_of_record


class AttemptRecord(msgspec.Struct, array_like=True):
    """An attempt, with its stop record."""

    lease: Lease
    number: int
    worker_id: WorkerId
    started_at: Instant
    live: bool
    stop: StopState | None
    stop_requested_at: Instant | None
    stop_delivered_at: Instant | None
    stop_ended_at: Instant | None
    last_contact: Instant
    last_advance: Instant
    progress: float | None
    stop_cause: CancelCause | None = None
    stop_forced_at: Instant | None = None
    deliveries: int = 0
    polled: bool = False


class TaskRecord(msgspec.Struct, array_like=True):
    """A task, with its attempts."""

    task_id: TaskId
    kind: str
    queue: str
    input: Payload
    options: TaskOptions
    order: int
    scheduled_at: Instant
    status: TaskStatus
    outcome: Outcome | None
    ended_at: Instant | None
    ended_sequence: int
    cancel_cause: CancelCause | None
    cancel_requested_at: Instant | None
    last_failure: Failure | None
    retry_at: Instant | None
    attempts: list[AttemptRecord]
    losses: int = 0
    notes: TaskNotes | None = None


class OpenRecord(msgspec.Struct, array_like=True):
    """An operation without an answer; `task_id` tells what a request to cancel waits for."""

    position: int
    operation: AnyOperation | None
    task_id: TaskId | None


class ExecutionRecord(msgspec.Struct, array_like=True):
    """An execution without what is kept in rows of its own: tasks, journal, entries, checkpoints."""

    execution_id: ExecutionId
    organisation: str
    kind: str
    queue: str
    input: Payload
    labels: dict[str, str]
    created_by: str
    created_at: Instant
    order: int
    status: ExecutionStatus
    phase: str
    run: int
    number: int
    recovery: Recovery
    cleanup_budget_ms: int
    inbox: list[Resolution]
    cause: CancelCause | None
    cancel_told: bool
    cleanup_due: Instant | None
    base_position: int
    carried: tuple[Issued, ...]
    kept_entries: int
    open: list[OpenRecord]
    signals: list[Signal]
    signal_count: int
    output: Payload | None
    failure: Failure | None
    parked: str | None
    ended_at: Instant | None
    sequence: int
    trace_parent: str | None = None
    called: Called | None = None
    spawned: Spawned | None = None
    usage: Usage = NOTHING_USED
    kept_usage: Usage = NOTHING_USED
    workflow: WorkflowRecord | None = None


class StoredExecution(msgspec.Struct):
    """Everything that is written of one execution."""

    execution: ExecutionRecord
    tasks: list[TaskRecord]
    journal: list[JournalEntry]
    entries: list[EntryRecord]
    checkpoints: list[CheckpointView]
    children: list[ChildRecord] = []
    log: list[LoggedEvent] = []


def record_of_task(task: Task) -> TaskRecord:
    """The row of a task."""
    return TaskRecord(
        task.task_id,
        task.kind,
        task.queue,
        task.input,
        task.options,
        task.order,
        task.scheduled_at,
        task.status,
        task.outcome,
        task.ended_at,
        task.ended_sequence,
        task.cancel_cause,
        task.cancel_requested_at,
        task.last_failure,
        task.retry_at,
        [_record_of_attempt(attempt) for attempt in task.attempts or ()],
        task.losses,
        notes=task.notes,
    )


def record_of_execution(execution: Execution) -> ExecutionRecord:
    """The row of an execution."""
    return ExecutionRecord(
        execution.execution_id,
        execution.organisation,
        execution.kind,
        execution.queue,
        execution.input,
        execution.labels,
        execution.created_by,
        execution.created_at,
        execution.order,
        execution.status,
        execution.phase.name,
        execution.run,
        execution.number,
        execution.recovery,
        execution.cleanup_budget_ms,
        execution.inbox,
        execution.cause,
        execution.cancel_told,
        execution.cleanup.due if execution.cleanup is not None else None,
        execution.base_position,
        execution.carried,
        execution.kept_entries,
        [_record_of_open(waiting) for waiting in execution.open.values()],
        execution.signals,
        execution.signal_count,
        execution.output,
        execution.failure,
        execution.parked,
        execution.ended_at,
        execution.sequence,
        execution.trace_parent,
        called=execution.called,
        spawned=execution.spawned,
        usage=execution.usage,
        kept_usage=execution.kept_usage,
        workflow=record_of_workflow(execution.workflow),
    )


def execution_of(stored: StoredExecution) -> tuple[Execution, Instant | None]:
    """The execution that was written down, with its tasks and waits, and when its clean-up is over."""
    row = stored.execution
    execution = Execution(
        row.execution_id,
        row.organisation,
        row.kind,
        row.queue,
        row.input,
        row.labels,
        row.created_by,
        row.created_at,
        row.order,
        status=row.status,
        phase=Phase[row.phase],
        run=row.run,
        number=row.number,
        recovery=row.recovery,
        cleanup_budget_ms=row.cleanup_budget_ms,
        inbox=row.inbox,
        cause=row.cause,
        cancel_told=row.cancel_told,
        journal=stored.journal,
        base_position=row.base_position,
        carried=row.carried,
        kept_entries=row.kept_entries,
        entries=stored.entries,
        checkpoints=stored.checkpoints,
        signals=row.signals,
        signal_count=row.signal_count,
        output=row.output,
        failure=row.failure,
        parked=row.parked,
        ended_at=row.ended_at,
        sequence=row.sequence,
        trace_parent=row.trace_parent,
        called=row.called,
        spawned=row.spawned,
        usage=row.usage,
        kept_usage=row.kept_usage,
        workflow=workflow_of_record(row.workflow, stored.log),
    )
    add_tasks(execution, stored.tasks)
    add_children(execution, stored.children)
    for waiting in row.open:
        _add_open(execution, waiting)
    return execution, row.cleanup_due


def _record_of_attempt(attempt: Attempt) -> AttemptRecord:
    return AttemptRecord(
        attempt.lease,
        attempt.number,
        attempt.worker_id,
        attempt.started_at,
        attempt.live,
        attempt.stop,
        attempt.stop_requested_at,
        attempt.stop_delivered_at,
        attempt.stop_ended_at,
        attempt.last_contact,
        attempt.last_advance,
        attempt.progress,
        attempt.stop_cause,
        attempt.stop_forced_at,
        attempt.deliveries,
        attempt.polled,
    )


def _record_of_open(waiting: OpenOperation) -> OpenRecord:
    if isinstance(waiting, CancelWait):
        return OpenRecord(waiting.position, None, waiting.task_id)
    operation: AnyOperation = waiting.operation  # type: ignore[attr-defined]
    return OpenRecord(waiting.position, operation, None)


def add_tasks(execution: Execution, records: Iterable[TaskRecord]) -> None:
    """Give an execution the tasks that were written down of it."""
    for row in records:
        task = Task(
            row.task_id,
            execution,
            row.kind,
            row.queue,
            row.input,
            row.options,
            row.order,
            row.scheduled_at,
            status=row.status,
            outcome=row.outcome,
            ended_at=row.ended_at,
            ended_sequence=row.ended_sequence,
        )
        task.cancel_cause = row.cancel_cause
        task.cancel_requested_at = row.cancel_requested_at
        task.last_failure = row.last_failure
        task.retry_at = row.retry_at
        task.losses = row.losses
        if row.notes is not None:
            task.notes = row.notes
        task.attempts = [_attempt_of(task, each) for each in row.attempts] or None
        execution.tasks[row.task_id] = task
        execution.unsettled += task.outcome is None
        execution.unsettled += sum(attempt.live for attempt in task.attempts or ())


def _attempt_of(task: Task, row: AttemptRecord) -> Attempt:
    return Attempt(
        row.lease,
        task,
        row.number,
        row.worker_id,
        row.started_at,
        live=row.live,
        stop=row.stop,
        stop_cause=row.stop_cause,
        stop_forced_at=row.stop_forced_at,
        deliveries=row.deliveries,
        stop_requested_at=row.stop_requested_at,
        stop_delivered_at=row.stop_delivered_at,
        stop_ended_at=row.stop_ended_at,
        last_contact=row.last_contact,
        last_advance=row.last_advance,
        progress=row.progress,
        polled=row.polled,
    )


def _add_open(execution: Execution, row: OpenRecord) -> None:
    match row.operation:
        case None:
            execution.open[row.position] = _cancel_wait(execution, row)
        case AwaitTasks():
            execution.open[row.position] = _task_wait(execution, row.operation)
        case AwaitStopped():
            execution.open[row.position] = _stop_wait(execution, row.operation)
        case AwaitChildren():
            execution.open[row.position] = child_wait_of(execution, row.operation)
        case AwaitSignal() as operation:
            execution.open[row.position] = SignalWait(execution=execution, position=row.position, operation=operation)
        case StartTimer() as operation:
            execution.open[row.position] = Timer(execution=execution, position=row.position, operation=operation)
        case BeginStep() as operation:
            execution.open[row.position] = StepWait(execution=execution, position=row.position, operation=operation)


def _cancel_wait(execution: Execution, row: OpenRecord) -> CancelWait:
    assert row.task_id is not None
    wait = CancelWait(execution=execution, position=row.position, task_id=row.task_id)
    task = execution.tasks[row.task_id]
    task.cancel_waiters = [*(task.cancel_waiters or ()), wait]
    return wait


def _task_wait(execution: Execution, operation: AwaitTasks) -> TaskWait:
    """What a wait has counted follows from which members have ended, and when."""
    members = [execution.tasks[task_id] for task_id in operation.task_ids]
    ended = sorted((task for task in members if task.outcome is not None), key=lambda task: task.ended_sequence)
    completed = sum(task.status is TaskStatus.COMPLETED for task in ended)
    wait = TaskWait(
        execution=execution,
        position=operation.position,
        operation=operation,
        open=len(members) - len(ended),
        completed=completed,
        ended=ended,
    )
    for task in members:
        if task.outcome is None:
            task.waiters = (*task.waiters, wait)
    return wait


def _stop_wait(execution: Execution, operation: AwaitStopped) -> StopWait:
    tasks = [execution.tasks[task_id] for task_id in operation.task_ids if task_id in execution.tasks]
    unsettled = [task for task in tasks if task.outcome is None or task.at_work]
    wait = StopWait(execution=execution, position=operation.position, operation=operation, at_work=len(unsettled))
    for task in unsettled:
        task.stop_waiters = [*(task.stop_waiters or ()), wait]
    return wait
