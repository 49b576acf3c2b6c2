"""What the engine shows of agents and tasks, as the answers of flovyn's HTTP interface."""

from __future__ import annotations

from typing import Final

from rescind.model.events import iso_time
from rescind.model.ids import ExecutionId
from rescind.model.messages import EntryRecord
from rescind.model.outcome import Failure
from rescind.model.status import ExecutionStatus
from rescind.model.views import CheckpointView, ExecutionView, TaskView
from rescind_server.gateway import organisations
from rescind_server.gateway.flovyn.ids import checkpoint_id_of
from rescind_server.gateway.flovyn.rest_answers import AgentBody, CheckpointBody, EntryBody, TaskBody
from rescind_server.gateway.flovyn.rest_task_looks import UNKNOWN, Noted
from rescind_server.gateway.http.shown import moment, value

_CANCELLED: Final = "cancelled"


def agent_body(view: ExecutionView, organisation_id: str) -> AgentBody:
    """An agent."""
    return AgentBody(
        id=view.execution_id,
        org_id=organisation_id,
        kind=view.kind,
        status=view.status,
        input=value(view.input),
        output=value(view.output) if view.output is not None else None,
        error=error_text(view),
        queue=view.queue,
        current_checkpoint_seq=max(0, view.checkpoint),
        created_at=iso_time(view.created_at),
        completed_at=moment(view.ended_at),
        metadata=view.labels,
        parent_execution_id=organisations.outer(view.parent_id) if view.parent_id is not None else None,
    )


def error_text(view: ExecutionView) -> str | None:
    """Why an execution failed, or was cancelled, in words; None if it was not."""
    if view.failure is not None:
        return _failure_text(view.failure)
    if view.status is ExecutionStatus.CANCELLED:
        reason = view.cause.reason if view.cause is not None else None
        return f"{_CANCELLED}: {reason}" if reason else _CANCELLED
    return None


def checkpoint_body(checkpoint: CheckpointView, execution_id: str, inner_id: ExecutionId) -> CheckpointBody:
    """A checkpoint of an agent, which has an id that callers know and one that the engine knows."""
    return CheckpointBody(
        id=checkpoint_id_of(inner_id, checkpoint.sequence),
        agent_execution_id=execution_id,
        sequence=checkpoint.sequence,
        state=value(checkpoint.state),
        created_at=iso_time(checkpoint.at),
        leaf_entry_id=checkpoint.leaf_entry_id,
    )


def entry_body(entry: EntryRecord, parent_id: str | None) -> EntryBody:
    """An entry of an agent's conversation, behind another."""
    return EntryBody(
        entry.entry_id,
        parent_id,
        entry.entry_type,
        entry.role,
        value(entry.content),
        entry.turn_id,
        iso_time(entry.at),
    )


def task_body(view: TaskView, organisation_id: str, noted: Noted = UNKNOWN) -> TaskBody:
    """A task, with what is known of it beyond its view."""
    return TaskBody(
        id=view.task_id,
        org_id=organisation_id,
        kind=view.kind,
        status=view.status,
        queue=view.queue,
        execution_count=view.attempts,
        max_retries=noted.max_retries,
        progress=view.progress,
        progress_details=noted.progress_details,
        input=value(view.input),
        output=value(view.output) if view.output is not None else None,
        error=_failure_text(view.failure) if view.failure is not None else _cancel_text(view),
        worker_id=view.worker_id,
        scheduled_at=iso_time(view.scheduled_at),
        created_at=iso_time(view.scheduled_at),
        started_at=moment(view.started_at),
        completed_at=moment(view.ended_at),
    )


def _failure_text(failure: Failure) -> str:
    return failure.message


def _cancel_text(view: TaskView) -> str | None:
    if view.cause is None or view.ended_at is None:
        return None
    return f"{_CANCELLED}: {view.cause.reason}" if view.cause.reason else _CANCELLED
