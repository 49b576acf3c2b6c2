"""Keeps organisations apart: each has names of its own for executions, queues and workers, and cannot say another's.

The engine knows one space of names. The gateways put the organisation before each name that comes in, and take it off
each that goes out. The default organisation's names stand as they are.
"""

from __future__ import annotations

from typing import Final

import msgspec

from rescind.errors import InvalidInput
from rescind.model.audit import AuditRecord
from rescind.model.child_operations import SpawnChild
from rescind.model.commands import DEFAULT_ORGANISATION
from rescind.model.events import HistoryEvent
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ORGANISATION_SEPARATOR, ExecutionId, WorkerId
from rescind.model.messages import AgentProgress, FromWorker, WorkerAlive, WorkerJoined, WorkerLeft
from rescind.model.operations import AnyOperation, ScheduleTask
from rescind.model.overviews import ListedTask, ParkedAgents, RunningWork, StuckTask, WaitingWork, WorkerView
from rescind.model.views import ExecutionDetails, ExecutionView, TaskView

SEPARATOR: Final = ORGANISATION_SEPARATOR
_NAMES_IN_EVENTS: Final = ("queue", "worker", "child_id")


def inner(organisation: str, name: str) -> str:
    """A name of an organisation, as the engine knows it. Raises InvalidInput if no name may be like this."""
    if SEPARATOR in name:
        raise InvalidInput(f"{name[:100]!r} has {SEPARATOR!r} in it, which no id and no queue may have.")
    return name if organisation == DEFAULT_ORGANISATION else f"{organisation}{SEPARATOR}{name}"


def inner_id(organisation: str, execution_id: str) -> ExecutionId:
    """An execution's id, as the engine knows it."""
    return ExecutionId(inner(organisation, execution_id))


def outer(name: str) -> str:
    """A name as its organisation knows it."""
    return name.rpartition(SEPARATOR)[2]


def belongs(organisation: str, name: str) -> bool:
    """Whether a name of the engine's is this organisation's."""
    before, separator, _ = name.rpartition(SEPARATOR)
    return (before if separator else DEFAULT_ORGANISATION) == organisation


def inner_execution_filter(organisation: str, selection: ExecutionFilter) -> ExecutionFilter:
    """A filter that selects nothing of other organisations."""
    queue = inner(organisation, selection.queue) if selection.queue is not None else None
    worker_id = _inner_or_none(organisation, selection.worker_id)
    id_prefix = inner(organisation, selection.id_prefix) if selection.id_prefix is not None else None
    parent_id = inner_id(organisation, selection.parent_id) if selection.parent_id is not None else None
    return msgspec.structs.replace(
        selection,
        organisation=organisation,
        queue=queue,
        worker_id=worker_id,
        id_prefix=id_prefix,
        parent_id=parent_id,
    )


def inner_task_filter(organisation: str, selection: TaskFilter) -> TaskFilter:
    """A filter that selects nothing of other organisations."""
    execution_id = inner_id(organisation, selection.execution_id) if selection.execution_id is not None else None
    queue = inner(organisation, selection.queue) if selection.queue is not None else None
    worker_id = _inner_or_none(organisation, selection.worker_id)
    return msgspec.structs.replace(
        selection, organisation=organisation, queue=queue, execution_id=execution_id, worker_id=worker_id
    )


def _inner_or_none(organisation: str, worker_id: WorkerId | None) -> WorkerId | None:
    return WorkerId(inner(organisation, worker_id)) if worker_id is not None else None


def inner_message(organisation: str, message: FromWorker) -> FromWorker:
    """A worker's message, in which queues are those of its organisation.

    Executions are not named anew: a worker names those that it was given, by the names that it was given.
    """
    match message:
        case WorkerJoined():
            queues = tuple(inner(organisation, each) for each in message.queues)
            return msgspec.structs.replace(message, worker_id=_inner_worker(organisation, message), queues=queues)
        case WorkerLeft() | WorkerAlive():
            return msgspec.structs.replace(message, worker_id=_inner_worker(organisation, message))
        case AgentProgress() if any(_goes_elsewhere(organisation, each) for each in message.operations):
            operations = tuple(_inner_operation(organisation, each) for each in message.operations)
            return msgspec.structs.replace(message, operations=operations)
        case _:
            return message


def _inner_worker(organisation: str, message: WorkerJoined | WorkerLeft | WorkerAlive) -> WorkerId:
    return WorkerId(inner(organisation, message.worker_id))


def _goes_elsewhere(organisation: str, operation: AnyOperation) -> bool:
    match operation:
        case ScheduleTask(queue=str(queue)) if not belongs(organisation, queue):
            return True
        case SpawnChild(queue=queue, child_id=child_id):
            return not belongs(organisation, child_id) or (queue is not None and not belongs(organisation, queue))
    return False


def _inner_operation(organisation: str, operation: AnyOperation) -> AnyOperation:
    """An operation whose queue, and whose new execution, are of this organisation, whatever names it was given."""
    if not isinstance(operation, ScheduleTask | SpawnChild):
        return operation
    if operation.queue is not None:
        operation = msgspec.structs.replace(operation, queue=inner(organisation, outer(operation.queue)))
    if isinstance(operation, SpawnChild):
        return msgspec.structs.replace(operation, child_id=inner_id(organisation, outer(operation.child_id)))
    return operation


def outer_execution(view: ExecutionView) -> ExecutionView:
    """An execution as its organisation knows it."""
    if SEPARATOR not in view.execution_id:
        return view
    parent_id = ExecutionId(outer(view.parent_id)) if view.parent_id is not None else None
    return msgspec.structs.replace(
        view, execution_id=outer(view.execution_id), queue=outer(view.queue), parent_id=parent_id
    )


def outer_task(view: TaskView) -> TaskView:
    """A task as its organisation knows it."""
    if SEPARATOR not in view.queue:
        return view
    worker_id = WorkerId(outer(view.worker_id)) if view.worker_id is not None else None
    return msgspec.structs.replace(view, queue=outer(view.queue), worker_id=worker_id)


def outer_details(details: ExecutionDetails) -> ExecutionDetails:
    """An execution with all that belongs to it, as its organisation knows it."""
    if SEPARATOR not in details.execution.execution_id:
        return details
    tasks = tuple(outer_task(task) for task in details.tasks)
    children = tuple(
        msgspec.structs.replace(child, execution_id=outer(child.execution_id)) for child in details.children
    )
    return msgspec.structs.replace(
        details, execution=outer_execution(details.execution), tasks=tasks, children=children
    )


def outer_event(event: HistoryEvent) -> HistoryEvent:
    """An event as its organisation knows it: with the names of queues and workers that it gave them."""
    details = event.details or {}
    names: dict[str, object] = {
        name: outer(details[name]) for name in _NAMES_IN_EVENTS if SEPARATOR in details.get(name, "")
    }
    if "children" in details:
        names["children"] = [outer(each) for each in details["children"]]
    return msgspec.structs.replace(event, details=details | names) if names else event


def outer_text(organisation: str, text: str) -> str:
    """What the engine says of something of an organisation, in that one's names."""
    return text if organisation == DEFAULT_ORGANISATION else text.replace(f"{organisation}{SEPARATOR}", "")


def outer_listed(listed: ListedTask) -> ListedTask:
    """A task in a list, as its organisation knows it."""
    if SEPARATOR not in listed.execution_id:
        return listed
    at_work = tuple(msgspec.structs.replace(each, worker_id=outer(each.worker_id)) for each in listed.at_work)
    return msgspec.structs.replace(
        listed, execution_id=outer(listed.execution_id), task=outer_task(listed.task), at_work=at_work
    )


def outer_stuck(stuck: StuckTask) -> StuckTask:
    """A stuck task, as its organisation knows it."""
    return msgspec.structs.replace(stuck, listed=outer_listed(stuck.listed))


def outer_waiting(waiting: WaitingWork) -> WaitingWork:
    """Waiting work, as its organisation knows it."""
    return msgspec.structs.replace(waiting, queue=outer(waiting.queue))


def outer_parked(parked: ParkedAgents) -> ParkedAgents:
    """Parked agents, as their organisation knows them."""
    return msgspec.structs.replace(parked, execution_id=outer(parked.execution_id))


def outer_audit(record: AuditRecord) -> AuditRecord:
    """What somebody asked for, as their organisation knows it."""
    if record.execution_id is None or SEPARATOR not in record.execution_id:
        return record
    return msgspec.structs.replace(record, execution_id=ExecutionId(outer(record.execution_id)))


def outer_work(work: RunningWork) -> RunningWork:
    """Something that a worker runs, as its organisation knows it."""
    return msgspec.structs.replace(work, execution_id=ExecutionId(outer(work.execution_id)))


def outer_worker(worker: WorkerView) -> WorkerView:
    """A worker, as its organisation knows it."""
    queues = tuple(outer(queue) for queue in worker.queues)
    return msgspec.structs.replace(worker, worker_id=outer(worker.worker_id), queues=queues)
