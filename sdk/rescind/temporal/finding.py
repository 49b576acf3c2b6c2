"""Finding executions and tasks on a cluster: by Temporal's list of workflows, and by asking those for their tasks."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError

from rescind.errors import InvalidInput, NotAllAnswered, NotFound, NotSupported, ServerUnavailable, UnknownKind
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId, Instant, TaskId
from rescind.model.overviews import ListedTask
from rescind.model.status import TERMINAL_EXECUTION, TERMINAL_TASK, CancelMode, CancelTaskResult, ExecutionStatus
from rescind.model.views import ExecutionView, PartialDetails, TaskView
from rescind.temporal import names
from rescind.temporal.asking import SOON
from rescind.temporal.client_port import TemporalClientPort
from rescind.temporal.connecting import error_of
from rescind.temporal.outside import view_of

PAGE: Final = 100
"""How much is fetched at once where all is asked for."""
MOST_IN_PAGE: Final = 1_000
ASKED_AT_ONCE: Final = 20
"""How many executions are asked of their tasks side by side."""

_STEP: Final = 20
_HOLDERS: Final = 20
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


class _Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a page of tasks begins.

    Attributes:
        page: the token of a page of executions.
        execution: one of those.
        task: one of its tasks.
        silent: the executions before that did not answer.
        found: how many tasks were found before.
        is_end: whether nothing is left but to say who did not answer.
    """

    page: bytes = b""
    execution: int = 0
    task: int = 0
    silent: tuple[str, ...] = ()
    found: int = 0
    is_end: bool = False


class Finding:
    """Looks for what a filter selects."""

    def __init__(self, port: TemporalClientPort) -> None:
        self._port = port

    async def executions(self, selection: ExecutionFilter, *, is_open: bool = False) -> AsyncIterator[ExecutionView]:
        """The executions that it selects, the newest first; with `is_open`, those whose workflow has not closed."""
        token = b""
        while True:
            page, token = await self._page(selection, PAGE, token, is_open=is_open)
            for view in page:
                yield view
            if not token:
                return

    async def executions_page(
        self, selection: ExecutionFilter, size: int, token: str
    ) -> tuple[Sequence[ExecutionView], str]:
        """Some of the executions that it selects, and the token of those behind them.

        A page may have fewer than were asked for, also before the last: part of a filter is applied here.

        Raises:
            InvalidInput: a size or token that cannot be meant.
        """
        following = _place_of(token, size).page
        while True:
            page, following = await self._page(selection, size, following)
            if page or not following:
                return page, _token_of(_Place(following)) if following else ""

    async def tasks(self, selection: TaskFilter) -> AsyncIterator[ListedTask]:
        """The tasks that it selects."""
        token = ""
        while True:
            page, token = await self.tasks_page(selection, PAGE, token)
            for listed in page:
                yield listed
            if not token:
                return

    async def tasks_page(self, selection: TaskFilter, size: int, token: str) -> tuple[Sequence[ListedTask], str]:
        """Some of the tasks that it selects, and the token of those behind them.

        Executions that do not answer soon are passed over. Behind the last page there is one more then, which says so.

        Raises:
            InvalidInput: a size or token that cannot be meant.
            NotFound: the filter names an execution that there is not.
            ServerUnavailable: no worker answered for the execution that the filter names.
            NotAllAnswered: all that was found is on the pages before.
        """
        place = _place_of(token, size)
        if place.is_end:
            raise NotAllAnswered(place.silent, place.found)
        found: list[ListedTask] = []
        while True:
            holders, following = await self._holders(selection, place.page)
            silent = list(place.silent)
            asked = holders[place.execution :]
            told = await self._told_by(asked, is_named=selection.execution_id is not None)
            for index, (holder, tasks) in enumerate(zip(asked, told, strict=True), place.execution):
                if tasks is None:
                    silent.append(holder.execution_id)
                first = place.task if index == place.execution else 0
                for number, listed in enumerate((tasks or ())[first:], first):
                    if not _selects_task(selection, listed.task):
                        continue
                    if len(found) == size:
                        seen = place.found + len(found)
                        return found, _token_of(_Place(place.page, index, number, tuple(silent), seen))
                    found.append(listed)
            place = _Place(following, silent=tuple(silent), found=place.found)
            if not following:
                end = _Place(silent=place.silent, found=place.found + len(found), is_end=True)
                return found, _token_of(end) if silent else ""

    async def _told_by(
        self, holders: Sequence[ExecutionView], *, is_named: bool
    ) -> Sequence[Sequence[ListedTask] | None]:
        """The tasks of each execution; None for one of which nobody tells them."""
        if is_named:
            return [await self._port.listed_tasks(each.execution_id, each.kind) for each in holders]
        return await asyncio.gather(*(tasks_soon(self._port, each) for each in holders))

    async def holder_of(self, task_id: TaskId) -> ExecutionId | None:
        """The open execution that a task belongs to; None if there is none. Each may have to be asked.

        Raises:
            ServerUnavailable: it was not found, and some executions did not tell of their tasks.
        """
        silent: list[ExecutionId] = []
        step: list[ExecutionView] = []
        async for view in self.executions(ExecutionFilter(), is_open=True):
            step.append(view)
            if len(step) == ASKED_AT_ONCE:
                if (holder := await self._holder_among(step, task_id, silent)) is not None:
                    return holder
                step = []
        holder = await self._holder_among(step, task_id, silent)
        if holder is None and silent:
            raise ServerUnavailable(
                f"task {task_id} was not found, but no worker answered for {len(silent):,} open executions, execution "
                f"{silent[0]!r} among them. Give the id of its execution."
            )
        return holder

    async def _holder_among(
        self, views: Sequence[ExecutionView], task_id: TaskId, silent: list[ExecutionId]
    ) -> ExecutionId | None:
        told = await asyncio.gather(*(tasks_soon(self._port, view) for view in views))
        silent.extend(view.execution_id for view, tasks in zip(views, told, strict=True) if tasks is None)
        held = (listed for tasks in told for listed in tasks or ())
        return next((listed.execution_id for listed in held if listed.task.task_id == task_id), None)

    async def count(self, selection: ExecutionFilter | TaskFilter) -> int:
        """How many open ones it selects.

        Raises:
            NotAllAnswered: some executions did not tell of their tasks. `found` is how many the others have.
        """
        count = 0
        try:
            async for _ in self._open(selection):
                count += 1
        except NotAllAnswered as error:
            raise NotAllAnswered(error.execution_ids, count) from None
        return count

    async def cancel(
        self, selection: ExecutionFilter | TaskFilter, reason: str | None, *, hard: bool
    ) -> AsyncIterator[Mapping[CancelTaskResult, int]]:
        """Cancel what is open of what it selects, some at a time. Yields the counts so far.

        Raises:
            NotAllAnswered: behind the last counts: some executions did not tell of their tasks.
        """
        counts: Counter[CancelTaskResult] = Counter()
        step: list[Any] = []
        unanswered: NotAllAnswered | None = None
        try:
            async for each in self._open(selection):
                step.append(each)
                if len(step) == _STEP:
                    counts.update(await self._cancel_step(step, reason, hard=hard))
                    step = []
                    yield counts
        except NotAllAnswered as error:
            unanswered = error
        counts.update(await self._cancel_step(step, reason, hard=hard))
        yield counts
        if unanswered is not None:
            raise NotAllAnswered(unanswered.execution_ids, counts.total())

    async def _cancel_step(self, step: Sequence[Any], reason: str | None, *, hard: bool) -> list[CancelTaskResult]:
        return list(await asyncio.gather(*(self._cancel(each, reason, hard=hard) for each in step)))

    async def _cancel(self, each: ExecutionView | ListedTask, reason: str | None, *, hard: bool) -> CancelTaskResult:
        if isinstance(each, ExecutionView):
            return await self._port.cancel_execution(each.execution_id, reason, hard=hard)
        mode = CancelMode.FORCE if hard else CancelMode.TRY
        return await self._port.cancel_task(each.execution_id, each.task.task_id, reason, mode)

    async def _open(self, selection: ExecutionFilter | TaskFilter) -> AsyncIterator[ExecutionView | ListedTask]:
        if isinstance(selection, TaskFilter):
            async for listed in self.tasks(selection):
                if listed.task.status not in TERMINAL_TASK:
                    yield listed
            return
        async for view in self.executions(selection, is_open=True):
            if view.status not in TERMINAL_EXECUTION:
                yield view

    async def _page(
        self, selection: ExecutionFilter, size: int, token: bytes, *, is_open: bool = False
    ) -> tuple[list[ExecutionView], bytes]:
        query = _query(selection, finds_labels=self._port.finds_labels, is_open=is_open)
        listed = self._port.client.list_workflows(query, page_size=size, next_page_token=token or None)
        try:
            await listed.fetch_next_page()
        except RPCError as error:
            raise error_of(error, "the list of executions") from error
        found = []
        for each in listed.current_page or ():
            view = await view_of(each)
            if view is not None and not _moved_on(each) and _selects(selection, view):
                found.append(view)
        return found, listed.next_page_token or b""

    async def _holders(self, selection: TaskFilter, token: bytes) -> tuple[Sequence[ExecutionView], bytes]:
        """Some of the executions whose tasks are to be looked at, and the token of those behind them."""
        _ensure_supported(selection)
        if selection.execution_id is not None:
            details = await self._port.describe(selection.execution_id)
            if isinstance(details, PartialDetails):
                raise ServerUnavailable(details.missing)
            return [details.execution], b""
        holders = ExecutionFilter(kind=selection.agent, created_by=selection.created_by)
        return await self._page(holders, _HOLDERS, token, is_open=True)


async def tasks_soon(port: TemporalClientPort, view: ExecutionView) -> Sequence[ListedTask] | None:
    """The tasks of an execution; None if nobody tells of them soon. A cluster names workers that have gone, too."""
    try:
        async with asyncio.timeout(SOON):
            return await port.listed_tasks(view.execution_id, view.kind)
    except NotFound:
        # It was removed since it was listed.
        return ()
    except (TimeoutError, ServerUnavailable, UnknownKind):
        return None


def _query(selection: ExecutionFilter, *, finds_labels: bool, is_open: bool) -> str:
    _ensure_supported(selection)
    conditions = ["ExecutionStatus = 'Running'"] if is_open else []
    if selection.kind is not None:
        conditions.append(f"WorkflowType = {_quoted(selection.kind)}")
    if selection.queue is not None:
        conditions.append(f"TaskQueue = {_quoted(selection.queue)}")
    if selection.parent_id is not None:
        conditions.append(f"ParentWorkflowId = {_quoted(selection.parent_id)}")
    if selection.statuses:
        wanted = {name for status in selection.statuses for name in _OURS.get(status, ("Running",))}
        conditions.append(f"ExecutionStatus IN ({', '.join(map(_quoted, sorted(wanted)))})")
    if selection.created_before is not None:
        conditions.append(f"StartTime < {_quoted(_time(selection.created_before))}")
    if selection.created_after is not None:
        conditions.append(f"StartTime >= {_quoted(_time(selection.created_after))}")
    if finds_labels:
        # Executions that were started before the namespace had the attribute are looked through here.
        conditions += [
            f"({names.LABELS_ATTRIBUTE} = {_quoted(f'{name}={value}')} OR {names.LABELS_ATTRIBUTE} IS NULL)"
            for name, value in selection.labels.items()
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
        and selection.parent_id in (None, view.parent_id)
        and selection.labels.items() <= view.labels.items()
        and (selection.id_prefix is None or view.execution_id.startswith(selection.id_prefix))
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


def _ensure_supported(selection: ExecutionFilter | TaskFilter) -> None:
    for name, value in (("worker", selection.worker_id), ("organisation", selection.organisation)):
        if value is not None:
            raise NotSupported(
                f"a Temporal cluster does not tell executions by their {name}. Leave that condition out, or ask in a "
                "namespace of its own."
            )


def _place_of(token: str, size: int) -> _Place:
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST_IN_PAGE:
        raise InvalidInput(f"a page of {size!r} cannot be had. Give a size from 1 to {MOST_IN_PAGE:,}.")
    with suppress(ValueError, msgspec.DecodeError):
        return msgspec.json.decode(base64.urlsafe_b64decode(token), type=_Place) if token else _Place()
    raise InvalidInput(f"{token!r} is no token of a page. Begin again, without one.")


def _token_of(place: _Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()
