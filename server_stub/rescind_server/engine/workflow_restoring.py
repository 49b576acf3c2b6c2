"""Workflows after a restart: their logs are folded anew, and what is to come due does, late rather than never."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rescind_server.engine import claim_ends, workflow_claims, workflow_keys, workflow_promises
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Execution, Phase
from rescind_server.engine.state import State
from rescind_server.engine.workflow_entities import ChildWorkflow, KeyName, KeyOwner, workflow_of


def restore(state: State, executions: Iterable[Execution], keys: Mapping[KeyName, KeyOwner]) -> None:
    """Go on with workflows whose logs are folded.

    A claim outlasts the restart by a short grace: a worker whose pass was under way may still submit it. It need not
    know any more that it has one, so nothing else that it says counts.
    """
    for name, owner in keys.items():
        workflow_keys.take_up(state, name, owner)
    for execution in executions:
        for task_id in execution.tasks:
            state.workflows.tasks[task_id] = execution
        _restore(state, execution)


def _restore(state: State, execution: Execution) -> None:
    workflow = workflow_of(execution)
    parent = state.executions.get(workflow.parent_id) if workflow.parent_id is not None else None
    if parent is not None and parent.workflow is not None and execution.execution_id not in parent.workflow.children:
        # Started from outside: its parent's log does not tell of it.
        child = ChildWorkflow(workflow.child_name, execution.execution_id)
        parent.workflow.children[execution.execution_id] = child
    if execution.ended:
        for promise in workflow.promises.values():
            workflow_promises.remember(state, execution, promise)
        return
    workflow_promises.watch(state, execution)
    if workflow.timeout_at is not None:
        workflow.timeout = state.deadlines.set(workflow.timeout_at, DeadlineKind.WORKFLOW_TIMEOUT, execution)
    if execution.phase is Phase.QUEUED:
        workflow_claims.put_into_backlog(state, execution)
    elif execution.phase is Phase.IN_FLIGHT and workflow.worker_id is not None:
        lease_ms = state.lease_ms if workflow.lease_ms is None else workflow.lease_ms
        workflow_claims.hold(state, execution, workflow.worker_id, lease_ms)
        claim_ends.limit(state, execution, claim_ends.PASS_RESTART_GRACE_MS)
