"""The history of an execution: one event per transition."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from rescind.model.ids import Instant, TaskId


class EventType(StrEnum):
    """What happened."""

    EXECUTION_STARTED = "EXECUTION_STARTED"
    EXECUTION_ACTIVATED = "EXECUTION_ACTIVATED"
    EXECUTION_SUSPENDED = "EXECUTION_SUSPENDED"
    EXECUTION_RELEASED = "EXECUTION_RELEASED"
    EXECUTION_PARKED = "EXECUTION_PARKED"
    EXECUTION_CANCEL_REQUESTED = "EXECUTION_CANCEL_REQUESTED"
    EXECUTION_COMPLETED = "EXECUTION_COMPLETED"
    EXECUTION_FAILED = "EXECUTION_FAILED"
    EXECUTION_CANCELLED = "EXECUTION_CANCELLED"
    EXECUTION_RETRIED = "EXECUTION_RETRIED"
    TASK_SCHEDULED = "TASK_SCHEDULED"
    TASK_STARTED = "TASK_STARTED"
    TASK_ATTEMPT_FAILED = "TASK_ATTEMPT_FAILED"
    TASK_CANCEL_REQUESTED = "TASK_CANCEL_REQUESTED"
    TASK_COMPLETED = "TASK_COMPLETED"
    TASK_FAILED = "TASK_FAILED"
    TASK_CANCELLED = "TASK_CANCELLED"
    RESULT_DISCARDED = "RESULT_DISCARDED"
    STOP_REQUESTED = "STOP_REQUESTED"
    STOP_DELIVERED = "STOP_DELIVERED"
    STOP_ENDED = "STOP_ENDED"
    WAIT_STARTED = "WAIT_STARTED"
    WAIT_SETTLED = "WAIT_SETTLED"
    WITHDRAWN = "WITHDRAWN"
    TIMER_STARTED = "TIMER_STARTED"
    TIMER_FIRED = "TIMER_FIRED"
    SIGNAL_RECEIVED = "SIGNAL_RECEIVED"
    SIGNALS_TAKEN = "SIGNALS_TAKEN"
    SIGNAL_RETURNED = "SIGNAL_RETURNED"
    SIGNAL_REFUSED = "SIGNAL_REFUSED"
    ENTRY_APPENDED = "ENTRY_APPENDED"
    CHECKPOINT_SAVED = "CHECKPOINT_SAVED"
    STEP_BEGUN = "STEP_BEGUN"
    STEP_RECORDED = "STEP_RECORDED"
    CHILD_SPAWNED = "CHILD_SPAWNED"
    CHILD_CANCEL_REQUESTED = "CHILD_CANCEL_REQUESTED"
    CHILD_SIGNALLED = "CHILD_SIGNALLED"
    CHILD_ENDED = "CHILD_ENDED"
    PARENT_SIGNALLED = "PARENT_SIGNALLED"
    USAGE_REPORTED = "USAGE_REPORTED"


TASK_ENDS = frozenset({EventType.TASK_COMPLETED, EventType.TASK_FAILED, EventType.TASK_CANCELLED})
REQUESTS = frozenset(
    {
        EventType.EXECUTION_STARTED,
        EventType.EXECUTION_CANCEL_REQUESTED,
        EventType.EXECUTION_RETRIED,
        EventType.TASK_CANCEL_REQUESTED,
        EventType.SIGNAL_RECEIVED,
        EventType.SIGNAL_REFUSED,
    }
)
"""What somebody asked for, each with who, and what they were told."""
EXECUTION_ENDS = frozenset({EventType.EXECUTION_COMPLETED, EventType.EXECUTION_FAILED, EventType.EXECUTION_CANCELLED})


class HistoryEvent(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One transition.

    Attributes:
        sequence: 1, 2, 3 … within the execution, without a gap.
        at: when, in microseconds since the Unix epoch.
        type: what happened.
        task_id: the task that it happened to, if one.
        attempt: the attempt's number, if one.
        details: what else there is to say, by name; plain JSON values.
    """

    sequence: int
    at: Instant
    type: EventType
    task_id: TaskId | None = None
    attempt: int = 0
    details: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The event as people and programs read it: flat, with the time in ISO 8601, UTC."""
        shown: dict[str, Any] = {"sequence": self.sequence, "at": iso_time(self.at), "type": self.type.value}
        if self.task_id is not None:
            shown["task_id"] = self.task_id
        if self.attempt:
            shown["attempt"] = self.attempt
        return shown | (self.details or {})


def iso_time(at: Instant) -> str:
    """ISO 8601 in UTC, always with microseconds and a Z: equal instants give equal text."""
    moment = datetime.fromtimestamp(at // 1_000_000, UTC).replace(tzinfo=None)
    return f"{moment.isoformat()}.{at % 1_000_000:06d}Z"
