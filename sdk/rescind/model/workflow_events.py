"""The log of a workflow: what its code is replayed against, event by event.

The names, numbers and keys are the wire's (flovyn.v1, Events): each event's tag is its type there. What other clients
need not read stands behind it as a field with a default.
"""

from __future__ import annotations

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.ids import ExecutionId, Instant, TaskId
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload


class WorkflowEvent(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """Something that is so from now on, for ever."""

    @property
    def event_type(self) -> str:
        """The type's name on the wire, in capitals."""
        return str(type(self).__struct_config__.tag)


class LoggedEvent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An event in its place.

    Attributes:
        sequence: 1, 2, 3 … within the workflow's log, without a gap.
        at: when it was decided, in microseconds since the Unix epoch.
        event: what happened.
    """

    sequence: int
    at: Instant
    event: AnyWorkflowEvent


# ── the workflow itself ─────────────────────────────────────────────────────────────────────────────────────────────


class WorkflowStarted(WorkflowEvent, frozen=True, gc=False, tag="WORKFLOW_STARTED"):
    """The first event of every log."""

    workflow_kind: str
    input: Payload = NULL_PAYLOAD
    metadata: dict[str, str] = {}


class WorkflowCompleted(WorkflowEvent, frozen=True, gc=False, tag="WORKFLOW_COMPLETED"):
    """The code returned."""

    output: Payload = NULL_PAYLOAD


class WorkflowExecutionFailed(WorkflowEvent, frozen=True, gc=False, tag="WORKFLOW_EXECUTION_FAILED"):
    """The code raised, or the workflow timed out. `failure` is what is needed to raise the same error elsewhere."""

    error: str
    stack_trace: str = ""
    failure_type: str = "ERROR"
    failure: Failure | None = None


class WorkflowCancelled(WorkflowEvent, frozen=True, gc=False, tag="WORKFLOW_CANCELLED"):
    """The workflow ended as CANCELLED."""

    reason: str = ""
    cause: CancelCause | None = None


class WorkflowSuspended(WorkflowEvent, frozen=True, gc=False, tag="WORKFLOW_SUSPENDED"):
    """A pass over the code came to its end with nothing more to do for now."""

    reason: str = ""


class CancellationRequested(WorkflowEvent, frozen=True, gc=False, tag="CANCELLATION_REQUESTED"):
    """This workflow is being cancelled.

    Attributes:
        reason: why, in words.
        requested_by: who asked; the parent's id if it was the parent.
        cause: the same, with its source.
    """

    reason: str = ""
    requested_by: str = ""
    cause: CancelCause | None = None


class RetryRequested(WorkflowEvent, frozen=True, gc=False, tag="RETRY_REQUESTED"):
    """Somebody lets the failed workflow go on by hand."""

    note: str = ""


# ── operations and state ────────────────────────────────────────────────────────────────────────────────────────────


class OperationCompleted(WorkflowEvent, frozen=True, gc=False, tag="OPERATION_COMPLETED"):
    """A side effect was carried out, and gave this. `failure` is set if it failed."""

    operation_name: str
    result: Payload = NULL_PAYLOAD
    failure: Failure | None = None


class StateSet(WorkflowEvent, frozen=True, gc=False, tag="STATE_SET"):
    """The state has this value under this key."""

    key: str
    value: Payload = NULL_PAYLOAD


class StateCleared(WorkflowEvent, frozen=True, gc=False, tag="STATE_CLEARED"):
    """The state has nothing under this key."""

    key: str


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class TaskScheduled(WorkflowEvent, frozen=True, gc=False, tag="TASK_SCHEDULED"):
    """The task exists."""

    kind: str
    task_execution_id: TaskId
    input: Payload = NULL_PAYLOAD


class TaskCompleted(WorkflowEvent, frozen=True, gc=False, tag="TASK_COMPLETED"):
    """The task gave a result."""

    task_execution_id: TaskId
    output: Payload = NULL_PAYLOAD


class TaskFailed(WorkflowEvent, frozen=True, gc=False, tag="TASK_FAILED"):
    """The task failed for good."""

    task_execution_id: TaskId
    error: str
    retryable: bool = False
    failure: Failure | None = None


class TaskCancelled(WorkflowEvent, frozen=True, gc=False, tag="TASK_CANCELLED"):
    """The task was cancelled."""

    task_execution_id: TaskId
    kind: str
    reason: str = ""
    cause: CancelCause | None = None


# ── promises ────────────────────────────────────────────────────────────────────────────────────────────────────────


class PromiseCreated(WorkflowEvent, frozen=True, gc=False, tag="PROMISE_CREATED"):
    """The promise can be settled from outside, by its id. `idempotency_key` is set if that settles it, too."""

    promise_id: str
    promise_name: str
    timeout_ms: int | None = None
    idempotency_key: str | None = None


class PromiseResolved(WorkflowEvent, frozen=True, gc=False, tag="PROMISE_RESOLVED"):
    """The promise has a value."""

    promise_id: str
    promise_name: str
    value: Payload = NULL_PAYLOAD


class PromiseRejected(WorkflowEvent, frozen=True, gc=False, tag="PROMISE_REJECTED"):
    """The promise has an error instead."""

    promise_id: str
    promise_name: str
    error: str


class PromiseTimeout(WorkflowEvent, frozen=True, gc=False, tag="PROMISE_TIMEOUT"):
    """Nobody settled the promise in time."""

    promise_id: str
    promise_name: str


# ── children ────────────────────────────────────────────────────────────────────────────────────────────────────────


class ChildWorkflowInitiated(WorkflowEvent, frozen=True, gc=False, tag="CHILD_WORKFLOW_INITIATED"):
    """The child was asked for. If it could not be started, CHILD_WORKFLOW_FAILED follows."""

    child_execution_name: str
    child_workflow_kind: str
    child_workflow_execution_id: ExecutionId
    input: Payload = NULL_PAYLOAD


class ChildWorkflowStarted(WorkflowEvent, frozen=True, gc=False, tag="CHILD_WORKFLOW_STARTED"):
    """A worker took the child up for the first time."""

    child_execution_name: str
    child_workflow_execution_id: ExecutionId


class ChildWorkflowCompleted(WorkflowEvent, frozen=True, gc=False, tag="CHILD_WORKFLOW_COMPLETED"):
    """The child gave a result."""

    child_execution_name: str
    child_workflow_execution_id: ExecutionId
    output: Payload = NULL_PAYLOAD


class ChildWorkflowFailed(WorkflowEvent, frozen=True, gc=False, tag="CHILD_WORKFLOW_FAILED"):
    """The child failed, was cancelled, or could not be started.

    Attributes:
        child_execution_name: its name within the parent.
        child_workflow_execution_id: its id.
        error: why; contains the child's own error, or says that it was cancelled.
        failure: the child's failure, if it failed.
        cause: why it was cancelled, if it was.
    """

    child_execution_name: str
    child_workflow_execution_id: ExecutionId
    error: str
    failure: Failure | None = None
    cause: CancelCause | None = None


class ChildWorkflowCancelled(WorkflowEvent, frozen=True, gc=False, tag="CHILD_WORKFLOW_CANCELLED"):
    """Never written: a cancelled child is told by CHILD_WORKFLOW_FAILED. Read from histories of other servers."""

    child_execution_name: str
    child_workflow_execution_id: ExecutionId
    reason: str = ""


class ChildWorkflowCancellationRequested(
    WorkflowEvent, frozen=True, gc=False, tag="CHILD_WORKFLOW_CANCELLATION_REQUESTED"
):
    """The parent wants the child cancelled."""

    child_execution_name: str
    child_workflow_execution_id: ExecutionId
    reason: str = ""


class ChildWorkflowCancellationFailed(WorkflowEvent, frozen=True, gc=False, tag="CHILD_WORKFLOW_CANCELLATION_FAILED"):
    """The child could not be cancelled: it is unknown, or has ended."""

    child_execution_name: str
    child_workflow_execution_id: ExecutionId
    error: str


# ── timers and signals ──────────────────────────────────────────────────────────────────────────────────────────────


class TimerStarted(WorkflowEvent, frozen=True, gc=False, tag="TIMER_STARTED"):
    """The timer is due `duration_ms` after this event."""

    timer_id: str
    duration_ms: int


class TimerFired(WorkflowEvent, frozen=True, gc=False, tag="TIMER_FIRED"):
    """The timer's time has come."""

    timer_id: str


class TimerCancelled(WorkflowEvent, frozen=True, gc=False, tag="TIMER_CANCELLED"):
    """The timer will never fire."""

    timer_id: str


class SignalReceived(WorkflowEvent, frozen=True, gc=False, tag="SIGNAL_RECEIVED"):
    """Somebody told the workflow something."""

    signal_name: str
    signal_value: Payload = NULL_PAYLOAD


AnyWorkflowEvent = (
    WorkflowStarted
    | WorkflowCompleted
    | WorkflowExecutionFailed
    | WorkflowCancelled
    | WorkflowSuspended
    | CancellationRequested
    | RetryRequested
    | OperationCompleted
    | StateSet
    | StateCleared
    | TaskScheduled
    | TaskCompleted
    | TaskFailed
    | TaskCancelled
    | PromiseCreated
    | PromiseResolved
    | PromiseRejected
    | PromiseTimeout
    | ChildWorkflowInitiated
    | ChildWorkflowStarted
    | ChildWorkflowCompleted
    | ChildWorkflowFailed
    | ChildWorkflowCancelled
    | ChildWorkflowCancellationRequested
    | ChildWorkflowCancellationFailed
    | TimerStarted
    | TimerFired
    | TimerCancelled
    | SignalReceived
)
