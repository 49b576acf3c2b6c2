"""The engine's memory, and the decision that is being made."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rescind.model.commands import ACCEPTED, Reply
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import ExecutionId, Instant, Lease, WorkerId
from rescind_server.engine.deadlines import Deadlines

if TYPE_CHECKING:
    from rescind.model.messages import StreamedEvent, ToWorker
    from rescind_server.engine.entities import Attempt, Execution, Task, Worker

QueueKey = tuple[str, str]
"""A queue and a kind: work is handed out by both."""


@dataclass(slots=True)
class Decision:
    """What one command brought about.

    Attributes:
        reply: the answer to who asked; sent when everything else here is durable.
        events: what happened, per execution in the order of its history.
        executions: the executions whose rows changed.
        tasks: the tasks whose rows changed, their attempts included.
        closed: executions that nothing can change any more: they leave the engine's memory.
        pushes: messages to workers, in order.
        streamed: events for those who watch; never stored.
        lease: the highest lease that was ever given out.
        order: the highest place that was ever given out, in the order of starting and scheduling.
        late: answers to earlier requests that were left open (`Deferred`), by their number.
    """

    reply: Reply = ACCEPTED
    events: list[tuple[ExecutionId, HistoryEvent]] = field(default_factory=list)
    executions: dict[ExecutionId, Execution] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    closed: list[Execution] = field(default_factory=list)
    pushes: list[tuple[WorkerId, ToWorker]] = field(default_factory=list)
    streamed: list[tuple[ExecutionId, StreamedEvent]] = field(default_factory=list)
    lease: int = 0
    order: int = 0
    late: list[tuple[int, Reply]] = field(default_factory=list)


class State:
    """Everything open, with the indexes that keep each decision's cost independent of the backlog.

    Attributes:
        now: the time of the decision being made.
        decision: what it has brought about so far.
        lease_ms: how long the attempts of a worker that went away stay its own.
        task_backlog: claimable tasks per queue and kind, oldest first. Holds tasks that ended meanwhile, too: they are
            passed over when their turn comes.
        agent_backlog: executions that need a worker, likewise.
        subscribers: connected workers per queue and kind, for tasks and for agents.
        offered: tasks that became claimable in this decision.
        ended: tasks that ended in this decision and whose waiters have not been told yet.
        parked: executions per kind that wait for another deployment.
    """

    def __init__(self, *, lease_ms: int) -> None:
        self.now = Instant(0)
        self.decision = Decision()
        self.lease_ms = lease_ms
        self.executions: dict[ExecutionId, Execution] = {}
        self.attempts: dict[Lease, Attempt] = {}
        self.workers: dict[WorkerId, Worker] = {}
        self.deadlines = Deadlines()
        self.task_backlog: dict[QueueKey, deque[Task]] = {}
        self.agent_backlog: dict[QueueKey, deque[Execution]] = {}
        self.task_subscribers: dict[QueueKey, dict[WorkerId, Worker]] = {}
        self.agent_subscribers: dict[QueueKey, dict[WorkerId, Worker]] = {}
        self.offered: list[Task] = []
        self.ended: list[Task] = []
        self.freed: dict[WorkerId, Worker] = {}
        self.parked: dict[str, dict[ExecutionId, Execution]] = {}
        self.order = 0
        self.lease = 0
        self.deferred = 0

    def next_order(self) -> int:
        self.order += 1
        return self.order

    def push(self, worker: Worker, message: ToWorker) -> None:
        """Send a message to a worker once the decision is durable. One that is away is told when it comes back."""
        if worker.connected:
            self.decision.pushes.append((worker.worker_id, message))


def record(
    state: State, execution: Execution, event: EventType, task: Task | None = None, attempt: int = 0, /, **details: Any
) -> int:
    """Append an event to an execution's history; returns its number. Every transition passes here."""
    execution.sequence = sequence = execution.sequence + 1
    decision = state.decision
    task_id = None
    if task is not None:
        task_id = task.task_id
        decision.tasks[task_id] = task
    decision.executions[execution.execution_id] = execution
    decision.events.append(
        (execution.execution_id, HistoryEvent(sequence, state.now, event, task_id, attempt, details or None))
    )
    return sequence
