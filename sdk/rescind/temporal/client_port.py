"""A caller's port to executions on a cluster: starts, signals, updates and queries of their workflows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeVar
from uuid import uuid4

import msgspec
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode

from rescind.errors import ExecutionEnded, NotFound, RescindError, ServerUnavailable
from rescind.model.commands import StartExecution
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.overviews import ListedTask
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT, Payload
from rescind.model.status import TERMINAL_EXECUTION, CancelMode, CancelTaskResult
from rescind.model.views import ExecutionDetails, PartialDetails
from rescind.telemetry.traces import current_trace_parent
from rescind.temporal import names
from rescind.temporal.asking import Asking
from rescind.temporal.connecting import error_of
from rescind.temporal.news import News
from rescind.temporal.outside import ended_view, view_of, was_ended_by_temporal, with_temporals_end
from rescind.temporal.payloads import record_to_temporal, to_temporal
from rescind.temporal.records import (
    CancelRequest,
    CancelTaskRequest,
    CheckpointsPage,
    ChildrenPage,
    Described,
    EntriesPage,
    HistoryPage,
    StreamedPage,
    TasksPage,
)
from rescind.temporal.starting import Starting

Seen = HistoryEvent | StreamedEvent
RecordT = TypeVar("RecordT")
PageT = TypeVar("PageT", bound=TasksPage | EntriesPage | CheckpointsPage | ChildrenPage)

DEFAULT_TIMEOUT: Final = 30.0
_STARTS_AT_ONCE: Final = 50


class TemporalClientPort(Starting):
    """See `ClientPort`, and `WorkflowClientPort`."""

    def __init__(
        self,
        client: Client,
        by: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        finds_labels: bool = False,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
    ) -> None:
        """For one cluster and namespace.

        Args:
            client: the connection.
            by: who calls, for histories.
            timeout: how long a call that does not wait may take, in seconds.
            finds_labels: whether the namespace has the search attribute for labels.
            payload_limit: the largest payload in bytes.
        """
        self.client = client
        self._asking = Asking(client, timeout)
        self.finds_labels = finds_labels
        self._by = by
        self._payload_limit = payload_limit

    async def start_execution(
        self,
        kind: str,
        payload: Payload,
        *,
        execution_id: str | None,
        queue: str,
        labels: Mapping[str, str],
        or_workflow: bool = False,
    ) -> ExecutionId:
        """See `ClientPort`. The execution's id is the workflow's. What a kind is, its worker knows."""
        wanted = execution_id if execution_id is not None else str(uuid4())
        memo = msgspec.structs.replace(self._memo(labels, payload, current_trace_parent()), is_by_kind=or_workflow)
        return await self._begin(kind, payload, wanted, queue, memo)

    async def start_many(self, starts: Iterable[StartExecution]) -> list[ExecutionId | RescindError]:
        """Start several agents, some at a time: a cluster takes them one by one.

        Returns:
            In their order the id of each, or what it was refused with. `by` and `organisation` are not sent.
        """
        results: list[ExecutionId | RescindError] = []
        remaining = iter(starts)
        while step := list(islice(remaining, _STARTS_AT_ONCE)):
            results += await asyncio.gather(*map(self._start_or_refusal, step))
        return results

    async def _start_or_refusal(self, start: StartExecution) -> ExecutionId | RescindError:
        try:
            return await self.start_execution(
                start.kind, start.input, execution_id=start.execution_id, queue=start.queue, labels=start.labels
            )
        except RescindError as refusal:
            return refusal

    async def signal_execution(self, execution_id: ExecutionId, name: str, value: Payload) -> None:
        """See `ClientPort`. It is durable when this returns, also where no worker runs.

        An agent that has ended while its work is still being stopped refuses it, too. If it ends just while the signal
        is on its way, that is recorded in its history, and not told here.
        """
        await self._ensure_takes_signals(execution_id)
        try:
            await self._asking.handle(execution_id).signal(
                name, args=[to_temporal(value), record_to_temporal(self._by)], rpc_timeout=self._asking.timeout
            )
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                # It has closed meanwhile.
                await self._ensure_takes_signals(execution_id)
            raise error_of(error, f"signal {name!r} to execution {execution_id!r}") from error

    async def cancel_execution(self, execution_id: ExecutionId, reason: str | None, *, hard: bool) -> CancelTaskResult:
        """See `ClientPort`. The request lasts also where no worker is there to answer it."""
        asked = CancelRequest(self._by, reason, hard, str(uuid4()), current_trace_parent())
        answer = None
        if await self._asking.cancel(execution_id, asked.as_reason()):
            answer = await self._asking.request(execution_id, names.CANCEL_UPDATE, asked)
            if answer is None:
                # The first of the two was enough to end it, before the second came.
                answer = await self._asking.answer(execution_id, asked.request_id)
        if answer is not None:
            return answer
        try:
            details = await self._described(execution_id)
        except NotFound:
            return CancelTaskResult.NOT_FOUND
        return CancelTaskResult(f"ALREADY_{details.execution.status.value}")

    async def cancel_task(
        self, execution_id: ExecutionId, task_id: TaskId, reason: str | None, mode: CancelMode
    ) -> CancelTaskResult:
        """See `ClientPort`."""
        asked = CancelTaskRequest(task_id, self._by, reason, mode, current_trace_parent())
        answer = await self._asking.request(
            execution_id, names.CANCEL_TASK_UPDATE, asked, waits=mode is CancelMode.WAIT
        )
        if answer is not None:
            return answer
        try:
            details = await self.describe(execution_id)
        except NotFound:
            return CancelTaskResult.NOT_FOUND
        if isinstance(details, PartialDetails):
            raise ServerUnavailable(details.missing)
        found = [task for task in details.tasks if task.task_id == task_id]
        return CancelTaskResult(f"ALREADY_{found[0].status.value}") if found else CancelTaskResult.NOT_FOUND

    async def describe(self, execution_id: ExecutionId) -> ExecutionDetails:
        """See `ClientPort`. What belongs to it is fetched in pages: a task may have moved on between two of them.

        Of an execution that has ended, Temporal itself tells how, if no worker answers soon; `missing` says the rest.
        """
        described = await self._described(execution_id)
        if described.missing is not None:
            return PartialDetails(described.execution, missing=described.missing)
        return ExecutionDetails(
            described.execution,
            await self._all(execution_id, names.TASKS_QUERY, TasksPage, described.tasks),
            await self._all(execution_id, names.ENTRIES_QUERY, EntriesPage, described.entries),
            await self._all(execution_id, names.CHECKPOINTS_QUERY, CheckpointsPage, described.checkpoints),
            await self._all(execution_id, names.CHILDREN_QUERY, ChildrenPage, described.children),
        )

    async def listed_tasks(self, execution_id: ExecutionId, kind: str) -> Sequence[ListedTask]:
        """The tasks of an execution in the order of scheduling, each with its attempts that are at work.

        Raises:
            NotFound: no such execution.
        """
        listed: list[ListedTask] = []
        is_last = False
        while not is_last:
            page = await self._asking.page(execution_id, names.TASKS_QUERY, TasksPage, len(listed))
            for task, at_work in zip(page.items, page.at_work or ((),) * len(page.items), strict=True):
                listed.append(ListedTask(execution_id, kind, task, at_work))
            is_last = page.is_last
        return listed

    async def problem_of(self, execution_id: ExecutionId) -> str:
        """Why its workflow cannot take its turn, in words; empty if it can, as far as anybody knows."""
        return await self._asking.problem_of(execution_id)

    async def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """See `ClientPort`."""
        return await self._history_of(execution_id, None, after)

    async def wait_ended(self, execution_id: ExecutionId) -> ExecutionDetails:
        """See `ClientPort`. It is told as soon as the agent has ended, also while its work is still being stopped.

        Of a workflow that has closed, Temporal itself tells the end: no worker is needed. It has no tasks and entries
        with it then; `describe` gives them.
        """
        async for is_stuck in News(self._asking.handle(execution_id)).of_ends():
            if is_stuck:
                await self._asking.ensure_known(execution_id)
                continue
            found = await self._asking.describe(execution_id)
            ended = await ended_view(self._asking.handle(execution_id, found.run_id, RawValue), found)
            if ended is not None:
                return ExecutionDetails(ended)
            shown = await view_of(found)
            if shown is not None and shown.status in TERMINAL_EXECUTION:
                break
        return await self.describe(execution_id)

    async def follow(self, execution_id: ExecutionId, after: int = 0, *, output: bool = False) -> AsyncIterator[Seen]:
        """See `ClientPort`. The workflow is asked for news whenever its own history has grown, and not in between.

        With `output` it begins with what was streamed last, whatever it was: a workflow keeps the last 1,000 events.
        """
        described = await self._described(execution_id)
        streamed = 0 if output else described.streamed
        async for is_stuck in News(self._asking.handle(execution_id)).of_turns():
            if is_stuck:
                await self._asking.ensure_known(execution_id)
                continue
            new = await self._asking.page(execution_id, names.STREAMED_QUERY, StreamedPage, streamed)
            streamed = new.last
            for event in new.items:
                yield event
            for happened in await self.history(execution_id, after):
                after = happened.sequence
                yield happened
            described = await self._described(execution_id)
            if described.execution.status in TERMINAL_EXECUTION:
                for happened in await self.history(execution_id, after):
                    yield happened
                return

    async def _history_of(self, execution_id: ExecutionId, run_id: str | None, after: int) -> list[HistoryEvent]:
        """The events that a run of the workflow knows, and before them those that only earlier runs know."""
        events: list[HistoryEvent] = []
        while True:
            seen = events[-1].sequence if events else after
            page = await self._asking.page(execution_id, names.HISTORY_QUERY, HistoryPage, seen, run_id)
            if page.previous_run and seen < page.first_event:
                earlier = await self._history_of(execution_id, page.previous_run, seen)
                events.extend(each for each in earlier if each.sequence <= page.first_event)
            events.extend(page.items)
            if page.is_last:
                return events

    async def _ensure_takes_signals(self, execution_id: ExecutionId) -> None:
        shown = await view_of(await self._asking.describe(execution_id))
        if shown is not None and shown.status in TERMINAL_EXECUTION:
            raise ExecutionEnded(f"execution {execution_id!r} is {shown.status.value}; it takes no more signals.")

    async def _described(self, execution_id: ExecutionId) -> Described:
        """What the workflow says; or Temporal, where nobody can be asked any more, or it was ended from outside."""
        try:
            described = await self._asking.page(execution_id, names.DESCRIBE_QUERY, Described)
        except ServerUnavailable as error:
            found = await self._asking.describe(execution_id)
            view = await ended_view(self._asking.handle(execution_id, found.run_id, RawValue), found)
            if view is None:
                raise
            return Described(view, missing=str(error))
        if described.execution.status in TERMINAL_EXECUTION:
            return described
        found = await self._asking.describe(execution_id)
        if was_ended_by_temporal(found):
            ended = with_temporals_end(described.execution, found)
            return msgspec.structs.replace(described, execution=ended)
        return described

    async def _all(
        self,
        execution_id: ExecutionId,
        query: str,
        page_type: type[PageT],
        expected: int,
    ) -> tuple[Any, ...]:
        items: list[Any] = []
        while len(items) < expected:
            page = await self._asking.page(execution_id, query, page_type, len(items))
            items.extend(page.items)
            if page.is_last:
                break
        return tuple(items)
