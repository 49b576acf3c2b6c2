"""WorkflowDispatch over a real channel, and what tests ask of it again and again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
import pytest
from rescind_proto.flovyn.v1 import flovyn_pb2 as wire

from rescind.transport.grpc_methods import methods_of
from rescind_server.app import Server

SERVICES = ("WorkflowDispatch", "WorkflowQuery", "WorkerLifecycle", "TaskExecution")
STRANGE = "00000000-0000-4000-8000-000000000000"
"""An id of nothing."""


class Wire:
    """The calls of flovyn.v1 about workflows, by their names."""

    def __init__(self, channel: grpc.aio.Channel, token: str | None = None) -> None:
        self._metadata = (("authorization", f"Bearer {token}"),) if token is not None else ()
        self._calls: dict[str, Any] = {}
        self._types: dict[str, Any] = {}
        for service in SERVICES:
            for name, method in methods_of(wire.DESCRIPTOR.services_by_name[service]).items():
                make = channel.unary_stream if method.is_stream else channel.unary_unary
                if not method.is_session:
                    self._calls[name] = make(
                        method.path,
                        request_serializer=method.request.SerializeToString,
                        response_deserializer=method.reply.FromString,
                    )
                    self._types[name] = method.request

    def call(self, name: str, **fields: Any) -> Any:
        """Make a call; what it gives is awaited, or iterated."""
        return self._calls[name](self._types[name](**fields), metadata=self._metadata, timeout=10.0)

    async def start(self, kind: str = "w", given: Any = None, **fields: Any) -> str:
        """Start a workflow; returns its id."""
        reply = await self.call("StartWorkflow", workflow_kind=kind, input=data(given), **fields)
        return str(reply.workflow_execution_id)

    async def poll(self, worker: str = "worker-1", *kinds: str, queue: str = "default", seconds: int = 5) -> Any:
        """Claim a workflow; one without an id if there was none."""
        reply = await self.call(
            "PollWorkflow", worker_id=worker, queue=queue, timeout_seconds=seconds, workflow_capabilities=kinds
        )
        return reply.workflow_execution

    async def submit(self, execution_id: str, *commands: Any, status: str = "SUSPENDED") -> None:
        """Hand in the result of a pass."""
        await self.call(
            "SubmitWorkflowCommands",
            workflow_execution_id=execution_id,
            commands=commands,
            status=wire.WorkflowStatus.Value(status),
        )

    async def events(self, execution_id: str) -> list[tuple[str, Any]]:
        """The log: types and data."""
        reply = await self.call("GetEvents", workflow_execution_id=execution_id)
        assert [each.sequence_number for each in reply.events] == list(range(1, len(reply.events) + 1))
        return [(each.event_type, json.loads(each.event_data)) for each in reply.events]

    async def types(self, execution_id: str) -> list[str]:
        """The log: types alone."""
        return [event_type for event_type, _ in await self.events(execution_id)]

    async def claimed(self, kind: str = "w", given: Any = None) -> str:
        """A workflow that a worker has claimed; returns its id."""
        execution_id = await self.start(kind, given)
        assert (await self.poll("worker-1", kind)).id == execution_id
        return execution_id


def data(value: Any) -> bytes:
    """A value as the wire carries it."""
    return json.dumps(value).encode()


def command(command_type: str, number: int = 0, /, **fields: Any) -> Any:
    """A command of a type, by the name of its field: ``start_timer``."""
    made = wire.WorkflowCommand(command_type=command_type.upper(), sequence_number=number)
    getattr(made, command_type).SetInParent()
    for name, value in fields.items():
        setattr(getattr(made, command_type), name, value)
    return made


def task_command(kind: str = "t", task_id: str | None = None, **fields: Any) -> Any:
    """A command that schedules a task."""
    return command("schedule_task", kind=kind, task_execution_id=task_id or str(uuid4()), **fields)


def child_command(name: str, child_id: str | None = None, kind: str = "child", **fields: Any) -> Any:
    """A command that schedules a child."""
    return command(
        "schedule_child_workflow",
        child_execution_name=name,
        workflow_kind=kind,
        child_workflow_execution_id=child_id or str(uuid4()),
        **fields,
    )


@asynccontextmanager
async def connected(server: Server, token: str | None = None) -> AsyncIterator[Wire]:
    """A channel to a server."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield Wire(channel, token)


@contextmanager
def refused(code: grpc.StatusCode) -> Iterator[None]:
    """What is called inside is refused with this code."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    assert caught.value.code() is code, f"{caught.value.code()}: {caught.value.details()}"
