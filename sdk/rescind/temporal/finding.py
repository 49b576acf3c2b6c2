"""Finding executions and tasks on a cluster: by Temporal's list of workflows, and by asking those for their tasks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError

from rescind.errors import InvalidInput, RescindError
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import Instant
from rescind.model.overviews import ListedTask
from rescind.model.status import TERMINAL_EXECUTION, TERMINAL_TASK, CancelMode, CancelTaskResult, ExecutionStatus
from rescind.model.views import ExecutionView, TaskView
from rescind.temporal import names
from rescind.temporal.client_port import TemporalClientPort
from rescind.temporal.connecting import error_of
from rescind.temporal.outside import view_of

_STEP: Final = 20
_OURS: Final[Mapping[ExecutionStatus, tuple[str, ...]]] = {
    ExecutionStatus.COMPLETED: ("Completed", "Running"),
    ExecutionStatus.FAILED: ("Failed", "TimedOut", "Running"),
    ExecutionStatus.CANCELLED: ("Canceled", "Terminated", "Running"),
}


async def ensure_labels_are_found(client: Client) -> bool:
    """Whether the namespace has the search attribute for labels; it is added where that is permitted."""
    operator = client.operator_service
    try:
        known = await operator.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
        if names.LABELS_ATTRIBUTE not in known.custom_attributes:
            wanted = {names.LABELS_ATTRIBUTE: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST}
            await operator.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wanted)
            )
            # The cluster's nodes learn of it one by one: the next client uses it.
            return False
    except RPCError:
        return False
    return True


class Finding:
    """Looks for what a filter selects."""

    def __init__(self, port: TemporalClientPort) -> None:
        self._port = port

    async def executions(self, selection: ExecutionFilter) -> AsyncIterator[ExecutionView]:
        """The executions that it selects, the newest first."""
        query = _query(selection, finds_labels=self._port.finds_labels)
        try:
            async for found in self._port.client.list_workflows(query):
                view = await view_of(found)
                if view is not None and not _moved_on(found) and _selects(selection, view):
                    yield view
        except RPCError as error:
            raise error_of(error, "the list of executions") from error

    async def tasks(self, selection: TaskFilter) -> AsyncIterator[ListedTask]:
        """The tasks that it selects."""
        async for execution in self._holders(selection):
            details = await self._port.describe(execution.execution_id)
            for task in details.tasks:
                if _selects_task(selection, task):
                    yield ListedTask(execution.execution_id, execution.kind, task, ())

    async def count(self, selection: ExecutionFilter | TaskFilter) -> int:
        """How many open ones it selects."""
        return len([each async for each in self._open(selection)])

    async def cancel(
        self, selection: ExecutionFilter | TaskFilter, reason: str | None, *, hard: bool
    ) -> AsyncIterator[Mapping[CancelTaskResult, int]]:
        """Cancel what is open of what it selects, some at a time. Yields the counts so far."""
        counts: Counter[CancelTaskResult] = Counter()
        step: list[Any] = []
        async for each in self._open(selection):
            step.append(each)
            if len(step) == _STEP:
                counts.update(await self._cancel_step(step, reason, hard=hard))
                step = []
                yield counts
        counts.update(await self._cancel_step(step, reason, hard=hard))
        yield counts

    async def _cancel_step(self, step: Sequence[Any], reason: str | None, *, hard: bool) -> list[CancelTaskResult]:
        return list(await asyncio.gather(*(self._cancel(each, reason, hard=hard) for each in step)))

    async def _cancel(self, each: ExecutionView | ListedTask, reason: str | None, *, hard: bool) -> CancelTaskResult:
        if isinstance(each, ExecutionView):
            return await self._port.cancel_execution(each.execution_id, reason, hard=hard)
        return await self._port.cancel_task(each.execution_id, each.task.task_id, reason, CancelMode.TRY)

    async def _open(self, selection: ExecutionFilter | TaskFilter) -> AsyncIterator[ExecutionView | ListedTask]:
        if isinstance(selection, TaskFilter):
            async for listed in self.tasks(selection):
                if listed.task.status not in TERMINAL_TASK:
                    yield listed
            return
        async for view in self.executions(selection):
            if view.status not in TERMINAL_EXECUTION:
                yield view

    async def _holders(self, selection: TaskFilter) -> AsyncIterator[ExecutionView]:
        """The executions whose tasks are to be looked at."""
        if selection.worker_id is not None:
            raise _unknown_to_clusters("worker")
        if selection.execution_id is not None:
            yield (await self._port.describe(selection.execution_id)).execution
            return
        open_ones = ExecutionFilter(
            kind=selection.agent, created_by=selection.created_by, organisation=selection.organisation
        )
        async for view in self.executions(open_ones):
            if view.status not in TERMINAL_EXECUTION or view.ended_at is None:
                yield view


def _query(selection: ExecutionFilter, *, finds_labels: bool) -> str:
    if selection.worker_id is not None:
        raise _unknown_to_clusters("worker")
    conditions = []
    if selection.kind is not None:
        conditions.append(f"WorkflowType = {_quoted(selection.kind)}")
    if selection.queue is not None:
        conditions.append(f"TaskQueue = {_quoted(selection.queue)}")
    if selection.statuses:
        wanted = {name for status in selection.statuses for name in _OURS.get(status, ("Running",))}
        conditions.append(f"ExecutionStatus IN ({', '.join(map(_quoted, sorted(wanted)))})")
    if selection.created_before is not None:
        conditions.append(f"StartTime < {_quoted(_time(selection.created_before))}")
    if selection.created_after is not None:
        conditions.append(f"StartTime >= {_quoted(_time(selection.created_after))}")
    if finds_labels:
        conditions += [
            f"{names.LABELS_ATTRIBUTE} = {_quoted(f'{name}={value}')}" for name, value in selection.labels.items()
        ]
    return " AND ".join(conditions)


def _selects(selection: ExecutionFilter, view: ExecutionView) -> bool:
    # An execution at work shows as RUNNING: only asked, its workflow would say whether it waits.
    at_work = {ExecutionStatus.PENDING, ExecutionStatus.WAITING, ExecutionStatus.RUNNING}
    statuses = set(selection.statuses)
    if statuses & at_work:
        statuses |= at_work
    return (
        (not statuses or view.status in statuses)
        and selection.created_by in (None, view.created_by)
        and selection.labels.items() <= view.labels.items()
    )


def _selects_task(selection: TaskFilter, task: TaskView) -> bool:
    is_at_work = any(stop.ended_at is None for stop in task.stops)
    return (
        (not selection.statuses or task.status in selection.statuses)
        and selection.kind in (None, task.kind)
        and selection.queue in (None, task.queue)
        and (selection.scheduled_before is None or task.scheduled_at < selection.scheduled_before)
        and (selection.scheduled_after is None or task.scheduled_at >= selection.scheduled_after)
        and selection.labels.items() <= task.labels.items()
        and (not selection.stopping or is_at_work or task.cancel_requested_at is not None)
        and (not selection.unsettled or is_at_work or task.status not in TERMINAL_TASK)
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _time(at: Instant) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat()


def _moved_on(found: WorkflowExecution) -> bool:
    """Whether it is but an earlier run of a workflow that goes on."""
    return found.status is WorkflowExecutionStatus.CONTINUED_AS_NEW


def _unknown_to_clusters(what: str) -> RescindError:
    return InvalidInput(f"a Temporal cluster does not tell executions by their {what}. Leave that condition out.")
