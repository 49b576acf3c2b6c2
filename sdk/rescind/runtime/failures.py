"""Errors on their way: what code raised becomes a failure in the record, and an error again where it is awaited."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from rescind.errors import (
    AllTasksFailed,
    BudgetExceeded,
    ChildBudgetExceeded,
    ChildCancelled,
    ChildFailed,
    DeadlineExceeded,
    ExecutionFailed,
    NonRetryable,
    OutcomeError,
    StepFailed,
    TaskCancelled,
    TaskFailed,
    TaskTimedOut,
)
from rescind.model.cause import CancelCause
from rescind.model.outcome import Failure
from rescind.model.payload import Payload
from rescind.model.status import FailureKind
from rescind.model.texts import recordable


def failure_of(error: BaseException, *, retryable: bool = True) -> Failure:
    """The failure that records an error: its text, unchanged if it can be kept, and its class."""
    details = _details(error)
    error_type = recordable(type(error).__name__)
    return Failure(
        FailureKind.ERROR,
        recordable(_text_of(error)) or error_type,
        error_type,
        retryable and not isinstance(error, NonRetryable),
        Payload(msgspec.json.encode(details)) if details is not None else None,
    )


def rejection_of(error: BaseException) -> Failure:
    """The failure of a task whose input or result was refused; it is not tried again."""
    return Failure(FailureKind.REJECTED, recordable(_text_of(error)), type(error).__name__, retryable=False)


def error_for_caller(execution_id: str, failure: Failure) -> OutcomeError:
    """What the caller of a failed execution gets: the outcome error that ended it, or ExecutionFailed."""
    if failure.details is not None:
        return _rebuilt(msgspec.json.decode(failure.details.data))
    return ExecutionFailed(execution_id, failure.error_type, failure.message)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as problem:  # `__str__` is the author's code, and may be what is broken
        return f"its text cannot be read: __str__ raised {type(problem).__name__}"


def _details(error: BaseException) -> dict[str, Any] | None:
    match error:
        case TaskFailed():
            kind = error.failure_kind.value if error.failure_kind else None
            return {
                "class": "TaskFailed",
                "task_id": str(error.task_id),
                "kind": recordable(error.kind),
                "error": recordable(error.error),
                "failure_kind": kind,
                "attempts": error.attempts,
            }
        case TaskCancelled():
            return {
                "class": "TaskCancelled",
                "task_id": str(error.task_id),
                "kind": recordable(error.kind),
                "cause": _recordable_cause(error.cause),
            }
        case AllTasksFailed():
            return {"class": "AllTasksFailed", "errors": [_details(each) for each in error.errors]}
        case StepFailed():
            step, error_type, text = map(recordable, (error.step, error.error_type, error.error))
            return {"class": "StepFailed", "step": step, "type": error_type, "error": text}
        case ChildFailed():
            failed = {name: recordable(getattr(error, name)) for name in ("child_id", "kind", "error_type", "error")}
            kind = error.failure_kind.value if error.failure_kind else None
            return {"class": type(error).__name__, **failed, "failure_kind": kind}
        case ChildCancelled():
            return {
                "class": "ChildCancelled",
                "child_id": recordable(error.child_id),
                "kind": recordable(error.kind),
                "cause": _recordable_cause(error.cause),
            }
        case BudgetExceeded():
            return {"class": "BudgetExceeded", "name": error.name, "limit": error.limit, "used": error.used}
        case DeadlineExceeded():
            return {"class": "DeadlineExceeded", "error": recordable(str(error))}
        case _:
            return None


def _recordable_cause(cause: CancelCause | None) -> dict[str, Any] | None:
    given = msgspec.to_builtins(cause) if cause else {}
    return {name: recordable(said) for name, said in given.items() if said is not None} or None


def _rebuilt(details: dict[str, Any]) -> OutcomeError:
    match details["class"]:
        case "AllTasksFailed":
            return AllTasksFailed([_rebuilt_of_task(each) for each in details["errors"]])
        case "StepFailed":
            return StepFailed(details["step"], details["type"], details["error"])
        case "DeadlineExceeded":
            return DeadlineExceeded(details["error"])
        case "BudgetExceeded":
            return BudgetExceeded(details["name"], details["limit"], details["used"])
        case "ChildCancelled":
            cause = msgspec.convert(details["cause"], CancelCause) if details["cause"] else None
            return ChildCancelled(details["child_id"], details["kind"], cause)
        case "ChildFailed" | "ChildBudgetExceeded" as name:
            kind = FailureKind(details["failure_kind"]) if details["failure_kind"] else None
            child_class = ChildFailed if name == "ChildFailed" else ChildBudgetExceeded
            return child_class(details["child_id"], details["kind"], details["error_type"], details["error"], kind)
        case _:
            return _rebuilt_of_task(details)


def _rebuilt_of_task(details: dict[str, Any]) -> TaskFailed | TaskCancelled:
    task_id = UUID(details["task_id"])
    if details["class"] == "TaskCancelled":
        cause = msgspec.convert(details["cause"], CancelCause) if details["cause"] else None
        return TaskCancelled(task_id, details["kind"], cause)
    kind = FailureKind(details["failure_kind"]) if details["failure_kind"] else None
    error_class = TaskTimedOut if kind is FailureKind.TIMED_OUT else TaskFailed
    return error_class(task_id, details["kind"], details["error"], kind, details["attempts"])
