"""Callers' calls over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import grpc
import msgspec
from rescind_proto.rescind.v1 import client_pb2, values_pb2

from rescind.errors import InvalidInput, NotFound, RescindError
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import (
    CancelAnswered,
    CancelExecution,
    CancelTaskFromOutside,
    FromClient,
    Refused,
    Reply,
    SignalExecution,
    Started,
    StartExecution,
)
from rescind.model.events import EXECUTION_ENDS, HistoryEvent
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import TERMINAL_EXECUTION, CancelMode, CancelTaskResult
from rescind.model.texts import LONGEST_TEXT
from rescind.model.views import ExecutionDetails
from rescind.transport.conversion.derivation import enum_numbers
from rescind.transport.conversion.pairs import Seen, fill, from_message, to_message
from rescind.transport.grpc_errors import named_error
from rescind.transport.grpc_methods import CLIENT_METHODS
from rescind_server.gateway.arrivals import Arrivals
from rescind_server.gateway.identity import Caller, Identify
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.serving import Answer, Stream, answering, streaming
from rescind_server.host.driver import Host
from rescind_server.host.queries import Queries

Filter = TypeVar("Filter", ExecutionFilter, TaskFilter)

_MODES: Final = {
    number: mode
    for mode, number in enum_numbers(CancelMode, values_pb2.DESCRIPTOR.enum_types_by_name["CancelMode"]).items()
}
_RESULTS: Final = enum_numbers(CancelTaskResult, values_pb2.DESCRIPTOR.enum_types_by_name["CancelTaskResult"])
_PAGE: Final = 100
_LARGEST_PAGE: Final = 1_000
_EVENTS_AT_ONCE: Final = 500


class ClientGateway:
    """The Client service."""

    def __init__(self, host: Host, queries: Queries, limits: Limits, identify: Identify) -> None:
        self._host = host
        self._queries = queries
        self._limits = limits
        self._identify = identify

    def handlers(self) -> Mapping[str, grpc.RpcMethodHandler]:
        """The handlers of the service's calls, by their names."""
        answers: dict[str, Answer] = {
            "Start": self._start,
            "StartMany": self._start_many,
            "Get": self._get,
            "List": self._list,
            "Signal": self._signal,
            "CancelExecution": self._cancel_execution,
            "CancelTask": self._cancel_task,
            "WaitEnded": self._wait_ended,
        }
        streams: dict[str, Stream] = {"History": self._history, "Watch": self._watch, "CancelWhere": self._cancel_where}
        return {
            **{name: answering(CLIENT_METHODS[name], answer, self._identify) for name, answer in answers.items()},
            **{name: streaming(CLIENT_METHODS[name], stream, self._identify) for name, stream in streams.items()},
        }

    async def _start(self, request: client_pb2.StartRequest, caller: Caller) -> Any:
        reply = await self._ask(self._start_command(request, caller))
        return to_message(reply)

    async def _start_many(self, request: client_pb2.StartManyRequest, caller: Caller) -> Any:
        if len(request.starts) > self._limits.starts:
            raise InvalidInput(f"{len(request.starts)} starts at once; at most {self._limits.starts} are taken.")
        commands = [self._start_command(start, caller) for start in request.starts]
        # Asked in one turn of the event loop, they are one turn of the host, and one commit.
        replies = await asyncio.gather(*(self._host.ask(command) for command in commands))
        answer = client_pb2.StartManyReply()
        for reply in replies:
            result = answer.results.add()
            fill(reply, result.started if isinstance(reply, Started) else result.refused)
        return answer

    async def _get(self, request: client_pb2.GetRequest, caller: Caller) -> Any:
        return to_message(await self._known(request.execution_id))

    async def _list(self, request: client_pb2.ListRequest, caller: Caller) -> Any:
        size = request.page_size if request.HasField("page_size") else _PAGE
        if not 1 <= size <= _LARGEST_PAGE:
            raise InvalidInput(f"page_size is {size}. Give 1 to {_LARGEST_PAGE}.")
        selection = _own(from_message(request.filter, ExecutionFilter), caller)
        views, token = await self._queries.list_executions(selection, size, request.page_token)
        reply = client_pb2.ListReply(next_page_token=token)
        for view in views:
            fill(view, reply.executions.add())
        return reply

    async def _cancel_where(self, request: client_pb2.CancelWhereRequest, caller: Caller) -> AsyncIterator[Any]:
        cause = _cause(request, caller)
        match request.WhichOneof("target"):
            case "executions":
                executions = _own(from_message(request.executions, ExecutionFilter), caller)
                steps = self._queries.cancel_executions(executions, cause, hard=request.hard)
            case "tasks":
                steps = self._queries.cancel_tasks(_own(from_message(request.tasks, TaskFilter), caller), cause)
            case _:
                raise InvalidInput("CancelWhereRequest.target: unknown kind. Set `executions` or `tasks`.")
        counts: Mapping[CancelTaskResult, int] = {}
        async for counts in steps:
            yield _progress(counts, done=False)
        yield _progress(counts, done=True)

    async def _signal(self, request: client_pb2.SignalRequest, caller: Caller) -> Any:
        self._limits.check_name(request.name, "the signal's name")
        value = self._payload(request, "value", f"signal {request.name!r}")
        command = SignalExecution(ExecutionId(request.execution_id), request.name, value, caller.name_for(request.by))
        return to_message(await self._ask(command))

    async def _cancel_execution(self, request: client_pb2.CancelExecutionRequest, caller: Caller) -> Any:
        command = CancelExecution(ExecutionId(request.execution_id), _cause(request, caller), request.hard)
        reply = await self._ask(command)
        assert isinstance(reply, CancelAnswered)
        return to_message(reply)

    async def _cancel_task(self, request: client_pb2.CancelTaskRequest, caller: Caller) -> Any:
        mode = _MODES.get(request.mode) if request.HasField("mode") else CancelMode.TRY
        if mode is None:
            raise InvalidInput(f"CancelTaskRequest.mode: unknown kind {request.mode}. Known are {sorted(_MODES)}.")
        command = CancelTaskFromOutside(
            ExecutionId(request.execution_id), TaskId(request.task_id), _cause(request, caller), mode
        )
        return to_message(await self._ask(command))

    async def _wait_ended(self, request: client_pb2.WaitEndedRequest, caller: Caller) -> Any:
        execution_id = ExecutionId(request.execution_id)
        async with self._host.watchers.subscribe(execution_id, EXECUTION_ENDS) as ends:
            details = await self._known(execution_id)
            while details.execution.status not in TERMINAL_EXECUTION:
                await ends.get()
                details = await self._known(execution_id)
        return to_message(details.execution)

    async def _history(self, request: client_pb2.HistoryRequest, caller: Caller) -> AsyncIterator[Any]:
        await self._known(request.execution_id)
        events = self._host.history(ExecutionId(request.execution_id), max(0, request.after))
        for start in range(0, len(events), _EVENTS_AT_ONCE):
            batch = client_pb2.HistoryBatch()
            for event in events[start : start + _EVENTS_AT_ONCE]:
                fill(event, batch.events.add())
            yield batch

    async def _watch(self, request: client_pb2.WatchRequest, caller: Caller) -> AsyncIterator[Any]:
        execution_id = ExecutionId(request.execution_id)
        after = max(0, request.after)
        async with self._host.watchers.subscribe(execution_id) as subscription, Arrivals(subscription) as arrivals:
            await self._known(execution_id)
            waiting: Sequence[Seen] = self._host.history(execution_id, after)
            while True:
                # What was told while the history was read is in both.
                fresh = [each for each in waiting if not isinstance(each, HistoryEvent) or each.sequence > after]
                after = max([after, *(each.sequence for each in fresh if isinstance(each, HistoryEvent))])
                for batch in _watch_batches(fresh):
                    yield batch
                if any(isinstance(each, HistoryEvent) and each.type in EXECUTION_ENDS for each in fresh):
                    return
                waiting = await arrivals.take()

    def _start_command(self, request: client_pb2.StartRequest, caller: Caller) -> StartExecution:
        limits = self._limits
        limits.check_name(request.kind, "the agent's kind")
        queue = request.queue if request.HasField("queue") else DEFAULT_QUEUE
        limits.check_name(queue, "the queue's name")
        execution_id = request.execution_id if request.HasField("execution_id") else None
        if execution_id is not None:
            limits.check_name(execution_id, "the execution's id")
        for name, value in request.labels.items():
            limits.check_name(name, "a label's name")
            if len(value) > LONGEST_TEXT:
                raise InvalidInput(f"label {name!r} has {len(value)} characters; at most {LONGEST_TEXT} are taken.")
        return StartExecution(
            request.kind,
            self._payload(request, "input", f"the input of agent {request.kind!r}"),
            ExecutionId(execution_id) if execution_id is not None else None,
            queue,
            dict(request.labels),
            caller.name_for(request.by),
            caller.organisation,
        )

    def _payload(self, request: Any, field: str, what: str) -> Payload:
        if not request.HasField(field):
            return NULL_PAYLOAD
        payload: Payload = from_message(getattr(request, field), Payload)
        self._limits.check_payload(payload, what)
        return payload

    async def _known(self, execution_id: str) -> ExecutionDetails:
        details = await self._host.details(ExecutionId(execution_id))
        if details is None:
            raise NotFound(f"no execution {execution_id!r}. Check the id, or list the executions.")
        return details

    async def _ask(self, command: FromClient) -> Reply:
        reply = await self._host.ask(command)
        if isinstance(reply, Refused):
            raise named_error(reply.error, reply.message) or RescindError(reply.message)
        return reply


def _own(selection: Filter, caller: Caller) -> Filter:
    """A filter that selects nothing of other organisations."""
    return msgspec.structs.replace(selection, organisation=caller.organisation)


def _progress(counts: Mapping[CancelTaskResult, int], *, done: bool) -> client_pb2.CancelProgress:
    progress = client_pb2.CancelProgress(seen=sum(counts.values()), done=done)
    for result, count in counts.items():
        progress.counts.add(result=_RESULTS[result], count=count)
    return progress


def _watch_batches(seen: Sequence[Seen]) -> list[client_pb2.WatchBatch]:
    batches: list[client_pb2.WatchBatch] = []
    for start in range(0, len(seen), _EVENTS_AT_ONCE):
        batch = client_pb2.WatchBatch()
        for each in seen[start : start + _EVENTS_AT_ONCE]:
            fill(each, batch.seen.add(), Seen)
        batches.append(batch)
    return batches


def _cause(request: Any, caller: Caller) -> CancelCause:
    reason = request.reason if request.HasField("reason") else None
    return CancelCause(CancelSource.REQUEST, caller.name_for(request.by), reason)
