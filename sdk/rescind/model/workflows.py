"""What is asked of the engine about workflows, and what it answers.

A workflow is an execution: cancelling it, its tasks, its lists and its labels are those of agents
(`rescind.model.commands`). Of its own are its log, the passes of its code over it, promises, and signals with start.
"""

from __future__ import annotations

from typing import Final

import msgspec

from rescind.errors import InvalidInput
from rescind.model.cause import CancelCause
from rescind.model.ids import ExecutionId, Instant, WorkerId
from rescind.model.options import DEFAULT_QUEUE, LONGEST_MS
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import ExecutionStatus
from rescind.model.workflow_commands import AnyWorkflowCommand, PassStatus
from rescind.model.workflow_events import LoggedEvent

_DEFAULT_ORGANISATION: Final = "default"

MOST_SIGNALS: Final = 10_000
"""How many signals a workflow takes in all."""

PASS_CLAIM_MS: Final = 60_000
"""How long a claim lasts over gRPC if its worker does not say that it makes the pass still, in milliseconds."""
PASS_BEAT_MS: Final = 5_000
"""How often workers say that, in milliseconds: soon enough also behind a restart of the server."""


# ── asked by clients ────────────────────────────────────────────────────────────────────────────────────────────────


class StartWorkflow(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Start a workflow. Answered by Started, or Refused.

    Attributes:
        kind: which workflow.
        input: its input.
        execution_id: its id, chosen by the caller; None lets the engine choose. The same id with the same kind and
            input is the same workflow.
        queue: where it is put.
        labels: free text by name (``metadata`` on the wire).
        idempotency_key: a key, per organisation; while it belongs to a workflow that is open or completed, that one is
            answered, and none is created.
        idempotency_key_ttl_seconds: how long the key counts; None is a day, at most 30 days.
        version: the version of its code; handed out with it.
        priority_ms: by how much it is older than it is, where the oldest goes first.
        timeout_ms: its longest time in all; then it fails as timed out. None is no limit.
        parent_id: the workflow that it is a child of, for a child that is started from outside: its end is not told
            to the parent's log, and a cancel of the parent reaches it.
        child_execution_name: its name within that parent.
        by: who asks.
        organisation: whose it is.
        trace_parent: the span that asks, as W3C Trace Context writes it.
    """

    kind: str
    input: Payload = NULL_PAYLOAD
    execution_id: ExecutionId | None = None
    queue: str = DEFAULT_QUEUE
    labels: dict[str, str] = {}
    idempotency_key: str | None = None
    idempotency_key_ttl_seconds: int | None = None
    version: str | None = None
    priority_ms: int = 0
    timeout_ms: int | None = None
    parent_id: ExecutionId | None = None
    child_execution_name: str = ""
    by: str = "client"
    organisation: str = _DEFAULT_ORGANISATION
    trace_parent: str | None = None


class SignalWithStart(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Signal the open workflow that has `start.idempotency_key`, or start it and signal it: one transition.

    Answered by SignalledWithStart, or Refused. The engine chooses the id: `start.execution_id` is not looked at.

    Attributes:
        start: what is started if no open workflow has its key.
        name: the signal's name.
        value: what it carries.
        only_own: whether the key of a workflow that another than `start.by` has started is refused as taken.
    """

    start: StartWorkflow
    name: str
    value: Payload = NULL_PAYLOAD
    only_own: bool = False


class SettlePromise(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Resolve or reject a promise from outside. Answered by PromiseSettled, or Refused.

    Attributes:
        promise: its id, ``<workflow id>/<name>``, or with `by_key` its idempotency key.
        value: its value, unless it is rejected.
        error: set if it is rejected: why.
        by_key: whether `promise` is an idempotency key.
        by: who asks.
        organisation: whose promises are looked at.
    """

    promise: str
    value: Payload = NULL_PAYLOAD
    error: str | None = None
    by_key: bool = False
    by: str = "client"
    organisation: str = _DEFAULT_ORGANISATION

    @property
    def execution_id(self) -> ExecutionId | None:
        """The workflow that the promise's id names; None if it names none."""
        execution_id, slash, _ = self.promise.partition("/")
        return ExecutionId(execution_id) if slash and not self.by_key else None


class RetryWorkflow(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Let a failed workflow go on by hand: RETRY_REQUESTED. Answered by WorkflowRetried, or Refused."""

    execution_id: ExecutionId
    note: str = ""
    by: str = "client"


# ── asked by workers ────────────────────────────────────────────────────────────────────────────────────────────────


class PollWorkflow(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Claim the workflow whose turn it is; wait for one if there is none.

    Answered by WorkflowClaimed, at once or late; by NoWorkflow after WithdrawPoll, or when `wait_ms` has passed.

    Attributes:
        poll: a name of this poll that no other one has at a time, chosen by who asks: WithdrawPoll names it.
        worker_id: who asks; the claim is its own.
        queue: where from.
        kinds: kinds that it runs; empty is any.
        wait_ms: how long to wait; 0 is not at all, None is until it is withdrawn.
        lease_ms: how long the claim lasts without a sign of life; None is for as long as the worker is connected, or
            for ever if it never joined. A sign of life of the worker (WorkerAlive, WorkerSeen, any poll) prolongs it.
        organisation: whose workflows; None is anyone's.
        brings_log: whether the answer is to carry the log.
        only_uuids: whether to pass over those whose id is no UUID, since who asks could not read it.
        pass_ms: how long the claim lasts without its submission, whatever else the worker says but HoldWorkflows;
            None is no limit.
        cleanup_budgets_ms: by kind, how long the clean-up of a cancelled workflow may take; of kinds that are not in it
            nothing changes. Raises InvalidInput: a budget is below 0, or above 100 years.
        announces: whether the worker has no session, so that its polls alone tell that it is there, and what it runs.
    """

    poll: str
    worker_id: WorkerId
    queue: str = DEFAULT_QUEUE
    kinds: tuple[str, ...] = ()
    wait_ms: int | None = None
    lease_ms: int | None = None
    organisation: str | None = None
    brings_log: bool = False
    only_uuids: bool = False
    pass_ms: int | None = None
    cleanup_budgets_ms: dict[str, int] = {}
    announces: bool = False

    def __post_init__(self) -> None:
        for kind, budget in self.cleanup_budgets_ms.items():
            if not 0 <= budget <= LONGEST_MS:
                raise InvalidInput(f"workflow {kind!r}: cleanup_budget_ms is {budget}. Give 0 to {LONGEST_MS} ms.")


class WithdrawPoll(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Whoever polled has gone: it is given nothing, and what it was given in this very moment is offered to others."""

    poll: str


class WorkerSeen(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A sign of life of a worker that polls: its claims are prolonged."""

    worker_id: WorkerId


class HoldWorkflows(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A worker still makes these passes: each claim among them that stands lasts anew. Answered by Accepted.

    Attributes:
        worker_id: who says so; claims of others are passed over, as are those that are over.
        claims: the workflows, each with the number of its claim.
        pass_ms: how long each of them lasts from now on, as in PollWorkflow.
    """

    worker_id: WorkerId
    claims: tuple[tuple[ExecutionId, int], ...]
    pass_ms: int


class WorkerGone(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A worker that polls is lost: what it has claimed goes to others at once.

    Attributes:
        worker_id: which.
        unless_polling: whether to leave it alone if a poll of it waits: another process of that name lives.
    """

    worker_id: WorkerId
    unless_polling: bool = False


class SubmitWorkflowCommands(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The result of one pass over a workflow's code. Answered by Submitted, or Refused: then nothing of it is recorded.

    Attributes:
        execution_id: which workflow.
        commands: what the code asked for, in order.
        status: how the pass ended.
        claim: the claim that the pass was made under; None is the one that stands, for clients that cannot say.
        first_sequence: the number behind the last event that the pass had seen; None if that is not said. One that is
            larger than the next event's is refused (`InvalidInput`). One that is smaller than what the log held at the
            claim is of an older pass, and refused (`NotClaimed`).
        cleaning_up: whether the code was told of its cancel and goes on cleaning up. A pass over a cancelled workflow
            that suspends without it is by a worker that does not understand cancels: the workflow ends CANCELLED.
    """

    execution_id: ExecutionId
    commands: tuple[AnyWorkflowCommand, ...] = ()
    status: PassStatus = PassStatus.SUSPENDED
    claim: int | None = None
    first_sequence: int | None = None
    cleaning_up: bool = False


class ReleaseWorkflow(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The worker gives a claimed workflow back without a result: it is offered to others. Answered by Accepted."""

    execution_id: ExecutionId
    claim: int


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class WorkflowClaimed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A workflow to run one pass of.

    Attributes:
        execution_id: which.
        claim: the number of this claim; a later one of the same workflow voids it.
        kind: its kind.
        queue: its queue.
        organisation: whose it is.
        input: its input.
        sequence: the number of the last event in its log.
        now: the time of this pass, as the code sees it.
        created_at: when it was started.
        priority_ms: its priority.
        version: the version of its code, if it was started with one.
        labels: free text by name.
        cause: why it is being cancelled, if it is.
        events: its log up to `sequence`, if the poll asked for it.
        trace_parent: the span that it was started in.
    """

    execution_id: ExecutionId
    claim: int
    kind: str
    queue: str
    organisation: str
    input: Payload
    sequence: int
    now: Instant
    created_at: Instant
    priority_ms: int = 0
    version: str | None = None
    labels: dict[str, str] = {}
    cause: CancelCause | None = None
    events: tuple[LoggedEvent, ...] = ()
    trace_parent: str | None = None


class NoWorkflow(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The poll is over, and there was nothing."""


class Submitted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The submission is recorded.

    Attributes:
        sequence: the number of the last event in the log now.
        status: where the workflow stands now.
        repeated: whether it was recorded before, and this call changed nothing.
    """

    sequence: int
    status: ExecutionStatus
    repeated: bool = False


class SignalledWithStart(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The workflow has the signal: its id, whether this call created it, and the number of the signal's event."""

    execution_id: ExecutionId
    created: bool
    sequence: int


class PromiseSettled(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The promise is settled; `already` if it was before, and this call changed nothing."""

    promise_id: str
    execution_id: ExecutionId
    already: bool = False


class WorkflowRetried(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The workflow goes on; `attempt` counts such requests."""

    execution_id: ExecutionId
    attempt: int


FromWorkflowClient = StartWorkflow | SignalWithStart | SettlePromise | RetryWorkflow
FromWorkflowWorker = (
    PollWorkflow | WithdrawPoll | WorkerSeen | HoldWorkflows | WorkerGone | SubmitWorkflowCommands | ReleaseWorkflow
)
WorkflowReply = WorkflowClaimed | NoWorkflow | Submitted | SignalledWithStart | PromiseSettled | WorkflowRetried


# ── looked up ───────────────────────────────────────────────────────────────────────────────────────────────────────


class WorkflowView(msgspec.Struct, frozen=True, gc=False):
    """What a workflow has beyond any execution, as it stands.

    Attributes:
        execution_id: which.
        sequence: the number of the last event in its log.
        version: the version of its code.
        priority_ms: its priority.
        state: the fold of STATE_SET and STATE_CLEARED.
        parent_id: its parent, if it is a child.
        child_execution_name: its name within its parent.
        children: names of its children, by id. Those that were started from outside may have none, or that of another.
        worker_id: who has claimed it; None if nobody has.
        retries: how often it was let go on by hand.
    """

    execution_id: ExecutionId
    sequence: int
    version: str | None = None
    priority_ms: int = 0
    state: dict[str, Payload] = {}
    parent_id: ExecutionId | None = None
    child_execution_name: str = ""
    children: dict[ExecutionId, str] = {}
    worker_id: WorkerId | None = None
    retries: int = 0
