"""A pass over a workflow comes in: all of it is recorded, or nothing; then the workflow ends, runs on or waits."""

from __future__ import annotations

from rescind.model.commands import Reply
from rescind.model.events import EventType
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import ExecutionStatus, FailureKind
from rescind.model.workflow_commands import CancelWorkflow, CompleteWorkflow, FailWorkflow, PassStatus
from rescind.model.workflow_events import WorkflowCompleted, WorkflowExecutionFailed
from rescind.model.workflows import Submitted, SubmitWorkflowCommands
from rescind_server.engine import workflow_checks, workflow_claims, workflow_endings, workflow_rules
from rescind_server.engine.activations import set_status
from rescind_server.engine.entities import Execution, Phase
from rescind_server.engine.state import State, record
from rescind_server.engine.workflow_entities import Workflow, workflow_of
from rescind_server.engine.workflow_log import append

_CANCELLED = "CANCELLED"
"""The failure type with which clients report a cancelled workflow that have no other word for it."""


def submit(state: State, command: SubmitWorkflowCommands) -> Reply:
    """Take in a pass. One that was taken in before is recognised; one that is none of the standing claim is refused."""
    execution = state.executions.get(command.execution_id)
    if execution is None or execution.workflow is None:
        return workflow_checks.not_found(command.execution_id)
    repeated = as_repeated(command, execution)
    if repeated is not None:
        return repeated
    refused = workflow_checks.wrong_pass(execution, command.claim, command.first_sequence)
    refused = refused or workflow_checks.Checks(state, execution).problem(command.commands, command.status)
    if refused is not None:
        return refused
    workflow = execution.workflow
    has_news = _has_news(workflow, command.first_sequence)
    workflow_claims.let_go(state, execution)
    execution.number = execution.run
    workflow.has_news = False
    for each in command.commands:
        workflow_rules.apply(state, execution, each)
    _end_pass(state, execution, command, has_news=has_news)
    return Submitted(len(workflow.log), execution.status)


def as_repeated(command: SubmitWorkflowCommands, execution: Execution) -> Submitted | None:
    """The answer to a submission whose claim's pass was taken in before: it changes nothing. None if it was not."""
    if command.claim is None or command.claim != execution.number:
        return None
    return Submitted(len(workflow_of(execution).log), execution.status, repeated=True)


def answer_closed(command: SubmitWorkflowCommands, execution: Execution) -> Reply:
    """What is answered about a workflow that has ended and left memory."""
    return as_repeated(command, execution) or workflow_checks.ended(execution)


def _has_news(workflow: Workflow, first_sequence: int | None) -> bool:
    """Whether the log holds what the pass cannot have seen: if it does not say what it saw, since its claim."""
    return workflow.has_news if first_sequence is None else len(workflow.log) >= first_sequence


def _end_pass(state: State, execution: Execution, command: SubmitWorkflowCommands, *, has_news: bool) -> None:
    last = command.commands[-1] if command.commands else None
    match command.status:
        case PassStatus.COMPLETED:
            _complete(state, execution, last.output if isinstance(last, CompleteWorkflow) else NULL_PAYLOAD)
        case PassStatus.FAILED:
            _fail(state, execution, last if isinstance(last, FailWorkflow) else FailWorkflow("the workflow failed"))
        case PassStatus.CANCELLED:
            reason = last.reason if isinstance(last, CancelWorkflow) else ""
            workflow_endings.end_cancelled(state, execution, reason=reason)
        case PassStatus.SUSPENDED:
            _suspend(state, execution, has_news=has_news, cleaning_up=command.cleaning_up)
        case PassStatus.RUNNING:
            workflow_claims.offer(state, execution)


def _complete(state: State, execution: Execution, output: Payload) -> None:
    if execution.cause is not None:
        # A cancel that was accepted before this pass came stands: it was answered.
        workflow_endings.end_cancelled(state, execution)
        return
    append(state, execution, WorkflowCompleted(output))
    workflow_endings.finish(state, execution, ExecutionStatus.COMPLETED, output=output)


def _fail(state: State, execution: Execution, command: FailWorkflow) -> None:
    if execution.cause is not None and command.failure_type == _CANCELLED:
        workflow_endings.end_cancelled(state, execution)
        return
    failure = command.failure or Failure(FailureKind.ERROR, command.error, command.failure_type, retryable=False)
    append(
        state,
        execution,
        WorkflowExecutionFailed(command.error, command.stack_trace, command.failure_type, command.failure),
    )
    workflow_endings.finish(state, execution, ExecutionStatus.FAILED, failure=failure)


def _suspend(state: State, execution: Execution, *, has_news: bool, cleaning_up: bool) -> None:
    workflow = workflow_of(execution)
    # What the submission itself brought about beyond its own events counts as well: nothing may wait for what is so.
    if has_news or workflow.has_news:
        workflow_claims.offer(state, execution)
    elif execution.cause is not None and not cleaning_up:
        # It was told, and waits all the same: its worker does not understand cancels.
        workflow_endings.end_cancelled(state, execution)
    else:
        execution.phase = Phase.IDLE
        set_status(execution, ExecutionStatus.WAITING)
        record(state, execution, EventType.EXECUTION_SUSPENDED)
