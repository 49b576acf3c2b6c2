"""A worker and a client on one cluster, put together: what `embedded` is without a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from temporalio.client import Client

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.task import TaskDefinition
from rescind.authoring.workflow import WorkflowDefinition
from rescind.client.client import ExecutionHandle
from rescind.model.options import DEFAULT_QUEUE
from rescind.temporal.client import TemporalClient
from rescind.temporal.client_port import TemporalClientPort
from rescind.temporal.connecting import connect
from rescind.temporal.worker import TemporalWorker


class TemporalBackend:
    """Agents on a cluster, started and run by this process. Use it as an async context manager.

    It answers the same port as the other backends do (`rescind.runtime.ports.ClientPort`), and its workflows host the
    same agent port. Where starting and running are on two machines, use `TemporalClient` and `TemporalWorker`.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        agents: Iterable[AgentDefinition[Any, Any]] = (),
        tasks: Iterable[TaskDefinition[Any, Any]] = (),
        workflows: Iterable[WorkflowDefinition[Any, Any]] = (),
        queue: str = DEFAULT_QUEUE,
        namespace: str | None = None,
        client: Client | None = None,
        by: str | None = None,
        connect_options: Mapping[str, Any] | None = None,
        **worker_options: Any,
    ) -> None:
        """Put the parts together; entering the block connects and begins to poll.

        Args:
            address: the cluster's ``host:port``; None takes it from ``TEMPORAL_ADDRESS`` or Temporal's configuration
                file, or else localhost:7233.
            agents: functions decorated with ``@agent``.
            tasks: functions decorated with ``@task``.
            workflows: functions decorated with ``@workflow``.
            queue: the task queue that the worker polls, and that `start` puts executions into.
            namespace: the namespace; looked up as `address` is.
            client: a connection that is open already, instead of all that says where to connect.
            by: who calls, for histories; else the name of the operating system's user.
            connect_options: what else `temporalio.client.Client.connect` is given.
            worker_options: what else `TemporalWorker` takes.
        """
        self._address, self._namespace, self._given = address, namespace, client
        self._connect_options = dict(connect_options or {})
        self._by = by
        self._parts: dict[str, Any] = {
            "agents": list(agents),
            "tasks": list(tasks),
            "workflows": list(workflows),
            **worker_options,
        }
        self._queue = queue
        self._client: TemporalClient | None = None
        self._worker: TemporalWorker | None = None

    async def __aenter__(self) -> Self:
        connected = self._given or await connect(self._address, self._namespace, **self._connect_options)
        self._worker = TemporalWorker(client=connected, queue=self._queue, **self._parts)
        self._client = await TemporalClient(client=connected, by=self._by).__aenter__()
        await self._worker.__aenter__()
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._worker is not None:
            await self._worker.stop()
        if self._client is not None:
            await self._client.close()

    @property
    def client(self) -> TemporalClient:
        """What callers use. Only inside the block."""
        assert self._client is not None, "the backend is not open: enter it with `async with`"
        return self._client

    @property
    def port(self) -> TemporalClientPort:
        """The port that the client speaks to. Only inside the block."""
        return self.client.port

    async def start(
        self,
        agent: AgentDefinition[Any, Any] | WorkflowDefinition[Any, Any] | str,
        agent_input: Any = None,
        /,
        *,
        id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> ExecutionHandle[Any]:
        """Start an agent or a workflow on this backend's queue: see `Client.start`."""
        handle: ExecutionHandle[Any] = await self.client.start(
            agent,
            agent_input,
            id=id,
            queue=self._queue,
            labels=labels,
        )
        return handle

    def handle(self, execution_id: str, result_type: Any = None) -> ExecutionHandle[Any]:
        """The handle of an execution that was started before."""
        return self.client.handle(execution_id, result_type)
