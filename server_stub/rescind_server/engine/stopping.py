"""Whether all has stopped that belongs to an execution: its own work, and that of all below it.

Each execution counts its own attempts that are being stopped, and those of its children of which the same can be said:
that they are being cancelled, or have such attempts or children. So a change goes up only as far as it makes a
difference, and a look costs nothing. What is left out are children that do not go with their parent: nobody who cancels
that stops them.
"""

from __future__ import annotations

from rescind.model.status import ExecutionStatus, ParentClosePolicy
from rescind_server.engine.entities import Attempt, Execution
from rescind_server.engine.state import State
from rescind_server.engine.viewing import stop_due


def count_attempt(state: State, attempt: Attempt) -> None:
    """An attempt was told to stop, is left running after all, or has ended: its execution counts it, or no longer."""
    is_stopping = stop_due(attempt) is not None
    if is_stopping is attempt.is_stopping:
        return
    attempt.is_stopping = is_stopping
    execution = attempt.task.execution
    execution.attempts_stopping += 1 if is_stopping else -1
    note(state, execution)


def note(state: State, execution: Execution) -> None:
    """Of an execution something begins, or ends, to be stopped: its ancestors hear of it at the decision's end."""
    state.stop_changes[execution.execution_id] = execution


def tell_ancestors(state: State) -> None:
    """Let all ancestors know of what this decision changed. Once, at its end: much is taken back within a decision."""
    for execution in list(state.stop_changes.values()):
        _tell_ancestors(state, execution)
    state.stop_changes.clear()


def is_still(execution: Execution) -> bool:
    """Whether nothing of an execution, and nothing below it, is being stopped any more."""
    return not execution.attempts_stopping and not execution.children_stopping


def _tell_ancestors(state: State, execution: Execution) -> None:
    changed: Execution | None = execution
    while changed is not None:
        _show(state, changed)
        is_stopping = changed.status is ExecutionStatus.CANCELLING or not is_still(changed)
        parent = _parent(state, changed)
        if parent is None or is_stopping is changed.is_stopping:
            return
        changed.is_stopping = is_stopping
        parent.children_stopping += 1 if is_stopping else -1
        changed = parent


def _show(state: State, execution: Execution) -> None:
    execution_id = execution.execution_id
    # Its rows are as before; but it may leave memory now.
    state.decision.executions[execution_id] = execution
    state.decision.stopping[execution_id] = execution
    if execution.ended and not is_still(execution):
        state.still_stopping[execution_id] = execution
    else:
        state.still_stopping.pop(execution_id, None)


def _parent(state: State, execution: Execution) -> Execution | None:
    """The execution in memory that it goes with; None if there is none."""
    parent = state.executions.get(execution.parent_id) if execution.parent_id is not None else None
    if parent is None or not _goes_with_parent(execution):
        return None
    children = parent.workflow.children if parent.workflow is not None else parent.children
    return parent if execution.execution_id in children else None


def _goes_with_parent(execution: Execution) -> bool:
    if execution.workflow is not None:
        return not execution.workflow.is_abandoned
    return execution.spawned is not None and execution.spawned.parent_close is ParentClosePolicy.CANCEL
