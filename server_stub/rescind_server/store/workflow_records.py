"""What of a workflow is written down beside its log, and how it comes back from both."""

from __future__ import annotations

import msgspec

from rescind.model.ids import ExecutionId, Instant, WorkerId
from rescind.model.workflow_events import LoggedEvent
from rescind_server.engine.workflow_entities import Workflow
from rescind_server.engine.workflow_fold import fold


class WorkflowRecord(msgspec.Struct, array_like=True):
    """What of a workflow does not follow from its log."""

    version: str | None
    priority_ms: int
    timeout_at: Instant | None
    parent_id: ExecutionId | None
    child_name: str
    is_told: bool
    is_abandoned: bool
    key: str | None
    worker_id: WorkerId | None
    lease_ms: int | None
    claimed_at: int
    has_news: bool


def record_of_workflow(workflow: Workflow | None) -> WorkflowRecord | None:
    """The record of a workflow; None of an agent."""
    if workflow is None:
        return None
    return WorkflowRecord(
        workflow.version,
        workflow.priority_ms,
        workflow.timeout_at,
        workflow.parent_id,
        workflow.child_name,
        workflow.is_told,
        workflow.is_abandoned,
        workflow.key,
        workflow.worker_id,
        workflow.lease_ms,
        workflow.claimed_at,
        workflow.has_news,
    )


def workflow_of_record(row: WorkflowRecord | None, log: list[LoggedEvent]) -> Workflow | None:
    """The workflow that was written down, its log folded; None of an agent."""
    if row is None:
        return None
    workflow = Workflow(
        log=log,
        version=row.version,
        priority_ms=row.priority_ms,
        timeout_at=row.timeout_at,
        parent_id=row.parent_id,
        child_name=row.child_name,
        is_told=row.is_told,
        is_abandoned=row.is_abandoned,
        key=row.key,
        worker_id=row.worker_id,
        lease_ms=row.lease_ms,
        claimed_at=row.claimed_at,
        has_news=row.has_news,
    )
    for logged in log:
        fold(workflow, logged)
    return workflow
