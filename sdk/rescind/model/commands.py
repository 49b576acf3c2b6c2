"""What clients ask of the engine, and what it answers."""

from __future__ import annotations

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.children import ChildEnded, Spawned
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import FromWorker
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelMode, CancelTaskResult
from rescind.model.workflows import FromWorkflowClient, FromWorkflowWorker, WorkflowReply

DEFAULT_ORGANISATION = "default"


class StartExecution(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Start an agent.

    Attributes:
        kind: which agent.
        input: its input.
        execution_id: its id, chosen by the caller; None lets the engine choose. It is its idempotency key too: the
            same id with the same kind and input is the same execution.
        queue: where it is put.
        labels: free text by name.
        by: who asks.
        organisation: whose it is.
        trace_parent: the span that asks, as W3C Trace Context writes it; None if nobody traces it.
        spawned: what it knows of its parent, if that lives elsewhere (see `rescind.model.children`).
        or_workflow: whether to start a workflow instead, where workers run this kind as a workflow and none as an
            agent: who asks has named a kind, and does not say what it is.
    """

    kind: str
    input: Payload = NULL_PAYLOAD
    execution_id: ExecutionId | None = None
    queue: str = DEFAULT_QUEUE
    labels: dict[str, str] = {}
    by: str = "client"
    organisation: str = DEFAULT_ORGANISATION
    trace_parent: str | None = None
    spawned: Spawned | None = None
    or_workflow: bool = False


class SignalExecution(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Send an agent a signal."""

    execution_id: ExecutionId
    name: str
    value: Payload = NULL_PAYLOAD
    by: str = "client"


class CancelExecution(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Cancel an agent: gracefully, or with `hard` at once and without its clean-up.

    `within_ms` is the longest time of its clean-up, if that is shorter than the agent's own.
    """

    execution_id: ExecutionId
    cause: CancelCause
    hard: bool = False
    within_ms: int | None = None


class CancelTaskFromOutside(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Cancel one task of an execution, by somebody who is not its agent."""

    execution_id: ExecutionId
    task_id: TaskId
    cause: CancelCause
    mode: CancelMode = CancelMode.TRY


class Call(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a gateway asks of the engine in words of its own, for those who work by calls instead of a session.

    Attributes:
        execution_id: which execution it is about; None if it is about none.
    """

    execution_id: ExecutionId | None = None


class ChildCancelTold(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What a request to cancel a child met that lives elsewhere. `position` is that of `CancelElsewhere`."""

    parent_id: ExecutionId
    position: int
    result: CancelTaskResult


class SignalAnswered(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Whether a signal to a child, or parent, that lives elsewhere was queued there."""

    sender_id: ExecutionId
    position: int
    delivered: bool


ChildNews = ChildEnded | ChildCancelTold | SignalAnswered
"""What a host tells the engine of an execution whose children, or whose parent, live elsewhere."""

FromClient = StartExecution | SignalExecution | CancelExecution | CancelTaskFromOutside | Call
Command = FromClient | FromWorker | ChildNews | FromWorkflowClient | FromWorkflowWorker


class Started(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The execution exists.

    Attributes:
        execution_id: its id.
        created: True if this request created it.
    """

    execution_id: ExecutionId
    created: bool


class Signalled(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The signal is queued, as number `sequence` of that execution."""

    sequence: int


class CancelAnswered(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What a request to cancel met."""

    result: CancelTaskResult


class Deferred(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The answer comes later, under this number: the work was asked to stop, and decides (mode WAIT)."""

    number: int


class Refused(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The request could not be carried out.

    Attributes:
        error: the name of the error class to raise.
        message: its text.
    """

    error: str
    message: str


class Accepted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A worker's message was taken in; there is nothing to say."""


class CallAnswer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a `Call` is answered that has more to say than that it was carried out."""


ACCEPTED = Accepted()
Reply = Started | Signalled | CancelAnswered | Deferred | Refused | Accepted | CallAnswer | WorkflowReply
