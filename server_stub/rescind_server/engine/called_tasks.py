"""What the worker of a task says by calls. They name the task alone: it is the present attempt that is meant."""

from __future__ import annotations

from typing import Final

from rescind.model.commands import ACCEPTED, Refused, Reply
from rescind.model.events import EventType
from rescind.model.ids import TaskId
from rescind.model.messages import TaskReported
from rescind.model.operations import ScheduleTask as ScheduleTaskOperation
from rescind.model.outcome import Outcome
from rescind.model.status import ExecutionStatus, FailureKind, StopState, TaskStatus
from rescind_server.engine import agent_operations, attempts, claim_ends, claims, polls, stops
from rescind_server.engine.beginning import begin
from rescind_server.engine.calls import (
    BeatTask,
    ClearTaskState,
    GiveBackTask,
    LogTask,
    ReportTask,
    ReportTaskProgress,
    SetTaskState,
    StartTask,
    StreamEvents,
    TaskCall,
    TaskCreated,
    TaskKnown,
    WorkerBeat,
)
from rescind_server.engine.entities import Attempt, Execution, LogLine, Task, TaskNotes
from rescind_server.engine.execution_endings import finish
from rescind_server.engine.state import State, record

LINES_KEPT: Final = 1_000
"""How many lines of a task's log are kept: the last."""

MOST_KEYS: Final = 1_000
"""How many keys a task's state may have."""

_NO_POSITION: Final = 0


def start(state: State, command: StartTask, known: Execution | None) -> Reply:
    """Create a task that no agent has: an execution of the same id stands for it, and ends with it."""
    assert command.execution_id is not None
    task_id = command.task_id or TaskId(command.execution_id)
    if known is not None:
        task = known.tasks[task_id]
        return TaskKnown(status=task.status, scheduled_at=task.scheduled_at)
    execution = begin(state, command, command.execution_id, stands_for_a_task=True)
    operation = ScheduleTaskOperation(_NO_POSITION, task_id, command.kind, command.input, None, command.options)
    agent_operations.apply(state, execution, operation)
    state.named_tasks[task_id] = execution
    return TaskCreated(created=True)


def end_those_alone(state: State) -> None:
    """Tasks have ended in this decision: what stands for nothing but one of them ends likewise."""
    for task in state.ended_alone:
        if not task.execution.ended and task.outcome is not None:
            _end_with(state, task.execution, task.outcome)
    state.ended_alone.clear()


def report(state: State, command: ReportTask) -> Reply:
    """The present attempt ended. What comes too late is recorded as discarded, and changes nothing."""
    attempt = _attempt(state, command)
    if attempt is None:
        return _not_at_work(command)
    polls.worker_of(state, attempt.worker_id)
    task = attempt.task
    is_late = task.current is not attempt
    status = task.status
    output = command.output if command.failure is None else None
    # Of an attempt that was stopped, a failure is how it says so: there is no result to discard.
    is_stopped = is_late and command.failure is not None
    attempts.report(
        state,
        TaskReported(task.task_id, attempt.lease, output=output, failure=command.failure, cancelled=is_stopped),
    )
    if is_late:
        return Refused("ExecutionEnded", f"task {command.task_id!r} is {status.value}; its report changes nothing.")
    return ACCEPTED


def beat(state: State, command: BeatTask) -> Reply:
    """The present attempt is alive. It is told by a refusal that it may stop."""
    attempt = _attempt(state, command)
    if attempt is None:
        return _not_at_work(command)
    polls.worker_of(state, attempt.worker_id)
    if attempt.task.current is not attempt:
        status = attempt.task.status.value
        return Refused("ExecutionEnded", f"task {command.task_id!r} is {status}; nobody waits for its result any more.")
    attempt.last_contact = state.now
    claim_ends.drop_of_attempt(state, attempt)
    return ACCEPTED


def progress(state: State, command: ReportTaskProgress, execution: Execution) -> Reply:
    """How far the present attempt is; of a task that has ended, nothing is noted."""
    task = execution.tasks.get(command.task_id)
    if task is None or task.outcome is not None:
        return ACCEPTED
    attempt = task.current
    if attempt is not None:
        polls.worker_of(state, attempt.worker_id)
        attempt.last_contact = attempt.last_advance = state.now
        attempt.progress = command.progress
    _notes(state, task).progress_details = command.details
    return ACCEPTED


def set_state(state: State, command: SetTaskState, execution: Execution) -> Reply:
    """Set a key of an open task."""
    task = execution.tasks[command.task_id]
    if task.outcome is not None:
        return _ended(task)
    notes = _notes(state, task)
    if command.key not in notes.state and len(notes.state) >= MOST_KEYS:
        return Refused("PayloadTooLarge", f"task {task.task_id!r} has {MOST_KEYS} keys already. Clear some.")
    notes.state[command.key] = command.value
    return ACCEPTED


def clear_state(state: State, command: ClearTaskState, execution: Execution) -> Reply:
    """Remove keys of an open task."""
    task = execution.tasks[command.task_id]
    if task.outcome is not None:
        return _ended(task)
    if task.notes is not None:
        notes = _notes(state, task)
        if command.key is None:
            notes.state.clear()
        else:
            notes.state.pop(command.key, None)
    return ACCEPTED


def log(state: State, command: LogTask, execution: Execution) -> Reply:
    """Keep a line; of a task that has ended, nothing is noted."""
    task = execution.tasks[command.task_id]
    if task.outcome is None:
        lines = _notes(state, task).log
        lines.append(LogLine(state.now, command.level, command.message))
        del lines[:-LINES_KEPT]
    return ACCEPTED


def stream(state: State, command: StreamEvents, execution: Execution) -> Reply:
    """Pass events on to those who watch."""
    state.decision.streamed.extend((execution.execution_id, event) for event in command.events)
    return ACCEPTED


def give_back(state: State, command: GiveBackTask) -> Reply:
    """The claim reached nobody: the attempt counts as lost, not as a failure of the task's own."""
    attempt = state.attempts.get(command.lease)
    if attempt is None:
        return ACCEPTED
    task = attempt.task
    is_current = task.current is attempt
    stops.end_attempt(state, attempt, StopState.LOST)
    if is_current:
        task.losses += 1
        task.status = TaskStatus.PENDING
        details = {"kind": FailureKind.WORKER_LOST.value, "error": "whoever polled for it had gone", "retry_in_ms": 0}
        record(state, task.execution, EventType.TASK_ATTEMPT_FAILED, task, attempt.number, **details)
        claims.offer(state, task)
    return ACCEPTED


def worker_beat(state: State, command: WorkerBeat) -> Reply:
    """A worker is alive."""
    polls.beat(state, command.worker_id)
    return ACCEPTED


def _end_with(state: State, execution: Execution, outcome: Outcome) -> None:
    match outcome.status:
        case TaskStatus.COMPLETED:
            finish(state, execution, ExecutionStatus.COMPLETED, output=outcome.output)
        case TaskStatus.FAILED:
            finish(state, execution, ExecutionStatus.FAILED, failure=outcome.failure)
        case _:
            execution.cause = execution.cause or outcome.cause
            finish(state, execution, ExecutionStatus.CANCELLED)


def _attempt(state: State, command: TaskCall) -> Attempt | None:
    """The attempt that a call means; None if none that was claimed by a poll may be running."""
    attempt = state.attempts_by_task.get(command.task_id)
    return attempt if attempt is not None and attempt.polled else None


def _notes(state: State, task: Task) -> TaskNotes:
    """The notes of a task, which are about to change."""
    notes = task.notes
    if notes is None:
        notes = TaskNotes()
        task.notes = notes
    if task.current is not None:
        claim_ends.drop_of_attempt(state, task.current)
    state.decision.tasks[task.task_id] = task
    state.decision.executions[task.execution.execution_id] = task.execution
    return notes


def _ended(task: Task) -> Refused:
    return Refused("ExecutionEnded", f"task {task.task_id!r} is {task.status.value}; its state changes no more.")


def _not_at_work(command: TaskCall) -> Refused:
    # Whoever asked knows more: the task may have ended, or there is none.
    return Refused("NotFound", f"no worker has task {command.task_id!r}.")
