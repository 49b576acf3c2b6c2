"""Callers' calls over gRPC: messages in and out of what `ClientRequests` carries out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from rescind_proto.rescind.v1 import client_pb2, values_pb2

from rescind.errors import InvalidInput
from rescind.model.audit import AuditFilter
from rescind.model.commands import CancelAnswered, Refused, Started
from rescind.model.events import EXECUTION_ENDS, HistoryEvent
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import TERMINAL_EXECUTION, CancelMode, CancelTaskResult
from rescind.transport.conversion.derivation import enum_numbers
from rescind.transport.conversion.pairs import Seen, fill, from_message, to_message
from rescind.transport.grpc_methods import CLIENT_METHODS
from rescind_server.gateway import organisations
from rescind_server.gateway.arrivals import Arrivals
from rescind_server.gateway.client_requests import PAGE, ClientRequests
from rescind_server.gateway.history_pages import EVENTS_AT_ONCE, history_pages
from rescind_server.gateway.identity import Caller, Identify
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.serving import Answer, Stream, answering, streaming
from rescind_server.gateway.starts import StartRequest
from rescind_server.host.driver import Host
from rescind_server.host.queries import Queries

_MODES: Final = {
    number: mode
    for mode, number in enum_numbers(CancelMode, values_pb2.DESCRIPTOR.enum_types_by_name["CancelMode"]).items()
}
OUTPUTS_AT_ONCE: Final = 16
"""How many pieces of an output, 32 KiB at the most each, are sent together."""
_RESULTS: Final = enum_numbers(CancelTaskResult, values_pb2.DESCRIPTOR.enum_types_by_name["CancelTaskResult"])


class ClientGateway:
    """The Client service."""

    def __init__(self, host: Host, queries: Queries, limits: Limits, identify: Identify) -> None:
        self._host = host
        self._requests = ClientRequests(host, queries, limits)
        self._limits = limits
        self._identify = identify

    def handlers(self) -> Mapping[str, Any]:
        """The handlers of the service's calls, by their names."""
        answers: dict[str, Answer] = {
            "Start": self._start,
            "StartMany": self._start_many,
            "Get": self._get,
            "List": self._list,
            "ListTasks": self._list_tasks,
            "ListWorkers": self._list_workers,
            "GetStuck": self._get_stuck,
            "GetServer": self._get_server,
            "ListAudit": self._list_audit,
            "Count": self._count,
            "Signal": self._signal,
            "CancelExecution": self._cancel_execution,
            "CancelTask": self._cancel_task,
            "WaitEnded": self._wait_ended,
        }
        streams: dict[str, Stream] = {"History": self._history, "Watch": self._watch, "CancelWhere": self._cancel_where}
        frame = self._identify, self._limits
        return {
            **{name: answering(CLIENT_METHODS[name], answer, *frame) for name, answer in answers.items()},
            **{name: streaming(CLIENT_METHODS[name], stream, *frame) for name, stream in streams.items()},
        }

    async def _start(self, request: client_pb2.StartRequest, caller: Caller) -> Any:
        return to_message(await self._requests.start(caller, _start_request(request)))

    async def _start_many(self, request: client_pb2.StartManyRequest, caller: Caller) -> Any:
        starts = [_start_request(start) for start in request.starts]
        answer = client_pb2.StartManyReply()
        for made in await self._requests.start_many(caller, starts):
            result = answer.results.add()
            if isinstance(made, Started):
                fill(made, result.started)
            else:
                fill(Refused(type(made).__name__, str(made)), result.refused)
        return answer

    async def _get(self, request: client_pb2.GetRequest, caller: Caller) -> Any:
        return to_message(await self._requests.details(caller, request.execution_id))

    async def _list(self, request: client_pb2.ListRequest, caller: Caller) -> Any:
        selection: ExecutionFilter = from_message(request.filter, ExecutionFilter)
        size = _size(request, "page_size")
        views, token = await self._requests.list_executions(caller, selection, size, request.page_token)
        reply = client_pb2.ListReply(next_page_token=token)
        for view in views:
            fill(view, reply.executions.add())
        return reply

    async def _list_tasks(self, request: client_pb2.ListTasksRequest, caller: Caller) -> Any:
        selection: TaskFilter = from_message(request.filter, TaskFilter)
        size = _size(request, "page_size")
        listed, token = await self._requests.list_tasks(caller, selection, size, request.page_token)
        reply = client_pb2.ListTasksReply(next_page_token=token)
        for task in listed:
            fill(task, reply.tasks.add())
        return reply

    async def _list_workers(self, request: client_pb2.ListWorkersRequest, caller: Caller) -> Any:
        workers, token = await self._requests.list_workers(caller, _size(request, "page_size"), request.page_token)
        reply = client_pb2.ListWorkersReply(next_page_token=token)
        for worker in workers:
            fill(worker, reply.workers.add())
        return reply

    async def _list_audit(self, request: client_pb2.ListAuditRequest, caller: Caller) -> Any:
        selection: AuditFilter = from_message(request.filter, AuditFilter)
        size = _size(request, "page_size")
        records, token = await self._requests.list_audit(caller, selection, size, request.page_token)
        reply = client_pb2.ListAuditReply(next_page_token=token)
        for record in records:
            fill(record, reply.records.add())
        return reply

    async def _get_stuck(self, request: client_pb2.GetStuckRequest, caller: Caller) -> Any:
        quiet_ms = request.quiet_ms if request.HasField("quiet_ms") else None
        return to_message(await self._requests.stuck(caller, _size(request, "limit"), quiet_ms))

    async def _get_server(self, request: client_pb2.GetServerRequest, caller: Caller) -> Any:
        return to_message(await self._requests.facts(caller))

    async def _count(self, request: client_pb2.CountRequest, caller: Caller) -> Any:
        reach = await self._requests.reach(caller, _target(request), hard=request.hard)
        count = reach.executions if request.WhichOneof("target") == "executions" else reach.tasks
        return client_pb2.CountReply(
            count=count, descendants=reach.descendants, tasks=reach.tasks, attempts=reach.attempts
        )

    async def _cancel_where(self, request: client_pb2.CancelWhereRequest, caller: Caller) -> AsyncIterator[Any]:
        steps = self._requests.cancel_where(
            caller, _target(request), _reason(request), hard=request.hard, by=request.by
        )
        counts: Mapping[CancelTaskResult, int] = {}
        async for counts in steps:
            yield _progress(counts, done=False)
        yield _progress(counts, done=True)

    async def _signal(self, request: client_pb2.SignalRequest, caller: Caller) -> Any:
        value = _payload(request, "value")
        signalled = await self._requests.signal(caller, request.execution_id, request.name, value, request.by)
        return to_message(signalled)

    async def _cancel_execution(self, request: client_pb2.CancelExecutionRequest, caller: Caller) -> Any:
        result = await self._requests.cancel_execution(
            caller, request.execution_id, _reason(request), hard=request.hard, by=request.by
        )
        return to_message(CancelAnswered(result))

    async def _cancel_task(self, request: client_pb2.CancelTaskRequest, caller: Caller) -> Any:
        mode = _MODES.get(request.mode) if request.HasField("mode") else CancelMode.TRY
        if mode is None:
            raise InvalidInput(f"CancelTaskRequest.mode: unknown kind {request.mode}. Known are {sorted(_MODES)}.")
        result = await self._requests.cancel_task(
            caller, request.execution_id or None, request.task_id, _reason(request), mode, request.by
        )
        return to_message(CancelAnswered(result))

    async def _wait_ended(self, request: client_pb2.WaitEndedRequest, caller: Caller) -> Any:
        return to_message(await self._requests.wait_ended(caller, request.execution_id))

    async def _history(self, request: client_pb2.HistoryRequest, caller: Caller) -> AsyncIterator[Any]:
        await self._requests.details(caller, request.execution_id)
        execution_id = self._requests.inner_id(caller, request.execution_id)
        async for events in history_pages(self._host, execution_id, max(0, request.after)):
            batch = client_pb2.HistoryBatch()
            for event in events:
                fill(organisations.outer_event(event), batch.events.add())
            yield batch

    async def _watch(self, request: client_pb2.WatchRequest, caller: Caller) -> AsyncIterator[Any]:
        execution_id = self._requests.inner_id(caller, request.execution_id)
        after = max(0, request.after)
        if request.output:
            await self._host.output.at_rest()
        async with self._host.watchers.subscribe(execution_id) as subscription, Arrivals(subscription) as arrivals:
            so_far = self._host.output.so_far(execution_id) if request.output else ()
            details = await self._requests.details(caller, request.execution_id)
            for start in range(0, len(so_far), OUTPUTS_AT_ONCE):
                yield _watch_batch(so_far[start : start + OUTPUTS_AT_ONCE], is_kept_output=True)
            # What comes behind an end, such as a cancel that was too late, is nobody's to wait for.
            has_ended = details.execution.status in TERMINAL_EXECUTION
            async for events in history_pages(self._host, execution_id, after):
                after = events[-1].sequence
                has_ended = has_ended or _has_end(events)
                yield _watch_batch(events)
            while not has_ended:
                # What was told while the history was read is in both.
                fresh = [
                    each
                    for each in await arrivals.take()
                    if not isinstance(each, HistoryEvent) or each.sequence > after
                ]
                after = max([after, *(each.sequence for each in fresh if isinstance(each, HistoryEvent))])
                has_ended = _has_end(fresh)
                for start in range(0, len(fresh), EVENTS_AT_ONCE):
                    yield _watch_batch(fresh[start : start + EVENTS_AT_ONCE])


def _start_request(request: client_pb2.StartRequest) -> StartRequest:
    return StartRequest(
        request.kind,
        _payload(request, "input"),
        request.execution_id if request.HasField("execution_id") else None,
        request.queue if request.HasField("queue") else DEFAULT_QUEUE,
        dict(request.labels),
        request.by,
        request.workflow if request.HasField("workflow") else None,
    )


def _payload(request: Any, field: str) -> Payload:
    if not request.HasField(field):
        return NULL_PAYLOAD
    payload: Payload = from_message(getattr(request, field), Payload)
    return payload


def _target(request: Any) -> ExecutionFilter | TaskFilter:
    """Which of the two a request is about."""
    match request.WhichOneof("target"):
        case "executions":
            executions: ExecutionFilter = from_message(request.executions, ExecutionFilter)
            return executions
        case "tasks":
            tasks: TaskFilter = from_message(request.tasks, TaskFilter)
            return tasks
        case _:
            name = request.DESCRIPTOR.name
            raise InvalidInput(f"{name}.target: unknown kind. Set `executions` or `tasks`.")


def _size(request: Any, field: str) -> int:
    size: int = getattr(request, field) if request.HasField(field) else PAGE
    return size


def _reason(request: Any) -> str | None:
    return request.reason if request.HasField("reason") else None


def _progress(counts: Mapping[CancelTaskResult, int], *, done: bool) -> client_pb2.CancelProgress:
    progress = client_pb2.CancelProgress(seen=sum(counts.values()), done=done)
    for result, count in counts.items():
        progress.counts.add(result=_RESULTS[result], count=count)
    return progress


def _has_end(seen: Sequence[Seen]) -> bool:
    return any(isinstance(each, HistoryEvent) and each.type in EXECUTION_ENDS for each in seen)


def _watch_batch(seen: Sequence[Seen], *, is_kept_output: bool = False) -> client_pb2.WatchBatch:
    batch = client_pb2.WatchBatch(is_kept_output=is_kept_output)
    for each in seen:
        shown = organisations.outer_event(each) if isinstance(each, HistoryEvent) else each
        fill(shown, batch.seen.add(), Seen)
    return batch
