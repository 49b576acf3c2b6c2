"""What is asked of the engine by calls, and what it answers: agents and tasks whose workers have no session.

Such a worker polls for work, and tells of it by calls that name the agent or the task. Nothing is pushed to it.
"""

from __future__ import annotations

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.children import Budget
from rescind.model.commands import Call, CallAnswer
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId, WorkerId
from rescind.model.messages import StreamedEvent
from rescind.model.operations import Signal, WaitCondition
from rescind.model.options import DEFAULT_TASK_OPTIONS, TaskOptions
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelTaskResult, TaskStatus

# ── polls ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class PollCall(Call, frozen=True, kw_only=True):
    """Ask for one piece of work; answered when there is one, or when the wait is over.

    Attributes:
        poll_id: names the poll, for its withdrawal; unique.
        worker_id: who polls.
        queue: the queue to take from.
        kinds: the kinds to take; None takes any.
        wait_ms: how long to wait for work; 0 answers at once.
    """

    poll_id: str
    worker_id: WorkerId
    queue: str
    kinds: tuple[str, ...] | None
    wait_ms: int


class PollAgents(PollCall, frozen=True, kw_only=True):
    """Ask for an agent: AgentClaimed, or NothingFound."""


class PollTasks(PollCall, frozen=True, kw_only=True):
    """Ask for a task: TaskClaimed, or NothingFound."""


class WithdrawPoll(Call, frozen=True, kw_only=True):
    """Whoever polled has hung up: a poll that still waits is answered NothingFound at once."""

    poll_id: str


class NothingFound(CallAnswer, frozen=True, kw_only=True):
    """The wait is over, and there was no work."""


class AgentClaimed(CallAnswer, frozen=True, kw_only=True):
    """An agent, as whoever claimed it needs it. `run` is the number of the claim."""

    execution_id: ExecutionId
    run: int
    kind: str
    queue: str
    input: Payload
    labels: dict[str, str]
    created_at: Instant
    checkpoint: int
    parent_id: ExecutionId | None = None
    trace_parent: str | None = None


class TaskClaimed(CallAnswer, frozen=True, kw_only=True):
    """A task, as whoever claimed it needs it. `lease` is the claim; `number` counts the attempts from 1."""

    task_id: TaskId
    execution_id: ExecutionId
    lease: Lease
    kind: str
    queue: str
    input: Payload
    number: int
    is_of_workflow: bool = False
    trace_parent: str | None = None


class GiveBackAgent(Call, frozen=True, kw_only=True):
    """The claim of this number never reached whoever polled: the agent waits for another."""

    run: int


class GiveBackTask(Call, frozen=True, kw_only=True):
    """The claim of this lease never reached whoever polled: the task waits for another, and has no retry less."""

    lease: Lease


# ── agents ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class TokenUsage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a call of a language model took, in tokens."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None


class AppendAgentEntry(Call, frozen=True, kw_only=True):
    """Add an entry to an agent's conversation, unless it has one of this id: EntryAppended."""

    entry_id: str
    parent_id: str | None
    entry_type: str
    role: str
    content: Payload
    turn_id: str | None = None
    token_usage: TokenUsage | None = None


class EntryAppended(CallAnswer, frozen=True, kw_only=True):
    """The entry is there; `created` tells whether this request added it."""

    created: bool


class SaveAgentCheckpoint(Call, frozen=True, kw_only=True):
    """Store a checkpoint of an agent: CheckpointSaved."""

    state: Payload
    leaf_entry_id: str | None = None


class CheckpointSaved(CallAnswer, frozen=True, kw_only=True):
    """The checkpoint has this number."""

    sequence: int


class ScheduleAgentTask(Call, frozen=True, kw_only=True):
    """Create a task of an agent, unless it has one of this id: TaskCreated."""

    task_id: TaskId
    kind: str
    input: Payload = NULL_PAYLOAD
    queue: str | None = None
    options: TaskOptions = DEFAULT_TASK_OPTIONS


class TaskCreated(CallAnswer, frozen=True, kw_only=True):
    """The task is there; `created` tells whether this request created it."""

    created: bool


class SuspendAgent(Call, frozen=True, kw_only=True):
    """An agent waits: for a signal, or tasks, or children. Just one of the three is given.

    A wait for any child (`condition` ANY_ENDED) is over when one of them has sent a signal, too.
    """

    signal: str | None = None
    task_ids: tuple[TaskId, ...] | None = None
    child_ids: tuple[ExecutionId, ...] | None = None
    condition: WaitCondition = WaitCondition.ALL_ENDED
    reason: str | None = None


class ResumeAgent(Call, frozen=True, kw_only=True):
    """Claim an agent that waits, whether or not its condition holds: AgentClaimed, or NothingFound."""

    worker_id: WorkerId


class EndAgent(Call, frozen=True, kw_only=True):
    """An agent has ended: with an output, or with a failure, whose stack trace its history then has."""

    output: Payload = NULL_PAYLOAD
    failure: Failure | None = None
    stack_trace: str = ""


class SignalAgent(Call, frozen=True, kw_only=True):
    """Send an agent a signal: SignalStored."""

    name: str
    value: Payload
    by: str


class SignalStored(CallAnswer, frozen=True, kw_only=True):
    """The signal is queued as this number; `resumed` tells whether it ended the agent's wait."""

    sequence: int
    resumed: bool


class ConsumeSignals(Call, frozen=True, kw_only=True):
    """Take signals out of an agent's queue: by a glob, else by a name, else all. SignalsConsumed."""

    name: str | None = None
    pattern: str | None = None


class SignalsConsumed(CallAnswer, frozen=True, kw_only=True):
    """What was taken, oldest first, each with the time of its arrival."""

    signals: tuple[tuple[Signal, Instant], ...]


class CancelAgentTask(Call, frozen=True, kw_only=True):
    """Cancel a task of an agent, for the agent: AgentTaskCancelled. A task that it does not have is refused."""

    task_id: TaskId
    cause: CancelCause


class AgentTaskCancelled(CallAnswer, frozen=True, kw_only=True):
    """What the request met, and how the task stands now."""

    result: CancelTaskResult
    status: TaskStatus

    @property
    def is_first(self) -> bool:
        """Whether this request cancelled it: told to exactly one."""
        return self.result is CancelTaskResult.CANCELLED


# ── children ────────────────────────────────────────────────────────────────────────────────────────────────────────


class SpawnAgent(Call, frozen=True, kw_only=True):
    """Start a child of an agent, under an id that the caller made: SignalDelivered, once it is there."""

    child_id: ExecutionId
    kind: str
    input: Payload
    queue: str | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    budget: Budget | None = None


class SignalChild(Call, frozen=True, kw_only=True):
    """Send a child of an agent a signal: SignalDelivered."""

    child_id: ExecutionId
    name: str
    value: Payload


class SignalParent(Call, frozen=True, kw_only=True):
    """Send the parent of an agent a signal: SignalDelivered."""

    name: str
    value: Payload


class SignalDelivered(CallAnswer, frozen=True, kw_only=True):
    """Whether what was sent is there; False if the receiver has ended."""

    delivered: bool


class PollChildren(Call, frozen=True, kw_only=True):
    """What became of children of an agent: ChildEvents, at once."""

    child_ids: tuple[ExecutionId, ...]


class ChildEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What became of a child: it completed with an output, or failed with an error, or sent a signal of a name."""

    child_id: ExecutionId
    output: Payload | None = None
    error: str | None = None
    name: str | None = None
    payload: Payload | None = None


class ChildEvents(CallAnswer, frozen=True, kw_only=True):
    """At most one event per child, in the order in which they happened."""

    events: tuple[ChildEvent, ...]


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class StartTask(Call, frozen=True, kw_only=True):
    """Create a task without an agent, as the execution of its id: TaskCreated, or TaskKnown.

    `task_id` is the task's own id, where the execution's has more before it; None is the same.
    """

    task_id: TaskId | None = None
    organisation: str
    kind: str
    queue: str
    input: Payload
    options: TaskOptions
    labels: dict[str, str]
    by: str
    trace_parent: str | None = None


class TaskKnown(CallAnswer, frozen=True, kw_only=True):
    """A task of this id was created before, at this time."""

    status: TaskStatus
    scheduled_at: Instant


class TaskCall(Call, frozen=True, kw_only=True):
    """What is said of a task by whoever runs it, or asks about it."""

    task_id: TaskId


class ReportTask(TaskCall, frozen=True, kw_only=True):
    """The present attempt has ended: with an output, or with a failure."""

    output: Payload = NULL_PAYLOAD
    failure: Failure | None = None


class BeatTask(TaskCall, frozen=True, kw_only=True):
    """The present attempt is alive. Refused if the task is not at work."""


class ReportTaskProgress(TaskCall, frozen=True, kw_only=True):
    """How far the present attempt is, from 0 to 1."""

    progress: float
    details: str = ""


class SetTaskState(TaskCall, frozen=True, kw_only=True):
    """Set a key of a task."""

    key: str
    value: bytes


class ClearTaskState(TaskCall, frozen=True, kw_only=True):
    """Remove a key of a task, or all of them if None is named. One that is not there is no error."""

    key: str | None


class LogTask(TaskCall, frozen=True, kw_only=True):
    """Add a line to a task's log."""

    level: str
    message: str


class StreamEvents(Call, frozen=True, kw_only=True):
    """Pass events on to those who watch an execution; they are not kept."""

    events: tuple[StreamedEvent, ...]


class WorkerBeat(Call, frozen=True, kw_only=True):
    """A worker without a session says that it lives."""

    worker_id: WorkerId
