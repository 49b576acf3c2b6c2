"""What becomes of an attempt: its result, its failure and the next attempt, its silence, the loss of its worker."""

from __future__ import annotations

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.events import EventType
from rescind.model.ids import Instant, Lease
from rescind.model.messages import TaskAlive, TaskReported
from rescind.model.outcome import Failure
from rescind.model.status import FailureKind, StopState, TaskStatus
from rescind_server.engine import claims, endings, stops
from rescind_server.engine.deadlines import Deadline, DeadlineKind
from rescind_server.engine.entities import Attempt, Task
from rescind_server.engine.state import State, record

_OWN_CHOICE = CancelCause(CancelSource.REQUEST, "task")


def report(state: State, message: TaskReported) -> None:
    """An attempt ended by itself. If its task was ended meanwhile, a result that it brings is kept as discarded."""
    attempt = stops.live_attempt(state, message.task_id, message.lease)
    if attempt is None:
        return
    task = attempt.task
    if task.current is not attempt:
        if not message.cancelled:
            size = len(message.output.data) if message.output is not None else 0
            record(state, task.execution, EventType.RESULT_DISCARDED, task, attempt.number, bytes=size)
        stops.end_attempt(state, attempt, StopState.STOPPED)
        return
    stops.end_attempt(state, attempt, StopState.STOPPED)
    if message.failure is not None:
        fail_or_retry(state, task, message.failure)
    elif message.cancelled:
        endings.cancel_open_task(state, task, task.cancel_cause or _OWN_CHOICE)
    else:
        endings.complete_task(state, task, message.output)


def alive(state: State, message: TaskAlive) -> None:
    """A running attempt reports: its silence begins anew."""
    attempt = stops.live_attempt(state, message.task_id, message.lease)
    if attempt is None:
        return
    attempt.last_contact = state.now
    if message.advanced or message.progress is not None:
        attempt.last_advance = state.now
    if message.progress is not None:
        attempt.progress = message.progress
        state.decision.tasks[message.task_id] = attempt.task
    execution_id = attempt.task.execution.execution_id
    decision = state.decision
    if message.offset is not None:
        decision.offsets[len(decision.streamed)] = (message.lease, message.offset)
    decision.streamed.extend((execution_id, event) for event in message.streamed)


def lose(state: State, attempt: Attempt) -> None:
    """The worker's lease has ended, or it came back without the attempt: nobody runs it any more."""
    task = attempt.task
    stops.end_attempt(state, attempt, StopState.LOST)
    # Not by its place among the attempts: one that timed out is the last, too, while the next waits for its pause.
    if task.current is not attempt:
        return
    message = f"worker {attempt.worker_id!r} was lost during attempt {attempt.number}"
    fail_or_retry(state, task, Failure(FailureKind.WORKER_LOST, message))


def fail_or_retry(state: State, task: Task, failure: Failure) -> None:
    """Try the task again after its pause, or end it. A task that was asked to stop is never tried again (section 2)."""
    task.last_failure = failure
    made = len(task.attempts or ())
    retry = task.options.retry
    if task.cancel_requested_at is not None and failure.kind is FailureKind.WORKER_LOST:
        endings.cancel_open_task(state, task, task.cancel_cause or _OWN_CHOICE)
        return
    final = not failure.retryable or failure.error_type in retry.non_retryable or task.cancel_requested_at is not None
    # A lost worker is no failure of the task's own: losses are counted apart, so that one of them does not hide what
    # the task itself has to say, and a task that takes its workers down with it ends all the same.
    if failure.kind is FailureKind.WORKER_LOST:
        task.losses += 1
        counted = task.losses
    else:
        counted = made - task.losses
    if final or counted >= retry.max_attempts:
        endings.fail_task(state, task, failure)
        return
    task.status = TaskStatus.PENDING
    pause = retry.pause_before(counted + 1)
    task.retry_at = Instant(state.now + pause * 1_000)
    record(
        state,
        task.execution,
        EventType.TASK_ATTEMPT_FAILED,
        task,
        made,
        kind=failure.kind.value,
        error=failure.message,
        retry_in_ms=pause,
    )
    if pause == 0:
        claims.offer(state, task)
    else:
        deadline = state.deadlines.set(task.retry_at, DeadlineKind.RETRY, task)
        task.deadlines = [*_still_set(task.deadlines), deadline]


def time_out(state: State, deadline: Deadline, attempt: Attempt) -> None:
    """A limit of a running attempt is reached; a sliding one may have moved on meanwhile."""
    options = attempt.task.options
    match deadline.kind:
        case DeadlineKind.HEARTBEAT:
            _end_silence(state, attempt, deadline.kind, attempt.last_contact, options.heartbeat_ms or 0, "heartbeat")
        case DeadlineKind.IDLE:
            _end_silence(state, attempt, deadline.kind, attempt.last_advance, options.idle_ms or 0, "idle")
        case DeadlineKind.RESTART_GRACE:
            lose(state, attempt)
        case _:
            _end_attempt_in_time(state, attempt, options.start_to_close_ms or 0, "start_to_close")


def overrun(state: State, lease: Lease, kind: DeadlineKind) -> None:
    """Whoever runs an attempt has measured that it reached one of its limits."""
    attempt = state.attempts.get(lease)
    if attempt is None:
        return
    options = attempt.task.options
    limits = {
        DeadlineKind.START_TO_CLOSE: (options.start_to_close_ms, "start_to_close"),
        DeadlineKind.HEARTBEAT: (options.heartbeat_ms, "heartbeat"),
        DeadlineKind.IDLE: (options.idle_ms, "idle"),
    }
    limit, name = limits[kind]
    if limit is not None:
        _end_attempt_in_time(state, attempt, limit, name)


def time_out_task(state: State, task: Task, kind: DeadlineKind) -> None:
    """A limit of the task as a whole is reached."""
    if kind is DeadlineKind.SCHEDULE_TO_START:
        if not task.attempts:
            _end_in_time(state, task, task.options.schedule_to_start_ms or 0, "schedule_to_start")
    else:
        _end_in_time(state, task, task.options.schedule_to_close_ms or 0, "schedule_to_close")


def _end_silence(state: State, attempt: Attempt, kind: DeadlineKind, since: Instant, limit_ms: int, name: str) -> None:
    due = Instant(since + limit_ms * 1_000)
    if due > state.now:
        attempt.deadlines = [*_still_set(attempt.deadlines), state.deadlines.set(due, kind, attempt)]
    else:
        _end_attempt_in_time(state, attempt, limit_ms, name)


def _still_set(deadlines: list[Deadline] | None) -> list[Deadline]:
    return [deadline for deadline in deadlines or () if deadline.subject is not None]


def _end_attempt_in_time(state: State, attempt: Attempt, limit_ms: int, name: str) -> None:
    task = attempt.task
    if task.current is not attempt:
        return
    failures = len(task.attempts or ()) - task.losses
    if not task.options.retry.retry_timeouts or failures >= task.options.retry.max_attempts:
        _end_in_time(state, task, limit_ms, name)
        return
    stops.order_stop(state, attempt, _deadline_cause(name))
    fail_or_retry(state, task, _timed_out(limit_ms, name))


def _end_in_time(state: State, task: Task, limit_ms: int, name: str) -> None:
    endings.time_out_task(state, task, _timed_out(limit_ms, name), _deadline_cause(name))


def _timed_out(limit_ms: int, name: str) -> Failure:
    return Failure(FailureKind.TIMED_OUT, f"Task timed out after {limit_ms} ms ({name})")


def _deadline_cause(name: str) -> CancelCause:
    return CancelCause(CancelSource.DEADLINE, "server", f"{name} ran out")
