"""A caller's port to our engine, through a host in this process or a connection that looks like one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from rescind.backends.native.workflow_client_port import NativeWorkflowClient, WorkflowServer
from rescind.errors import NotFound, RescindError
from rescind.errors.named import named_error
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import (
    CancelAnswered,
    CancelExecution,
    CancelTaskFromOutside,
    Command,
    Refused,
    Reply,
    SignalExecution,
    Started,
    StartExecution,
)
from rescind.model.events import EXECUTION_ENDS, EventType, HistoryEvent
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.payload import Payload
from rescind.model.status import TERMINAL_EXECUTION, CancelMode, CancelTaskResult
from rescind.model.views import ExecutionDetails
from rescind.telemetry.traces import current_trace_parent

Seen = HistoryEvent | StreamedEvent


class Arrivals(Protocol):
    """What a subscription gives, one by one."""

    async def get(self) -> Seen:
        """The next; waits for it."""


class Subscriptions(Protocol):
    """Whoever can be subscribed to."""

    def subscribe(
        self, execution_id: ExecutionId, only: frozenset[EventType] | None = None
    ) -> AbstractAsyncContextManager[Arrivals]:
        """Everything that happens to an execution from now on, or events of these types alone."""


class KeptOutput(Protocol):
    """What the programs of tasks wrote."""

    async def at_rest(self) -> None:
        """Return when `so_far` tells all, and all of it once, until the next await."""

    def so_far(self, execution_id: ExecutionId) -> Sequence[StreamedEvent]:
        """What an execution's tasks wrote, as far as it is kept."""


class Server(WorkflowServer, Protocol):
    """What this port needs of a host: `rescind_server.host.Host` has it."""

    @property
    def watchers(self) -> Subscriptions:
        """Where executions are followed."""

    @property
    def output(self) -> KeptOutput:
        """What their programs wrote."""

    async def ask(self, command: Command) -> Reply:
        """Decide a command; its durable answer."""

    async def details(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """An execution as it durably stands."""

    def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """Its durable events."""


class NativeClientPort(NativeWorkflowClient):
    """See `ClientPort`."""

    _server: Server

    def __init__(self, server: Server, by: str = "client:local") -> None:
        self._server = server
        self._by = by

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
        wanted = ExecutionId(execution_id) if execution_id is not None else None
        command = StartExecution(
            kind,
            payload,
            wanted,
            queue,
            dict(labels),
            self._by,
            trace_parent=current_trace_parent(),
            or_workflow=or_workflow,
        )
        reply = await self._ask(command)
        assert isinstance(reply, Started)
        return reply.execution_id

    async def signal_execution(self, execution_id: ExecutionId, name: str, value: Payload) -> None:
        """See `ClientPort`."""
        await self._ask(SignalExecution(execution_id, name, value, self._by))

    async def cancel_execution(self, execution_id: ExecutionId, reason: str | None, *, hard: bool) -> CancelTaskResult:
        """See `ClientPort`."""
        reply = await self._ask(CancelExecution(execution_id, self._cause(reason), hard))
        if isinstance(reply, CancelAnswered) and reply.result is CancelTaskResult.NOT_FOUND:
            details = await self._server.details(execution_id)
            return already_ended(details) if details is not None else reply.result
        assert isinstance(reply, CancelAnswered)
        return reply.result

    async def cancel_task(
        self, execution_id: ExecutionId, task_id: TaskId, reason: str | None, mode: CancelMode
    ) -> CancelTaskResult:
        """See `ClientPort`."""
        reply = await self._ask(CancelTaskFromOutside(execution_id, task_id, self._cause(reason), mode))
        assert isinstance(reply, CancelAnswered)
        return reply.result

    async def describe(self, execution_id: ExecutionId) -> ExecutionDetails:
        """See `ClientPort`."""
        return await self._known(execution_id)

    async def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """See `ClientPort`."""
        await self._known(execution_id)
        return self._server.history(execution_id, after)

    async def wait_ended(self, execution_id: ExecutionId) -> ExecutionDetails:
        """See `ClientPort`."""
        async with self._server.watchers.subscribe(execution_id, EXECUTION_ENDS) as ends:
            details = await self._known(execution_id)
            while details.execution.status not in TERMINAL_EXECUTION:
                await ends.get()
                details = await self._known(execution_id)
        return details

    async def follow(self, execution_id: ExecutionId, after: int = 0, *, output: bool = False) -> AsyncIterator[Seen]:
        """See `ClientPort`. Begins with the history so far; nothing is missed or repeated in between."""
        if output:
            await self._server.output.at_rest()
        async with self._server.watchers.subscribe(execution_id) as arrivals:
            so_far = self._server.output.so_far(execution_id) if output else ()
            seen = after
            details = await self._known(execution_id)
            for streamed in so_far:
                yield streamed
            for event in self._server.history(execution_id, after):
                seen = event.sequence
                yield event
                if event.type in EXECUTION_ENDS:
                    return
            # It had ended before the number that was asked for: what comes behind an end is nobody's to wait for.
            if details.execution.status in TERMINAL_EXECUTION:
                return
            while True:
                arrived = await arrivals.get()
                if isinstance(arrived, HistoryEvent):
                    if arrived.sequence <= seen:
                        continue
                    seen = arrived.sequence
                yield arrived
                if isinstance(arrived, HistoryEvent) and arrived.type in EXECUTION_ENDS:
                    return

    async def _known(self, execution_id: ExecutionId) -> ExecutionDetails:
        details = await self._server.details(execution_id)
        if details is None:
            raise NotFound(f"no execution {execution_id!r}. Check the id, or list the executions.")
        return details

    async def _ask(self, command: Command) -> Reply:
        reply = await self._server.ask(command)
        if isinstance(reply, Refused):
            raise named_error(reply.error, reply.message) or RescindError(reply.message)
        return reply

    def _cause(self, reason: str | None) -> CancelCause:
        return CancelCause(CancelSource.REQUEST, self._by, reason, current_trace_parent())


def already_ended(details: ExecutionDetails) -> CancelTaskResult:
    """What a cancel meets that comes after an execution's end."""
    return CancelTaskResult(f"ALREADY_{details.execution.status.value}")
