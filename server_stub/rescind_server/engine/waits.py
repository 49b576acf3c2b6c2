"""Waking the waiter: conditions are evaluated at both ends, when a member ends and when the wait is registered.

An agent is woken exactly when its condition becomes true (cancellation.md, section 5; invariant 3). Each end costs
one step per wait that the member stands in, however many members the wait has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.events import EventType
from rescind.model.ids import TaskId
from rescind.model.operations import AwaitTasks, Resolution, TasksSettled, WaitCondition
from rescind.model.outcome import Failure, Outcome
from rescind.model.status import CancelTaskResult, FailureKind, TaskStatus
from rescind_server.engine import activations, endings
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Execution, Task, TaskWait
from rescind_server.engine.state import State, record

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_NAMED: Final = 5
"""How many members of a wait its event names, for people: there may be ten thousand."""


def await_tasks(state: State, execution: Execution, operation: AwaitTasks) -> None:
    """Register a wait for tasks, or answer it if its condition holds already."""
    tasks = [execution.tasks.get(task_id) for task_id in operation.task_ids]
    if None in tasks:
        _answer_unknown(state, execution, operation)
        return
    members = [task for task in tasks if task is not None]
    # The ids that the tasks have themselves: a wire brings them once more, and a wait may be for ten thousand.
    operation = msgspec.structs.replace(operation, task_ids=tuple([task.task_id for task in members]))
    wait = TaskWait(execution=execution, position=operation.position, operation=operation, open=len(members))
    execution.open[operation.position] = wait
    record(
        state,
        execution,
        EventType.WAIT_STARTED,
        position=operation.position,
        subject=operation.subject,
        tasks=list(operation.task_ids[:MOST_NAMED]),
    )
    ended = [task for task in members if task.outcome is not None]
    if len(ended) > 1:
        ended.sort(key=lambda task: task.ended_sequence)
    if not members or _holds(wait) or any(_member_ends(wait, task) for task in ended):
        _settle(state, wait, timed_out=False)
        return
    alone = (wait,)
    for task in members:
        if task.outcome is None:
            task.waiters = (*task.waiters, wait) if task.waiters else alone
    if operation.deadline is not None:
        if operation.deadline <= state.now:
            time_out(state, wait)
        else:
            wait.deadline = state.deadlines.set(operation.deadline, DeadlineKind.OPERATION, wait)


def wake_waiters(state: State) -> None:
    """Tell the waits of every task that has ended in this decision; what they cancel ends in it, too."""
    for task in state.ended:  # grows while losers are cancelled
        if task.waiters:
            _member_ended(state, task)
    state.ended.clear()


def _member_ended(state: State, task: Task) -> None:
    """Tell every wait that a task stands in of its end, once per position."""
    waiters, task.waiters = task.waiters, ()
    for wait in waiters:
        # A wait that an earlier position of the same task settled is open no longer.
        if wait.execution.open.get(wait.position) is wait and _member_ends(wait, task):
            _settle(state, wait, timed_out=False)


def time_out(state: State, wait: TaskWait) -> None:
    """The wait's deadline has come: it is over, whoever is missing."""
    _settle(state, wait, timed_out=True)


def detach(wait: TaskWait) -> None:
    """Take a wait off its open members."""
    for task_id in dict.fromkeys(wait.operation.task_ids):
        task = wait.execution.tasks[task_id]
        if task.waiters:
            task.waiters = tuple([waiter for waiter in task.waiters if waiter is not wait])


def _member_ends(wait: TaskWait, task: Task) -> bool:
    """Count one ended position; returns whether the condition holds now."""
    wait.open -= 1
    wait.ended.append(task)
    if task.status is TaskStatus.COMPLETED:
        wait.completed += 1
    return _holds(wait)


def _holds(wait: TaskWait) -> bool:
    """Whether the wait is over: its condition is met, or cannot be met any more."""
    match wait.operation.condition:
        case WaitCondition.ALL_ENDED:
            return wait.open == 0
        case WaitCondition.ALL_COMPLETED:
            return wait.open == 0 or wait.completed < len(wait.ended)
        case WaitCondition.SOME_COMPLETED:
            needed = wait.operation.needed
            return wait.completed >= needed or wait.completed + wait.open < needed
        case WaitCondition.ANY_ENDED:
            return bool(wait.ended)


def _settle(state: State, wait: TaskWait, *, timed_out: bool) -> None:
    operation = wait.operation
    detach(wait)
    cancelled = _cancel_losers(state, wait, timed_out=timed_out) if operation.losers is not None else ()
    ended = _ends_that_matter(wait)
    record(
        state,
        wait.execution,
        EventType.WAIT_SETTLED,
        position=wait.position,
        **_settled_details(operation, ended, cancelled, timed_out=timed_out),
    )
    outcomes = tuple((task.task_id, task.outcome) for task in ended if task.outcome is not None)
    activations.answer(state, wait, TasksSettled(outcomes, cancelled, timed_out))


def _cancel_losers(state: State, wait: TaskWait, *, timed_out: bool) -> tuple[TaskId, ...]:
    """Cancel the members that are still open, in the same transition as the winner is decided."""
    operation = wait.operation
    assert operation.losers is not None
    cause = CancelCause(operation.losers, f"agent:{wait.execution.execution_id}")
    cancelled = []
    for task_id in dict.fromkeys(operation.task_ids):
        task = wait.execution.tasks[task_id]
        if task.outcome is None and endings.request_cancel(state, task, cause) is CancelTaskResult.CANCELLED:
            cancelled.append(task_id)
    return tuple(cancelled)


def _ends_that_matter(wait: TaskWait) -> Sequence[Task]:
    """The members that the answer must tell of: others would only be bytes on their way."""
    operation = wait.operation
    unique = list(dict.fromkeys(wait.ended))
    if operation.condition is WaitCondition.SOME_COMPLETED and wait.completed >= operation.needed:
        return [task for task in unique if task.status is TaskStatus.COMPLETED]
    if operation.condition is WaitCondition.ALL_COMPLETED and wait.completed < len(wait.ended):
        return [next(task for task in unique if task.status is not TaskStatus.COMPLETED)]
    return unique


def _settled_details(
    operation: AwaitTasks, ended: Sequence[Task], cancelled: tuple[TaskId, ...], *, timed_out: bool
) -> dict[str, object]:
    details: dict[str, object] = {"ended": len(ended)}
    if operation.condition is WaitCondition.SOME_COMPLETED:
        details["winners"] = [task.task_id for task in ended if task.status is TaskStatus.COMPLETED]
    if cancelled:
        details["cancelled"] = list(cancelled)
    if timed_out:
        details["timed_out"] = True
    return details


def _answer_unknown(state: State, execution: Execution, operation: AwaitTasks) -> None:
    """Nobody can wait for a task that does not exist: it counts as failed, and the wait ends with it."""
    unknown = [task_id for task_id in operation.task_ids if task_id not in execution.tasks]
    failure = Failure(FailureKind.REJECTED, "this agent has no such task", retryable=False)
    outcome = Outcome(TaskStatus.FAILED, failure=failure)
    execution.inbox.append(
        Resolution(operation.position, TasksSettled(tuple((task_id, outcome) for task_id in unknown)))
    )
    activations.wake(state, execution)
