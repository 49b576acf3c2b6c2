"""What operators ask for, as JSON objects for programs."""

from __future__ import annotations

from typing import Any

from rescind.cli.execution_json import iso_time_or_none, task_document
from rescind.client.records import TaskRecord
from rescind.model.events import iso_time
from rescind.model.overviews import AttemptView, ListedTask, WorkerView


def listed_task_document(listed: ListedTask) -> dict[str, Any]:
    """A task in a list."""
    return {
        "execution_id": listed.execution_id,
        "agent": listed.agent,
        **task_document(TaskRecord(listed.task)),
        "at_work": [_attempt(attempt) for attempt in listed.at_work],
    }


def worker_document(worker: WorkerView) -> dict[str, Any]:
    """A worker."""
    return {
        "worker_id": worker.worker_id,
        "connected": worker.connected,
        "queues": list(worker.queues),
        "agents": list(worker.agents),
        "tasks": list(worker.tasks),
        "workflows": list(worker.workflows),
        "polls": worker.polls,
        "slots": worker.slots,
        "running": worker.running,
        "stopping": worker.stopping,
        "unresponsive": worker.unresponsive,
        "held": worker.held,
        # None of a worker that has not come back since the server was started anew.
        "last_contact": iso_time(worker.last_contact) if worker.last_contact else None,
        "lease_ends": iso_time_or_none(worker.lease_ends),
    }


def _attempt(attempt: AttemptView) -> dict[str, Any]:
    return {
        "attempt": attempt.number,
        "worker_id": attempt.worker_id,
        "started_at": iso_time(attempt.started_at),
        "last_contact": iso_time(attempt.last_contact),
        "progress": attempt.progress,
        "stop_state": attempt.stop_state.value if attempt.stop_state is not None else None,
        "stop_due": iso_time_or_none(attempt.stop_due),
        "deliveries": attempt.deliveries,
        "acknowledged": attempt.acknowledged,
    }
