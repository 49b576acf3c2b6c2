"""Failures of ours as Temporal's, so that its pages and tools read them, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory, TimeoutError, TimeoutType

from rescind.errors import InvalidInput
from rescind.model.ids import Lease, TaskId
from rescind.model.messages import StopReported, TaskReported
from rescind.model.options import TaskOptions
from rescind.model.outcome import Failure
from rescind.model.status import FailureKind, StopState
from rescind.temporal.names import REPORT_ERROR, UNKNOWN_KIND, WORKER_LEAVING
from rescind.temporal.payloads import record_from_temporal, record_to_temporal
from rescind.temporal.records import AttemptReport

_LOST: Final = frozenset({TimeoutType.HEARTBEAT, TimeoutType.START_TO_CLOSE, TimeoutType.SCHEDULE_TO_CLOSE})


def execution_error(failure: Failure) -> ApplicationError:
    """What a workflow fails with whose agent failed."""
    return ApplicationError(
        failure.message, record_to_temporal(failure), type=failure.error_type or failure.kind.value, non_retryable=True
    )


def failure_of_execution(error: ApplicationError) -> Failure:
    """Why an agent failed, from what its workflow failed with."""
    found = _detail(error.details, Failure)
    return found or Failure(FailureKind.ERROR, error.message, error.type or "ApplicationError")


def attempt_error(report: AttemptReport, failure: Failure) -> ApplicationError:
    """What an activity fails with whose attempt failed. It is never tried again by Temporal: the engine tries again."""
    return ApplicationError(
        failure.message,
        record_to_temporal(report),
        type=failure.error_type or REPORT_ERROR,
        non_retryable=True,
        # Expected, and decided upon by the engine: not for the worker's log.
        category=ApplicationErrorCategory.BENIGN,
    )


def worker_leaving() -> ApplicationError:
    """What an activity fails with whose worker ends before its attempt does."""
    message = "the worker was shut down before the attempt had ended; it is tried again elsewhere"
    return ApplicationError(message, type=WORKER_LEAVING, non_retryable=True, category=ApplicationErrorCategory.BENIGN)


def report_of_failed(
    error: BaseException, task_id: TaskId, lease: Lease, options: TaskOptions, *, is_told_to_stop: bool
) -> AttemptReport | None:
    """How an attempt ended whose activity did not complete.

    Args:
        error: what its handle raised.
        task_id: the task.
        lease: the attempt.
        options: the task's options.
        is_told_to_stop: whether it had been ordered or asked to stop.

    Returns:
        The report, or None if the attempt was lost with its worker.
    """
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, TimeoutError):
        if cause.type in _LOST:
            return None
        return _reported(task_id, lease, _not_started(options))
    if isinstance(cause, ApplicationError):
        if cause.type == WORKER_LEAVING:
            return None
        report = _detail(cause.details, AttemptReport)
        return report or _reported(task_id, lease, _foreign(cause))
    if is_told_to_stop:
        # Cancelled before any worker had it: its code never ran.
        return AttemptReport(
            TaskReported(task_id, lease, cancelled=True), stopped=StopReported(task_id, lease, StopState.STOPPED)
        )
    failure = Failure(FailureKind.ERROR, f"its activity ended with {cause!r}", type(cause).__name__)
    return _reported(task_id, lease, failure)


def _reported(task_id: TaskId, lease: Lease, failure: Failure) -> AttemptReport:
    return AttemptReport(TaskReported(task_id, lease, failure=failure))


def _not_started(options: TaskOptions) -> Failure:
    message = f"Task timed out after {options.schedule_to_start_ms} ms (schedule_to_start)"
    return Failure(FailureKind.TIMED_OUT, message, retryable=False)


def _foreign(error: ApplicationError) -> Failure:
    """What Temporal's own worker says, or one that is not ours."""
    if error.type in (UNKNOWN_KIND, "NotFoundError"):
        return Failure(FailureKind.REJECTED, error.message, UNKNOWN_KIND, retryable=False)
    return Failure(FailureKind.ERROR, error.message, error.type or "ApplicationError", not error.non_retryable)


def _detail(details: Sequence[Any], record_type: type[Any]) -> Any:
    """The record among an error's details. They come converted: JSON as plain values."""
    for each in details:
        try:
            if isinstance(each, RawValue):
                return record_from_temporal(each, record_type)
            return msgspec.json.decode(msgspec.json.encode(each), type=record_type)
        except (InvalidInput, msgspec.DecodeError, TypeError):
            continue
    return None
