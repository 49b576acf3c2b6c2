"""What a workflow's code asks for in one pass: commands, in order, each with the event that it leads to.

The names and fields are the wire's (flovyn.v1, Commands). What other clients cannot say stands behind as a field with a
default; `CancelTask` is ours alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.options import TaskOptions
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelMode

DEFAULT_KEY_SECONDS: Final = 86_400
"""How long an idempotency key counts, in seconds, unless said otherwise."""

LONGEST_KEY_SECONDS: Final = 30 * 86_400
"""How long an idempotency key counts at most, in seconds; a longer time is taken for this."""

DEFAULT_WORKFLOW_TASK_RETRIES: Final = 3
"""How often a task of a workflow is tried again, unless said otherwise."""


class PassStatus(StrEnum):
    """How a pass over a workflow's code ended (`WorkflowStatus` on the wire)."""

    RUNNING = "RUNNING"
    """It has more to do: offer it to a worker at once."""
    SUSPENDED = "SUSPENDED"
    """It waits for something."""
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class WorkflowCommand(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """One command."""


class RecordOperation(WorkflowCommand, frozen=True, gc=False, tag="RECORD_OPERATION"):
    """A side effect gave this: OPERATION_COMPLETED. `failure` is set if it failed."""

    operation_name: str
    result: Payload = NULL_PAYLOAD
    failure: Failure | None = None


class SetState(WorkflowCommand, frozen=True, gc=False, tag="SET_STATE"):
    """STATE_SET."""

    key: str
    value: Payload = NULL_PAYLOAD


class ClearState(WorkflowCommand, frozen=True, gc=False, tag="CLEAR_STATE"):
    """STATE_CLEARED."""

    key: str


class ScheduleTask(WorkflowCommand, frozen=True, gc=False, tag="SCHEDULE_TASK"):
    """Create a task: TASK_SCHEDULED.

    Attributes:
        kind: its kind.
        input: its input.
        task_execution_id: its id, which the worker derived.
        max_retries: how often it is tried again, a million times at most; None is 3.
        timeout_ms: its longest time in all; None is no limit.
        queue: its queue; None is the workflow's.
        priority_seconds: is kept, and has no effect.
        idempotency_key: for those outside who look for it; the same key is the same task.
        idempotency_key_ttl_seconds: how long the key counts; None is a day, at most 30 days.
        options: all its options, in place of `max_retries` and `timeout_ms`.
    """

    kind: str
    task_execution_id: TaskId
    input: Payload = NULL_PAYLOAD
    max_retries: int | None = None
    timeout_ms: int | None = None
    queue: str | None = None
    priority_seconds: int | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl_seconds: int | None = None
    options: TaskOptions | None = None


class CancelTask(WorkflowCommand, frozen=True, gc=False, tag="CANCEL_TASK"):
    """Cancel a task of this workflow, if it is open. No event but the task's own end."""

    task_execution_id: TaskId
    cause: CancelCause
    mode: CancelMode = CancelMode.TRY


class CompleteWorkflow(WorkflowCommand, frozen=True, gc=False, tag="COMPLETE_WORKFLOW"):
    """The code returned: WORKFLOW_COMPLETED."""

    output: Payload = NULL_PAYLOAD


class FailWorkflow(WorkflowCommand, frozen=True, gc=False, tag="FAIL_WORKFLOW"):
    """The code raised: WORKFLOW_EXECUTION_FAILED."""

    error: str
    stack_trace: str = ""
    failure_type: str = "ERROR"
    failure: Failure | None = None


class SuspendWorkflow(WorkflowCommand, frozen=True, gc=False, tag="SUSPEND_WORKFLOW"):
    """The code waits: WORKFLOW_SUSPENDED."""

    reason: str = ""


class CancelWorkflow(WorkflowCommand, frozen=True, gc=False, tag="CANCEL_WORKFLOW"):
    """The code let its cancellation pass: WORKFLOW_CANCELLED."""

    reason: str = ""


class CreatePromise(WorkflowCommand, frozen=True, gc=False, tag="CREATE_PROMISE"):
    """PROMISE_CREATED, with an id that the engine makes.

    Attributes:
        promise_name: its name, unique in this workflow; the wire calls this field ``promise_id``.
        timeout_ms: how long it can be settled; None is no limit.
        idempotency_key: a key by which it can be settled, too. One that belongs to another promise is not given to it.
        idempotency_key_ttl_seconds: how long the key counts; None is a day, at most 30 days.
    """

    promise_name: str
    timeout_ms: int | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl_seconds: int | None = None


class ResolvePromise(WorkflowCommand, frozen=True, gc=False, tag="RESOLVE_PROMISE"):
    """Settle a promise of this workflow, by its id or its name: PROMISE_RESOLVED."""

    promise_id: str
    value: Payload = NULL_PAYLOAD


class ScheduleChildWorkflow(WorkflowCommand, frozen=True, gc=False, tag="SCHEDULE_CHILD_WORKFLOW"):
    """Start a child: CHILD_WORKFLOW_INITIATED.

    Attributes:
        child_execution_name: its name, unique within the parent. One that was used is refused.
        workflow_kind: its kind.
        child_workflow_execution_id: its id, which the worker derived.
        input: its input.
        queue: its queue; empty is the parent's.
        priority_seconds: by how much it is older than it is, where the oldest goes first.
        workflow_definition_id: is not offered; refused where there is no kind.
        abandon: whether it goes on when the parent is cancelled.
    """

    child_execution_name: str
    workflow_kind: str
    child_workflow_execution_id: ExecutionId
    input: Payload = NULL_PAYLOAD
    queue: str = ""
    priority_seconds: int = 0
    workflow_definition_id: str | None = None
    abandon: bool = False


class StartTimer(WorkflowCommand, frozen=True, gc=False, tag="START_TIMER"):
    """TIMER_STARTED; due `duration_ms` after the submission, at once if that is 0 or less."""

    timer_id: str
    duration_ms: int


class CancelTimer(WorkflowCommand, frozen=True, gc=False, tag="CANCEL_TIMER"):
    """TIMER_CANCELLED, unless the timer has fired."""

    timer_id: str


class RequestCancelChildWorkflow(WorkflowCommand, frozen=True, gc=False, tag="REQUEST_CANCEL_CHILD_WORKFLOW"):
    """Cancel a child: CHILD_WORKFLOW_CANCELLATION_REQUESTED, perhaps _FAILED. The id decides; the name may be empty."""

    child_workflow_execution_id: ExecutionId
    child_execution_name: str = ""
    reason: str = ""


AnyWorkflowCommand = (
    RecordOperation
    | SetState
    | ClearState
    | ScheduleTask
    | CancelTask
    | CompleteWorkflow
    | FailWorkflow
    | SuspendWorkflow
    | CancelWorkflow
    | CreatePromise
    | ResolvePromise
    | ScheduleChildWorkflow
    | StartTimer
    | CancelTimer
    | RequestCancelChildWorkflow
)


def first_sequence_of(numbers: Sequence[int]) -> int | None:
    """What the numbers of a submission's commands say about the events that its pass had seen.

    Clients have two habits: some count from the number of events that they replayed + 1, others from 1 in each
    submission. A log is never empty, so a first number of 2 or more is of the first habit; 1 says nothing.

    Args:
        numbers: the commands' own numbers, in order.

    Returns:
        The number behind the last event that the pass had seen; None if that is not said.
    """
    return numbers[0] if numbers and numbers[0] > 1 else None
