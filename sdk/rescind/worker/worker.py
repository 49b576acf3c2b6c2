"""A worker: takes agents and tasks from a session, runs them, and stops them when told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.registry import Registry
from rescind.authoring.task import TaskDefinition
from rescind.authoring.workflow import WorkflowDefinition
from rescind.errors import InvalidInput
from rescind.model.ids import Lease, WorkerId
from rescind.model.messages import (
    DEFAULT_AGENT_SLOTS,
    AgentActivation,
    AgentEviction,
    AgentKind,
    FromWorker,
    StopOrder,
    StopReported,
    TaskActivation,
    ToWorker,
    WorkerJoined,
)
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.model.status import StopState
from rescind.runtime.ports import WorkerPort
from rescind.runtime.workflow_ports import WorkflowPort
from rescind.worker.agent_runs import AgentRuns
from rescind.worker.attempt import Attempt
from rescind.worker.executors.selection import Executors
from rescind.worker.held_output import HeldOutput
from rescind.worker.reports import LastReports
from rescind.worker.workflow_runs import WorkflowRuns

DEFAULT_SLOTS: Final = 1_000


class Worker:
    """Runs the agents, tasks and workflows that it was given, over one session."""

    def __init__(
        self,
        port: WorkerPort,
        *,
        worker_id: str,
        agents: Iterable[AgentDefinition[Any, Any]] | Registry[AgentDefinition[Any, Any]] = (),
        tasks: Iterable[TaskDefinition[Any, Any]] | Registry[TaskDefinition[Any, Any]] = (),
        workflows: Iterable[WorkflowDefinition[Any, Any]] | Registry[WorkflowDefinition[Any, Any]] = (),
        workflow_port: WorkflowPort | None = None,
        queues: Iterable[str] = (DEFAULT_QUEUE,),
        slots: int = DEFAULT_SLOTS,
        agent_slots: int = DEFAULT_AGENT_SLOTS,
        session: int = 1,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
    ) -> None:
        """Make a worker that has not begun.

        Args:
            port: its session with whoever hands out work.
            worker_id: its id, unique among the workers.
            agents: the agents that it can run.
            tasks: the tasks that it can run.
            workflows: the workflows that it can run.
            workflow_port: where it gets those from; needed if there are any.
            queues: where it takes work from.
            slots: how many attempts it runs at once; at least 1.
            agent_slots: how many runs of agents it keeps in memory; at least 1. When it is full, and another agent
                waits for a worker, one that waits for something is evicted, and replayed when it is woken.
            session: the number of the session; later ones of the same worker are larger.
            payload_limit: the largest payload in bytes.

        Raises:
            DuplicateKind: two agents, two tasks, or two workflows of one kind.
            InvalidInput: no slots, or no queue.
        """
        for name, count in (("slots", slots), ("agent_slots", agent_slots)):
            if count < 1:
                raise InvalidInput(f"{name} is {count}; a worker needs at least one to run anything.")
        self.worker_id = WorkerId(worker_id)
        self._port = port
        self._agents = _registry(AgentDefinition, agents)
        self._tasks = _registry(TaskDefinition, tasks)
        self._workflows = _registry(WorkflowDefinition, workflows)
        self._queues = tuple(dict.fromkeys(queues))
        if not self._queues:
            raise InvalidInput(f"worker {worker_id!r} has no queue to take work from. Give at least one.")
        self._slots = slots
        self._agent_slots = agent_slots
        self._session = session
        self._payload_limit = payload_limit
        self._attempts: dict[Lease, Attempt] = {}
        self._last_lease = 0
        self._reports = LastReports(slots)
        self._held_output = HeldOutput()
        self._runs = AgentRuns(self._agents, self._send, payload_limit, self.worker_id)
        self._workflow_runs: WorkflowRuns | None = None
        if len(self._workflows):
            if workflow_port is None:
                raise InvalidInput(f"worker {worker_id!r} has workflows, and nowhere to get them from.")
            self._workflow_runs = WorkflowRuns(
                self._workflows, workflow_port, self._queues, payload_limit=payload_limit, worker=self.worker_id
            )
        self._executors = Executors(slots, payload_limit)
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_leaving = False
        self.reported_at: float | None = None
        """When the last end of an attempt was reported, by the clock of the event loop; None if none was."""

    @property
    def queues(self) -> tuple[str, ...]:
        """Where it takes work from."""
        return self._queues

    def start(self) -> None:
        """Join, and take work from now on."""
        self._executors.prepare(self._tasks)
        self._join()
        if self._workflow_runs is not None:
            self._workflow_runs.start()

    def rejoin(self, port: WorkerPort, session: int) -> None:
        """Go on over a new session after the last one was cut.

        What runs goes on, and what may have been lost with the old session is reported again. Agents are forgotten:
        the server has taken them back, and says who runs them.

        Args:
            port: the new session.
            session: its number, larger than those before.
        """
        self._port = port
        self._session = session
        self._runs.begin_session()
        self._join()
        self._report_again()

    def expect_cuts(self) -> None:
        """The session may be cut: what programs wrote last is told over the next one, too."""
        self._held_output.begin()

    def note_joined(self) -> None:
        """The other side has answered over the present session."""
        self._held_output.arrived()

    def _report_again(self) -> None:
        # First what was written, then how it ended: of an attempt that is over nothing more is taken.
        for told in (*self._held_output, *self._reports):
            self._port.send(told)

    def _join(self) -> None:
        self._port.open(self._receive)
        self._port.send(
            WorkerJoined(
                self.worker_id,
                self._session,
                () if self._is_leaving else self._queues,
                tuple(AgentKind(each.kind, each.recovery, each.cleanup_budget_ms) for each in self._agents),
                self._tasks.kinds(),
                self._slots,
                tuple(sorted(self._attempts.keys() | self._reports.leases())),
                agent_slots=self._agent_slots,
                workflows=self._workflows.kinds(),
            )
        )

    async def stop(self) -> None:
        """Leave in order: take nothing new, let what runs end, then say good-bye. Repeating it is harmless.

        First it waits for the functions given to ``ctx.run`` that run now, since another worker would make their side
        effects again. Then its agents are handed back, and may run on elsewhere at once. Attempts are waited for as
        long as they take; until they have ended they can be told to stop, and their results count.
        """
        await self.drain()
        self._close()
        await self._port.close()

    async def drain(self) -> None:
        """Take nothing new, and let what runs end: the first half of `stop`. Its results may still be on their way."""
        if self._workflow_runs is not None:
            await self._workflow_runs.drain()
        await self._runs.wait_for_steps()
        self._is_leaving = True
        self._runs.discard()
        if self._attempts:
            # Joined anew without a queue: it stays connected, and gets nothing but orders to stop.
            self._session += 1
            self._join()
            await self._idle.wait()

    def abandon(self) -> None:
        """End as a killed process ends: at once, telling nobody."""
        self._is_leaving = True
        for attempt in list(self._attempts.values()):
            attempt.discard()
        self._attempts.clear()
        self._idle.set()
        self._close()

    def _close(self) -> None:
        if self._workflow_runs is not None:
            self._workflow_runs.close()
        self._runs.close()
        self._executors.close()

    @property
    def unresponsive(self) -> tuple[Attempt, ...]:
        """The attempts that still run though their grace is over."""
        return tuple(attempt for attempt in self._attempts.values() if attempt.unresponsive)

    def _send(self, message: FromWorker) -> None:
        self._reports.note(message)
        self._port.send(self._held_output.numbered(message))

    def _receive(self, message: ToWorker) -> None:
        match message:
            case TaskActivation() | AgentActivation() if self._is_leaving:
                # It was on its way when the worker joined without queues; the server has taken it back.
                return
            case TaskActivation():
                self._start_attempt(message)
            case StopOrder():
                self._stop_attempt(message)
            case AgentActivation():
                self._runs.activate(message)
            case AgentEviction():
                self._runs.evict(message)

    def _start_attempt(self, activation: TaskActivation) -> None:
        # Leases only grow, so one that is not new was delivered twice (invariant 4).
        if activation.lease <= self._last_lease:
            return
        self._last_lease = activation.lease
        definition = self._tasks.get(activation.kind)
        executor = self._executors.of(definition)
        attempt = Attempt(activation, definition, executor, self._send, self._payload_limit, self.worker_id)
        self._attempts[activation.lease] = attempt
        self._idle.clear()
        attempt.start(self._attempt_ended)

    def _stop_attempt(self, order: StopOrder) -> None:
        attempt = self._attempts.get(order.lease)
        if attempt is not None:
            attempt.order_stop(order)
        elif order.decided:
            # It has ended already; if that report was lost on its way, this one stands for it.
            self._port.send(StopReported(order.task_id, order.lease, StopState.STOPPED))

    def _attempt_ended(self, attempt: Attempt) -> None:
        self._attempts.pop(attempt.activation.lease, None)
        self.reported_at = asyncio.get_running_loop().time()
        if not self._attempts:
            self._idle.set()


def _registry(sort: type[Any], definitions: Iterable[Any] | Registry[Any]) -> Registry[Any]:
    if isinstance(definitions, Registry):
        return definitions
    registry: Registry[Any] = Registry(sort)
    for definition in definitions:
        registry.register(definition)
    return registry
