"""The engine, a host and a worker in this process, put together: for tests, scripts, notebooks, a command-line tool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.registry import Registry
from rescind.authoring.signature import where_defined
from rescind.authoring.task import TaskDefinition
from rescind.authoring.workflow import WorkflowDefinition
from rescind.backends.native.client_port import NativeClientPort
from rescind.client.client import BaseClient, ExecutionHandle
from rescind.errors import InvalidInput
from rescind.model.messages import DEFAULT_AGENT_SLOTS
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.runtime.ports import ClientPort
from rescind.runtime.workflow_ports import WorkflowPort
from rescind.transport.in_process import InProcessSession, Weather
from rescind.transport.in_process_workflows import InProcessWorkflows
from rescind.worker.worker import DEFAULT_SLOTS, Worker
from rescind_server.engine.machine import DEFAULT_LEASE_MS, Engine
from rescind_server.host.clock import Clock, WallClock
from rescind_server.host.driver import Host
from rescind_server.store.memory import MemoryStore
from rescind_server.store.port import Store

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


class Embedded:
    """A whole Rescind in this process. Use it as an async context manager; left, it is gone.

    Attributes:
        agents: the agents that its workers can run.
        tasks: the tasks that its workers can run.
        workflows: the workflows that its workers can run.
    """

    def __init__(
        self,
        agents: Iterable[AgentDefinition[Any, Any]] = (),
        tasks: Iterable[TaskDefinition[Any, Any]] = (),
        workflows: Iterable[WorkflowDefinition[Any, Any]] = (),
        *,
        seed: int = 0,
        queues: Iterable[str] = (DEFAULT_QUEUE,),
        slots: int = DEFAULT_SLOTS,
        agent_slots: int = DEFAULT_AGENT_SLOTS,
        lease_ms: int = DEFAULT_LEASE_MS,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
        store: Store | str | Path | None = None,
        clock: Clock | None = None,
        weather: Weather | None = None,
    ) -> None:
        """Put the parts together; nothing runs before the block is entered.

        Args:
            agents: functions decorated with ``@agent``.
            tasks: functions decorated with ``@task``.
            workflows: functions decorated with ``@workflow``.
            seed: what ids are drawn from that nobody chose.
            queues: where the worker takes work from.
            slots: how many attempts the worker runs at once.
            agent_slots: how many runs of agents it keeps in memory.
            lease_ms: how long the attempts of a lost worker stay its own.
            payload_limit: the largest payload in bytes.
            store: a file in which it is kept, and goes on from when it is opened again; else memory.
            clock: where the time comes from; else from the machine.
            weather: what happens to messages between worker and engine; else nothing.

        Raises:
            DuplicateKind: two agents, two tasks, or two workflows of one kind.
            InvalidInput: an option that cannot be meant.
        """
        self.agents: Registry[AgentDefinition[Any, Any]] = Registry(AgentDefinition)
        self.tasks: Registry[TaskDefinition[Any, Any]] = Registry(TaskDefinition)
        self.workflows: Registry[WorkflowDefinition[Any, Any]] = Registry(WorkflowDefinition)
        self.register(*_listed("agents", agents), *_listed("tasks", tasks), *_listed("workflows", workflows))
        self._queues = _queue_names(queues)
        self._slots = _whole_number("slots", slots, 1)
        self._agent_slots = _whole_number("agent_slots", agent_slots, 1)
        self._payload_limit = _whole_number("payload_limit", payload_limit, 1)
        self._seed = seed
        self._lease_ms = _whole_number("lease_ms", lease_ms, 0)
        if not (store is None or isinstance(store, str | Path) or hasattr(store, "commit")):
            raise InvalidInput(f"store is {store!r}; give the path of a file, a store, or None for memory.")
        self._store = store
        self._clock = clock
        self._weather = weather
        self._workers: list[tuple[Worker, InProcessSession]] = []
        self._worker_count = 0
        self._opened_store: Store | None = None
        self._host: Host | None = None
        self._client: BaseClient | None = None

    def register(
        self, *definitions: AgentDefinition[Any, Any] | TaskDefinition[Any, Any] | WorkflowDefinition[Any, Any]
    ) -> None:
        """Let the workers that are started from now on run these, too. The first starts with the first execution.

        Raises:
            DuplicateKind: another of its kind is registered.
            InvalidInput: neither an agent nor a task nor a workflow.
        """
        for definition in definitions:
            if isinstance(definition, AgentDefinition):
                self.agents.register(definition)
            elif isinstance(definition, TaskDefinition):
                self.tasks.register(definition)
            elif isinstance(definition, WorkflowDefinition):
                self.workflows.register(definition)
            else:
                raise InvalidInput(_neither(definition))

    @property
    def host(self) -> Host:
        """What drives the engine. Only inside the block."""
        assert self._host is not None, "the environment is not open"
        return self._host

    @property
    def client(self) -> BaseClient:
        """What callers use. Only inside the block."""
        assert self._client is not None, "the environment is not open"
        return self._client

    async def __aenter__(self) -> Self:
        clock = self._clock or WallClock()
        engine = Engine(seed=self._seed, lease_ms=self._lease_ms)
        self._opened_store = store = _open_store(self._store)
        loaded = store.load()
        await store.commit([engine.restore(*loaded, clock.now())])
        self._host = Host(engine, store, clock)
        self._host.start()
        self._client = BaseClient(self._client_port(self._host), payload_limit=self._payload_limit)
        if not loaded.is_empty and len(self.agents) + len(self.tasks) + len(self.workflows):
            self.start_worker()
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for worker, session in self._workers:
            session.cut()
            worker.abandon()
        self._workers.clear()
        await self.host.close()
        if self._opened_store is not None and self._opened_store is not self._store:
            self._opened_store.close()

    def _client_port(self, host: Host) -> ClientPort:
        return NativeClientPort(host)

    def _workflow_port(self, worker_id: str) -> WorkflowPort:
        return InProcessWorkflows(self.host, worker_id)

    def start_worker(self, *, queues: Iterable[str] | None = None, slots: int | None = None) -> Worker:
        """Start one more worker with all that is registered; it takes work at once."""
        self._worker_count += 1
        worker_id = f"worker-{self._worker_count}"
        session = InProcessSession(self.host, worker_id, weather=self._weather)
        worker = Worker(
            session,
            worker_id=worker_id,
            agents=self.agents,
            tasks=self.tasks,
            workflows=self.workflows,
            workflow_port=self._workflow_port(worker_id),
            queues=_queue_names(queues) if queues is not None else self._queues,
            slots=slots if slots is not None else self._slots,
            agent_slots=self._agent_slots,
            payload_limit=self._payload_limit,
        )
        self._workers.append((worker, session))
        worker.start()
        return worker

    @overload
    async def start(
        self,
        agent: AgentDefinition[InputT, OutputT] | WorkflowDefinition[InputT, OutputT],
        agent_input: InputT = ...,
        /,
        *,
        id: str | None = None,
        queue: str = DEFAULT_QUEUE,
        labels: Mapping[str, str] | None = None,
    ) -> ExecutionHandle[OutputT]: ...

    @overload
    async def start(
        self,
        agent: str,
        agent_input: Any = None,
        /,
        *,
        id: str | None = None,
        queue: str = DEFAULT_QUEUE,
        labels: Mapping[str, str] | None = None,
    ) -> ExecutionHandle[Any]: ...

    async def start(
        self,
        agent: AgentDefinition[Any, Any] | WorkflowDefinition[Any, Any] | str,
        agent_input: Any = None,
        /,
        *,
        id: str | None = None,
        queue: str = DEFAULT_QUEUE,
        labels: Mapping[str, str] | None = None,
    ) -> ExecutionHandle[Any]:
        """Start an agent, or a workflow by its definition.

        As `BaseClient.start`, and raises UnknownKind if nobody here could ever run it.
        """
        kind = agent.kind if isinstance(agent, AgentDefinition | WorkflowDefinition) else agent
        if isinstance(kind, str) and kind:
            known: Registry[Any] = self.workflows if isinstance(agent, WorkflowDefinition) else self.agents
            known.get(kind)
        if not self._worker_count:
            self.start_worker()
        start: Any = self.client.start  # its overloads are those of this method
        handle: ExecutionHandle[Any] = await start(agent, agent_input, id=id, queue=queue, labels=labels)
        return handle

    def handle(self, execution_id: str, result_type: Any = None) -> ExecutionHandle[Any]:
        """The handle of an execution that was started before."""
        return self.client.handle(execution_id, result_type)


def _listed(name: str, definitions: Iterable[Any]) -> Iterable[Any]:
    if not isinstance(definitions, Iterable) or isinstance(definitions, str):
        raise InvalidInput(f"{name} is {definitions!r}; give a list: {name}=[…].")
    return definitions


def _queue_names(queues: Iterable[str]) -> tuple[str, ...]:
    # A text is a series of letters, and each of them would be taken for a queue.
    if isinstance(queues, str) or not isinstance(queues, Iterable):
        raise InvalidInput(f"queues is {queues!r}; give a list: queues=[{str(queues)!r}].")
    names = tuple(queues)
    if not all(isinstance(name, str) and name for name in names):
        raise InvalidInput(f"queues is {list(names)!r}; the name of a queue is a text that is not empty.")
    return names


def _whole_number(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(f"{name} is {value!r}; give a whole number of {least} or more.")
    return value


def _neither(thing: object) -> str:
    if callable(thing):
        name = getattr(thing, "__qualname__", repr(thing))
        place = f"{name} ({where_defined(thing)})"
        return f"{place} is no agent, task or workflow yet: decorate it with @agent(…), @task(…) or @workflow(…)."
    return f"{thing!r} is no agent, task or workflow. Give what @agent(…), @task(…) or @workflow(…) made of a function."


def _open_store(store: Store | str | Path | None) -> Store:
    if store is None:
        return MemoryStore()
    if isinstance(store, str | Path):
        from rescind_server.store.sqlite import SqliteStore  # noqa: PLC0415 - who keeps nothing need not load SQLite

        return SqliteStore(store)
    return store


def embedded(
    agents: Iterable[AgentDefinition[Any, Any]] = (),
    tasks: Iterable[TaskDefinition[Any, Any]] = (),
    workflows: Iterable[WorkflowDefinition[Any, Any]] = (),
    **options: Any,
) -> Embedded:
    """``async with rescind.embedded(agents=[…], tasks=[…], workflows=[…]) as env``: the engine in this process.

    In real time; the options are those of `Embedded`.
    """
    return Embedded(agents, tasks, workflows, **options)


__all__ = ["Embedded", "embedded"]
