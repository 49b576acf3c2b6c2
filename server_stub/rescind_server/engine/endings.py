"""The one door through which a task ends.

Completion, failure, cancel, time-out, lost lease and the agent's own end all come here, so invariants 1 and 5 of
cancellation.md are kept in this file: a task ends once, and exactly one request is told that it did it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rescind.model.cause import CancelCause
from rescind.model.commands import CancelAnswered
from rescind.model.events import EventType
from rescind.model.operations import TaskCancelAnswered
from rescind.model.outcome import Failure, Outcome
from rescind.model.payload import Payload
from rescind.model.status import CancelMode, CancelTaskResult, FailureKind, TaskStatus
from rescind_server.engine import activations, stopping, stops, workflow_log
from rescind_server.engine.entities import Task
from rescind_server.engine.state import State, record

ALREADY_ENDED: Final[Mapping[TaskStatus, CancelTaskResult]] = {
    TaskStatus.COMPLETED: CancelTaskResult.ALREADY_COMPLETED,
    TaskStatus.FAILED: CancelTaskResult.ALREADY_FAILED,
    TaskStatus.CANCELLED: CancelTaskResult.ALREADY_CANCELLED,
}
"""What a request to cancel a task is answered that has ended so."""

_EVENTS: Final[Mapping[TaskStatus, EventType]] = {
    TaskStatus.COMPLETED: EventType.TASK_COMPLETED,
    TaskStatus.FAILED: EventType.TASK_FAILED,
    TaskStatus.CANCELLED: EventType.TASK_CANCELLED,
}


def end_task(state: State, task: Task, outcome: Outcome, *, by_request: bool = False) -> None:
    """End a task, for ever, and wake whom its end wakes. The task must be open: callers decide by its status.

    `by_request` tells that the request being decided ends it, so that no earlier one may claim the same.
    """
    # Invariant 1. Noticed by test_a_task_has_at_most_one_terminal_event.
    assert task.outcome is None, f"task {task.task_id} has ended already"
    if task.deadlines:
        for deadline in task.deadlines:
            state.deadlines.cancel(deadline)
        task.deadlines = None
    task.status = outcome.status
    task.outcome = outcome
    task.ended_at = state.now
    execution = task.execution
    execution.unsettled -= 1
    attempt = len(task.attempts) if task.attempts else 0
    task.ended_sequence = record(state, execution, _EVENTS[outcome.status], task, attempt, **_ending_details(outcome))
    if task.waiters:
        state.ended.append(task)
    if execution.called is not None and execution.called.is_task:
        state.ended_alone.append(task)
    if execution.workflow is not None:
        workflow_log.tell_task_ended(state, task)
    if task.cancel_waiters:
        _answer_those_who_asked(state, task, by_request=by_request)
    stops.note_if_still(state, task)


def complete_task(state: State, task: Task, output: Payload | None) -> None:
    """End a task with its result."""
    attempts = len(task.attempts or ())
    end_task(state, task, Outcome(TaskStatus.COMPLETED, output=output, attempts=attempts))


def fail_task(state: State, task: Task, failure: Failure) -> None:
    """End a task as FAILED; no other attempt follows."""
    task.last_failure = failure
    attempts = len(task.attempts or ())
    end_task(state, task, Outcome(TaskStatus.FAILED, failure=failure, attempts=attempts))


def time_out_task(state: State, task: Task, failure: Failure, cause: CancelCause) -> None:
    """End a task as FAILED of kind TIMED_OUT, and stop its work exactly as a cancel does (section 9)."""
    assert failure.kind is FailureKind.TIMED_OUT
    attempt = task.current
    fail_task(state, task, failure)
    if attempt is not None:
        stops.order_stop(state, attempt, cause)


def cancel_open_task(state: State, task: Task, cause: CancelCause, *, by_request: bool = False) -> None:
    """End a task as CANCELLED. Its first cause is kept; what is at work is not stopped here."""
    if task.cancel_cause is None:
        task.cancel_cause = cause
    attempts = len(task.attempts or ())
    outcome = Outcome(TaskStatus.CANCELLED, cause=task.cancel_cause, attempts=attempts)
    end_task(state, task, outcome, by_request=by_request)


def request_cancel(
    state: State, task: Task, cause: CancelCause, mode: CancelMode = CancelMode.TRY
) -> CancelTaskResult | None:
    """Decide a request to cancel a task (section 3), record it, and order the stopping of its work.

    Every request is recorded, also one that lost. Returns None if the work is left to decide (mode WAIT): then the
    caller puts itself on the task's `cancel_waiters`, and is answered when the task ends.
    """
    attempt = task.current
    if task.outcome is not None:
        _record_request(state, task, cause, mode, ALREADY_ENDED[task.status].value)
        if mode is CancelMode.FORCE:
            stops.force_stops(state, task, cause)
        return ALREADY_ENDED[task.status]
    if mode is CancelMode.WAIT and attempt is not None:
        _record_request(state, task, cause, mode, "ASKED")
        if task.cancel_requested_at is None:
            task.cancel_requested_at = state.now
            task.cancel_cause = cause
            stops.ask_to_stop(state, attempt)
        return None
    _record_request(state, task, cause, mode, CancelTaskResult.CANCELLED.value)
    cancel_open_task(state, task, cause, by_request=True)
    if mode is CancelMode.FORCE:
        stops.force_stops(state, task, cause)
    elif attempt is not None and mode is not CancelMode.ABANDON:
        # The first cause is kept, also where the work was asked before (mode WAIT) and is ordered now.
        stops.order_stop(state, attempt, task.cancel_cause or cause)
    elif attempt is not None:
        # It may have been asked before (mode WAIT), and is left alone now.
        stopping.count_attempt(state, attempt)
    return CancelTaskResult.CANCELLED


def request_details(cause: CancelCause, mode: CancelMode, result: str) -> dict[str, str]:
    """What is recorded of a request to cancel a task."""
    words = {"reason": cause.reason} if cause.reason else {}
    return {"result": result, "mode": mode.value, "source": cause.source.value, "by": cause.by, **words}


def _record_request(state: State, task: Task, cause: CancelCause, mode: CancelMode, result: str) -> None:
    details = request_details(cause, mode, result)
    record(state, task.execution, EventType.TASK_CANCEL_REQUESTED, task, **details)


def _answer_those_who_asked(state: State, task: Task, *, by_request: bool) -> None:
    waiting, task.cancel_waiters = task.cancel_waiters, None
    already = ALREADY_ENDED[task.status]
    # Invariant 5: the work obeyed the first who asked. Noticed by test_cancelled_is_answered_to_exactly_one_request.
    answer = CancelTaskResult.CANCELLED if task.status is TaskStatus.CANCELLED and not by_request else already
    for waiter in waiting or ():
        if isinstance(waiter, int):
            state.decision.late.append((waiter, CancelAnswered(answer)))
        elif waiter.execution.open.get(waiter.position) is waiter:
            activations.answer(state, waiter, TaskCancelAnswered(answer))
        else:
            continue  # withdrawn, or its agent has ended: nobody reads the answer
        answer = already


def _ending_details(outcome: Outcome) -> dict[str, str | int]:
    match outcome.status:
        case TaskStatus.COMPLETED:
            return {"bytes": len(outcome.output.data)} if outcome.output is not None else {}
        case TaskStatus.FAILED:
            assert outcome.failure is not None
            return {"kind": outcome.failure.kind.value, "error": outcome.failure.message}
        case _:
            assert outcome.cause is not None
            words = {"reason": outcome.cause.reason} if outcome.cause.reason else {}
            return {"source": outcome.cause.source.value, "by": outcome.cause.by, **words}
