"""Agents and the agents that they spawn: what a parent says of a child, and how a child ends.

**Where a child lives.** In our own machine parent and child are in one engine: what a parent decides about a child
happens in the same decision, and so in the same commit. Elsewhere, as on Temporal, each execution has an engine of its
own. Then the parent's engine decides what is its own (that a child was spawned, that its cancel was asked for), and
asks its host for the rest by a `ChildEffect`. The host carries it out in its own time, and tells the answer by a
`ChildNews` (see `rescind.model.commands`).

| effect of the parent's engine | what its host does, on Temporal | what it tells when that is done |
|---|---|---|
| `SpawnElsewhere` | starts a child workflow of this id | `ChildEnded` with its result, or FAILED (REJECTED) |
| `CancelElsewhere` | sends the child's workflow `CancelExecution` | `ChildCancelTold` with the child's answer |
| `SignalElsewhere` | sends the workflow `SignalExecution`; its parent's too | `SignalAnswered`, false if it had ended |

The child's engine is given `StartExecution` with `spawned` set, and knows nothing more of this: its end is the result
of its workflow.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

import msgspec

from rescind.errors import InvalidInput
from rescind.model.cause import CancelCause
from rescind.model.ids import ExecutionId
from rescind.model.outcome import Outcome
from rescind.model.payload import Payload
from rescind.model.status import ParentClosePolicy


class Persistence(StrEnum):
    """How much of a child's doings is to be kept. This server keeps everything, whatever is asked for."""

    FULL = "FULL"
    MINIMAL = "MINIMAL"
    EPHEMERAL = "EPHEMERAL"


class Budget(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What an agent may use up; None is no limit.

    Attributes:
        max_tokens: tokens in all.
        max_cost_usd: money in all, in US dollars.
        max_tokens_per_call: tokens of one call of a language model.
    """

    max_tokens: int | None = None
    max_cost_usd: float | None = None
    max_tokens_per_call: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_tokens", "max_tokens_per_call"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise InvalidInput(f"{name} is {value!r}. Give a whole number of tokens, 0 or more; None is no limit.")
        cost = self.max_cost_usd
        if cost is not None and (
            isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost < math.inf
        ):
            raise InvalidInput(f"max_cost_usd is {cost!r}. Give US dollars, 0 or more; None is no limit.")


class Usage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What an agent has used up: tokens, and money in US dollars."""

    tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.tokens + other.tokens, self.cost_usd + other.cost_usd)


NOTHING_USED: Final = Usage()


class Spawned(msgspec.Struct, frozen=True, gc=False):
    """What a child knows of its being one.

    Attributes:
        parent_id: the agent that spawned it.
        parent_close: what becomes of it when its parent ends first.
        persistence: how much of it is to be kept.
        budget: what it may use up; None is no limit.
    """

    parent_id: ExecutionId
    parent_close: ParentClosePolicy = ParentClosePolicy.CANCEL
    persistence: Persistence = Persistence.FULL
    budget: Budget | None = None


# ── what an engine asks of its host, if children live elsewhere ─────────────────────────────────────────────────────


class SpawnElsewhere(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Start a child. Answered by `ChildEnded`, when it has ended or could not be started."""

    child_id: ExecutionId
    kind: str
    input: Payload
    queue: str
    labels: dict[str, str]
    spawned: Spawned


class CancelElsewhere(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Cancel a child. If `position` is set, the parent waits there for `ChildCancelTold`.

    Attributes:
        child_id: the child.
        cause: why; its source is what the parent's own step was, or PARENT.
        hard: without its clean-up.
        within_ms: the longest time of its clean-up, if it is shorter than the child's own.
        position: the operation that waits for the answer.
    """

    child_id: ExecutionId
    cause: CancelCause
    hard: bool = False
    within_ms: int | None = None
    position: int | None = None


class SignalElsewhere(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Send a signal to a child, or to the parent. The sender waits at `position` for `SignalAnswered`."""

    receiver_id: ExecutionId
    name: str
    value: Payload
    position: int


ChildEffect = SpawnElsewhere | CancelElsewhere | SignalElsewhere


# ── what the host tells ─────────────────────────────────────────────────────────────────────────────────────────────


class ChildEnded(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A child has ended, or could not be started."""

    parent_id: ExecutionId
    child_id: ExecutionId
    outcome: Outcome
    usage: Usage = NOTHING_USED
