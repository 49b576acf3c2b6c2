"""Child workflows that live elsewhere: the parent's engine decides what is its own, and asks its host for the rest."""

from __future__ import annotations

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.children import CancelElsewhere, ChildEnded, Spawned, SpawnElsewhere
from rescind.model.ids import ExecutionId
from rescind.model.outcome import Outcome
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import ParentClosePolicy, TaskStatus
from rescind.model.workflow_commands import ScheduleChildWorkflow
from rescind.model.workflow_events import ChildWorkflowCompleted, ChildWorkflowFailed
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import State
from rescind_server.engine.workflow_entities import workflow_of
from rescind_server.engine.workflow_log import tell


def spawn(state: State, parent: Execution, command: ScheduleChildWorkflow) -> None:
    """Have a child started. A parent that ends leaves it as it is; a cancel reaches it unless it is abandoned."""
    child_id = command.child_workflow_execution_id
    workflow_of(parent).children[child_id].is_abandoned = command.abandon
    spawned = Spawned(parent.execution_id, ParentClosePolicy.ABANDON)
    queue = command.queue or parent.queue
    effect = SpawnElsewhere(child_id, command.workflow_kind, command.input, queue, {}, spawned)
    state.decision.effects.append((parent.execution_id, effect))


def cancel(
    state: State,
    parent: Execution,
    child_id: ExecutionId,
    reason: str | None,
    *,
    hard: bool = False,
    within_ms: int | None = None,
) -> None:
    """Have a child cancelled."""
    trace_parent = parent.cause.trace_parent if parent.cause is not None else None
    cause = CancelCause(CancelSource.PARENT, f"workflow:{parent.execution_id}", reason, trace_parent)
    state.decision.effects.append((parent.execution_id, CancelElsewhere(child_id, cause, hard, within_ms)))


def cancel_all(state: State, parent: Execution, reason: str | None, *, hard: bool, within_ms: int | None) -> None:
    """Have all children cancelled that are open and not abandoned: their parent is."""
    for child in workflow_of(parent).children.values():
        if not child.is_over and not child.is_abandoned:
            cancel(state, parent, child.execution_id, reason, hard=hard, within_ms=within_ms)


def child_ended(state: State, parent: Execution, news: ChildEnded) -> None:
    """A child has ended, or could not be started: the parent's log says so, once."""
    child = workflow_of(parent).children.get(news.child_id)
    if child is None or child.is_over or parent.ended:
        return
    outcome = news.outcome
    if outcome.status is TaskStatus.COMPLETED:
        tell(state, parent, ChildWorkflowCompleted(child.name, news.child_id, outcome.output or NULL_PAYLOAD))
    else:
        tell(state, parent, _failed(child.name, news.child_id, outcome))


def _failed(name: str, child_id: ExecutionId, outcome: Outcome) -> ChildWorkflowFailed:
    if outcome.status is TaskStatus.FAILED:
        error = outcome.failure.message if outcome.failure is not None else "the child failed"
        return ChildWorkflowFailed(name, child_id, error, outcome.failure)
    error = f"child workflow was cancelled: {outcome.cause}" if outcome.cause else "child workflow was cancelled"
    return ChildWorkflowFailed(name, child_id, error, cause=outcome.cause)
