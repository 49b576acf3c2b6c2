"""Names of queues and executions within workflows' commands and events: an organisation's own, and the engine's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from rescind.model.ids import ExecutionId
from rescind.model.workflow_commands import (
    AnyWorkflowCommand,
    RequestCancelChildWorkflow,
    ScheduleChildWorkflow,
    ScheduleTask,
)
from rescind.model.workflow_events import AnyWorkflowEvent, LoggedEvent
from rescind.model.workflows import WorkflowView
from rescind_server.gateway.organisations import SEPARATOR, inner, inner_id, outer, outer_text

_IDS: Final = ("child_workflow_execution_id", "requested_by")
_TEXTS: Final = ("error",)


def inner_commands(organisation: str, commands: Iterable[AnyWorkflowCommand]) -> tuple[AnyWorkflowCommand, ...]:
    """Commands in which executions and queues have the engine's names."""
    return tuple(_inner_command(organisation, each) for each in commands)


def _inner_command(organisation: str, command: AnyWorkflowCommand) -> AnyWorkflowCommand:
    match command:
        case ScheduleTask() if command.queue is not None:
            return msgspec.structs.replace(command, queue=inner(organisation, command.queue))
        case ScheduleChildWorkflow():
            child_id = inner_id(organisation, command.child_workflow_execution_id)
            queue = inner(organisation, command.queue) if command.queue else ""
            return msgspec.structs.replace(command, child_workflow_execution_id=child_id, queue=queue)
        case RequestCancelChildWorkflow():
            child_id = inner_id(organisation, command.child_workflow_execution_id)
            return msgspec.structs.replace(command, child_workflow_execution_id=child_id)
        case _:
            return command


def outer_logged(organisation: str, logged: LoggedEvent) -> LoggedEvent:
    """An event of a log, in which executions have the names that their organisation knows."""
    event: AnyWorkflowEvent = logged.event
    changed: dict[str, Any] = {}
    for name in _IDS:
        text = getattr(event, name, "")
        if SEPARATOR in text:
            changed[name] = outer(text)
    for name in _TEXTS:
        text = getattr(event, name, "")
        if SEPARATOR in text:
            changed[name] = outer_text(organisation, text)
    return logged if not changed else LoggedEvent(logged.sequence, logged.at, msgspec.structs.replace(event, **changed))


def outer_view(view: WorkflowView) -> WorkflowView:
    """What a workflow has beyond any execution, as its organisation knows it."""
    return msgspec.structs.replace(
        view,
        execution_id=ExecutionId(outer(view.execution_id)),
        parent_id=ExecutionId(outer(view.parent_id)) if view.parent_id is not None else None,
        children={ExecutionId(outer(child_id)): name for child_id, name in view.children.items()},
        worker_id=outer(view.worker_id) if view.worker_id is not None else None,
    )
