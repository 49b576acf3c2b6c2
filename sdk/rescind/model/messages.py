"""What server and worker tell each other, in process or over a wire.

A session is one ordered stream in each direction. Either side may see a message twice after a disturbance, so each
one can be recognised: attempts by their lease, an agent's progress by its run and activation number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from rescind.errors import InvalidInput
from rescind.model.cause import CancelCause
from rescind.model.children import NOTHING_USED, Budget, Usage
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId, WorkerId
from rescind.model.operations import AnyOperation, Resolution
from rescind.model.options import DEFAULT_CLEANUP_BUDGET_MS, LONGEST_MS
from rescind.model.outcome import Failure
from rescind.model.payload import Payload
from rescind.model.status import StopState

Recovery = Literal["replay", "checkpoint"]

DEFAULT_AGENT_SLOTS: Final = 1_000
"""How many runs of agents a worker keeps in memory, unless set otherwise."""


class Issued(msgspec.Struct, frozen=True, gc=False):
    """An operation as the journal remembers it, or several alike: enough to notice that the code took another path.

    Attributes:
        position: its place in the journal.
        operation: the name of the operation's class.
        subject: what it acted on, in a word.
        count: how many alike there were, at this place and those that follow: ten thousand tasks of one kind are one.
    """

    position: int
    operation: str
    subject: str = ""
    count: int = 1

    def one_by_one(self) -> Iterator[Issued]:
        """The operations, each on its own."""
        for position in range(self.position, self.position + self.count):
            yield Issued(position, self.operation, self.subject)


class JournalEntry(msgspec.Struct, gc=False):
    """One activation of an agent, and what it asked for then.

    Attributes:
        number: 1, 2, 3 … within the execution.
        now: the agent's time during this activation.
        resolutions: the answers handed to it, in the order that they are seen.
        cancel: the cause, if this activation tells the agent of its cancellation.
        issued: the operations that the agent issued then; empty while it is still running.
    """

    number: int
    now: Instant
    resolutions: tuple[Resolution, ...] = ()
    cancel: CancelCause | None = None
    issued: tuple[Issued, ...] = ()


class EntryRecord(msgspec.Struct, frozen=True, gc=False):
    """One entry of an agent's conversation."""

    entry_id: str
    entry_type: str
    role: str
    content: Payload
    turn_id: str | None = None
    at: Instant = Instant(0)


class AgentStart(msgspec.Struct, frozen=True, gc=False):
    """All that a worker needs to run an agent from its first line.

    Attributes:
        kind: the agent's kind.
        queue: its queue, which its tasks inherit.
        organisation: whose it is.
        input: its input.
        parent_id: the agent that spawned it.
        labels: free text by name.
        state: the last checkpoint's state, for `recovery="checkpoint"`; None if there was none.
        checkpoint_sequence: that checkpoint's number; -1 if there was none.
        entries: the conversation up to where the journal begins.
        base_position: positions up to this one were dropped from the journal.
        journal: what was answered before, oldest first; the activation that brings this is not in it.
        trace_parent: the span that it was started in; None if nobody traced the start.
        started_at: when it was started.
        budget: what it may use up; None is no limit.
        usage: what it had used up where its journal begins.
    """

    kind: str
    queue: str
    organisation: str
    input: Payload
    parent_id: ExecutionId | None = None
    labels: dict[str, str] = {}
    state: Payload | None = None
    checkpoint_sequence: int = -1
    entries: tuple[EntryRecord, ...] = ()
    base_position: int = 0
    journal: tuple[JournalEntry, ...] = ()
    trace_parent: str | None = None
    started_at: Instant = Instant(0)
    budget: Budget | None = None
    usage: Usage = NOTHING_USED


# ── server to worker ────────────────────────────────────────────────────────────────────────────────────────────────


class AgentActivation(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Run this agent on, until it can do no more.

    Attributes:
        execution_id: which.
        run: the number of this run of its code; an older one has lost the agent.
        number: the activation's number; the answer repeats it.
        now: the agent's time.
        resolutions: answers to what it asked for.
        cancel: set if it is to be told that it is being cancelled.
        start: set if the worker must begin a new run.
    """

    execution_id: ExecutionId
    run: int
    number: int
    now: Instant
    resolutions: tuple[Resolution, ...] = ()
    cancel: CancelCause | None = None
    start: AgentStart | None = None


class AgentEviction(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Forget this run of an agent: it has ended, or is run elsewhere. Its code is not told."""

    execution_id: ExecutionId
    run: int


class TaskActivation(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Run one attempt of a task. `trace_parent` is the span that its agent was started in."""

    task_id: TaskId
    lease: Lease
    execution_id: ExecutionId
    kind: str
    input: Payload
    attempt: int
    grace_ms: int
    queue: str = "default"
    heartbeat_ms: int | None = None
    labels: dict[str, str] = {}
    trace_parent: str | None = None


class StopOrder(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Stop the work of one attempt. Acknowledged by `StopReported` with DELIVERED, each time that it comes.

    Attributes:
        task_id: the task.
        lease: the attempt.
        cause: why; the code sees it.
        decided: True if the outcome is decided already; False if the work may still decide it (mode WAIT).
        force: True if its grace is over, or it has none: it is ended by force at once.
    """

    task_id: TaskId
    lease: Lease
    cause: CancelCause
    decided: bool = True
    force: bool = False


ToWorker = AgentActivation | AgentEviction | TaskActivation | StopOrder


# ── worker to server ────────────────────────────────────────────────────────────────────────────────────────────────


class AgentKind(msgspec.Struct, frozen=True, gc=False):
    """An agent that a worker can run. Raises InvalidInput if its clean-up may take more than 100 years."""

    kind: str
    recovery: Recovery = "replay"
    cleanup_budget_ms: int = DEFAULT_CLEANUP_BUDGET_MS

    def __post_init__(self) -> None:
        if not 0 <= self.cleanup_budget_ms <= LONGEST_MS:
            raise InvalidInput(
                f"agent {self.kind!r}: cleanup_budget_ms is {self.cleanup_budget_ms}. Give 0 to {LONGEST_MS} ms."
            )


class WorkerJoined(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A worker's session begins.

    Attributes:
        worker_id: who.
        session: the number of this session; a later one of the same worker replaces it.
        queues: where it takes work from.
        agents: what agents it can run.
        tasks: what kinds of tasks.
        task_slots: how many attempts at once.
        running: the leases of the attempts that it is still running.
        silence_ms: the longest silence after which it is taken for lost; None if its end is noticed otherwise.
        agent_slots: how many runs of agents it keeps in memory. When it is full and another agent waits for a worker,
            one that waits for something is evicted; it is replayed when it is woken.
        workflows: what kinds of workflows it runs. It gets them by polling; this says so to those who start and look.
    """

    worker_id: WorkerId
    session: int
    queues: tuple[str, ...]
    agents: tuple[AgentKind, ...] = ()
    tasks: tuple[str, ...] = ()
    task_slots: int = 100
    running: tuple[Lease, ...] = ()
    silence_ms: int | None = None
    agent_slots: int = DEFAULT_AGENT_SLOTS
    workflows: tuple[str, ...] = ()


class WorkerLeft(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A worker's session ended.

    Attributes:
        worker_id: who.
        session: which session; the end of an older one says nothing about the present one.
        handed_back: True if it left in order, with nothing running.
    """

    worker_id: WorkerId
    session: int
    handed_back: bool = False


class WorkerAlive(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A sign of life."""

    worker_id: WorkerId


class StreamedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event for those who watch; not kept.

    Attributes:
        kind: ``token``, ``progress``, ``data``, ``error``, ``log`` or ``output``.
        value: what it says, as JSON.
        task_id: the task that sent it; None if the agent did.
    """

    kind: str
    value: Payload
    task_id: TaskId | None = None


class AgentCompleted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The agent's code returned."""

    output: Payload


class AgentFailed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The agent's code raised."""

    failure: Failure


class AgentCancelled(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The agent's code let its cancellation pass."""


class AgentProgress(msgspec.Struct, frozen=True, gc=False, tag=True):
    """An agent can do no more for now: what it asked for in one activation, in one batch.

    Attributes:
        execution_id: which agent.
        run: the run of its code.
        number: the activation that this answers.
        operations: what it asked for, in order.
        ending: set if its code has ended.
        streamed: events for those who watch.
    """

    execution_id: ExecutionId
    run: int
    number: int
    operations: tuple[AnyOperation, ...] = ()
    ending: AgentCompleted | AgentFailed | AgentCancelled | None = None
    streamed: tuple[StreamedEvent, ...] = ()


class StepReported(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A side effect that an agent began (BeginStep) is done."""

    execution_id: ExecutionId
    run: int
    position: int
    value: Payload | None = None
    failure: Failure | None = None


class AgentParked(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The agent's code cannot go on from its journal; another deployment may."""

    execution_id: ExecutionId
    run: int
    problem: str


class TaskReported(msgspec.Struct, frozen=True, gc=False, tag=True):
    """An attempt ended by itself: with an output, with a failure, or as it was asked to.

    Attributes:
        task_id: the task.
        lease: the attempt.
        output: its result, if it has one.
        failure: why it failed, if it did.
        cancelled: True if it was asked to stop (mode WAIT), and did.
    """

    task_id: TaskId
    lease: Lease
    output: Payload | None = None
    failure: Failure | None = None
    cancelled: bool = False


class StopReported(msgspec.Struct, frozen=True, gc=False, tag=True):
    """How far the stopping of an attempt has come.

    Attributes:
        task_id: the task.
        lease: the attempt.
        state: DELIVERED, or an end: STOPPED or KILLED.
        discarded_bytes: the size of the result that the attempt had when it was too late, if it had one.
        executor: what ran it: ``async``, ``thread``, ``process``, ``shell`` and so on; empty if that is not said.
        decided: with DELIVERED, what the order said that is acknowledged.
        force: likewise.
    """

    task_id: TaskId
    lease: Lease
    state: StopState
    discarded_bytes: int | None = None
    executor: str = ""
    decided: bool = True
    force: bool = False


class TaskAlive(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A running attempt reports.

    Attributes:
        task_id: the task.
        lease: the attempt.
        progress: between 0 and 1, if it said so.
        message: words about the progress.
        advanced: whether it counts against the `idle` time-out: progress, output or a streamed event.
        streamed: events for those who watch.
        offset: where `streamed` is one event of kind ``output``, how many bytes this attempt has written before it to
            the same of its outputs; else None.
    """

    task_id: TaskId
    lease: Lease
    progress: float | None = None
    message: str | None = None
    advanced: bool = False
    streamed: tuple[StreamedEvent, ...] = ()
    offset: int | None = None


FromWorker = (
    WorkerJoined
    | WorkerLeft
    | WorkerAlive
    | AgentProgress
    | StepReported
    | AgentParked
    | TaskReported
    | StopReported
    | TaskAlive
)
