"""Values that an agent meets when it has children: how to spawn, cancel and hand off, and what children tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from rescind.errors import ChildCancelled, ChildFailed
from rescind.model.children import NOTHING_USED, Budget, Persistence, Usage
from rescind.model.options import Seconds
from rescind.model.status import ParentClosePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnOptions:
    """What may be said when an agent is spawned.

    Attributes:
        queue: the queue to put it on; else its parent's.
        labels: free text by name.
        persistence: how much of it is to be kept. This server keeps everything.
        budget: what it may use up; None is no limit.
        parent_close: what becomes of it when its parent ends first, however: CANCEL (default) or ABANDON.
        idempotency_key: within one agent, the same key is the same child, whatever its state.
    """

    queue: str | None = None
    labels: Mapping[str, str] | None = None
    persistence: Persistence | None = None
    budget: Budget | None = None
    parent_close: ParentClosePolicy | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class CancellationMode:
    """How a child is cancelled, with all that it has spawned.

    Attributes:
        is_hard: at once, without clean-up; the work of its tasks is left no grace.
        timeout: unless it is hard, the longest time of the child's clean-up, if that is shorter than its own budget.
    """

    is_hard: bool = False
    timeout: Seconds | None = None

    HARD: ClassVar[CancellationMode]
    GRACEFUL: ClassVar[CancellationMode]

    @classmethod
    def graceful(cls, timeout: Seconds | None = None) -> CancellationMode:
        """Tell its code, and let it clean up."""
        return cls(timeout=timeout)

    @classmethod
    def hard(cls) -> CancellationMode:
        """End it at once."""
        return cls(is_hard=True)


CancellationMode.HARD = CancellationMode(is_hard=True)
CancellationMode.GRACEFUL = CancellationMode()


class HandoffCompletion(StrEnum):
    """When a handoff to another agent is over."""

    WAIT_FOR_CHILD = "WAIT_FOR_CHILD"
    """When that agent has completed: its output is the result."""
    IMMEDIATE = "IMMEDIATE"
    """At once; that agent goes on by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffOptions:
    """What may be said of a handoff.

    Attributes:
        completion: when it is over.
        spawn: how the other agent is spawned. With IMMEDIATE, `parent_close` is ABANDON unless it says otherwise.
    """

    completion: HandoffCompletion = HandoffCompletion.WAIT_FOR_CHILD
    spawn: SpawnOptions = SpawnOptions()


@dataclass(frozen=True, slots=True)
class ChildEvent:
    """Something that a child tells its parent; one of the classes below.

    Attributes:
        child_id: the child.
    """

    child_id: str


@dataclass(frozen=True, slots=True)
class ChildSignalled(ChildEvent):
    """The child has sent a signal. It is in the parent's queue as well, until it is taken there.

    Attributes:
        signal_name: the signal's name.
        payload: what it says, as JSON.
    """

    signal_name: str
    payload: Any


@dataclass(frozen=True, slots=True)
class ChildCompleted(ChildEvent):
    """The child has completed.

    Attributes:
        output: its result, of the type that its handle knows; as JSON if it knows none.
        usage: what it has used up.
    """

    output: Any
    usage: Usage = NOTHING_USED


@dataclass(frozen=True, slots=True)
class ChildDidNotComplete(ChildEvent):
    """The child has ended without a result.

    Attributes:
        error: what awaiting the child raises.
        usage: what it has used up.
    """

    error: ChildFailed | ChildCancelled
    usage: Usage = NOTHING_USED


@dataclass(frozen=True, slots=True)
class ChildFailedEvent(ChildDidNotComplete):
    """The child has failed; `error` is a ChildFailed."""


@dataclass(frozen=True, slots=True)
class ChildBudgetExceededEvent(ChildDidNotComplete):
    """The child has failed because its budget was used up; `error` is a ChildBudgetExceeded."""


@dataclass(frozen=True, slots=True)
class ChildCancelledEvent(ChildDidNotComplete):
    """The child was cancelled; `error` is a ChildCancelled."""
