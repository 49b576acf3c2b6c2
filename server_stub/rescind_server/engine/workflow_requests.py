"""What is asked about workflows: each command goes to its rule; what is about an agent is left to those of agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rescind.model.commands import (
    ACCEPTED,
    CancelExecution,
    Command,
    Refused,
    Reply,
    SignalExecution,
    Signalled,
)
from rescind.model.events import EventType
from rescind.model.ids import Instant
from rescind.model.status import ExecutionStatus
from rescind.model.workflow_events import RetryRequested, WorkflowStarted
from rescind.model.workflows import (
    HoldWorkflows,
    PollWorkflow,
    ReleaseWorkflow,
    RetryWorkflow,
    SettlePromise,
    SignalWithStart,
    StartWorkflow,
    SubmitWorkflowCommands,
    WithdrawPoll,
    WorkerGone,
    WorkerSeen,
    WorkflowRetried,
)
from rescind_server.engine import (
    stopping,
    workers,
    workflow_checks,
    workflow_claims,
    workflow_endings,
    workflow_promises,
    workflow_starts,
    workflow_submissions,
)
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import State, record
from rescind_server.engine.workflow_entities import workflow_of
from rescind_server.engine.workflow_log import append, tell_task_ended


def decide(state: State, command: Command, closed: Execution | None, seed: int) -> Reply | None:
    """The answer to a command about a workflow; None if it is not about one.

    Args:
        state: the engine's memory.
        command: what is asked.
        closed: the execution that it names, if that has left memory.
        seed: what ids are derived from that nobody chose.
    """
    match command:
        case StartWorkflow():
            if closed is not None:
                return workflow_starts.same_start(command, closed)
            return workflow_starts.start(state, command, seed)
        case SignalWithStart():
            return workflow_starts.signal_with_start(state, command, seed)
        case RetryWorkflow():
            return _retry(state, command, closed)
        case SubmitWorkflowCommands() if closed is not None:
            return _of_workflow(closed, lambda: workflow_submissions.answer_closed(command, closed))
        case SettlePromise() if closed is not None:
            return workflow_promises.answer_closed(state, command, closed)
        case ReleaseWorkflow() if closed is not None:
            return ACCEPTED
        case SignalExecution() | CancelExecution():
            execution = state.executions.get(command.execution_id)
            if execution is None or execution.workflow is None:
                return None
            if isinstance(command, CancelExecution):
                return workflow_endings.cancel(state, command, execution)
            return _signal(state, command, execution)
        case _:
            rule = _RULES.get(type(command))
            return rule(state, command) if rule is not None else None


def _of_workflow(execution: Execution, answer: Callable[[], Reply]) -> Reply:
    return answer() if execution.workflow is not None else workflow_checks.not_found(execution.execution_id)


def _signal(state: State, command: SignalExecution, execution: Execution) -> Reply:
    if execution.ended:
        record(state, execution, EventType.SIGNAL_REFUSED, name=command.name, by=command.by)
        return workflow_checks.ended(execution)
    sequence = workflow_starts.signal(state, execution, command.name, command.value, command.by)
    return sequence if isinstance(sequence, Refused) else Signalled(sequence)


def _retry(state: State, command: RetryWorkflow, closed: Execution | None) -> Reply:
    """Let a failed workflow go on from its log: what came due, or ended, while it was not there is told now."""
    execution = closed or state.executions.get(command.execution_id)
    if execution is None:
        return workflow_checks.not_found(command.execution_id)
    if execution.workflow is None:
        return Refused(
            "RequestError",
            f"execution {command.execution_id!r} is an agent; only workflows are let go on by hand. Start another one.",
        )
    if execution.status is not ExecutionStatus.FAILED:
        return Refused(
            "ExecutionEnded" if execution.ended else "RequestError",
            f"workflow {command.execution_id!r} is {execution.status.value}; only a FAILED one is let go on by hand.",
        )
    if execution.cause is not None:
        return Refused(
            "ExecutionEnded",
            f"workflow {command.execution_id!r} was cancelled, and failed as it cleaned up. Start another one.",
        )
    state.executions[execution.execution_id] = execution
    execution.status = ExecutionStatus.PENDING
    execution.failure = execution.ended_at = None
    workflow = workflow_of(execution)
    why = {"reason": command.note} if command.note else {}
    record(state, execution, EventType.EXECUTION_RETRIED, by=command.by, **why)
    _begin_time_anew(state, execution)
    append(state, execution, RetryRequested(command.note))
    for task in execution.tasks.values():
        state.workflows.tasks[task.task_id] = execution
        if task.outcome is not None and task.task_id not in workflow.ended_tasks:
            tell_task_ended(state, task)
    for child_id in workflow.children:
        child = state.executions.get(child_id) or state.away.get(child_id)
        if child is not None and child.ended and child.workflow is not None:
            workflow_endings.tell_parent(state, child)
    workflow_promises.watch(state, execution)
    stopping.note(state, execution)
    if execution not in state.workflows.offered:
        workflow_claims.offer(state, execution)
    return WorkflowRetried(execution.execution_id, workflow.retries)


def _begin_time_anew(state: State, execution: Execution) -> None:
    """The workflow has all the time that it was given once more: that of before may long be over."""
    workflow = workflow_of(execution)
    if workflow.timeout_at is None:
        return
    begun = next(each.at for each in reversed(workflow.log) if isinstance(each.event, WorkflowStarted | RetryRequested))
    workflow.timeout_at = Instant(state.now + workflow.timeout_at - begun)
    workflow.timeout = state.deadlines.set(workflow.timeout_at, DeadlineKind.WORKFLOW_TIMEOUT, execution)


_RULES: Final[Mapping[type, Callable[[State, Any], Reply]]] = {
    SettlePromise: workflow_promises.settle_from_outside,
    PollWorkflow: workflow_claims.poll,
    WithdrawPoll: workflow_claims.withdraw,
    WorkerSeen: workflow_claims.seen,
    HoldWorkflows: workflow_claims.still_made,
    WorkerGone: workers.gone,
    SubmitWorkflowCommands: workflow_submissions.submit,
    ReleaseWorkflow: workflow_claims.give_back,
}
