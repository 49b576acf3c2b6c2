"""From how a child ended to what its parent is given: a value, or the error that names it."""

from __future__ import annotations

from typing import Any

from rescind.authoring.conversion import decode
from rescind.errors import ChildBudgetExceeded, ChildCancelled, ChildFailed
from rescind.model.child_operations import ChildEnd, ChildSignal
from rescind.model.child_values import (
    ChildBudgetExceededEvent,
    ChildCancelledEvent,
    ChildCompleted,
    ChildEvent,
    ChildFailedEvent,
    ChildSignalled,
)
from rescind.model.outcome import Outcome
from rescind.model.status import TaskStatus
from rescind.runtime.child_handle import ChildHandle


def value_of(handle: ChildHandle[Any], outcome: Outcome) -> Any:
    """The value of a completed child, checked against the handle's type; no output is None."""
    if outcome.output is None:
        return None
    return decode(outcome.output, handle.result_type, what=f"output of child {handle.kind!r} (id={handle.child_id})")


def error_of(handle: ChildHandle[Any], outcome: Outcome) -> ChildFailed | ChildCancelled:
    """The error that tells why a child has no value."""
    if outcome.status is TaskStatus.CANCELLED:
        return ChildCancelled(handle.child_id, handle.kind, outcome.cause)
    failure = outcome.failure
    assert failure is not None
    error_class = ChildBudgetExceeded if failure.error_type == "BudgetExceeded" else ChildFailed
    return error_class(handle.child_id, handle.kind, failure.error_type, failure.message, failure.kind)


def event_of_end(handle: ChildHandle[Any], end: ChildEnd) -> ChildEvent:
    """The end of a child, as its parent looks at it."""
    if end.outcome.status is TaskStatus.COMPLETED:
        return ChildCompleted(handle.child_id, value_of(handle, end.outcome), end.usage)
    match error_of(handle, end.outcome):
        case ChildCancelled() as error:
            return ChildCancelledEvent(handle.child_id, error, end.usage)
        case ChildBudgetExceeded() as error:
            return ChildBudgetExceededEvent(handle.child_id, error, end.usage)
        case ChildFailed() as error:
            return ChildFailedEvent(handle.child_id, error, end.usage)


def event_of_signal(told: ChildSignal) -> ChildSignalled:
    """A signal of a child, as its parent looks at it."""
    payload = decode(told.signal.value, None, what=f"signal {told.signal.name!r}")
    return ChildSignalled(told.child_id, told.signal.name, payload)
