"""What the engine remembers: executions, tasks, attempts, open operations, workers.

These are the engine's own; nobody else changes them. What others see of them are the values of `rescind.model.views`.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum, auto
from typing import Any

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.child_operations import AwaitChildren, CancelChild, SignalChild, SignalParent
from rescind.model.children import NOTHING_USED, Spawned, Usage
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId, WorkerId
from rescind.model.messages import DEFAULT_AGENT_SLOTS, AgentKind, EntryRecord, Issued, JournalEntry, Recovery
from rescind.model.operations import AwaitSignal, AwaitStopped, AwaitTasks, BeginStep, Resolution, Signal, StartTimer
from rescind.model.options import DEFAULT_CLEANUP_BUDGET_MS, TaskOptions
from rescind.model.outcome import Failure, Outcome
from rescind.model.payload import Payload
from rescind.model.status import TERMINAL_EXECUTION, ExecutionStatus, ParentClosePolicy, StopState, TaskStatus
from rescind.model.views import CheckpointView
from rescind_server.engine.calls import TokenUsage
from rescind_server.engine.deadlines import Deadline
from rescind_server.engine.rare import Rare
from rescind_server.engine.workflow_entities import Workflow


class Phase(Enum):
    """What an open execution is waiting for, seen from the engine."""

    QUEUED = auto()
    """For a worker."""
    IN_FLIGHT = auto()
    """For its worker's answer to an activation."""
    IDLE = auto()
    """For one of its open operations."""
    PARKED = auto()
    """For code that can go on from its journal."""


class Attempt(msgspec.Struct, eq=False):
    """One attempt of a task, with its stop record.

    Attributes:
        live: the worker has not yet said, or been found, to be done with it. It takes up a slot until then.
        stop: how far its stopping has come; None if it was never ordered to stop. Set once it is ordered, for ever.
        stop_cause: why it was ordered; a worker that was away is told the same when it comes back.
        stop_forced_at: when it was decided to end it by force, without its grace.
        deliveries: how often the order, or the request, that stands was sent.
        acknowledged: whether the worker has said that it has it.
        redelivery: when it is sent again, if it is not acknowledged before.
        polled: whether it was claimed by a poll: its worker has no session, and nothing is pushed to it.
        is_stopping: whether its execution counts it among those that are being stopped.
    """

    lease: Lease
    task: Task
    number: int
    worker_id: WorkerId
    started_at: Instant
    live: bool = True
    stop: StopState | None = None
    stop_cause: CancelCause | None = None
    stop_requested_at: Instant | None = None
    stop_delivered_at: Instant | None = None
    stop_ended_at: Instant | None = None
    stop_forced_at: Instant | None = None
    deliveries: int = 0
    acknowledged: bool = False
    redelivery: Deadline | None = None
    last_contact: Instant = Instant(0)
    last_advance: Instant = Instant(0)
    progress: float | None = None
    deadlines: list[Deadline] | None = None
    polled: bool = False
    is_stopping: bool = False


class Task(msgspec.Struct, eq=False):
    """A task.

    Attributes:
        order: its place in the server's order of scheduling.
        outcome: how it ended; set exactly once, by `endings.end_task`.
        ended_sequence: the number of the event that ended it, in its execution's history.
        cancel_cause: why it was cancelled, or asked to stop. The first is kept.
        cancel_requested_at: when it was asked to stop and left to decide (mode WAIT).
        retry_at: when it may be claimed again, if its last attempt failed.
        losses: how many of its attempts were lost with their worker.
        attempts: its attempts, oldest first; None before the first.
        waiters: who is to be told of its end, once per position. Tasks with the same share one tuple.
        cancel_waiters: who asked it to stop and waits for what it decides: operations of its agent, and numbers of
            requests from outside.
        stop_waiters: who is to be told when nothing of it is at work any more.
        deadlines: those that go with it, not with an attempt.
        notes: what its code has noted by calls.
        rare: the fields of these that few tasks have set, by name.
    """

    task_id: TaskId
    execution: Execution
    kind: str
    queue: str
    input: Payload
    options: TaskOptions
    order: int
    scheduled_at: Instant
    status: TaskStatus = TaskStatus.PENDING
    outcome: Outcome | None = None
    ended_at: Instant | None = None
    ended_sequence: int = 0
    attempts: list[Attempt] | None = None
    waiters: tuple[TaskWait, ...] = ()
    rare: dict[str, Any] | None = None

    cancel_cause = Rare[CancelCause | None](None)
    cancel_requested_at = Rare[Instant | None](None)
    last_failure = Rare[Failure | None](None)
    retry_at = Rare[Instant | None](None)
    losses = Rare[int](0)
    cancel_waiters = Rare["list[CancelWait | int] | None"](None)
    stop_waiters = Rare["list[StopWait] | None"](None)
    deadlines = Rare[list[Deadline] | None](None)
    notes = Rare["TaskNotes | None"](None)

    @property
    def current(self) -> Attempt | None:
        """The attempt that may still end it."""
        return self.attempts[-1] if self.attempts and self.status is TaskStatus.RUNNING else None

    @property
    def at_work(self) -> bool:
        """Whether some attempt of it may still be running, whatever its status says."""
        return self.attempts is not None and any(attempt.live for attempt in self.attempts)


class LogLine(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A line of a task's log: ``DEBUG``, ``INFO``, ``WARN`` or ``ERROR``."""

    at: Instant
    level: str
    message: str


class TaskNotes(msgspec.Struct):
    """What the code of a task has noted by calls; it outlives the attempt.

    Attributes:
        state: its keys and their values, as JSON.
        progress_details: what it said last of its progress.
        log: the last lines of its log, oldest first.
    """

    state: dict[str, bytes] = {}
    progress_details: str = ""
    log: list[LogLine] = []


class OpenOperation(msgspec.Struct, eq=False):
    """An operation that has not been answered yet."""

    execution: Execution
    position: int
    deadline: Deadline | None = None


class TaskWait(OpenOperation, eq=False, kw_only=True):
    """A wait for tasks.

    Attributes:
        operation: what it waits for.
        open: how many positions have not ended.
        completed: how many positions completed.
        ended: the members that ended, in that order, once per position.
    """

    operation: AwaitTasks
    open: int
    completed: int = 0
    ended: list[Task] = []


class StopWait(OpenOperation, eq=False, kw_only=True):
    """A wait until tasks have stopped."""

    operation: AwaitStopped
    at_work: int


class CancelWait(OpenOperation, eq=False, kw_only=True):
    """A request to cancel that waits for what the work decides (mode WAIT)."""

    task_id: TaskId


class SignalWait(OpenOperation, eq=False, kw_only=True):
    """A wait for a signal."""

    operation: AwaitSignal


class Timer(OpenOperation, eq=False, kw_only=True):
    """A running timer."""

    operation: StartTimer


class StepWait(OpenOperation, eq=False, kw_only=True):
    """A side effect that the worker has not yet reported."""

    operation: BeginStep


class Called(msgspec.Struct):
    """What is kept besides of an agent that is run by calls: from its first line on each claim, without a journal.

    Attributes:
        worker_id: who claimed it last.
        signal: the name of the signal that it waits for; None if it waits for none.
        signal_times: when the signals in its queue arrived, by their numbers.
        is_task: it is no agent: it stands for its one task, and ends with it.
    """

    worker_id: WorkerId | None = None
    signal: str | None = None
    signal_times: dict[int, Instant] = {}
    is_task: bool = False


class KeptEntry(EntryRecord, frozen=True, gc=False):
    """An entry that came by a call: it names the one before it, and what a language model took."""

    parent_id: str | None = None
    token_usage: TokenUsage | None = None


class ChildWait(OpenOperation, eq=False, kw_only=True):
    """A wait for children; `open` are those of its members that have not ended."""

    operation: AwaitChildren
    open: dict[ExecutionId, Child]


class ElsewhereWait(OpenOperation, eq=False, kw_only=True):
    """A request about a child, or the parent, that lives elsewhere: its host will tell the answer."""

    operation: CancelChild | SignalChild | SignalParent


class Child(msgspec.Struct, eq=False):
    """An agent that was spawned by another, as its parent knows it.

    Attributes:
        parent: who spawned it.
        order: its place in the server's order of starting; the same as its execution's.
        outcome: how it ended; set once.
        ended_sequence: the number of the event that told the parent so, in the parent's history.
        usage: what it had used up then.
        untold: signals that it sent and that no wait for children has told of, each with the number of the event.
        waiters: who is to be told of its end, or of its signals.
        cancel_asked: whether its cancel was asked for where it lives; only of one that lives elsewhere.
    """

    child_id: ExecutionId
    parent: Execution
    kind: str
    order: int
    parent_close: ParentClosePolicy = ParentClosePolicy.CANCEL
    outcome: Outcome | None = None
    ended_sequence: int = 0
    usage: Usage = NOTHING_USED
    untold: list[tuple[int, Signal]] = []
    waiters: list[ChildWait] = []
    cancel_asked: bool = False

    @property
    def goes_with_parent(self) -> bool:
        """Whether it is cancelled when its parent ends first, or is cancelled."""
        return self.parent_close is ParentClosePolicy.CANCEL


class Execution(msgspec.Struct, eq=False):
    """An agent.

    Attributes:
        order: its place in the server's order of starting.
        run: the number of the present run of its code. An older run's messages are refused.
        number: the number of the last activation.
        holder: the worker whose memory holds the run; None if none does.
        waits_since: when the run came to wait, if its holder can do without it; of a workflow, for who runs it next.
        inbox: answers that the code has not been given yet.
        cause: why it is being cancelled; set once, by the first accepted request, for ever.
        cancel_told: whether an activation of the present run has carried the cause, or its journal does.
        claim_end: when its claim ends, whatever its worker says; None if it has no such end.
        base_position: positions up to this were dropped from the journal (`recovery="checkpoint"`).
        carried: operations behind the last checkpoint that were issued together with it, until an activation after it
            is answered: with that they go into the journal.
        kept_entries: how many entries the last checkpoint covers.
        open: its operations that have no answer yet, by position.
        sequence: the number of its last history event.
        unsettled: open tasks, attempts at work, and open children that go with it. Once ended, with 0 of these and
            nothing being stopped below it, it leaves memory.
        trace_parent: the span that it was started in; handed on to those who run it.
        spawned: what it knows of its parent; None if it has none.
        children: the agents that it spawned, in order.
        usage: what it has used up of its budget.
        kept_usage: what of that the last checkpoint covers.
        called: set once its code is run by calls (`rescind_server.engine.calls`).
        workflow: set if it is a workflow, and no agent.
        attempts_stopping: how many attempts of its tasks were ordered or asked to stop, and may still be running.
        children_stopping: of how many children that go with it something is still being stopped, at whatever level.
        is_stopping: whether its parent counts it among these.
    """

    execution_id: ExecutionId
    organisation: str
    kind: str
    queue: str
    input: Payload
    labels: dict[str, str]
    created_by: str
    created_at: Instant
    order: int
    status: ExecutionStatus = ExecutionStatus.PENDING
    phase: Phase = Phase.QUEUED
    run: int = 0
    number: int = 0
    holder: Worker | None = None
    waits_since: Instant = Instant(0)
    recovery: Recovery = "replay"
    cleanup_budget_ms: int = DEFAULT_CLEANUP_BUDGET_MS
    inbox: list[Resolution] = []
    cause: CancelCause | None = None
    cancel_told: bool = False
    cleanup: Deadline | None = None
    claim_end: Deadline | None = None
    journal: list[JournalEntry] = []
    base_position: int = 0
    carried: tuple[Issued, ...] = ()
    kept_entries: int = 0
    open: dict[int, OpenOperation] = {}
    tasks: dict[TaskId, Task] = {}
    entries: list[EntryRecord] = []
    checkpoints: list[CheckpointView] = []
    signals: list[Signal] = []
    signal_count: int = 0
    output: Payload | None = None
    failure: Failure | None = None
    parked: str | None = None
    ended_at: Instant | None = None
    sequence: int = 0
    unsettled: int = 0
    trace_parent: str | None = None
    called: Called | None = None
    spawned: Spawned | None = None
    children: dict[ExecutionId, Child] = {}
    usage: Usage = NOTHING_USED
    kept_usage: Usage = NOTHING_USED
    workflow: Workflow | None = None
    attempts_stopping: int = 0
    children_stopping: int = 0
    is_stopping: bool = False

    @property
    def parent_id(self) -> ExecutionId | None:
        """The agent that spawned it, or the workflow that it is a child of; None if there is none."""
        if self.workflow is not None:
            return self.workflow.parent_id
        return self.spawned.parent_id if self.spawned is not None else None

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL_EXECUTION

    def release_tasks(self) -> None:
        """It has left memory for good, and nobody looks at its tasks again.

        They and their attempts refer to each other: without this they would lie there until the garbage collector came.
        """
        for task in self.tasks.values():
            task.attempts = None
        self.tasks = {}

    @property
    def never_ran(self) -> bool:
        """Whether it waits for a worker for the first time: such an execution may rest."""
        return not self.run and self.status is ExecutionStatus.PENDING and self.workflow is None


class Worker(msgspec.Struct, eq=False):
    """A worker, for as long as it is connected or holds a lease.

    Attributes:
        session: the number of its present session.
        connected: whether that session is open.
        agents: what agents it can run, by kind.
        slots: how many attempts it runs at once.
        agent_slots: how many runs of agents it keeps in memory.
        running: the attempts that it holds.
        held: the executions whose runs are in its memory.
        idle: those of them that wait, and can be evicted without harm; the one that waits for longest first.
        lease: when its attempts are lost, while it is away; or when its silence counts as its end.
        eviction: when to look again whether one of the idle runs has waited for long enough.
        polls: it has no session, and asks for its work. It never is connected.
        beats: it has sent heartbeats, and so is missed early when it sends none.
        workflows: what kinds of workflows it runs.
    """

    worker_id: WorkerId
    session: int
    queues: tuple[str, ...]
    agents: dict[str, AgentKind]
    tasks: tuple[str, ...]
    slots: int
    agent_slots: int = DEFAULT_AGENT_SLOTS
    silence_ms: int | None = None
    connected: bool = True
    running: dict[Lease, Attempt] = {}
    held: dict[ExecutionId, Execution] = {}
    idle: OrderedDict[ExecutionId, Execution] = msgspec.field(default_factory=OrderedDict)
    last_contact: Instant = Instant(0)
    lease: Deadline | None = None
    eviction: Deadline | None = None
    polls: bool = False
    beats: bool = False
    workflows: tuple[str, ...] = ()

    @property
    def free_slots(self) -> int:
        return self.slots - len(self.running) if self.connected else 0

    @property
    def free_agent_slots(self) -> int:
        return self.agent_slots - len(self.held) if self.connected else 0
