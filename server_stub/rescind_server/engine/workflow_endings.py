"""The one door through which a workflow ends, and how it is cancelled: it, and the tree below it, in one decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import CancelAnswered, CancelExecution, Reply
from rescind.model.events import EventType
from rescind.model.ids import Instant
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelMode, CancelTaskResult, ExecutionStatus, FailureKind, ParentClosePolicy
from rescind.model.workflow_events import (
    CancellationRequested,
    ChildWorkflowCompleted,
    ChildWorkflowFailed,
    WorkflowCancelled,
    WorkflowExecutionFailed,
)
from rescind_server.engine import (
    endings,
    execution_endings,
    stopping,
    stops,
    workflow_claims,
    workflow_elsewhere,
    workflow_keys,
)
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Execution, Phase
from rescind_server.engine.state import State, record
from rescind_server.engine.workflow_entities import Workflow, workflow_of
from rescind_server.engine.workflow_log import append, tell

_ENDS: Final[Mapping[ExecutionStatus, EventType]] = {
    ExecutionStatus.COMPLETED: EventType.EXECUTION_COMPLETED,
    ExecutionStatus.FAILED: EventType.EXECUTION_FAILED,
    ExecutionStatus.CANCELLED: EventType.EXECUTION_CANCELLED,
}


def finish(
    state: State,
    execution: Execution,
    status: ExecutionStatus,
    *,
    output: Payload | None = None,
    failure: Failure | None = None,
    hard: bool = False,
) -> None:
    """End a workflow, whose log tells how already: nothing of it comes due any more, and its parent is told."""
    workflow = workflow_of(execution)
    workflow_claims.let_go(state, execution)
    _drop_deadlines(state, execution, workflow)
    execution.phase = Phase.IDLE
    execution.status = status
    execution.output = output
    execution.failure = failure
    execution.ended_at = state.now
    if execution.cause is not None or not stopping.is_still(execution):
        stopping.note(state, execution)
    if status is not ExecutionStatus.COMPLETED:
        workflow_keys.free(state, execution)
    if execution.unsettled:
        ended = CancelCause(
            CancelSource.PARENT, f"workflow:{execution.execution_id}", f"its workflow is {status.value}"
        )
        _cancel_tasks(state, execution, execution.cause or ended, hard=hard)
    details = {"error": failure.message, "error_type": failure.error_type} if failure is not None else {}
    record(state, execution, _ENDS[status], **details)
    for task_id in execution.tasks:
        state.workflows.tasks.pop(task_id, None)
    tell_parent(state, execution)


def end_cancelled(state: State, execution: Execution, *, reason: str = "", hard: bool = False) -> None:
    """End a workflow as CANCELLED, and write so."""
    cause = execution.cause
    append(state, execution, WorkflowCancelled(reason or (str(cause) if cause is not None else ""), cause))
    finish(state, execution, ExecutionStatus.CANCELLED, hard=hard)


def time_out(state: State, execution: Execution) -> None:
    """The workflow has taken longer than it may. What it was cancelled before with stands."""
    if execution.cause is not None:
        end_cancelled(state, execution)
        return
    failure = Failure(FailureKind.TIMED_OUT, "Workflow timed out", retryable=False)
    append(state, execution, WorkflowExecutionFailed(failure.message, failure_type="TIMED_OUT", failure=failure))
    finish(state, execution, ExecutionStatus.FAILED, failure=failure)


def cancel(state: State, command: CancelExecution, execution: Execution) -> Reply:
    """Cancel a workflow for somebody outside (section 7), with the children that go with it."""
    result = execution_endings.ALREADY_ENDED.get(execution.status) or (
        CancelTaskResult.CANCELLED if execution.cause is None else CancelTaskResult.ALREADY_CANCELLED
    )
    details = execution_endings.request_details(command.cause, result.value, hard=command.hard)
    record(state, execution, EventType.EXECUTION_CANCEL_REQUESTED, **details)
    if not execution.ended:
        cancel_tree(state, execution, command.cause, command.cause.by, hard=command.hard, within_ms=command.within_ms)
    if command.hard:
        _force_tree(state, execution, command.cause)
    return CancelAnswered(result)


def cancel_tree(
    state: State,
    root: Execution,
    cause: CancelCause,
    requested_by: str,
    *,
    hard: bool = False,
    within_ms: int | None = None,
) -> None:
    """Cancel a workflow and all below it that is not abandoned, the deepest first, in this one decision.

    Args:
        state: the engine's memory.
        root: the workflow; an open one.
        cause: why.
        requested_by: who asked, as its log is to say.
        hard: at once, without its clean-up.
        within_ms: the longest time of the clean-up, if it is shorter than the usual one.
    """
    tree = list(reversed(list(_subtree(state, root))))
    # Each log tells of its own cancel first: code that heard of a child's end before would take that for a failure.
    told = [_tell_cancelled(state, execution, root, cause, requested_by) for execution in tree]
    for execution, first in zip(tree, told, strict=True):
        _begin(state, execution, first=first, hard=hard, within_ms=within_ms)
    if not state.hosts_children and (hard or told[-1]):
        workflow_elsewhere.cancel_all(state, root, cause.reason, hard=hard, within_ms=within_ms)


def _tell_cancelled(state: State, execution: Execution, root: Execution, cause: CancelCause, requested_by: str) -> bool:
    """Write into a workflow's log that it is cancelled; returns whether it was not before."""
    if execution.cause is not None:
        return False
    parent_id = workflow_of(execution).parent_id
    if execution is not root and parent_id is not None:
        cause = CancelCause(CancelSource.PARENT, f"workflow:{parent_id}", cause.reason, cause.trace_parent)
        requested_by = parent_id
    execution.cause = cause
    execution.status = ExecutionStatus.CANCELLING
    stopping.note(state, execution)
    tell(state, execution, CancellationRequested(cause.reason or "", requested_by, cause))
    return True


def _subtree(state: State, root: Execution) -> Iterator[Execution]:
    """The open workflows of a tree, parents before their children. Not by recursion: trees may be deep."""
    level = [root]
    while level:
        yield from level
        level = [child for execution in level for child in _children(state, execution) if not child.ended]


def _over_in(state: State, root: Execution) -> Iterator[Execution]:
    """What is cancelled or has ended of a tree, in the same order: what goes on below goes on."""
    level = [root]
    while level:
        yield from level
        below = [child for execution in level for child in _children(state, execution)]
        level = [child for child in below if child.ended or child.cause is not None]


def _children(state: State, execution: Execution) -> Iterator[Execution]:
    """The child workflows in memory that go with a workflow."""
    for child_id in workflow_of(execution).children:
        child = state.executions.get(child_id)
        if (
            child is not None
            and child.workflow is not None
            and child.workflow.parent_id == execution.execution_id
            and not child.workflow.is_abandoned
        ):
            yield child


def _begin(
    state: State,
    execution: Execution,
    *,
    first: bool,
    hard: bool,
    within_ms: int | None,
) -> None:
    cause = execution.cause
    assert cause is not None
    # What never ran has nothing to clean up, and its code never runs.
    if hard or not execution.run:
        end_cancelled(state, execution, hard=hard)
    elif first:
        _cancel_tasks(state, execution, cause)
        budget = execution.cleanup_budget_ms if within_ms is None else min(within_ms, execution.cleanup_budget_ms)
        due = Instant(state.now + budget * 1_000)
        execution.cleanup = state.deadlines.set(due, DeadlineKind.CLEAN_UP, execution)


def _cancel_tasks(state: State, execution: Execution, cause: CancelCause, *, hard: bool = False) -> None:
    mode = CancelMode.FORCE if hard else CancelMode.TRY
    passed_on = CancelCause(CancelSource.PARENT, cause.by, cause.reason, cause.trace_parent)
    for task in list(execution.tasks.values()):
        if task.outcome is None and task.options.parent_close is ParentClosePolicy.CANCEL:
            endings.request_cancel(state, task, passed_on, mode)


def _force_tree(state: State, root: Execution, cause: CancelCause) -> None:
    """What is being stopped already of a tree loses its grace, and what cleans up below ends; the deepest first."""
    for execution in reversed(list(_over_in(state, root))):
        if not execution.ended:
            end_cancelled(state, execution, hard=True)
        _force_its_stops(state, execution, cause)


def _force_its_stops(state: State, execution: Execution, cause: CancelCause) -> None:
    for task in execution.tasks.values():
        for attempt in task.attempts or ():
            if attempt.stop is not None:
                stops.order_stop(state, attempt, cause, force=True)


def _drop_deadlines(state: State, execution: Execution, workflow: Workflow) -> None:
    of_its_own = [execution.cleanup, workflow.timeout]
    of_its_own += [timer.deadline for timer in workflow.timers.values()]
    of_its_own += [promise.deadline for promise in workflow.promises.values()]
    for deadline in of_its_own:
        if deadline is not None:
            state.deadlines.cancel(deadline)
    execution.cleanup = workflow.timeout = None


def tell_parent(state: State, execution: Execution) -> None:
    """The parent's log tells how a child ended: once, also if the child is let go on by hand and ends anew."""
    workflow = workflow_of(execution)
    parent = state.executions.get(workflow.parent_id) if workflow.parent_id is not None else None
    if parent is None or parent.ended or parent.workflow is None or not workflow.is_told:
        return
    known = parent.workflow.children.get(execution.execution_id)
    if known is None or known.is_over:
        return
    name, child_id, failure = workflow.child_name, execution.execution_id, execution.failure
    match execution.status:
        case ExecutionStatus.COMPLETED:
            tell(state, parent, ChildWorkflowCompleted(name, child_id, execution.output or NULL_PAYLOAD))
        case ExecutionStatus.FAILED:
            error = failure.message if failure is not None else "the child failed"
            tell(state, parent, ChildWorkflowFailed(name, child_id, error, failure))
        case _:
            cause = execution.cause
            error = f"child workflow was cancelled: {cause}" if cause is not None else "child workflow was cancelled"
            tell(state, parent, ChildWorkflowFailed(name, child_id, error, cause=cause))
