"""What an agent asks of the engine about the agents that it spawns, and about the one that spawned it."""

from __future__ import annotations

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.children import NOTHING_USED, Budget, Persistence, Usage
from rescind.model.ids import ExecutionId, Instant
from rescind.model.operation_base import Answer, Operation, Signal, WaitCondition
from rescind.model.outcome import Outcome
from rescind.model.payload import Payload
from rescind.model.status import CancelTaskResult, ParentClosePolicy


class SpawnChild(Operation, frozen=True, gc=False, tag=True):
    """Start an agent as a child of this one, unless it has one of this id. Has no answer.

    Attributes:
        child_id: its id, which the agent's side derived.
        kind: its kind.
        input: its input.
        queue: its queue; None is the parent's own.
        labels: free text by name.
        parent_close: what becomes of it when its parent ends first.
        persistence: how much of it is to be kept.
        budget: what it may use up; None is no limit.
    """

    child_id: ExecutionId
    kind: str
    input: Payload
    queue: str | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    parent_close: ParentClosePolicy = ParentClosePolicy.CANCEL
    persistence: Persistence = Persistence.FULL
    budget: Budget | None = None

    @property
    def subject(self) -> str:
        return self.kind


class CancelChild(Operation, frozen=True, gc=False, tag=True):
    """Cancel a child, with all that it has spawned. Answered by ChildCancelAnswered.

    Attributes:
        child_id: the child.
        cause: why.
        hard: without its clean-up.
        within_ms: the longest time of its clean-up, if it is shorter than the child's own.
    """

    child_id: ExecutionId
    cause: CancelCause
    hard: bool = False
    within_ms: int | None = None


class LeaveChildren(Operation, frozen=True, gc=False, tag=True):
    """Cancel what is still open of these children. Has no answer: nobody is there to read it."""

    child_ids: tuple[ExecutionId, ...]
    cause: CancelCause


class AwaitChildren(Operation, frozen=True, gc=False, tag=True):
    """Wait for children. Answered by ChildrenSettled.

    Attributes:
        child_ids: the members, each once.
        condition: ALL_ENDED or ANY_ENDED.
        deadline: when the wait is over at the latest.
        with_signals: whether a signal from a member that no such wait has told of ends the wait, too.
        only_first: whether the answer tells of the earliest end or signal alone; the others are told later.
    """

    child_ids: tuple[ExecutionId, ...]
    condition: WaitCondition
    deadline: Instant | None = None
    with_signals: bool = False
    only_first: bool = False

    @property
    def subject(self) -> str:
        return f"{self.condition.value} of {len(self.child_ids)} children"


class SignalChild(Operation, frozen=True, gc=False, tag=True):
    """Send a child a signal. Answered by SignalSent."""

    child_id: ExecutionId
    name: str
    value: Payload

    @property
    def subject(self) -> str:
        return self.name


class SignalParent(Operation, frozen=True, gc=False, tag=True):
    """Send the parent a signal. Answered by SignalSent."""

    name: str
    value: Payload

    @property
    def subject(self) -> str:
        return self.name


class ReportUsage(Operation, frozen=True, gc=False, tag=True):
    """The agent has used up so much more of its budget. Has no answer."""

    usage: Usage


class ChildCancelAnswered(Answer, frozen=True, gc=False, tag=True):
    """What CancelChild met."""

    result: CancelTaskResult


class SignalSent(Answer, frozen=True, gc=False, tag=True):
    """Whether the signal was queued; False if its receiver had ended."""

    delivered: bool


class ChildEnd(msgspec.Struct, frozen=True, gc=False):
    """A child, how it ended, and what it used up."""

    child_id: ExecutionId
    outcome: Outcome
    usage: Usage = NOTHING_USED


class ChildSignal(msgspec.Struct, frozen=True, gc=False):
    """A signal that a child has sent. It stays in its receiver's queue until it is taken there.

    Attributes:
        child_id: the child.
        signal: the signal.
        after: how many of the ends in the same answer came before it.
    """

    child_id: ExecutionId
    signal: Signal
    after: int = 0


class ChildrenSettled(Answer, frozen=True, gc=False, tag=True):
    """How a wait for children ended.

    Attributes:
        ended: the members that have ended, in the order in which their ends were told.
        signals: per member that goes on, the oldest signal that no such wait has told of, in the order of arrival.
        timed_out: whether the deadline ended it.
    """

    ended: tuple[ChildEnd, ...] = ()
    signals: tuple[ChildSignal, ...] = ()
    timed_out: bool = False


ChildOperation = SpawnChild | CancelChild | LeaveChildren | AwaitChildren | SignalChild | SignalParent | ReportUsage
ChildAnswer = ChildCancelAnswered | SignalSent | ChildrenSettled
