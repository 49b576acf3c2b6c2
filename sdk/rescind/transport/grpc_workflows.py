"""Workflows over gRPC: how a worker gets them, and what callers ask about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import uuid4

import msgspec
from rescind_proto.rescind.v1 import workflows_pb2 as wire

from rescind.model.ids import ExecutionId
from rescind.model.payload import Payload
from rescind.model.workflow_commands import AnyWorkflowCommand, PassStatus
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflows import PASS_BEAT_MS, StartWorkflow, WorkflowClaimed
from rescind.transport.conversion.pairs import fill
from rescind.transport.grpc_client import DEFAULT_TIMEOUT, GrpcConnection
from rescind.transport.workflow_messages import (
    claimed_of,
    command_messages,
    event_of,
    start_message,
)

_LONGEST_WAIT_MS: Final = 60_000
_LONGEST_ANSWER: Final = 10.0
"""How much longer than it waits a poll may take, in seconds."""


class GrpcWorkflows:
    """See `WorkflowPort`. The worker has joined with its session, under the same id."""

    def __init__(self, connection: GrpcConnection, worker_id: str) -> None:
        self._connection = connection
        self._worker_id = worker_id

    async def claim(self, queue: str, cleanup_budgets_ms: Mapping[str, int]) -> WorkflowClaimed | None:
        """See `WorkflowPort`."""
        request = wire.ClaimWorkflowRequest(
            worker_id=self._worker_id,
            queue=queue,
            kinds=cleanup_budgets_ms,
            wait_ms=_LONGEST_WAIT_MS,
            cleanup_budgets_ms=cleanup_budgets_ms,
        )
        timeout = _LONGEST_WAIT_MS / 1_000 + _LONGEST_ANSWER
        reply = await self._connection.call("ClaimWorkflow", request, timeout=timeout)
        return claimed_of(reply) if reply.execution_id else None

    async def events(self, claimed: WorkflowClaimed, after: int) -> Sequence[LoggedEvent]:
        """See `WorkflowPort`."""
        return await log_behind(self._connection, claimed.execution_id, after)

    async def submit(
        self,
        claimed: WorkflowClaimed,
        commands: Sequence[AnyWorkflowCommand],
        status: PassStatus,
        seen: int,
        *,
        cleaning_up: bool,
    ) -> None:
        """See `WorkflowPort`."""
        request = wire.SubmitWorkflowRequest(
            execution_id=claimed.execution_id,
            claim=claimed.claim,
            commands=command_messages(commands),
            status=status.value,
            seen=seen,
            cleaning_up=cleaning_up,
        )
        await self._connection.call("SubmitWorkflow", request)

    async def hold(self, claims: Sequence[WorkflowClaimed]) -> None:
        """See `WorkflowPort`."""
        held = [wire.HeldWorkflow(execution_id=each.execution_id, claim=each.claim) for each in claims]
        request = wire.HoldWorkflowsRequest(worker_id=self._worker_id, claims=held)
        await self._connection.call("HoldWorkflows", request, timeout=PASS_BEAT_MS / 1_000)

    async def release(self, claimed: WorkflowClaimed) -> None:
        """See `WorkflowPort`."""
        request = wire.ReleaseWorkflowRequest(execution_id=claimed.execution_id, claim=claimed.claim)
        await self._connection.call("ReleaseWorkflow", request)


class GrpcWorkflowClient:
    """See `WorkflowClientPort`."""

    _connection: GrpcConnection
    _by: str
    _timeout: float = DEFAULT_TIMEOUT

    async def start_workflow(self, command: StartWorkflow) -> ExecutionId:
        """See `WorkflowClientPort`."""
        # An id of our own makes the call repeatable, so that a lost answer does not leave a second one behind.
        wanted = command.execution_id or ExecutionId(str(uuid4()))
        request = start_message(msgspec.structs.replace(command, execution_id=wanted, by=self._by))
        reply = await self._connection.call("StartWorkflow", request, timeout=self._timeout)
        return ExecutionId(reply.execution_id)

    async def signal_with_start(self, command: StartWorkflow, name: str, value: Payload) -> ExecutionId:
        """See `WorkflowClientPort`."""
        start = start_message(msgspec.structs.replace(command, by=self._by))
        request = wire.SignalWithStartRequest(start=start, name=name)
        fill(value, request.value)
        reply = await self._connection.call("SignalWithStart", request, timeout=self._timeout)
        return ExecutionId(reply.execution_id)

    async def settle_promise(self, promise: str, by_key: bool, value: Payload, error: str | None) -> bool:
        """See `WorkflowClientPort`."""
        request = wire.SettlePromiseRequest(promise=promise, by_key=by_key, error=error)
        fill(value, request.value)
        reply = await self._connection.call("SettlePromise", request, timeout=self._timeout)
        return not reply.already

    async def retry_workflow(self, execution_id: ExecutionId, reason: str) -> int:
        """See `WorkflowClientPort`."""
        request = wire.RetryWorkflowRequest(execution_id=execution_id, reason=reason, by=self._by)
        reply = await self._connection.call("RetryWorkflow", request, timeout=self._timeout)
        return int(reply.attempt)

    async def workflow_events(self, execution_id: ExecutionId) -> Sequence[LoggedEvent]:
        """See `WorkflowClientPort`."""
        return await log_behind(self._connection, execution_id, 0)


async def log_behind(connection: GrpcConnection, execution_id: ExecutionId, after: int) -> list[LoggedEvent]:
    """The log of a workflow behind event number `after`."""
    request = wire.GetLogRequest(execution_id=execution_id, after=after)
    return [event_of(message) async for batch in connection.stream("GetLog", request) for message in batch.events]
