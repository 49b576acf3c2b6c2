"""What an execution is: an agent, a workflow, or a task that belongs to nothing else."""

from __future__ import annotations

from enum import StrEnum

from rescind.model.filters import ExecutionFilter
from rescind_server.engine.entities import Execution


class Nature(StrEnum):
    """What an execution is."""

    AGENT = "AGENT"
    WORKFLOW = "WORKFLOW"
    TASK = "TASK"


class NatureFilter(ExecutionFilter, frozen=True, gc=False):
    """Selects executions of one nature alone. Our own wire shows them all."""

    nature: Nature = Nature.AGENT


def nature_of(execution: Execution) -> Nature:
    """What an execution is."""
    if execution.workflow is not None:
        return Nature.WORKFLOW
    return Nature.TASK if execution.called is not None and execution.called.is_task else Nature.AGENT


def looked_nature(execution: Execution | None) -> Nature | None:
    """What an execution is, as a question to `Host.look`; None if there is none."""
    return nature_of(execution) if execution is not None else None
