"""The rules for what an agent asks for, one per operation, applied in the order of its batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rescind.model.events import EventType
from rescind.model.messages import EntryRecord
from rescind.model.operations import (
    Acknowledged,
    AnyOperation,
    AppendEntry,
    AwaitSignal,
    AwaitStopped,
    AwaitTasks,
    BeginStep,
    CancelTask,
    DrainSignals,
    Flush,
    LeaveTasks,
    PeekSignal,
    ReturnSignals,
    SaveCheckpoint,
    ScheduleTask,
    SignalsTaken,
    StartTimer,
    TaskCancelAnswered,
    Withdraw,
)
from rescind.model.options import DEFAULT_TASK_OPTIONS
from rescind.model.status import CancelTaskResult
from rescind.model.views import CheckpointView
from rescind_server.engine import children, claims, endings, signal_queue, stops, waits
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import (
    CancelWait,
    Execution,
    SignalWait,
    StepWait,
    Task,
    Timer,
)
from rescind_server.engine.naming import shared
from rescind_server.engine.open_operations import answer_at_once, close
from rescind_server.engine.state import State, record


def apply(state: State, execution: Execution, operation: AnyOperation) -> None:
    """Carry out one operation of an agent."""
    _RULES[type(operation)](state, execution, operation)


def _schedule(state: State, execution: Execution, operation: ScheduleTask) -> None:
    # The same key within one agent is the same task, whatever its state: ids derive from keys.
    if operation.task_id in execution.tasks:
        return
    options = state.shared_options(operation.options)
    task = Task(
        operation.task_id,
        execution,
        shared(operation.kind),
        shared(operation.queue) if operation.queue else execution.queue,
        operation.input,
        options,
        state.next_order(),
        state.now,
    )
    execution.tasks[operation.task_id] = task
    execution.unsettled += 1
    record(state, execution, EventType.TASK_SCHEDULED, task, kind=task.kind, queue=task.queue)
    if options is not DEFAULT_TASK_OPTIONS:
        claims.watch(state, task)
    claims.offer(state, task)


def _cancel_task(state: State, execution: Execution, operation: CancelTask) -> None:
    task = execution.tasks.get(operation.task_id)
    if task is None:
        answer_at_once(execution, operation, TaskCancelAnswered(CancelTaskResult.NOT_FOUND))
        return
    result = endings.request_cancel(state, task, operation.cause, operation.mode)
    if result is not None:
        answer_at_once(execution, operation, TaskCancelAnswered(result))
        return
    wait = CancelWait(execution=execution, position=operation.position, task_id=operation.task_id)
    execution.open[operation.position] = wait
    task.cancel_waiters = [*(task.cancel_waiters or ()), wait]


def _leave_tasks(state: State, execution: Execution, operation: LeaveTasks) -> None:
    for task_id in operation.task_ids:
        task = execution.tasks.get(task_id)
        if task is not None and task.outcome is None:
            endings.request_cancel(state, task, operation.cause)


def _start_timer(state: State, execution: Execution, operation: StartTimer) -> None:
    timer = Timer(execution=execution, position=operation.position, operation=operation)
    timer.deadline = state.deadlines.set(operation.due, DeadlineKind.OPERATION, timer)
    execution.open[operation.position] = timer
    record(
        state,
        execution,
        EventType.TIMER_STARTED,
        position=operation.position,
        in_ms=max(0, operation.due - state.now) // 1_000,
    )


def _withdraw(state: State, execution: Execution, operation: Withdraw) -> None:
    """Close an open operation, or take back its answer if the code has not been given it."""
    waiting = execution.open.pop(operation.target, None)
    if waiting is not None:
        close(state, waiting)
        record(state, execution, EventType.WITHDRAWN, position=operation.target)
        return
    for place, resolution in enumerate(execution.inbox):
        if resolution.position == operation.target:
            del execution.inbox[place]
            if isinstance(resolution.answer, SignalsTaken):
                signal_queue.give_back(state, execution, resolution.answer.signals)
            return


def _append_entry(state: State, execution: Execution, operation: AppendEntry) -> None:
    execution.entries.append(
        EntryRecord(
            operation.entry_id,
            operation.entry_type,
            operation.role,
            operation.content,
            operation.turn_id,
            state.now,
        )
    )
    record(state, execution, EventType.ENTRY_APPENDED, entry_id=operation.entry_id, role=operation.role)


def _save_checkpoint(state: State, execution: Execution, operation: SaveCheckpoint) -> None:
    sequence = execution.checkpoints[-1].sequence + 1 if execution.checkpoints else 1
    leaf = execution.entries[-1].entry_id if execution.entries else None
    execution.checkpoints.append(CheckpointView(sequence, operation.state, state.now, leaf))
    record(state, execution, EventType.CHECKPOINT_SAVED, number=sequence, bytes=len(operation.state.data))
    if execution.recovery == "checkpoint":
        execution.base_position = operation.position
        execution.kept_entries = len(execution.entries)
        execution.kept_usage = execution.usage
        execution.journal.clear()
    answer_at_once(execution, operation, Acknowledged())


def _flush(state: State, execution: Execution, operation: Flush) -> None:
    answer_at_once(execution, operation, Acknowledged())


def _begin_step(state: State, execution: Execution, operation: BeginStep) -> None:
    step = StepWait(execution=execution, position=operation.position, operation=operation)
    execution.open[operation.position] = step
    record(state, execution, EventType.STEP_BEGUN, position=operation.position, name=operation.name)


def _await_signal(state: State, execution: Execution, operation: AwaitSignal) -> None:
    taken = signal_queue.take_oldest(state, execution, operation)
    if taken:
        answer_at_once(execution, operation, SignalsTaken(taken))
        return
    wait = SignalWait(execution=execution, position=operation.position, operation=operation)
    execution.open[operation.position] = wait
    record(state, execution, EventType.WAIT_STARTED, position=operation.position, subject=operation.pattern)


def _drain_signals(state: State, execution: Execution, operation: DrainSignals) -> None:
    answer_at_once(execution, operation, SignalsTaken(signal_queue.take_all(state, execution, operation)))


def _peek_signal(state: State, execution: Execution, operation: PeekSignal) -> None:
    answer_at_once(execution, operation, signal_queue.peek(execution, operation))


def _return_signals(state: State, execution: Execution, operation: ReturnSignals) -> None:
    signal_queue.give_back(state, execution, operation.signals)


_RULES: Final[Mapping[type[AnyOperation], Callable[[State, Execution, Any], None]]] = {
    ScheduleTask: _schedule,
    CancelTask: _cancel_task,
    LeaveTasks: _leave_tasks,
    AwaitTasks: waits.await_tasks,
    AwaitStopped: stops.await_stopped,
    AwaitSignal: _await_signal,
    DrainSignals: _drain_signals,
    PeekSignal: _peek_signal,
    ReturnSignals: _return_signals,
    StartTimer: _start_timer,
    Withdraw: _withdraw,
    AppendEntry: _append_entry,
    SaveCheckpoint: _save_checkpoint,
    Flush: _flush,
    BeginStep: _begin_step,
    **children.RULES,
}
