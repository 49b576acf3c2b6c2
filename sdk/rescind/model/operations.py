"""What an agent asks of the engine: its durable operations, and what resolves them.

Each operation has a position in the agent's journal. They leave the agent in batches; an operation that has an answer
is resolved later, at its position.
"""

from __future__ import annotations

import msgspec

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.child_operations import (
    AwaitChildren,
    CancelChild,
    ChildCancelAnswered,
    ChildrenSettled,
    LeaveChildren,
    ReportUsage,
    SignalChild,
    SignalParent,
    SignalSent,
    SpawnChild,
)
from rescind.model.ids import Instant, TaskId
from rescind.model.operation_base import Answer as Answer
from rescind.model.operation_base import Operation as Operation
from rescind.model.operation_base import Signal as Signal
from rescind.model.operation_base import WaitCondition as WaitCondition
from rescind.model.options import DEFAULT_TASK_OPTIONS, TaskOptions
from rescind.model.outcome import Failure, Outcome
from rescind.model.payload import Payload
from rescind.model.status import CancelMode, CancelTaskResult, StopState


class ScheduleTask(Operation, frozen=True, gc=False, tag=True):
    """Create a task, unless this agent has one of this id. Has no answer.

    Attributes:
        task_id: its id, which the agent's side derived.
        kind: its kind.
        input: its input.
        queue: its queue; None is the agent's own.
        options: time-outs and retries.
    """

    task_id: TaskId
    kind: str
    input: Payload
    queue: str | None = None
    options: TaskOptions = DEFAULT_TASK_OPTIONS

    @property
    def subject(self) -> str:
        return self.kind


class CancelTask(Operation, frozen=True, gc=False, tag=True):
    """Cancel one task of this agent. Answered by TaskCancelAnswered."""

    task_id: TaskId
    cause: CancelCause
    mode: CancelMode = CancelMode.TRY


class LeaveTasks(Operation, frozen=True, gc=False, tag=True):
    """Cancel what is still open of these tasks. Has no answer: nobody is there to read it."""

    task_ids: tuple[TaskId, ...]
    cause: CancelCause


class AwaitTasks(Operation, frozen=True, gc=False, tag=True):
    """Wait for tasks. Answered by TasksSettled.

    Attributes:
        task_ids: the members, in input order; one given twice counts twice.
        condition: when the wait is over.
        needed: for SOME_COMPLETED, how many.
        deadline: when the wait is over at the latest.
        losers: if set, members that are still open when the wait is over are cancelled with this source, in the same
            transition.
    """

    task_ids: tuple[TaskId, ...]
    condition: WaitCondition
    needed: int = 1
    deadline: Instant | None = None
    losers: CancelSource | None = None

    @property
    def subject(self) -> str:
        return f"{self.condition.value} of {len(self.task_ids)}"


class AwaitStopped(Operation, frozen=True, gc=False, tag=True):
    """Wait until no attempt of these tasks is at work any more. Answered by TasksStopped."""

    task_ids: tuple[TaskId, ...]
    deadline: Instant | None = None

    @property
    def subject(self) -> str:
        return str(len(self.task_ids))


class AwaitSignal(Operation, frozen=True, gc=False, tag=True):
    """Take the oldest signal whose name matches; wait for one if there is none. Answered by SignalsTaken.

    Attributes:
        pattern: an exact name, or a glob if `is_glob`.
        is_glob: how to read `pattern`.
    """

    pattern: str
    is_glob: bool = False

    @property
    def subject(self) -> str:
        return self.pattern


class DrainSignals(Operation, frozen=True, gc=False, tag=True):
    """Take all signals whose names match, oldest first. Answered at once by SignalsTaken."""

    pattern: str
    is_glob: bool = False

    @property
    def subject(self) -> str:
        return self.pattern


class PeekSignal(Operation, frozen=True, gc=False, tag=True):
    """Ask whether a signal of this name is queued. Answered at once by SignalPeeked."""

    pattern: str
    is_glob: bool = False

    @property
    def subject(self) -> str:
        return self.pattern


class ReturnSignals(Operation, frozen=True, gc=False, tag=True):
    """Put signals back that were handed over while their reader was just leaving. Has no answer."""

    signals: tuple[Signal, ...]

    @property
    def subject(self) -> str:
        return ", ".join(signal.name for signal in self.signals)


class StartTimer(Operation, frozen=True, gc=False, tag=True):
    """Start a durable timer. Answered by TimerFired, unless it is withdrawn first."""

    due: Instant


class Withdraw(Operation, frozen=True, gc=False, tag=True):
    """The agent waits no longer for an earlier operation: a cancelled timer never fires, a wait cancels no losers.

    Attributes:
        target: the position of that operation.
    """

    target: int


class AppendEntry(Operation, frozen=True, gc=False, tag=True):
    """Append to the conversation. Has no answer."""

    entry_id: str
    entry_type: str
    role: str
    content: Payload
    turn_id: str | None = None

    @property
    def subject(self) -> str:
        return self.role


class SaveCheckpoint(Operation, frozen=True, gc=False, tag=True):
    """Store the agent's state for people, and for `recovery="checkpoint"`. Answered by Acknowledged."""

    state: Payload


class Flush(Operation, frozen=True, gc=False, tag=True):
    """Nothing but a durable acknowledgement of all that was asked before. Answered by Acknowledged."""


class BeginStep(Operation, frozen=True, gc=False, tag=True):
    """The worker now runs a side effect of the agent. Answered by StepRecorded, when the worker has reported it."""

    name: str

    @property
    def subject(self) -> str:
        return self.name


AnyOperation = (
    ScheduleTask
    | CancelTask
    | LeaveTasks
    | AwaitTasks
    | AwaitStopped
    | AwaitSignal
    | DrainSignals
    | PeekSignal
    | ReturnSignals
    | StartTimer
    | Withdraw
    | AppendEntry
    | SaveCheckpoint
    | Flush
    | BeginStep
    | SpawnChild
    | CancelChild
    | LeaveChildren
    | AwaitChildren
    | SignalChild
    | SignalParent
    | ReportUsage
)


class TaskCancelAnswered(Answer, frozen=True, gc=False, tag=True):
    """What CancelTask met."""

    result: CancelTaskResult


class TasksSettled(Answer, frozen=True, gc=False, tag=True):
    """How a wait for tasks ended.

    Attributes:
        ended: the members whose end matters to the condition, in the order in which they ended.
        cancelled: the members that this wait cancelled, in input order.
        timed_out: whether the deadline ended it.
    """

    ended: tuple[tuple[TaskId, Outcome], ...] = ()
    cancelled: tuple[TaskId, ...] = ()
    timed_out: bool = False


class TasksStopped(Answer, frozen=True, gc=False, tag=True):
    """The stop state of each task's last attempt; None where nothing had to be stopped."""

    states: tuple[tuple[TaskId, StopState | None], ...]


class SignalsTaken(Answer, frozen=True, gc=False, tag=True):
    """The signals that the operation took out of the queue, oldest first."""

    signals: tuple[Signal, ...]


class SignalPeeked(Answer, frozen=True, gc=False, tag=True):
    """Whether there was one."""

    present: bool


class TimerFired(Answer, frozen=True, gc=False, tag=True):
    """The timer's due time has come."""


class Acknowledged(Answer, frozen=True, gc=False, tag=True):
    """It is recorded."""


class StepRecorded(Answer, frozen=True, gc=False, tag=True):
    """What a side effect gave: a value, or a failure."""

    value: Payload | None = None
    failure: Failure | None = None


AnyAnswer = (
    TaskCancelAnswered
    | TasksSettled
    | TasksStopped
    | SignalsTaken
    | SignalPeeked
    | TimerFired
    | Acknowledged
    | StepRecorded
    | ChildCancelAnswered
    | ChildrenSettled
    | SignalSent
)


class Resolution(msgspec.Struct, frozen=True, gc=False):
    """The answer to the operation at a position."""

    position: int
    answer: AnyAnswer
