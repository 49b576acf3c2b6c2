"""What the engine's memory looks like from outside: values that nobody can change it through."""

from __future__ import annotations

from typing import Final

import msgspec

from rescind.model.ids import Instant
from rescind.model.overviews import AttemptView, ListedTask, StillStopping, WorkerView
from rescind.model.status import TERMINAL_EXECUTION, ExecutionStatus, StopState
from rescind.model.views import ChildView, ExecutionDetails, ExecutionView, StopView, TaskView
from rescind_server.engine.entities import Attempt, Child, Execution, Task, Worker

_OVER: Final = TERMINAL_EXECUTION | {ExecutionStatus.CANCELLING}


def details_of(execution: Execution) -> ExecutionDetails:
    """An execution with all that belongs to it."""
    return ExecutionDetails(
        execution_view(execution),
        tuple(task_view(task) for task in execution.tasks.values()),
        tuple(execution.entries),
        tuple(execution.checkpoints),
        children=tuple(child_view(child) for child in execution.children.values()),
    )


def child_view(child: Child) -> ChildView:
    """A child, as far as its parent knows: how it ended, if it has."""
    status = ExecutionStatus(child.outcome.status.value) if child.outcome is not None else None
    return ChildView(child.child_id, child.kind, child.parent_close, status)


def execution_view(execution: Execution) -> ExecutionView:
    """An execution as it stands."""
    return ExecutionView(
        execution_id=execution.execution_id,
        kind=execution.kind,
        queue=execution.queue,
        status=execution.status,
        input=execution.input,
        output=execution.output,
        failure=execution.failure,
        cause=execution.cause,
        parked=execution.parked,
        labels=execution.labels,
        created_by=execution.created_by,
        created_at=execution.created_at,
        ended_at=execution.ended_at,
        checkpoint=execution.checkpoints[-1].sequence if execution.checkpoints else -1,
        parent_id=execution.parent_id,
        budget=execution.spawned.budget if execution.spawned is not None else None,
        usage=execution.usage,
        is_workflow=execution.workflow is not None,
    )


def task_view(task: Task) -> TaskView:
    """A task as it stands, its stop state beside its status."""
    stops = tuple(
        StopView(
            attempt.number,
            attempt.stop,
            attempt.stop_requested_at,
            attempt.stop_delivered_at,
            attempt.stop_ended_at,
            attempt.stop_forced_at,
            attempt.deliveries,
        )
        for attempt in task.attempts or ()
        if attempt.stop is not None and attempt.stop_requested_at is not None
    )
    last = task.attempts[-1] if task.attempts else None
    state: StopState | None = last.stop if last is not None else None
    return TaskView(
        task_id=task.task_id,
        kind=task.kind,
        queue=task.queue,
        status=task.status,
        attempts=len(task.attempts or ()),
        stop_state=state,
        stops=stops,
        input=task.input,
        output=task.outcome.output if task.outcome is not None else None,
        failure=task.last_failure,
        cause=task.cancel_cause,
        cancel_requested_at=task.cancel_requested_at,
        scheduled_at=task.scheduled_at,
        started_at=last.started_at if last is not None else None,
        ended_at=task.ended_at,
        worker_id=last.worker_id if last is not None and last.live else None,
        progress=last.progress if last is not None else None,
        labels=task.options.labels,
    )


def listed_task(task: Task) -> ListedTask:
    """A task in a list, with those of its attempts that may still be running."""
    at_work = tuple(attempt_view(attempt) for attempt in task.attempts or () if attempt.live)
    return ListedTask(task.execution.execution_id, task.execution.kind, task_view(task), at_work)


def attempt_view(attempt: Attempt) -> AttemptView:
    """An attempt that may still be running."""
    return AttemptView(
        number=attempt.number,
        worker_id=attempt.worker_id,
        started_at=attempt.started_at,
        last_contact=attempt.last_contact,
        progress=attempt.progress,
        stop_state=attempt.stop,
        stop_due=stop_due(attempt),
        deliveries=attempt.deliveries,
        acknowledged=attempt.acknowledged,
    )


def stop_due(attempt: Attempt) -> Instant | None:
    """When the grace of an attempt ends that is being stopped; None if it is not, or has stopped."""
    if not attempt.live:
        return None
    if attempt.stop_forced_at is not None:
        return attempt.stop_forced_at
    task = attempt.task
    asked_at = attempt.stop_requested_at
    if asked_at is None and task.current is attempt:
        asked_at = task.cancel_requested_at
    return Instant(asked_at + task.options.grace_ms * 1_000) if asked_at is not None else None


def is_stopping(task: Task) -> bool:
    """Whether some attempt of the task was ordered or asked to stop, and may still be running."""
    return any(stop_due(attempt) is not None for attempt in task.attempts or ())


def still_stopping(execution: Execution) -> StillStopping:
    """What is still being stopped of an execution, and below it, if it is cancelled or has ended."""
    if execution.status not in _OVER:
        return StillStopping()
    return StillStopping(execution.attempts_stopping, execution.children_stopping)


def with_stopping(view: ExecutionView, stopping: StillStopping | None) -> ExecutionView:
    """An execution with what is still being stopped of it, and below it; None if that cannot be told."""
    if stopping is None:
        return view
    return msgspec.structs.replace(view, stopping=stopping.total, children_stopping=stopping.children)


def worker_view(worker: Worker, now: Instant) -> WorkerView:
    """A worker as it stands."""
    dues = [due for attempt in worker.running.values() if (due := stop_due(attempt)) is not None]
    return WorkerView(
        worker_id=worker.worker_id,
        queues=worker.queues,
        agents=tuple(worker.agents),
        tasks=worker.tasks,
        slots=worker.slots,
        running=len(worker.running),
        held=len(worker.held),
        connected=worker.connected,
        last_contact=worker.last_contact,
        lease_ends=worker.lease.due if worker.lease is not None and not worker.connected else None,
        stopping=len(dues),
        unresponsive=sum(due < now for due in dues),
        workflows=worker.workflows,
        polls=worker.polls,
    )
