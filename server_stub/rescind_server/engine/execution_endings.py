"""How executions are cancelled, each with all under it, and the one door through which they end.

A cancel reaches the leaves of a tree first: level by level from the deepest to the one that was named, in the order of
spawning within a level, all in one decision (cancellation.md, section 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.children import CancelElsewhere
from rescind.model.events import EventType
from rescind.model.ids import Instant
from rescind.model.outcome import Failure, Outcome
from rescind.model.payload import Payload
from rescind.model.status import CancelMode, CancelTaskResult, ExecutionStatus, ParentClosePolicy, TaskStatus
from rescind_server.engine import activations, endings, open_operations, placement, stopping, stops
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Child, Execution, Phase
from rescind_server.engine.state import State, record

ALREADY_ENDED: Final[Mapping[ExecutionStatus, CancelTaskResult]] = {
    ExecutionStatus.COMPLETED: CancelTaskResult.ALREADY_COMPLETED,
    ExecutionStatus.FAILED: CancelTaskResult.ALREADY_FAILED,
    ExecutionStatus.CANCELLED: CancelTaskResult.ALREADY_CANCELLED,
}
"""What a request to cancel an agent is answered that has ended so."""

_ENDS: Final[Mapping[ExecutionStatus, EventType]] = {
    ExecutionStatus.COMPLETED: EventType.EXECUTION_COMPLETED,
    ExecutionStatus.FAILED: EventType.EXECUTION_FAILED,
    ExecutionStatus.CANCELLED: EventType.EXECUTION_CANCELLED,
}


class _Branch(NamedTuple):
    """A child that is to be cancelled, and why."""

    child: Child
    cause: CancelCause


def request_cancel(
    state: State, execution: Execution, cause: CancelCause, *, hard: bool = False, within_ms: int | None = None
) -> CancelTaskResult:
    """Decide a request to cancel an execution, record it, and carry it down the tree.

    Args:
        state: the engine's memory.
        execution: which; one that has ended is left as it is.
        cause: why. The first is kept.
        hard: without clean-up, and what is being stopped already loses its grace.
        within_ms: the longest time of its clean-up, if it is shorter than the execution's own.
    """
    result = ALREADY_ENDED.get(execution.status) or (
        CancelTaskResult.CANCELLED if execution.cause is None else CancelTaskResult.ALREADY_CANCELLED
    )
    details = request_details(cause, result.value, hard=hard)
    record(state, execution, EventType.EXECUTION_CANCEL_REQUESTED, **details)
    if hard or (not execution.ended and execution.cause is None):
        _cancel_levels(state, _branches_below(execution, cause), hard=hard, asked_by=cause.by)
        _cancel_one(state, execution, cause, hard=hard, within_ms=within_ms)
    return result


def cancel_children(state: State, children: Iterable[tuple[Child, CancelCause]], *, asked_by: str) -> None:
    """Cancel what is open of these children, each with all under it; who asked is told by no answer."""
    branches = [_Branch(child, cause) for child, cause in children if child.outcome is None]
    _cancel_levels(state, branches, hard=False, asked_by=asked_by)


def request_details(cause: CancelCause, result: str, *, hard: bool) -> dict[str, str | bool]:
    """What is recorded of a request to cancel an execution."""
    words = {"reason": cause.reason} if cause.reason else {}
    return {"result": result, "source": cause.source.value, "by": cause.by, "hard": hard, **words}


def cancel_elsewhere(
    state: State,
    child: Child,
    cause: CancelCause,
    *,
    hard: bool,
    within_ms: int | None = None,
    position: int | None = None,
) -> None:
    """Have a child cancelled that lives elsewhere."""
    child.cancel_asked = True
    state.decision.children[child.child_id] = child
    effect = CancelElsewhere(child.child_id, cause, hard, within_ms, position)
    state.decision.effects.append((child.parent.execution_id, effect))


def finish(
    state: State,
    execution: Execution,
    status: ExecutionStatus,
    *,
    output: Payload | None = None,
    failure: Failure | None = None,
    stack_trace: str = "",
    hard: bool = False,
    tasks_hard: bool = False,
) -> None:
    """End an execution: nothing of it waits any more, its open tasks and children go by their policy.

    Args:
        state: the engine's memory.
        execution: an open one.
        status: COMPLETED, FAILED or CANCELLED.
        output: its result, if COMPLETED.
        failure: why, if FAILED.
        stack_trace: where in its code that was, if its worker said so.
        hard: leave its tasks and children no grace.
        tasks_hard: leave none to its tasks.
    """
    activations.evict(state, execution)
    if not execution.run:
        placement.note_ended(state, execution)
    if execution.phase is Phase.PARKED:
        forget_parked(state, execution)
    if execution.cleanup is not None:
        state.deadlines.cancel(execution.cleanup)
        execution.cleanup = None
    for waiting in list(execution.open.values()):
        open_operations.close(state, waiting)
    execution.open.clear()
    execution.inbox.clear()
    execution.phase = Phase.IDLE
    execution.status = status
    execution.output = output
    execution.failure = failure
    execution.ended_at = state.now
    if execution.cause is not None or not stopping.is_still(execution):
        stopping.note(state, execution)
    details = {"error": failure.message, "error_type": failure.error_type} if failure is not None else {}
    if stack_trace:
        details["stack_trace"] = stack_trace
    # An agent that is run by calls leaves what it has begun, unless it is cancelled: its workers expect that.
    if execution.unsettled and not (execution.called is not None and execution.cause is None):
        reason = CancelCause(CancelSource.PARENT, f"agent:{execution.execution_id}", f"its agent is {status.value}")
        cause = execution.cause or reason
        _cancel_levels(state, _branches_below(execution, cause), hard=hard, asked_by=cause.by)
        _cancel_its_tasks(state, execution, cause, hard=hard or tasks_hard)
    record(state, execution, _ENDS[status], **details)
    _tell_parent(state, execution)


def end_clean_up(state: State, execution: Execution) -> None:
    """The budget of an execution's clean-up is used up, and HARD follows (section 7): it ends, its tasks at once.

    Its children clean up within budgets of their own.
    """
    assert execution.cause is not None
    finish(state, execution, ExecutionStatus.CANCELLED, tasks_hard=True)
    _force_its_stops(state, execution, execution.cause)


def end_child(state: State, child: Child, outcome: Outcome) -> None:
    """A child has ended, or could not be started: its parent records it, and its parent's waits are told.

    Once only: what comes later changes nothing.
    """
    if child.outcome is not None:
        return
    child.outcome = outcome
    state.decision.children[child.child_id] = child
    parent = child.parent
    child.ended_sequence = record(
        state, parent, EventType.CHILD_ENDED, child_id=child.child_id, kind=child.kind, status=outcome.status.value
    )
    if child.goes_with_parent:
        parent.unsettled -= 1
    if child.waiters:
        state.ended_children.append(child)


def forget_parked(state: State, execution: Execution) -> None:
    """An execution waits no longer for another deployment."""
    execution.parked = None
    parked = state.parked.get(execution.kind)
    if parked is not None:
        parked.pop(execution.execution_id, None)
        if not parked:
            del state.parked[execution.kind]


def _tell_parent(state: State, execution: Execution) -> None:
    parent = state.executions.get(execution.parent_id) if execution.parent_id is not None else None
    child = parent.children.get(execution.execution_id) if parent is not None else None
    if child is None:
        return
    child.usage = execution.usage
    cause = execution.cause if execution.status is ExecutionStatus.CANCELLED else None
    outcome = Outcome(TaskStatus(execution.status.value), execution.output, execution.failure, cause, attempts=1)
    end_child(state, child, outcome)


def _branches_below(execution: Execution, cause: CancelCause) -> list[_Branch]:
    """The children that go with an execution, with what they are told."""
    passed_on = CancelCause(
        CancelSource.PARENT, f"agent:{execution.execution_id}", cause.reason, trace_parent=cause.trace_parent
    )
    return [_Branch(child, passed_on) for child in execution.children.values() if child.goes_with_parent]


def _cancel_levels(state: State, branches: list[_Branch], *, hard: bool, asked_by: str) -> None:
    """Cancel children with all under them, the deepest level first."""
    levels: list[list[_Branch]] = []
    while branches := [branch for branch in branches if _is_to_be_cancelled(state, branch.child, hard=hard)]:
        levels.append(branches)
        below: list[_Branch] = []
        for child, cause in branches:
            execution = state.executions.get(child.child_id) if state.hosts_children else None
            if execution is not None:
                below += _branches_below(execution, cause)
        branches = below
    for level in reversed(levels):
        for child, cause in level:
            _cancel_child(state, child, cause, hard=hard, asked_by=asked_by)


def _is_to_be_cancelled(state: State, child: Child, *, hard: bool) -> bool:
    if not state.hosts_children:
        return child.outcome is None and (hard or not child.cancel_asked)
    execution = state.executions.get(child.child_id)
    # One that is being cancelled has passed it on when that began; with `hard` what cleans up under it goes, too.
    return execution is not None and (hard or (not execution.ended and execution.cause is None))


def _cancel_child(state: State, child: Child, cause: CancelCause, *, hard: bool, asked_by: str) -> None:
    parent = child.parent
    if not state.hosts_children:
        details = request_details(cause, "ASKED", hard=hard)
        record(state, parent, EventType.CHILD_CANCEL_REQUESTED, child_id=child.child_id, **details)
        cancel_elsewhere(state, child, cause, hard=hard)
        return
    execution = state.executions[child.child_id]
    if not execution.ended:
        result = CancelTaskResult.CANCELLED if execution.cause is None else CancelTaskResult.ALREADY_CANCELLED
        details = request_details(cause, result.value, hard=hard)
        record(state, parent, EventType.CHILD_CANCEL_REQUESTED, child_id=child.child_id, **details)
        record(state, execution, EventType.EXECUTION_CANCEL_REQUESTED, asked_by=asked_by, **details)
    _cancel_one(state, execution, cause, hard=hard)


def _cancel_one(
    state: State, execution: Execution, cause: CancelCause, *, hard: bool, within_ms: int | None = None
) -> None:
    """Cancel an execution whose children were cancelled just before."""
    if not execution.ended:
        _begin_cancel(state, execution, cause, hard=hard, within_ms=within_ms)
    if hard:
        _force_its_stops(state, execution, cause)


def _begin_cancel(state: State, execution: Execution, cause: CancelCause, *, hard: bool, within_ms: int | None) -> None:
    first = execution.cause is None
    if first:
        execution.cause = cause
        execution.status = ExecutionStatus.CANCELLING
        stopping.note(state, execution)
    never_ran = execution.run == 0
    runs_no_code = execution.called is not None and execution.phase is not Phase.IN_FLIGHT
    if hard or never_ran or runs_no_code or execution.phase is Phase.PARKED:
        finish(state, execution, ExecutionStatus.CANCELLED, hard=hard)
        return
    if not first:
        return
    _cancel_its_tasks(state, execution, cause)
    budget_ms = execution.cleanup_budget_ms
    due = Instant(state.now + (budget_ms if within_ms is None else min(within_ms, budget_ms)) * 1_000)
    execution.cleanup = state.deadlines.set(due, DeadlineKind.CLEAN_UP, execution)
    activations.wake(state, execution)


def _cancel_its_tasks(state: State, execution: Execution, cause: CancelCause, *, hard: bool = False) -> None:
    mode = CancelMode.FORCE if hard else CancelMode.TRY
    passed_on = CancelCause(CancelSource.PARENT, cause.by, cause.reason, cause.trace_parent)
    for task in list(execution.tasks.values()):
        if task.outcome is None and task.options.parent_close is ParentClosePolicy.CANCEL:
            endings.request_cancel(state, task, passed_on, mode)


def _force_its_stops(state: State, execution: Execution, cause: CancelCause) -> None:
    """What is being stopped already loses its grace; what was left running goes on."""
    if not execution.unsettled:
        return
    for task in execution.tasks.values():
        for attempt in task.attempts or ():
            if attempt.stop is not None:
                stops.order_stop(state, attempt, cause, force=True)
