"""Whether the work has really stopped: one record per attempt that was ordered to (section 4, invariant 6)."""

from __future__ import annotations

from typing import Final

from rescind.model.cause import CancelCause
from rescind.model.events import EventType
from rescind.model.ids import Instant, Lease, TaskId
from rescind.model.messages import StopOrder, StopReported
from rescind.model.operations import AwaitStopped, Resolution, TasksStopped
from rescind.model.status import STOP_ENDED, STOP_TRANSITIONS, StopState
from rescind_server.engine import activations, stopping
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Attempt, Execution, StopWait, Task
from rescind_server.engine.state import State, record

_FIRST_PAUSE_MS: Final = 1_000
"""How long an order is waited for to be acknowledged before it is sent again; the next time twice as long."""
_LONGEST_PAUSE_MS: Final = 60_000


def order_stop(state: State, attempt: Attempt, cause: CancelCause, *, force: bool = False) -> None:
    """The attempt's task was ended from outside: let its worker stop the work, and keep a record of it.

    With `force`, work that is being stopped already loses its grace.
    """
    if not attempt.live:
        return
    if attempt.stop is None:
        _begin_record(state, attempt, cause, force=force)
    elif attempt.stop_forced_at is not None or not force:
        return
    if force:
        attempt.stop_forced_at = state.now
    _send_first(state, attempt)


def force_stops(state: State, task: Task, cause: CancelCause) -> None:
    """End all by force that may still run of a task that has ended."""
    for attempt in task.attempts or ():
        order_stop(state, attempt, task.cancel_cause or cause, force=True)


def ask_to_stop(state: State, attempt: Attempt) -> None:
    """Ask the work to stop, and let it decide (mode WAIT): its task says why."""
    _send_first(state, attempt)


def send_order(state: State, attempt: Attempt) -> None:
    """Send the order that stands to the worker, and again later, until it is acknowledged.

    A worker that is away is sent it when it comes back (`workers.join`).
    """
    _drop_redelivery(state, attempt)
    worker = state.workers.get(attempt.worker_id)
    order = standing_order(attempt)
    if order is None or worker is None or not worker.connected:
        return
    state.push(worker, order)
    attempt.deliveries += 1
    _note_changed(state, attempt)
    if not attempt.acknowledged and state.watches_attempts:
        due = Instant(state.now + _pause_behind(attempt.deliveries) * 1_000)
        attempt.redelivery = state.deadlines.set(due, DeadlineKind.REDELIVERY, attempt)


def standing_order(attempt: Attempt) -> StopOrder | None:
    """What the worker is to be told: to stop it, or to ask it to (mode WAIT). None if it may run on, or has ended."""
    task = attempt.task
    if not attempt.live:
        return None
    if attempt.stop is not None and attempt.stop_cause is not None:
        return StopOrder(task.task_id, attempt.lease, attempt.stop_cause, force=attempt.stop_forced_at is not None)
    if task.current is attempt and task.cancel_requested_at is not None and task.cancel_cause is not None:
        return StopOrder(task.task_id, attempt.lease, task.cancel_cause, decided=False)
    return None


def report(state: State, message: StopReported) -> None:
    """A worker says how far the stopping of an attempt has come. An old or repeated report changes nothing."""
    attempt = state.attempts.get(message.lease)
    if attempt is None:
        return
    if message.state is StopState.DELIVERED:
        _acknowledge(state, attempt, message)
    if attempt.stop is None or message.state not in STOP_TRANSITIONS[attempt.stop]:
        return
    task = attempt.task
    if message.state is StopState.DELIVERED:
        attempt.stop = StopState.DELIVERED
        attempt.stop_delivered_at = state.now
        record(state, task.execution, EventType.STOP_DELIVERED, task, attempt.number)
        return
    if message.discarded_bytes is not None:
        record(state, task.execution, EventType.RESULT_DISCARDED, task, attempt.number, bytes=message.discarded_bytes)
    end_attempt(state, attempt, message.state, message.executor)


def end_attempt(state: State, attempt: Attempt, stop: StopState, executor: str = "") -> None:
    """Nothing of the attempt runs any more: its slot is free, and its stop record, if it has one, reaches its end."""
    if not attempt.live:
        return
    attempt.live = False
    drop_deadlines(state, attempt)
    _drop_redelivery(state, attempt)
    state.attempts.pop(attempt.lease, None)
    task = attempt.task
    if attempt.is_stopping:
        stopping.count_attempt(state, attempt)
    if state.attempts_by_task.get(task.task_id) is attempt:
        del state.attempts_by_task[task.task_id]
    task.execution.unsettled -= 1
    # An abandoned attempt has no event; and the execution may be closed by it.
    _note_changed(state, attempt)
    worker = state.workers.get(attempt.worker_id)
    if worker is not None:
        worker.running.pop(attempt.lease, None)
        state.freed[worker.worker_id] = worker
    if attempt.stop is not None and attempt.stop not in STOP_ENDED:
        attempt.stop = stop
        attempt.stop_ended_at = state.now
        ran = {"executor": executor} if executor else {}
        record(state, task.execution, EventType.STOP_ENDED, task, attempt.number, state=stop.value, **ran)
    note_if_still(state, task)


def drop_deadlines(state: State, attempt: Attempt) -> None:
    """An attempt whose end is decided is watched no longer."""
    for deadline in attempt.deadlines or ():
        state.deadlines.cancel(deadline)
    attempt.deadlines = None


def live_attempt(state: State, task_id: TaskId, lease: Lease) -> Attempt | None:
    """The attempt that a worker speaks of, if it holds it: every report carries the lease, and an old one is void."""
    attempt = state.attempts.get(lease)
    return attempt if attempt is not None and attempt.task.task_id == task_id else None


def await_stopped(state: State, execution: Execution, operation: AwaitStopped) -> None:
    """Register a wait until nothing of these tasks is at work, or answer it if that is so already."""
    tasks = [task for task_id in operation.task_ids if (task := execution.tasks.get(task_id)) is not None]
    unsettled = [task for task in tasks if not is_still(task)]
    wait = StopWait(execution=execution, position=operation.position, operation=operation, at_work=len(unsettled))
    overdue = operation.deadline is not None and operation.deadline <= state.now
    if not unsettled or overdue:
        execution.inbox.append(Resolution(operation.position, _states(wait)))
        activations.wake(state, execution)
        return
    execution.open[operation.position] = wait
    for task in unsettled:
        if task.stop_waiters is None:
            task.stop_waiters = []
        task.stop_waiters.append(wait)
    if operation.deadline is not None:
        wait.deadline = state.deadlines.set(operation.deadline, DeadlineKind.OPERATION, wait)


def note_if_still(state: State, task: Task) -> None:
    """Tell those who wait for it that nothing of the task is at work any more, if that is so."""
    if not task.stop_waiters or not is_still(task):
        return
    waiters, task.stop_waiters = task.stop_waiters, None
    for wait in waiters:
        wait.at_work -= 1
        if wait.at_work == 0 and wait.execution.open.get(wait.position) is wait:
            activations.answer(state, wait, _states(wait))


def time_out(state: State, wait: StopWait) -> None:
    """The deadline has come: answer with the states as they are."""
    detach(wait)
    activations.answer(state, wait, _states(wait))


def detach(wait: StopWait) -> None:
    """Take a wait off its tasks."""
    for task_id in wait.operation.task_ids:
        task = wait.execution.tasks.get(task_id)
        if task is not None and task.stop_waiters:
            task.stop_waiters = [waiter for waiter in task.stop_waiters if waiter is not wait] or None


def is_still(task: Task) -> bool:
    """Whether the task has ended and none of its attempts may still be running."""
    return task.outcome is not None and not task.at_work


def stop_state(task: Task) -> StopState | None:
    """How far the stopping of the task's last attempt has come; None if there was nothing to stop."""
    return task.attempts[-1].stop if task.attempts else None


def _begin_record(state: State, attempt: Attempt, cause: CancelCause, *, force: bool) -> None:
    attempt.stop = StopState.REQUESTED
    attempt.stop_cause = cause
    attempt.stop_requested_at = state.now
    drop_deadlines(state, attempt)
    details = {"source": cause.source.value, "by": cause.by} | ({"force": True} if force else {})
    record(state, attempt.task.execution, EventType.STOP_REQUESTED, attempt.task, attempt.number, **details)


def _acknowledge(state: State, attempt: Attempt, message: StopReported) -> None:
    order = standing_order(attempt)
    if order is not None and (message.decided, message.force) == (order.decided, order.force):
        attempt.acknowledged = True
        _drop_redelivery(state, attempt)


def _send_first(state: State, attempt: Attempt) -> None:
    attempt.deliveries = 0
    attempt.acknowledged = False
    stopping.count_attempt(state, attempt)
    _note_changed(state, attempt)
    send_order(state, attempt)


def _pause_behind(deliveries: int) -> int:
    doubled = min(deliveries - 1, _LONGEST_PAUSE_MS.bit_length())
    return min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS << doubled)


def _drop_redelivery(state: State, attempt: Attempt) -> None:
    if attempt.redelivery is not None:
        state.deadlines.cancel(attempt.redelivery)
        attempt.redelivery = None


def _note_changed(state: State, attempt: Attempt) -> None:
    """No event may tell of it, and the rows change all the same."""
    task = attempt.task
    state.decision.tasks[task.task_id] = task
    state.decision.executions[task.execution.execution_id] = task.execution


def _states(wait: StopWait) -> TasksStopped:
    tasks = wait.execution.tasks
    return TasksStopped(
        tuple(
            (task_id, stop_state(tasks[task_id]) if task_id in tasks else None)
            for task_id in dict.fromkeys(wait.operation.task_ids)
        )
    )
