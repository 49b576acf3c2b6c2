"""An execution as Temporal itself shows it: where its workflow was ended from outside, or no worker is there to ask."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from rescind.errors import InvalidInput
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import ExecutionId, Instant
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import ExecutionStatus, FailureKind
from rescind.model.views import ExecutionView
from rescind.temporal import names
from rescind.temporal.failures import failure_of_execution
from rescind.temporal.payloads import from_temporal, record_from_temporal
from rescind.temporal.records import CancelRequest, StartMemo

_STATUS: Final = {
    WorkflowExecutionStatus.RUNNING: ExecutionStatus.RUNNING,
    WorkflowExecutionStatus.CONTINUED_AS_NEW: ExecutionStatus.RUNNING,
    WorkflowExecutionStatus.COMPLETED: ExecutionStatus.COMPLETED,
    WorkflowExecutionStatus.FAILED: ExecutionStatus.FAILED,
    WorkflowExecutionStatus.TIMED_OUT: ExecutionStatus.FAILED,
    WorkflowExecutionStatus.CANCELED: ExecutionStatus.CANCELLED,
    WorkflowExecutionStatus.TERMINATED: ExecutionStatus.CANCELLED,
}
_ENDED_BY_TEMPORAL: Final = frozenset({WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT})


async def start_memo(found: WorkflowExecution) -> StartMemo | None:
    """What a client said when it started a workflow; None if the memo is somebody else's."""
    memo = await found.memo_value(names.MEMO_KEY, None, type_hint=RawValue)
    try:
        return record_from_temporal(memo, StartMemo) if memo is not None else StartMemo()
    except InvalidInput:
        return None


async def view_of(found: WorkflowExecution) -> ExecutionView | None:
    """A workflow as an execution, without payloads; None if it is not ours."""
    start = await start_memo(found)
    if start is None or found.status is None:
        return None
    said = await found.memo_value(names.STATUS_KEY, None)
    is_at_work = found.status is WorkflowExecutionStatus.RUNNING
    return ExecutionView(
        execution_id=ExecutionId(found.id),
        kind=found.workflow_type,
        queue=found.task_queue,
        status=ExecutionStatus(said) if said is not None and is_at_work else _STATUS[found.status],
        input=NULL_PAYLOAD,
        output=None,
        failure=None,
        cause=None,
        parked=None,
        labels=start.labels,
        created_by=start.by,
        created_at=start.created_at or Instant(round(found.start_time.timestamp() * 1_000_000)),
        ended_at=Instant(round(found.close_time.timestamp() * 1_000_000)) if found.close_time is not None else None,
        checkpoint=-1,
        parent_id=start.spawned.parent_id if start.spawned is not None else None,
        budget=start.spawned.budget if start.spawned is not None else None,
        is_workflow=start.is_workflow or bool(await found.memo_value(names.WORKFLOW_KEY, False)),
    )


def was_ended_by_temporal(found: WorkflowExecution) -> bool:
    """Whether a workflow was ended without its agent knowing."""
    return found.status in _ENDED_BY_TEMPORAL


def with_temporals_end(view: ExecutionView, found: WorkflowExecution) -> ExecutionView:
    """An execution whose workflow Temporal has ended: by `terminate`, or since its time was over."""
    at = Instant(round(found.close_time.timestamp() * 1_000_000)) if found.close_time is not None else None
    if found.status is WorkflowExecutionStatus.TIMED_OUT:
        failure = Failure(FailureKind.TIMED_OUT, "its workflow timed out on the cluster", "WorkflowTimedOut")
        return msgspec.structs.replace(view, status=ExecutionStatus.FAILED, failure=failure, ended_at=at)
    cause = view.cause or CancelCause(CancelSource.REQUEST, "temporal", "its workflow was terminated")
    return msgspec.structs.replace(view, status=ExecutionStatus.CANCELLED, cause=cause, ended_at=at)


async def ended_view(
    handle: WorkflowHandle[Any, RawValue], found: WorkflowExecutionDescription
) -> ExecutionView | None:
    """An execution whose workflow has closed, with its output, failure or cause; None if it has not, or is not ours.

    Args:
        handle: the run that has closed, with `RawValue` as the type of its result.
        found: the same, as Temporal shows it.
    """
    view = await view_of(found)
    if view is None or found.close_time is None:
        return None
    if was_ended_by_temporal(found):
        return with_temporals_end(view, found)
    try:
        result = await handle.result(follow_runs=False)
    except WorkflowFailureError as error:
        if isinstance(error.cause, ApplicationError):
            return msgspec.structs.replace(view, failure=failure_of_execution(error.cause))
        return msgspec.structs.replace(view, cause=await _cause_of(handle))
    return msgspec.structs.replace(view, output=from_temporal(result))


async def _cause_of(handle: WorkflowHandle[Any, RawValue]) -> CancelCause:
    """Why a workflow was cancelled: all cancels begin with Temporal's own, whose reason is in its history."""
    async for event in handle.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
            return CancelRequest.of_temporal(event.workflow_execution_cancel_requested_event_attributes.cause).cause()
    return CancelRequest.of_temporal("").cause()
