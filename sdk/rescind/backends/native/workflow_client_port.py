"""A caller's port to our engine: what is about workflows alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import msgspec

from rescind.model.commands import Command, Reply, Started
from rescind.model.ids import ExecutionId
from rescind.model.payload import Payload
from rescind.model.views import ExecutionDetails
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflows import (
    PromiseSettled,
    RetryWorkflow,
    SettlePromise,
    SignalledWithStart,
    SignalWithStart,
    StartWorkflow,
    WorkflowRetried,
)


class WorkflowServer(Protocol):
    """What this port needs of a host beside answers to commands."""

    def workflow_log(self, execution_id: ExecutionId) -> Sequence[LoggedEvent]:
        """A workflow's durable events."""


class NativeWorkflowClient(ABC):
    """See `WorkflowClientPort`."""

    _by: str
    _server: WorkflowServer

    async def start_workflow(self, command: StartWorkflow) -> ExecutionId:
        """See `WorkflowClientPort`."""
        reply = await self._ask(msgspec.structs.replace(command, by=self._by))
        assert isinstance(reply, Started)
        return reply.execution_id

    async def signal_with_start(self, command: StartWorkflow, name: str, value: Payload) -> ExecutionId:
        """See `WorkflowClientPort`."""
        reply = await self._ask(SignalWithStart(msgspec.structs.replace(command, by=self._by), name, value))
        assert isinstance(reply, SignalledWithStart)
        return reply.execution_id

    async def settle_promise(self, promise: str, by_key: bool, value: Payload, error: str | None) -> bool:
        """See `WorkflowClientPort`."""
        reply = await self._ask(SettlePromise(promise, value, error, by_key, self._by))
        assert isinstance(reply, PromiseSettled)
        return not reply.already

    async def retry_workflow(self, execution_id: ExecutionId, reason: str) -> int:
        """See `WorkflowClientPort`."""
        reply = await self._ask(RetryWorkflow(execution_id, reason, self._by))
        assert isinstance(reply, WorkflowRetried)
        return reply.attempt

    async def workflow_events(self, execution_id: ExecutionId) -> Sequence[LoggedEvent]:
        """See `WorkflowClientPort`."""
        await self._known(execution_id)
        return self._server.workflow_log(execution_id)

    @abstractmethod
    async def _ask(self, command: Command) -> Reply:
        """The answer to a command. Raises what it was refused with."""

    @abstractmethod
    async def _known(self, execution_id: ExecutionId) -> ExecutionDetails:
        """The execution. Raises NotFound: there is none."""
