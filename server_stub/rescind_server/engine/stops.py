"""Whether the work has really stopped: one record per attempt that was ordered to (section 4, invariant 6)."""

from __future__ import annotations

from rescind.model.cause import CancelCause
from rescind.model.events import EventType
from rescind.model.ids import Lease, TaskId
from rescind.model.messages import StopOrder, StopReported
from rescind.model.operations import AwaitStopped, Resolution, TasksStopped
from rescind.model.status import STOP_ENDED, STOP_TRANSITIONS, StopState
from rescind_server.engine import activations
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Attempt, Execution, StopWait, Task
from rescind_server.engine.state import State, record


def order_stop(state: State, attempt: Attempt, cause: CancelCause) -> None:
    """The attempt's task was ended from outside: let its worker stop the work, and keep a record of it."""
    if not attempt.live or attempt.stop is not None:
        return
    task = attempt.task
    attempt.stop = StopState.REQUESTED
    attempt.stop_cause = cause
    attempt.stop_requested_at = state.now
    drop_deadlines(state, attempt)
    record(
        state, task.execution, EventType.STOP_REQUESTED, task, attempt.number, source=cause.source.value, by=cause.by
    )
    push_order(state, attempt)


def ask_to_stop(state: State, attempt: Attempt, cause: CancelCause) -> None:
    """Ask the work to stop, and let it decide (mode WAIT)."""
    worker = state.workers[attempt.worker_id]
    state.push(worker, StopOrder(attempt.task.task_id, attempt.lease, cause, decided=False))


def push_order(state: State, attempt: Attempt) -> None:
    """Send the order to the worker; one that is away is sent it when it comes back (`workers.join`)."""
    worker = state.workers.get(attempt.worker_id)
    if worker is not None and attempt.stop_cause is not None:
        state.push(worker, StopOrder(attempt.task.task_id, attempt.lease, attempt.stop_cause))


def report(state: State, message: StopReported) -> None:
    """A worker says how far the stopping of an attempt has come. An old or repeated report changes nothing."""
    attempt = state.attempts.get(message.lease)
    if attempt is None or attempt.stop is None or message.state not in STOP_TRANSITIONS[attempt.stop]:
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
    state.attempts.pop(attempt.lease, None)
    task = attempt.task
    task.execution.unsettled -= 1
    # Also where no event tells of it (an abandoned attempt): the rows change, and the execution may be closed by it.
    state.decision.tasks[task.task_id] = task
    state.decision.executions[task.execution.execution_id] = task.execution
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


def _states(wait: StopWait) -> TasksStopped:
    tasks = wait.execution.tasks
    return TasksStopped(
        tuple(
            (task_id, stop_state(tasks[task_id]) if task_id in tasks else None)
            for task_id in dict.fromkeys(wait.operation.task_ids)
        )
    )
