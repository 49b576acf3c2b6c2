"""What the engine's memory looks like from outside: values that nobody can change it through."""

from __future__ import annotations

from rescind.model.status import StopState
from rescind.model.views import ExecutionDetails, ExecutionView, StopView, TaskView
from rescind_server.engine.entities import Execution, Task


def details_of(execution: Execution) -> ExecutionDetails:
    """An execution with all that belongs to it."""
    return ExecutionDetails(
        execution_view(execution),
        tuple(task_view(task) for task in execution.tasks.values()),
        tuple(execution.entries),
        tuple(execution.checkpoints),
    )


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
    )


def task_view(task: Task) -> TaskView:
    """A task as it stands, its stop state beside its status."""
    stops = tuple(
        StopView(
            attempt.number, attempt.stop, attempt.stop_requested_at, attempt.stop_delivered_at, attempt.stop_ended_at
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
