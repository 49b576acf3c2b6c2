"""What a worker of flovyn.v1 sends, in few words."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Final
from uuid import uuid4

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from rescind_proto.flovyn.v1 import agent_pb2, flovyn_pb2

from rescind.model.commands import Started, StartExecution
from rescind.model.ids import ExecutionId
from rescind.model.payload import Payload
from rescind.transport.grpc_methods import Method, methods_of
from rescind_server.app import Server

PATIENCE_S: Final = 20.0
"""How long a call may take before its test fails: longer than anything that is waited for."""

SERVICES: Final = {
    **agent_pb2.DESCRIPTOR.services_by_name,
    **flovyn_pb2.DESCRIPTOR.services_by_name,
}


class Service:
    """The calls of a service, each a method of the same name."""

    def __init__(self, channel: grpc.aio.Channel, service: ServiceDescriptor, token: str | None = None) -> None:
        self._channel = channel
        self._methods = methods_of(service)
        self._metadata = (("authorization", f"Bearer {token}"),) if token is not None else ()

    def __getattr__(self, name: str) -> Any:
        method = self._methods[name]
        make = {
            (False, False): self._channel.unary_unary,
            (True, False): self._channel.stream_unary,
            (False, True): self._channel.unary_stream,
        }[method.is_session, method.is_stream]
        call = make(
            method.path,
            request_serializer=lambda message: message if isinstance(message, bytes) else message.SerializeToString(),
            response_deserializer=method.reply.FromString,
        )

        def send(request: Any = None, **fields: Any) -> Any:
            return call(self._request(method, request, fields), metadata=self._metadata, timeout=PATIENCE_S)

        return send

    def _request(self, method: Method, request: Any, fields: dict[str, Any]) -> Any:
        return request if request is not None else method.request(**fields)


class Wire:
    """A worker's view of a server."""

    def __init__(self, server: Server, channel: grpc.aio.Channel, token: str | None = None) -> None:
        self.server = server
        self.agents = Service(channel, SERVICES["AgentDispatch"], token)
        self.tasks = Service(channel, SERVICES["TaskExecution"], token)
        self.workers = Service(channel, SERVICES["WorkerLifecycle"], token)
        self.workflows = Service(channel, SERVICES["WorkflowDispatch"], token)

    async def start_agent(self, kind: str = "chat", value: bytes = b"null", queue: str = "default") -> str:
        """Start an agent, as REST would; returns its id."""
        agent_id = ExecutionId(str(uuid4()))
        started = await self.server.host.ask(StartExecution(kind, Payload(value), agent_id, queue))
        assert isinstance(started, Started)
        return started.execution_id

    async def poll_agent(self, *kinds: str, worker: str = "worker", queue: str = "default", wait_s: int = 0) -> Any:
        """The agent that a poll claims; an empty message if there is none."""
        reply = await self.agents.PollAgent(
            worker_id=worker, queue=queue, timeout_seconds=wait_s, agent_capabilities=kinds
        )
        return reply.agent_execution

    async def claimed_agent(self, kind: str = "chat") -> str:
        """Start an agent and claim it; returns its id."""
        agent_id = await self.start_agent(kind)
        claimed = await self.poll_agent(kind)
        assert claimed.id == agent_id
        return agent_id

    async def schedule(
        self,
        agent_id: str,
        kind: str = "work",
        *,
        key: str | None = None,
        chunks: Iterable[bytes] = (),
        **fields: Any,
    ) -> Any:
        """Schedule a task of an agent; returns the answer."""
        header = agent_pb2.ScheduleAgentTaskHeader(
            agent_execution_id=agent_id, task_kind=kind, idempotency_key=key, **fields
        )
        messages = [agent_pb2.ScheduleAgentTaskChunk(header=header)]
        messages += [agent_pb2.ScheduleAgentTaskChunk(input_chunk=chunk) for chunk in chunks]
        return await self.agents.ScheduleAgentTask(messages)

    async def scheduled(self, agent_id: str, *kinds: str) -> list[str]:
        """The ids of new tasks of an agent, one of each kind."""
        return [(await self.schedule(agent_id, kind)).task_execution_id for kind in kinds]

    async def poll_task(self, worker: str = "worker", queue: str = "default", wait_s: int = 0) -> Any:
        """The task that a poll claims; an empty message if there is none."""
        reply = await self.tasks.PollTask(worker_id=worker, queue=queue, timeout_seconds=wait_s)
        return reply.task

    async def running_task(self, agent_id: str, kind: str = "work", **fields: Any) -> str:
        """Schedule a task and claim it; returns its id."""
        scheduled = await self.schedule(agent_id, kind, **fields)
        claimed = await self.poll_task()
        assert claimed.task_execution_id == scheduled.task_execution_id
        return str(scheduled.task_execution_id)

    async def complete(self, task_id: str, output: bytes = b"1") -> None:
        """Report a result."""
        await self.tasks.CompleteTask(task_execution_id=task_id, output=output)

    async def suspend_for(self, agent_id: str, task_ids: Sequence[str], *, any_of: bool = False) -> None:
        """Let an agent wait for tasks."""
        mode = agent_pb2.WaitMode.WAIT_MODE_ANY if any_of else agent_pb2.WaitMode.WAIT_MODE_ALL
        await self.agents.SuspendAgent(
            agent_execution_id=agent_id, wait_for_tasks=agent_pb2.WaitForTasks(task_ids=task_ids, mode=mode)
        )

    async def status_of(self, agent_id: str) -> str:
        """How an agent stands."""
        details = await self.server.host.details(ExecutionId(agent_id))
        assert details is not None
        return details.execution.status.value

    async def results(self, agent_id: str, task_ids: Sequence[str]) -> list[Any]:
        """The results of an agent's tasks."""
        reply = await self.agents.GetAgentTaskResults(agent_execution_id=agent_id, task_execution_ids=task_ids)
        return list(reply.results)


async def refusal(call: Awaitable[Any]) -> grpc.StatusCode:
    """The status code that a call is refused with."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK
