"""Writing to a workflow's log. Whatever others write there is news to its code, which is run on then."""

from __future__ import annotations

from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import TaskStatus
from rescind.model.workflow_events import (
    AnyWorkflowEvent,
    LoggedEvent,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
)
from rescind_server.engine import workflow_claims
from rescind_server.engine.entities import Execution, Phase, Task
from rescind_server.engine.state import State
from rescind_server.engine.workflow_entities import workflow_of
from rescind_server.engine.workflow_fold import fold


def append(state: State, execution: Execution, event: AnyWorkflowEvent) -> int:
    """Write what the workflow's own pass asked for; returns the event's number. Every event passes here."""
    workflow = workflow_of(execution)
    sequence = len(workflow.log) + 1
    logged = LoggedEvent(sequence, state.now, event)
    workflow.log.append(logged)
    fold(workflow, logged)
    decision = state.decision
    decision.executions[execution.execution_id] = execution
    decision.logged.append((execution, logged))
    return sequence


def tell(state: State, execution: Execution, event: AnyWorkflowEvent) -> int:
    """Write what the code does not know yet, and let it run on if it waits; returns the event's number."""
    sequence = append(state, execution, event)
    workflow_of(execution).has_news = True
    if execution.phase is Phase.IDLE and not execution.ended:
        workflow_claims.offer(state, execution)
    return sequence


def tell_task_ended(state: State, task: Task) -> None:
    """A task has ended: its workflow's log says so, unless the workflow has ended, too."""
    execution, outcome = task.execution, task.outcome
    if execution.ended or outcome is None:
        return
    if outcome.status is TaskStatus.COMPLETED:
        tell(state, execution, TaskCompleted(task.task_id, outcome.output or NULL_PAYLOAD))
    elif outcome.status is TaskStatus.FAILED:
        failure = outcome.failure
        tell(state, execution, TaskFailed(task.task_id, failure.message if failure else "", failure=failure))
    else:
        cause = outcome.cause
        reason = str(cause) if cause is not None else ""
        tell(state, execution, TaskCancelled(task.task_id, task.kind, reason, cause))
