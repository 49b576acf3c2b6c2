"""A store that lasts as long as its process: for tests, scripts and notebooks."""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from rescind.model.events import REQUESTS, HistoryEvent
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.output import event_of
from rescind.model.status import ExecutionStatus
from rescind.model.views import ExecutionView
from rescind.model.workflow_events import LoggedEvent, PromiseCreated
from rescind_server.engine.entities import Execution
from rescind_server.engine.natures import NatureFilter, nature_of
from rescind_server.engine.state import Decision
from rescind_server.engine.subscriptions import QueueKey
from rescind_server.engine.viewing import execution_view
from rescind_server.store.memory_outbox import MemoryOutbox
from rescind_server.store.outputs import AttemptOutput, Outputs, Tail
from rescind_server.store.port import Found, FoundRequest, Loaded, RequestPlace
from rescind_server.store.registrations import MemoryRegistrations
from rescind_server.store.task_owners import is_noted

_MOST_OUTPUT: Final = 64 * 1024 * 1024


class MemoryStore:
    """Keeps histories, and executions that have left the engine's memory, in dictionaries."""

    def __init__(self) -> None:
        self.outbox = MemoryOutbox()
        self.registrations = MemoryRegistrations()
        self._histories: dict[ExecutionId, list[HistoryEvent]] = {}
        self._logs: dict[ExecutionId, list[LoggedEvent]] = {}
        # In the order of starting, in which executions are committed first.
        self._executions: dict[ExecutionId, Execution] = {}
        self._closed: dict[ExecutionId, Execution] = {}
        # In the order of time.
        self._requests: list[tuple[RequestPlace, ExecutionId]] = []
        self._never_ran: dict[QueueKey, dict[ExecutionId, Execution]] = {}
        # Those first that wrote first.
        self._outputs: dict[ExecutionId, dict[TaskId, Tail]] = {}
        self._outputs_size = 0
        self._owners: dict[TaskId, ExecutionId] = {}
        self._promise_owners: dict[str, ExecutionId] = {}

    async def commit(self, decisions: Sequence[Decision]) -> None:
        """See `Store.commit`."""
        self.outbox.put_told(decisions)
        for decision in decisions:
            for execution_id, event in decision.events:
                self._histories.setdefault(execution_id, []).append(event)
                if event.type in REQUESTS:
                    execution = decision.executions.get(execution_id) or decision.annotated[execution_id]
                    place = RequestPlace(event.at, execution.order, event.sequence)
                    insort(self._requests, (place, execution_id))
            for execution in decision.executions.values():
                self._put(execution)
            for task in decision.tasks.values():
                if is_noted(task.execution):
                    self._owners.setdefault(task.task_id, task.execution.execution_id)
            for execution, logged in decision.logged:
                self._logs.setdefault(execution.execution_id, []).append(logged)
                if isinstance(logged.event, PromiseCreated):
                    self._promise_owners[logged.event.promise_id] = execution.execution_id
            for execution in decision.closed:
                self._closed[execution.execution_id] = execution

    def _put(self, execution: Execution) -> None:
        self._executions[execution.execution_id] = execution
        if not execution.ended:
            # One that failed may be let go on by hand.
            self._closed.pop(execution.execution_id, None)
        waiting = self._never_ran.setdefault((execution.queue, execution.kind), {})
        if execution.never_ran:
            waiting[execution.execution_id] = execution
        else:
            waiting.pop(execution.execution_id, None)

    def load(self) -> Loaded:
        """See `Store.load`: a new process remembers nothing."""
        return Loaded([], Lease(0), 0, {})

    async def ensure_writable(self) -> None:
        """See `Store.ensure_writable`: memory always is."""

    def close(self) -> None:
        """See `Store.close`."""

    def history(self, execution_id: ExecutionId, after: int = 0, limit: int | None = None) -> Sequence[HistoryEvent]:
        """See `Store.history`."""
        return tuple(self._histories.get(execution_id, ())[after : None if limit is None else after + limit])

    def workflow_log(
        self, execution_id: ExecutionId, after: int = 0, limit: int | None = None
    ) -> Sequence[LoggedEvent]:
        """See `Store.workflow_log`."""
        return tuple(self._logs.get(execution_id, ())[after : None if limit is None else after + limit])

    async def keep_outputs(self, outputs: Outputs) -> None:
        """See `Store.keep_outputs`. Of all executions together no more is kept than fits into memory."""
        for (execution_id, task_id), written in outputs.items():
            if execution_id in self._executions:
                tail = self._outputs.setdefault(execution_id, {}).setdefault(task_id, Tail())
                self._outputs_size -= tail.size
                tail.add(written)
                self._outputs_size += tail.size
        for tails in self._outputs.values():
            for tail in tails.values():
                if self._outputs_size <= _MOST_OUTPUT:
                    return
                self._outputs_size -= tail.size
                tail.let_go()

    def output(self, execution_id: ExecutionId, behind: int = 0) -> Sequence[StreamedEvent]:
        """See `Store.output`."""
        tails = self._outputs.get(execution_id, {})
        return [event_of(task_id, piece) for task_id, tail in tails.items() for piece in tail.pieces(behind)]

    def output_size(self, execution_id: ExecutionId) -> int:
        """See `Store.output_size`."""
        return max((tail.until for tail in self._outputs.get(execution_id, {}).values()), default=0)

    def attempt_output(self, execution_id: ExecutionId, task_id: TaskId) -> AttemptOutput:
        """See `Store.attempt_output`."""
        tail = self._outputs.get(execution_id, {}).get(task_id)
        return AttemptOutput() if tail is None else tail.attempt

    async def find_requests(self, since: Instant, before: RequestPlace, limit: int) -> Sequence[FoundRequest]:
        """See `Store.find_requests`."""
        requests = self._requests
        end = bisect_left(requests, (before, ExecutionId("")))
        start = max(bisect_left(requests, (RequestPlace(since, 0, 0), ExecutionId(""))), end - limit)
        return [
            FoundRequest(
                place,
                execution_id,
                self._executions[execution_id].organisation,
                self._histories[execution_id][place.sequence - 1],
            )
            for place, execution_id in reversed(requests[start:end])
        ]

    async def find_events(self, execution_id: ExecutionId, before: int, limit: int) -> Sequence[FoundRequest]:
        """See `Store.find_events`."""
        execution = self._executions.get(execution_id)
        if execution is None:
            return ()
        events = self._histories[execution_id][: before - 1][-limit:]
        return [
            FoundRequest(
                RequestPlace(event.at, execution.order, event.sequence), execution_id, execution.organisation, event
            )
            for event in reversed(events)
        ]

    async def execution_of_task(self, task_id: TaskId) -> ExecutionId | None:
        """See `Store.execution_of_task`."""
        owner = self._owners.get(task_id)
        return owner or next((each.execution_id for each in self._executions.values() if task_id in each.tasks), None)

    async def owner_of_task(self, task_id: TaskId) -> ExecutionId | None:
        """See `Store.owner_of_task`."""
        return self._owners.get(task_id)

    def owner_of_promise(self, promise_id: str) -> ExecutionId | None:
        """See `Store.owner_of_promise`."""
        return self._promise_owners.get(promise_id)

    def committed(self, execution_id: ExecutionId) -> Execution | None:
        """See `Store.committed`."""
        return self._executions.get(execution_id)

    def committed_among(self, execution_ids: Sequence[ExecutionId]) -> Mapping[ExecutionId, Execution]:
        """See `Store.committed_among`."""
        return {each: self._executions[each] for each in execution_ids if each in self._executions}

    def resting(self, key: QueueKey, beyond: int, limit: int) -> Sequence[Execution]:
        """See `Store.resting`."""
        waiting = self._never_ran.get(key, {}).values()
        return list(islice((each for each in waiting if each.order > beyond), limit))

    async def find_executions(self, selection: ExecutionFilter, before: int | None, limit: int) -> Sequence[Found]:
        """See `Store.find_executions`."""
        found: list[Found] = []
        for execution in reversed(self._executions.values()):
            if len(found) == limit:
                break
            if before is None or execution.order < before:
                view = execution_view(execution)
                if _is_of_nature(selection, execution) and _selects(selection, view, execution.organisation):
                    found.append(Found(execution.order, view))
        return found

    async def find_ids(
        self, selection: ExecutionFilter, before: int | None, limit: int
    ) -> Sequence[tuple[int, ExecutionId]]:
        """See `Store.find_ids`."""
        found = await self.find_executions(selection, before, limit)
        return [(each.ordinal, each.view.execution_id) for each in found]

    async def count_executions(self, selection: ExecutionFilter) -> Mapping[ExecutionStatus, int]:
        """See `Store.count_executions`."""
        return Counter(found.view.status for found in await self.find_executions(selection, None, sys.maxsize))

    def execution_ids(self) -> Sequence[ExecutionId]:
        """See `Store.execution_ids`."""
        return tuple(self._executions)

    async def remove_closed(self, ended_before: Instant, most_rows: int) -> bool:
        """See `Store.remove_closed`. What is kept in memory is taken out whole, one execution after the other."""
        self.outbox.forget_dead_letters(ended_before)
        self.outbox.forget_changes(ended_before)
        gone: set[ExecutionId] = set()
        for execution in sorted(self._closed.values(), key=_ended_at):
            if most_rows <= 0 or _ended_at(execution) >= ended_before:
                break
            execution_id = execution.execution_id
            most_rows -= 1 + len(execution.tasks) + len(self._histories.pop(execution_id, ()))
            most_rows -= len(self._logs.pop(execution_id, ()))
            del self._closed[execution_id], self._executions[execution_id]
            for task_id in execution.tasks:
                self._owners.pop(task_id, None)
            for promise_id in execution.workflow.promises if execution.workflow is not None else ():
                self._promise_owners.pop(promise_id, None)
            self._outputs_size -= sum(tail.size for tail in self._outputs.pop(execution_id, {}).values())
            gone.add(execution_id)
        if gone:
            self._requests = [each for each in self._requests if each[1] not in gone]
        return any(_ended_at(execution) < ended_before for execution in self._closed.values())

    async def oldest_end(self) -> Instant | None:
        """See `Store.oldest_end`."""
        return min(map(_ended_at, self._closed.values()), default=None)


def _ended_at(execution: Execution) -> Instant:
    assert execution.ended_at is not None
    return execution.ended_at


def _is_of_nature(selection: ExecutionFilter, execution: Execution) -> bool:
    return not isinstance(selection, NatureFilter) or nature_of(execution) is selection.nature


def _selects(selection: ExecutionFilter, view: ExecutionView, organisation: str) -> bool:
    return (
        (not selection.statuses or view.status in selection.statuses)
        and selection.kind in (None, view.kind)
        and selection.queue in (None, view.queue)
        and selection.created_by in (None, view.created_by)
        and selection.organisation in (None, organisation)
        and (selection.created_before is None or view.created_at < selection.created_before)
        and (selection.created_after is None or view.created_at >= selection.created_after)
        and selection.labels.items() <= view.labels.items()
        and selection.parent_id in (None, view.parent_id)
        and (selection.id_prefix is None or view.execution_id.startswith(selection.id_prefix))
    )
