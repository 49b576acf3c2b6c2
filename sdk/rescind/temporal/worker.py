"""A worker on a Temporal cluster: the same agents, workflows and tasks, polled for on task queues."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

from temporalio.client import Client
from temporalio.worker import Worker

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.registry import Registry
from rescind.authoring.task import TaskDefinition
from rescind.authoring.workflow import WorkflowDefinition
from rescind.errors import InvalidInput
from rescind.model.messages import DEFAULT_AGENT_SLOTS
from rescind.model.options import DEFAULT_QUEUE
from rescind.temporal.activities import TaskRunner
from rescind.temporal.connecting import connect, offers_worker_commands
from rescind.temporal.hosting import Known, registry_of
from rescind.temporal.names import PAYLOAD_LIMIT
from rescind.temporal.steps import StepRunner
from rescind.temporal.turn_log import keep_failed_turns_short
from rescind.temporal.workflow import DEFAULT_LEASE_MS, agent_workflow
from rescind.worker.attempt import Attempt

DEFAULT_SLOTS: Final = 100
DEFAULT_CANCEL_WITHIN_MS: Final = 1_000
LEAST_CANCEL_WITHIN_MS: Final = 100

# Of the time that a cancel may take: the rest is for asking the workflow why.
_SHARE: Final = 0.5
_SHARE_WITH_COMMANDS: Final = 0.9


class TemporalWorker:
    """Runs agents and workflows as workflows, and tasks as activities, until it is stopped.

    Use it as an async context manager: inside, it polls; left, it has stopped in order. Or await `run`.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        agents: Iterable[AgentDefinition[Any, Any]] | Registry[AgentDefinition[Any, Any]] = (),
        tasks: Iterable[TaskDefinition[Any, Any]] | Registry[TaskDefinition[Any, Any]] = (),
        workflows: Iterable[WorkflowDefinition[Any, Any]] | Registry[WorkflowDefinition[Any, Any]] = (),
        queue: str | None = None,
        queues: Iterable[str] | None = None,
        slots: int = DEFAULT_SLOTS,
        agent_slots: int = DEFAULT_AGENT_SLOTS,
        namespace: str | None = None,
        client: Client | None = None,
        worker_id: str | None = None,
        cancel_within_ms: int = DEFAULT_CANCEL_WITHIN_MS,
        lease_ms: int = DEFAULT_LEASE_MS,
        shutdown_grace_ms: int | None = None,
        payload_limit: int = PAYLOAD_LIMIT,
        connect_options: Mapping[str, Any] | None = None,
        temporal_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a worker that has not begun; nothing is opened before it runs.

        Args:
            address: the cluster's ``host:port``; None takes it from ``TEMPORAL_ADDRESS`` or Temporal's configuration
                file, or else localhost:7233.
            agents: the agents that it can run. Workers of one task queue must know the same ones.
            tasks: the tasks that it can run; likewise.
            workflows: the workflows that it can run; likewise. None has the kind of an agent.
            queue: the task queue that it takes work from.
            queues: several such; give one of the two.
            slots: how many attempts it runs at once, per queue.
            agent_slots: how many agents and workflows it keeps in memory, per queue; others are replayed when woken.
            namespace: the namespace; looked up as `address` is.
            client: a connection that is open already, instead of all that says where to connect.
            worker_id: its identity, as the cluster shows it; else Temporal's own choice.
            cancel_within_ms: how long a cancel may take to reach running code: 100 or more. Each attempt gives a sign
                of life twice in that time, or once where the cluster says that it sends cancels by itself.
            lease_ms: how long an attempt's worker may be silent before its attempts are tried elsewhere.
            shutdown_grace_ms: how long attempts may go on when the worker stops, before they are told to; None waits
                for as long as they take.
            payload_limit: the largest payload in bytes. The cluster's own is 2 MiB unless it was set otherwise, and a
                result takes a third more there.
            connect_options: what else `temporalio.client.Client.connect` is given.
            temporal_options: what else `temporalio.worker.Worker` is given: tuning, versioning, interceptors. It goes
                before what is chosen here.

        Raises:
            DuplicateKind: two tasks, or two of agents and workflows, of one kind.
            InvalidInput: an option that cannot be meant.
        """
        for name, value, least in (
            ("slots", slots, 1),
            ("agent_slots", agent_slots, 1),
            ("cancel_within_ms", cancel_within_ms, LEAST_CANCEL_WITHIN_MS),
            ("lease_ms", lease_ms, 1_000),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidInput(f"{name} is {value!r}; give a whole number of {least} or more.")
        self.queues = _queues(queue, queues)
        self._known = Known(registry_of(AgentDefinition, agents), registry_of(WorkflowDefinition, workflows))
        self._known.ensure_distinct()
        self._tasks: Registry[TaskDefinition[Any, Any]] = registry_of(TaskDefinition, tasks)
        if not len(self._known.agents) + len(self._known.workflows) + len(self._tasks):
            raise InvalidInput("a worker without agents, workflows and tasks has nothing to do. Give it some.")
        self._address, self._namespace, self._client = address, namespace, client
        self._slots, self._agent_slots = slots, agent_slots
        self._worker_id = worker_id
        self._cancel_within_ms, self._lease_ms = cancel_within_ms, lease_ms
        self._shutdown_grace_ms = shutdown_grace_ms
        self._payload_limit = payload_limit
        self._connect_options = dict(connect_options or {})
        self._temporal_options = dict(temporal_options or {})
        self._open: AsyncExitStack | None = None
        self._runner: TaskRunner | None = None
        self._steps: StepRunner | None = None

    async def __aenter__(self) -> Self:
        keep_failed_turns_short()
        client = self._client or await connect(self._address, self._namespace, **self._connect_options)
        interval = heartbeat_interval(
            cancel_within_ms=self._cancel_within_ms,
            lease_ms=self._lease_ms,
            has_commands=await offers_worker_commands(client),
        )
        self._steps = StepRunner(self._payload_limit)
        self._runner = TaskRunner(
            client,
            self._tasks,
            slots=self._slots * len(self.queues),
            heartbeat_interval=interval,
            cancel_within=self._cancel_within_ms / 1_000,
            payload_limit=self._payload_limit,
        )
        workers = [Worker(client, **self._options(queue, interval)) for queue in self.queues]
        self._open = AsyncExitStack()
        for worker in workers:
            await self._open.enter_async_context(worker)
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Leave in order: take nothing new, let what runs end within its grace, then say good-bye. May be repeated."""
        opened, self._open = self._open, None
        try:
            if opened is not None:
                await opened.aclose()
        finally:
            for part in (self._runner, self._steps):
                if part is not None:
                    part.close()

    async def run(self) -> None:
        """Work until cancelled, then stop in order.

        Raises:
            ServerUnavailable: no cluster answers.
        """
        async with self:
            await asyncio.get_running_loop().create_future()

    @property
    def unresponsive(self) -> tuple[Attempt, ...]:
        """The attempts that still run though their grace is over."""
        return tuple(attempt for attempt in self._runner.running if attempt.unresponsive) if self._runner else ()

    def _options(self, queue: str, heartbeat_interval: float) -> dict[str, Any]:
        assert self._runner is not None
        assert self._steps is not None
        options: dict[str, Any] = {
            "task_queue": queue,
            "identity": self._worker_id,
            "max_concurrent_activities": self._slots,
            "max_cached_workflows": self._agent_slots,
            "max_heartbeat_throttle_interval": timedelta(seconds=heartbeat_interval),
            "default_heartbeat_throttle_interval": timedelta(seconds=heartbeat_interval),
            "graceful_shutdown_timeout": self._shutdown_grace(),
            # For so long a dead worker's agents wait for it, before others take them.
            "sticky_queue_schedule_to_start_timeout": timedelta(milliseconds=self._lease_ms),
        }
        if len(self._known.agents) + len(self._known.workflows):
            workflow = agent_workflow(self._known, payload_limit=self._payload_limit, lease_ms=self._lease_ms)
            options |= {"workflows": [workflow], "activities": [self._steps.local_activity()]}
        if len(self._tasks):
            options["activities"] = [*options.get("activities", ()), self._runner.dynamic_activity()]
        else:
            options["no_remote_activities"] = True
        if "tuner" in self._temporal_options:
            del options["max_concurrent_activities"]
        return options | self._temporal_options

    def _shutdown_grace(self) -> timedelta:
        # Temporal's worker takes no endless one.
        return (
            timedelta(days=365) if self._shutdown_grace_ms is None else timedelta(milliseconds=self._shutdown_grace_ms)
        )


def heartbeat_interval(*, cancel_within_ms: int, lease_ms: int, has_commands: bool) -> float:
    """The time between two signs of life of an attempt, in seconds: their answers bring its cancel, and keep its lease.

    Where the cluster sends cancels by itself, these come first. Whether it does is two settings of its operators, of
    which one can be seen: so signs of life keep the promise there, too, with less to spare for the question why.

    Args:
        cancel_within_ms: how long a cancel may take to reach running code.
        lease_ms: how long an attempt's worker may be silent.
        has_commands: whether the cluster says that it sends cancels by itself.
    """
    share = _SHARE_WITH_COMMANDS if has_commands else _SHARE
    return min(cancel_within_ms * share, lease_ms / 4) / 1_000


def _queues(queue: str | None, queues: Iterable[str] | None) -> tuple[str, ...]:
    if queue is not None and queues is not None:
        raise InvalidInput("queue and queues were both given. Give one of them.")
    if isinstance(queues, str):
        raise InvalidInput(f"queues is {queues!r}; give a list: queues=[{queues!r}].")
    named = tuple(dict.fromkeys(queues)) if queues is not None else (DEFAULT_QUEUE if queue is None else queue,)
    if not named or not all(isinstance(each, str) and each for each in named):
        raise InvalidInput(f"queues is {list(named)!r}; give at least one, each a text that is not empty.")
    return named
