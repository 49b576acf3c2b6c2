"""The one door through which executions begin whose start was asked for: agents, workflows, and tasks of their own.

A child that an agent spawns begins in `rescind_server.engine.children`, with what its parent gives it.
"""

from __future__ import annotations

from rescind.model.children import Spawned
from rescind.model.commands import StartExecution
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId
from rescind.model.status import ExecutionStatus
from rescind.model.workflows import StartWorkflow
from rescind_server.engine.calls import StartTask
from rescind_server.engine.entities import Called, Execution, Phase
from rescind_server.engine.naming import shared
from rescind_server.engine.state import State, record
from rescind_server.engine.workflow_entities import Workflow


def begin(
    state: State,
    command: StartExecution | StartWorkflow | StartTask,
    execution_id: ExecutionId,
    *,
    spawned: Spawned | None = None,
    workflow: Workflow | None = None,
    stands_for_a_task: bool = False,
) -> Execution:
    """Create an execution of an id that is free, and record its start. Nobody is given it yet.

    Args:
        state: the engine's memory.
        command: what was asked.
        execution_id: its id.
        spawned: what an agent knows of its parent, if that lives elsewhere.
        workflow: what makes it a workflow.
        stands_for_a_task: whether it has no code, and is there for one task of its own.
    """
    execution = Execution(
        execution_id,
        shared(command.organisation),
        shared(command.kind),
        shared(command.queue),
        command.input,
        command.labels,
        shared(command.by),
        state.now,
        state.next_order(),
        trace_parent=command.trace_parent,
        spawned=spawned,
        workflow=workflow,
    )
    if stands_for_a_task:
        execution.status = ExecutionStatus.RUNNING
        execution.phase = Phase.IDLE
        execution.run = 1
        execution.called = Called(is_task=True)
    state.executions[execution_id] = execution
    record(state, execution, EventType.EXECUTION_STARTED, kind=command.kind, queue=command.queue, by=command.by)
    return execution
