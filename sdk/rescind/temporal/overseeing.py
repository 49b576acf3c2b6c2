"""What an operator of a cluster is told: its workers, work that does not go on, and the cluster itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, GetClusterInfoRequest
from temporalio.service import RPCError, RPCStatusCode

from rescind.errors import InvalidInput
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant, WorkerId
from rescind.model.overviews import (
    AttemptView,
    ListedTask,
    ParkedAgents,
    ServerFacts,
    Stuck,
    StuckReason,
    StuckTask,
    WaitingWork,
    WorkerView,
)
from rescind.model.views import ExecutionView
from rescind.temporal.client_port import TemporalClientPort
from rescind.temporal.connecting import error_of
from rescind.temporal.finding import ASKED_AT_ONCE, Finding, tasks_soon

ANY_KIND: Final = "*"
"""The kind of work of which a cluster says only that it waits in a queue."""
MOST_LOOKED_AT: Final = 1_000
"""Of how many open executions the queues are asked about: those that were started last."""

_OPEN: Final = "ExecutionStatus = 'Running'"
_FAILING: Final = f"{_OPEN} AND TemporalReportedProblems IN ('category=WorkflowTaskFailed')"
_AGENTS: Final = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
_TASKS: Final = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


class _Queue(NamedTuple):
    """A task queue of one type, as the cluster describes it: who polls it, when last, and what waits in it."""

    name: str
    is_of_agents: bool
    polled: Mapping[str, Instant]
    backlog: int
    since: Instant


class Overseeing:
    """Asks a cluster what an operator wants to know."""

    def __init__(self, port: TemporalClientPort) -> None:
        self._port = port
        self._client = port.client

    async def workers(self) -> AsyncIterator[WorkerView]:
        """Who polls the queues of open executions, by their ids; a cluster goes on naming them for five minutes."""
        queues = await self._queues()
        polled: dict[str, set[str]] = {}
        last_contact: dict[str, Instant] = {}
        for queue in queues:
            for worker_id, at in queue.polled.items():
                polled.setdefault(worker_id, set()).add(queue.name)
                last_contact[worker_id] = max(at, last_contact.get(worker_id, at))
        for worker_id in sorted(polled):
            yield WorkerView(
                WorkerId(worker_id),
                tuple(sorted(polled[worker_id])),
                agents=(),
                tasks=(),
                slots=0,
                running=0,
                held=0,
                connected=True,
                last_contact=last_contact[worker_id],
            )

    async def stuck(self, limit: int, quiet_ms: int | None) -> Stuck:
        """What does not go on by itself."""
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_LOOKED_AT:
            raise InvalidInput(f"limit is {limit!r}; give a number from 1 to {MOST_LOOKED_AT:,}.")
        queues = [queue for queue in await self._queues() if queue.backlog]
        waiting = tuple(
            WaitingWork(each.is_of_agents, each.name, ANY_KIND, each.backlog, each.since, len(each.polled))
            for each in queues
        )
        parked, parked_ids = await self._parked()
        now = _now()
        asked: list[ExecutionView] = []
        unanswered = {each.name for each in queues if each.is_of_agents and not each.polled}
        async for view in Finding(self._port).executions(ExecutionFilter(), is_open=True):
            if view.execution_id not in parked_ids and view.queue not in unanswered:
                asked.append(view)
            if len(asked) == MOST_LOOKED_AT:
                break
        at_once = asyncio.Semaphore(ASKED_AT_ONCE)
        told = await asyncio.gather(*(self._tasks_of(view, at_once) for view in asked))
        tasks = [stuck for tasks in told for listed in tasks for stuck in _stuck(listed, now, quiet_ms)]
        tasks.sort(key=lambda each: each.since)
        return Stuck(tuple(tasks[:limit]), len(tasks), waiting, parked)

    async def facts(self) -> ServerFacts:
        """The cluster, as far as it says anything of itself."""
        try:
            cluster = await self._client.workflow_service.get_cluster_info(GetClusterInfoRequest())
            opened = await self._client.count_workflows(_OPEN)
        except RPCError as error:
            raise error_of(error, "the cluster, of itself") from error
        queues = await self._queues()
        workers = {worker_id for queue in queues for worker_id in queue.polled}
        return ServerFacts(
            version=f"Temporal {cluster.server_version}",
            now=_now(),
            started_at=Instant(0),
            store=cluster.persistence_store,
            durability="the cluster's own",
            open_executions=opened.count,
            queued_tasks=sum(queue.backlog for queue in queues if not queue.is_of_agents),
            connected_workers=len(workers),
            known_workers=len(workers),
        )

    async def _tasks_of(self, view: ExecutionView, at_once: asyncio.Semaphore) -> Sequence[ListedTask]:
        async with at_once:
            return await tasks_soon(self._port, view) or ()

    async def _queues(self) -> list[_Queue]:
        """The task queues of open executions. Tasks that were sent to others wait there unseen."""
        found: dict[str, None] = {}
        try:
            async for each in self._client.list_workflows(_OPEN, limit=MOST_LOOKED_AT):
                found[each.task_queue] = None
        except RPCError as error:
            raise error_of(error, "the list of executions") from error
        return [await self._queue(name, kind) for name in sorted(found) for kind in (_AGENTS, _TASKS)]

    async def _queue(self, name: str, kind: Any) -> _Queue:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=name),
            task_queue_type=kind,
            report_stats=True,
        )
        try:
            told = await self._client.workflow_service.describe_task_queue(request)
        except RPCError as error:
            raise error_of(error, f"task queue {name!r}") from error
        polled = {each.identity: Instant(each.last_access_time.ToMicroseconds()) for each in told.pollers}
        age = told.stats.approximate_backlog_age.ToMicroseconds()
        backlog = told.stats.approximate_backlog_count
        return _Queue(name, kind == _AGENTS, polled, backlog, Instant(_now() - age))

    async def _parked(self) -> tuple[tuple[ParkedAgents, ...], frozenset[str]]:
        """The executions whose turns fail again and again, by kind, and the ids of them all."""
        by_kind: dict[str, list[str]] = {}
        try:
            async for each in self._client.list_workflows(_FAILING):
                by_kind.setdefault(each.workflow_type, []).append(each.id)
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise error_of(error, "the list of executions") from error
            # An older cluster, which reports no problems.
        parked = [
            ParkedAgents(kind, len(ids), await self._port.problem_of(ExecutionId(ids[0])), ExecutionId(ids[0]))
            for kind, ids in by_kind.items()
        ]
        return tuple(parked), frozenset(each for ids in by_kind.values() for each in ids)


def _stuck(listed: ListedTask, now: Instant, quiet_ms: int | None) -> Iterable[StuckTask]:
    for attempt in listed.at_work:
        told = _why(attempt, now, quiet_ms)
        if told is not None:
            yield StuckTask(*told, listed)


def _why(attempt: AttemptView, now: Instant, quiet_ms: int | None) -> tuple[StuckReason, Instant] | None:
    due = attempt.stop_due
    if due is not None:
        return (StuckReason.NOT_STOPPED, due) if due < now else None
    if quiet_ms is not None and attempt.last_contact + quiet_ms * 1_000 < now:
        return StuckReason.NO_HEARTBEAT, attempt.last_contact
    return None


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000)
