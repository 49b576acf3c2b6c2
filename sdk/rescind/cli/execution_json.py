"""Executions and tasks as JSON objects, for programs."""

from __future__ import annotations

import base64
from typing import Any

from rescind.authoring.conversion import decode
from rescind.client.records import TaskRecord
from rescind.errors import InvalidInput
from rescind.model.cause import CancelCause
from rescind.model.events import iso_time
from rescind.model.ids import Instant
from rescind.model.messages import EntryRecord
from rescind.model.payload import Payload
from rescind.model.views import CheckpointView, ExecutionDetails, ExecutionView, PartialDetails, StopView


def execution_document(view: ExecutionView) -> dict[str, Any]:
    """An execution, without what belongs to it."""
    return {
        "execution_id": view.execution_id,
        "kind": view.kind,
        "is_workflow": view.is_workflow,
        "queue": view.queue,
        "status": view.status.value,
        "input": value_of(view.input),
        "output": value_of(view.output),
        "error": view.failure.message if view.failure is not None else None,
        "cause": _cause(view.cause),
        "parked": view.parked,
        "labels": dict(view.labels),
        "created_by": view.created_by,
        "created_at": iso_time(view.created_at),
        "ended_at": iso_time_or_none(view.ended_at),
        "parent_id": view.parent_id,
        "stopping": view.stopping,
        "children_stopping": view.children_stopping,
        "usage": {"tokens": view.usage.tokens, "cost_usd": view.usage.cost_usd},
    }


def details_document(details: ExecutionDetails) -> dict[str, Any]:
    """An execution with its tasks, its conversation and its checkpoints; or why they are missing."""
    missing = {"missing": details.missing} if isinstance(details, PartialDetails) else {}
    return {
        **execution_document(details.execution),
        "tasks": [task_document(TaskRecord(task)) for task in details.tasks],
        "entries": [_entry(entry) for entry in details.entries],
        "checkpoints": [_checkpoint(checkpoint) for checkpoint in details.checkpoints],
        **missing,
    }


def value_of(payload: Payload | None) -> Any:
    """What a payload holds; None if there is none.

    What is no JSON, whatever it says that it is, is shown as its bytes: ``{"encoding": …, "base64": …}``.
    """
    if payload is None:
        return None
    try:
        return decode(payload, None, what="payload")
    except InvalidInput:
        return {"encoding": payload.encoding, "base64": base64.b64encode(payload.data).decode()}


def task_document(task: TaskRecord) -> dict[str, Any]:
    """A task, with the stop records of its attempts."""
    view = task.view
    return {
        "task_id": view.task_id,
        "kind": view.kind,
        "queue": view.queue,
        "status": view.status.value,
        "stop_state": view.stop_state.value if view.stop_state is not None else None,
        "stops": [_stop(stop) for stop in view.stops],
        "attempts": view.attempts,
        "input": value_of(view.input),
        "output": value_of(view.output),
        "error": task.error,
        "cause": _cause(view.cause),
        "progress": view.progress,
        "labels": task.labels,
        "worker_id": view.worker_id,
        "scheduled_at": iso_time(view.scheduled_at),
        "started_at": iso_time_or_none(view.started_at),
        "ended_at": iso_time_or_none(view.ended_at),
    }


def _stop(stop: StopView) -> dict[str, Any]:
    return {
        "attempt": stop.attempt,
        "state": stop.state.value,
        "requested_at": iso_time(stop.requested_at),
        "delivered_at": iso_time_or_none(stop.delivered_at),
        "forced_at": iso_time_or_none(stop.forced_at),
        "ended_at": iso_time_or_none(stop.ended_at),
        "deliveries": stop.deliveries,
    }


def _entry(entry: EntryRecord) -> dict[str, Any]:
    return {
        "entry_id": entry.entry_id,
        "type": entry.entry_type,
        "role": entry.role,
        "content": value_of(entry.content),
    }


def _checkpoint(checkpoint: CheckpointView) -> dict[str, Any]:
    return {
        "sequence": checkpoint.sequence,
        "state": value_of(checkpoint.state),
        "at": iso_time(checkpoint.at),
        "leaf_entry_id": checkpoint.leaf_entry_id,
    }


def _cause(cause: CancelCause | None) -> dict[str, Any] | None:
    return None if cause is None else {"source": cause.source.value, "by": cause.by, "reason": cause.reason}


def iso_time_or_none(at: Instant | None) -> str | None:
    """A time as in histories; None where there is none."""
    return None if at is None else iso_time(at)
