"""Workflows begin: by a client, by a parent, by the first signal."""

from __future__ import annotations

import msgspec

from rescind.model.commands import Refused, Reply, Started, StartExecution
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId, Instant
from rescind.model.options import LONGEST_MS
from rescind.model.payload import Payload
from rescind.model.workflow_events import SignalReceived, WorkflowStarted
from rescind.model.workflows import MOST_SIGNALS, SignalledWithStart, SignalWithStart, StartWorkflow
from rescind_server.engine import workflow_claims, workflow_keys
from rescind_server.engine.beginning import begin
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Execution
from rescind_server.engine.naming import execution_id_of
from rescind_server.engine.state import State, record
from rescind_server.engine.workflow_entities import ChildWorkflow, Workflow, workflow_of
from rescind_server.engine.workflow_log import append, tell


def start(state: State, command: StartWorkflow, seed: int) -> Reply:
    """Create a workflow, or recognise the one that this request, or its key, stands for."""
    if command.idempotency_key is not None:
        owner = workflow_keys.owner_of(state, command.organisation, command.idempotency_key)
        if owner is not None and not owner.is_workflow:
            return key_is_taken(command.idempotency_key)
        if owner is not None:
            return Started(owner.execution_id, created=False)
    if command.execution_id is not None:
        known = state.executions.get(command.execution_id)
        if known is not None:
            return same_start(command, known)
    refused = _parent_refuses(state, command)
    return refused or Started(_create(state, command, seed).execution_id, created=True)


def is_meant(state: State, command: StartExecution, execution_id: ExecutionId) -> bool:
    """Whether a start that names a kind alone begins a workflow. What exists under its id is found as it is."""
    if not command.or_workflow or execution_id in state.executions:
        return False
    return state.announcements.is_workflow_alone((command.queue, command.kind))


def start_meant(state: State, command: StartExecution, execution_id: ExecutionId) -> Reply:
    """Create a workflow for a start that names a kind alone."""
    meant = StartWorkflow(
        kind=command.kind,
        input=command.input,
        queue=command.queue,
        labels=command.labels,
        by=command.by,
        organisation=command.organisation,
        trace_parent=command.trace_parent,
    )
    create(state, meant, execution_id, is_told=False)
    return Started(execution_id, created=True)


def same_start(command: StartWorkflow, known: Execution) -> Reply:
    """What a start answers whose id exists: the same request gets the same workflow, another one is refused."""
    if known.workflow is not None and (known.kind, known.input) == (command.kind, command.input):
        return Started(known.execution_id, created=False)
    return id_is_taken(known.execution_id)


def id_is_taken(execution_id: str) -> Refused:
    """The refusal for an id that another execution has."""
    return Refused("AlreadyExists", f"execution {execution_id!r} exists, and is another. Choose another id.")


def key_is_taken(key: str) -> Refused:
    """The refusal for a key that is not of a workflow, or of a stranger's; which, is not told: keys may be guessed."""
    return Refused("AlreadyExists", f"idempotency key {key!r} belongs to something else. Choose another key.")


def signal_with_start(state: State, command: SignalWithStart, seed: int) -> Reply:
    """Signal the open workflow that has the key, or one that is created for it."""
    key = command.start.idempotency_key
    if not key:
        return Refused("InvalidInput", "signal with start needs an idempotency key, by which the workflow is found.")
    owner = workflow_keys.owner_of(state, command.start.organisation, key)
    if owner is not None and not owner.is_workflow:
        return key_is_taken(key)
    execution = state.executions.get(owner.execution_id) if owner is not None else None
    if execution is None or execution.ended or execution.workflow is None:
        # Found by its key alone: an id might be somebody else's.
        execution = _create(state, msgspec.structs.replace(command.start, execution_id=None), seed)
        created = True
    elif command.only_own and execution.created_by != command.start.by:
        return key_is_taken(key)
    else:
        created = False
    sequence = signal(state, execution, command.name, command.value, command.start.by)
    if isinstance(sequence, Refused):
        return sequence
    return SignalledWithStart(execution.execution_id, created, sequence)


def signal(state: State, execution: Execution, name: str, value: Payload, by: str) -> int | Refused:
    """Write a signal to an open workflow's log; returns its number there."""
    workflow = workflow_of(execution)
    if workflow.signals >= MOST_SIGNALS:
        record(state, execution, EventType.SIGNAL_REFUSED, name=name, by=by)
        return Refused(
            "LimitReached",
            f"workflow {execution.execution_id!r} was sent {MOST_SIGNALS:,} signals, and takes no more. Start another.",
        )
    record(state, execution, EventType.SIGNAL_RECEIVED, name=name, number=workflow.signals + 1, by=by)
    execution.signal_count += 1
    return tell(state, execution, SignalReceived(name, value))


def create(
    state: State, command: StartWorkflow, execution_id: ExecutionId, *, is_told: bool, is_abandoned: bool = False
) -> Execution:
    """Create a workflow of an id that is free, and offer it."""
    workflow = Workflow(
        version=command.version,
        priority_ms=_within_bounds(command.priority_ms),
        parent_id=command.parent_id,
        child_name=command.child_execution_name,
        is_told=is_told,
        is_abandoned=is_abandoned,
        key=command.idempotency_key,
    )
    execution = begin(state, command, execution_id, workflow=workflow)
    append(state, execution, WorkflowStarted(execution.kind, command.input, command.labels))
    if command.timeout_ms is not None:
        workflow.timeout_at = Instant(state.now + max(0, _within_bounds(command.timeout_ms)) * 1_000)
        workflow.timeout = state.deadlines.set(workflow.timeout_at, DeadlineKind.WORKFLOW_TIMEOUT, execution)
    workflow_claims.offer(state, execution)
    return execution


def _within_bounds(milliseconds: int) -> int:
    # What the store cannot keep would be noticed by its commit alone, which is too late.
    return max(-LONGEST_MS, min(milliseconds, LONGEST_MS))


def _create(state: State, command: StartWorkflow, seed: int) -> Execution:
    execution_id = command.execution_id
    if execution_id is None:
        execution_id = execution_id_of(seed, state.order)
    execution = create(state, command, execution_id, is_told=False)
    if command.idempotency_key is not None:
        workflow_keys.bind(state, execution, command.idempotency_key, command.idempotency_key_ttl_seconds)
    if command.parent_id is not None:
        _add_to_parent(state, command.parent_id, execution)
    return execution


def _parent_refuses(state: State, command: StartWorkflow) -> Refused | None:
    if command.parent_id is None:
        return None
    parent = state.executions.get(command.parent_id)
    if parent is None or parent.workflow is None or parent.organisation != command.organisation:
        return Refused("NotFound", f"no open workflow {command.parent_id!r} to be the parent. Check the id.")
    if parent.ended:
        return Refused("ExecutionEnded", f"workflow {command.parent_id!r} is {parent.status.value}; start without it.")
    name = command.child_execution_name
    if name and any(child.name == name for child in parent.workflow.children.values()):
        return Refused("AlreadyExists", f"workflow {command.parent_id!r} has a child {name!r}. Choose another name.")
    return None


def _add_to_parent(state: State, parent_id: ExecutionId, child: Execution) -> None:
    parent = workflow_of(state.executions[parent_id])
    parent.children[child.execution_id] = ChildWorkflow(workflow_of(child).child_name, child.execution_id)
