"""What others see of a workflow beyond any execution."""

from __future__ import annotations

from rescind.model.workflows import WorkflowView
from rescind_server.engine.entities import Execution


def workflow_view(execution: Execution) -> WorkflowView | None:
    """A workflow as it stands; None if the execution is none."""
    workflow = execution.workflow
    if workflow is None:
        return None
    return WorkflowView(
        execution_id=execution.execution_id,
        sequence=len(workflow.log),
        version=workflow.version,
        priority_ms=workflow.priority_ms,
        state=dict(workflow.state),
        parent_id=workflow.parent_id,
        child_execution_name=workflow.child_name,
        children={child_id: child.name for child_id, child in workflow.children.items()},
        worker_id=workflow.worker_id,
        retries=workflow.retries,
    )
