"""A caller's port to a server over gRPC: see `rescind.runtime.ports.ClientPort`."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from rescind_proto.rescind.v1 import client_pb2, values_pb2

from rescind.errors import RescindError, ServerUnavailable
from rescind.errors.named import named_error
from rescind.model.audit import AuditFilter, AuditRecord
from rescind.model.commands import CancelAnswered, StartExecution
from rescind.model.events import EXECUTION_ENDS, HistoryEvent
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.overviews import CancelReach, ListedTask, ServerFacts, Stuck, WorkerView
from rescind.model.payload import Payload
from rescind.model.status import CancelMode, CancelTaskResult
from rescind.model.views import ExecutionDetails, ExecutionView
from rescind.transport.conversion.derivation import enum_numbers
from rescind.transport.conversion.pairs import Seen, fill, from_message
from rescind.transport.grpc_client import DEFAULT_TIMEOUT, GrpcConnection
from rescind.transport.grpc_methods import BATCH_BYTES
from rescind.transport.grpc_workflows import GrpcWorkflowClient
from rescind.transport.seen_output import SeenOutput

_RESULTS: Final = {
    number: result
    for result, number in enum_numbers(
        CancelTaskResult, values_pb2.DESCRIPTOR.enum_types_by_name["CancelTaskResult"]
    ).items()
}
_STARTS_AT_ONCE: Final = 500
"""How many starts go in one step: so many that a commit is worth it, so few that nobody else waits for long."""
_STEPS_UNDER_WAY: Final = 2
"""How many steps are sent before the first is answered: while one is committed, the next is read."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class GrpcClientPort(GrpcWorkflowClient):
    """See `ClientPort`. What waits outlives a restart of the server: it asks again for `patience` seconds."""

    def __init__(
        self, connection: GrpcConnection, by: str, *, timeout: float = DEFAULT_TIMEOUT, patience: float = 60.0
    ) -> None:
        """Make a port.

        Args:
            connection: to the server.
            by: who asks, for histories; a server that asks for proof puts what was proven.
            timeout: how long a call that does not wait may take, in seconds.
            patience: how long a call that waits may find no server, in seconds, before it gives up.
        """
        self._connection = connection
        self._by = by
        self._timeout = timeout
        self._patience = patience

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
        """See `ClientPort`."""
        # An id of our own makes the call repeatable, so that a lost answer does not leave a second execution behind.
        wanted = ExecutionId(execution_id if execution_id is not None else str(uuid4()))
        start = StartExecution(kind, payload, wanted, queue, dict(labels), or_workflow=or_workflow)
        request = self._start_request(start)
        started = await self._repeated("Start", request)
        return ExecutionId(started.execution_id)

    async def start_many(self, starts: Iterable[StartExecution]) -> list[ExecutionId | RescindError]:
        """Start several agents: a step of them in one transition of the server, the next on its way meanwhile.

        Returns:
            In their order the id of each, or what it was refused with. `by` and `organisation` are not sent.
        """
        results: list[ExecutionId | RescindError] = []
        under_way: deque[asyncio.Task[Any]] = deque()
        try:
            for request in self._start_requests(starts):
                under_way.append(asyncio.create_task(self._call("StartMany", request)))
                await asyncio.sleep(0)  # it is on its way before the next is put together
                if len(under_way) > _STEPS_UNDER_WAY:
                    results += _start_results(await under_way.popleft())
            while under_way:
                results += _start_results(await under_way.popleft())
        finally:
            for call in under_way:
                call.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        return results

    def _start_requests(self, starts: Iterable[StartExecution]) -> Iterator[client_pb2.StartManyRequest]:
        waiting: list[client_pb2.StartRequest] = []
        size = 0
        for start in starts:
            each = self._start_request(start)
            length = len(start.input.data)
            if waiting and (len(waiting) >= _STARTS_AT_ONCE or size + length > BATCH_BYTES):
                yield client_pb2.StartManyRequest(starts=waiting)
                waiting, size = [], 0
            waiting.append(each)
            size += length
        if waiting:
            yield client_pb2.StartManyRequest(starts=waiting)

    async def signal_execution(self, execution_id: ExecutionId, name: str, value: Payload) -> None:
        """See `ClientPort`."""
        request = client_pb2.SignalRequest(execution_id=execution_id, name=name, by=self._by)
        fill(value, request.value)
        await self._call("Signal", request)

    async def cancel_execution(self, execution_id: ExecutionId, reason: str | None, *, hard: bool) -> CancelTaskResult:
        """See `ClientPort`."""
        request = client_pb2.CancelExecutionRequest(execution_id=execution_id, reason=reason, hard=hard, by=self._by)
        reply = await self._call("CancelExecution", request)
        return _result(reply)

    async def cancel_task(
        self, execution_id: ExecutionId, task_id: TaskId, reason: str | None, mode: CancelMode
    ) -> CancelTaskResult:
        """See `ClientPort`."""
        request = client_pb2.CancelTaskRequest(
            execution_id=execution_id, task_id=task_id, reason=reason, mode=_mode_name(mode), by=self._by
        )
        # In mode WAIT the work decides, and takes its time.
        timeout = None if mode is CancelMode.WAIT else self._timeout
        reply = await self._connection.call("CancelTask", request, timeout=timeout)
        return _result(reply)

    async def cancel_where(
        self, selection: ExecutionFilter | TaskFilter, reason: str | None, *, hard: bool = False
    ) -> AsyncIterator[Mapping[CancelTaskResult, int]]:
        """Cancel all that a filter selects.

        Yields:
            After each step, how many requests met which result so far; the last is the whole.
        """
        request = client_pb2.CancelWhereRequest(reason=reason, hard=hard, by=self._by)
        fill(selection, _target(request, selection))
        async for progress in self._connection.stream("CancelWhere", request):
            yield {_RESULTS[each.result]: each.count for each in progress.counts}

    async def list_executions(
        self, selection: ExecutionFilter, page_size: int = 100, page_token: str = ""
    ) -> tuple[Sequence[ExecutionView], str]:
        """A page of the executions that a filter selects, the newest first, and the token of the next; "" ends."""
        request = client_pb2.ListRequest(page_size=page_size, page_token=page_token)
        fill(selection, request.filter)
        reply = await self._call("List", request)
        return [from_message(each, ExecutionView) for each in reply.executions], reply.next_page_token

    async def list_tasks(
        self, selection: TaskFilter, page_size: int = 100, page_token: str = ""
    ) -> tuple[Sequence[ListedTask], str]:
        """A page of the tasks that a filter selects, and the token of the next; "" ends."""
        request = client_pb2.ListTasksRequest(page_size=page_size, page_token=page_token)
        fill(selection, request.filter)
        reply = await self._call("ListTasks", request)
        return [from_message(each, ListedTask) for each in reply.tasks], reply.next_page_token

    async def list_workers(self, page_size: int = 100, page_token: str = "") -> tuple[Sequence[WorkerView], str]:
        """A page of the workers in the order of their ids, and the token of the next; "" ends."""
        reply = await self._call(
            "ListWorkers", client_pb2.ListWorkersRequest(page_size=page_size, page_token=page_token)
        )
        return [from_message(each, WorkerView) for each in reply.workers], reply.next_page_token

    async def list_audit(
        self, selection: AuditFilter, page_size: int = 100, page_token: str = ""
    ) -> tuple[Sequence[AuditRecord], str]:
        """A page of who asked for what, the last request first, and the token of the next; "" ends."""
        request = client_pb2.ListAuditRequest(page_size=page_size, page_token=page_token)
        fill(selection, request.filter)
        reply = await self._call("ListAudit", request)
        return [from_message(each, AuditRecord) for each in reply.records], reply.next_page_token

    async def stuck(self, limit: int = 100, quiet_ms: int | None = None) -> Stuck:
        """What does not go on by itself; see `rescind.model.overviews.Stuck`."""
        request = client_pb2.GetStuckRequest(limit=limit, quiet_ms=quiet_ms)
        stuck: Stuck = from_message(await self._call("GetStuck", request), Stuck)
        return stuck

    async def server_facts(self) -> ServerFacts:
        """The server, as it says of itself."""
        facts: ServerFacts = from_message(await self._call("GetServer", client_pb2.GetServerRequest()), ServerFacts)
        return facts

    async def count(self, selection: ExecutionFilter | TaskFilter) -> int:
        """How many `cancel_where` with the same filter would ask to stop."""
        request = client_pb2.CountRequest()
        fill(selection, _target(request, selection))
        count: int = (await self._call("Count", request)).count
        return count

    async def reach(self, selection: ExecutionFilter | TaskFilter, *, hard: bool) -> CancelReach:
        """What `cancel_where` with the same filter would reach."""
        request = client_pb2.CountRequest(hard=hard)
        fill(selection, _target(request, selection))
        reply = await self._call("Count", request)
        executions = reply.count if isinstance(selection, ExecutionFilter) else 0
        return CancelReach(executions, reply.descendants, reply.tasks, reply.attempts)

    async def describe(self, execution_id: ExecutionId) -> ExecutionDetails:
        """See `ClientPort`."""
        reply = await self._repeated("Get", client_pb2.GetRequest(execution_id=execution_id))
        details: ExecutionDetails = from_message(reply, ExecutionDetails)
        return details

    async def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """See `ClientPort`."""
        request = client_pb2.HistoryRequest(execution_id=execution_id, after=after)
        events: list[HistoryEvent] = []
        async for batch in self._connection.stream("History", request):
            events.extend(from_message(event, HistoryEvent) for event in batch.events)
        return events

    async def wait_ended(self, execution_id: ExecutionId) -> ExecutionDetails:
        """See `ClientPort`. Of what belongs to the execution, its end alone travels: tasks and entries are left out."""
        reply = await self._repeated("WaitEnded", client_pb2.WaitEndedRequest(execution_id=execution_id), waits=True)
        return ExecutionDetails(from_message(reply, ExecutionView))

    async def follow(
        self, execution_id: ExecutionId, after: int = 0, *, output: bool = False
    ) -> AsyncGenerator[HistoryEvent | StreamedEvent, None]:
        """See `ClientPort`. Goes on behind a restart of the server.

        Of what was streamed meanwhile, that which programs wrote is shown then, if `output` is asked for.
        """
        retry = _Retry(self._patience)
        seen_output = SeenOutput()
        while True:
            request = client_pb2.WatchRequest(execution_id=execution_id, after=after, output=output)
            try:
                async for batch in self._connection.stream("Watch", request):
                    retry.succeeded()
                    for each in batch.seen:
                        seen = from_message(each, Seen)
                        if not isinstance(seen, HistoryEvent):
                            fresh = seen_output.unseen(seen, is_kept=batch.is_kept_output) if output else seen
                            if fresh is not None:
                                yield fresh
                            continue
                        after = seen.sequence
                        yield seen
                        if seen.type in EXECUTION_ENDS:
                            return
                # It had ended before the number that was asked for.
                return
            except ServerUnavailable as error:
                await retry.failed(error)
            seen_output.begin_again()

    def _start_request(self, start: StartExecution) -> client_pb2.StartRequest:
        request = client_pb2.StartRequest(
            kind=start.kind,
            execution_id=start.execution_id,
            queue=start.queue,
            labels=start.labels,
            by=self._by,
        )
        if not start.or_workflow:
            request.workflow = False
        fill(start.input, request.input)
        return request

    async def _call(self, name: str, request: Any) -> Any:
        return await self._connection.call(name, request, timeout=self._timeout)

    async def _repeated(self, name: str, request: Any, *, waits: bool = False) -> Any:
        """Make a call that may be repeated, again while the server cannot be reached."""
        retry = _Retry(self._patience if waits else 0.0)
        while True:
            try:
                return await self._connection.call(name, request, timeout=None if waits else self._timeout)
            except ServerUnavailable as error:
                await retry.failed(error)


def _start_results(reply: client_pb2.StartManyReply) -> list[ExecutionId | RescindError]:
    return [
        ExecutionId(result.started.execution_id)
        if result.WhichOneof("kind") == "started"
        else named_error(result.refused.error, result.refused.message) or RescindError(result.refused.message)
        for result in reply.results
    ]


def _target(request: Any, selection: ExecutionFilter | TaskFilter) -> Any:
    """The part of a request that says which; it is there also where the filter is empty."""
    target = request.executions if isinstance(selection, ExecutionFilter) else request.tasks
    target.SetInParent()
    return target


def _mode_name(mode: CancelMode) -> str:
    """The name of a mode on the wire."""
    return f"CANCEL_MODE_{mode.name}"


def _result(reply: client_pb2.CancelAnswered) -> CancelTaskResult:
    answered: CancelAnswered = from_message(reply, CancelAnswered)
    return answered.result


class _Retry:
    """Pauses between attempts, each up to twice as long as the one before, with jitter; until patience ends."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self.succeeded()

    def succeeded(self) -> None:
        """The next failure is a new one."""
        self._pause = _FIRST_PAUSE
        self._since: float | None = None

    async def failed(self, error: ServerUnavailable) -> None:
        """Pause before the next attempt, or raise the error if it has gone on for too long."""
        now = self._loop.time()
        if self._since is None:
            self._since = now
        if now - self._since >= self._patience:
            raise error
        await asyncio.sleep(self._pause * random.uniform(0.5, 1.0))
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
