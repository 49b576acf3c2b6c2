"""The engine's memory, and the decision that is being made."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from rescind.model.commands import ACCEPTED, Reply
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId, WorkerId
from rescind.model.options import DEFAULT_TASK_OPTIONS, TaskOptions
from rescind_server.engine.agent_backlog import AgentBacklog
from rescind_server.engine.announcements import Announcements
from rescind_server.engine.deadlines import Deadlines
from rescind_server.engine.polls import Poll, WaitingPolls
from rescind_server.engine.subscriptions import QueueKey, Subscriptions
from rescind_server.engine.workflow_entities import KeyName, KeyOwner, Workflows

if TYPE_CHECKING:
    from rescind.model.children import ChildEffect
    from rescind.model.messages import StreamedEvent, ToWorker
    from rescind.model.workflow_events import LoggedEvent
    from rescind_server.engine.entities import Attempt, Child, Execution, Task, Worker


SessionKey = tuple[WorkerId, int]
"""A worker and the number of one of its sessions."""


class WantedPage(NamedTuple):
    """The engine asks for more of what rests.

    Attributes:
        key: the queue and kind.
        beyond: only executions whose order is larger.
        limit: how many, the oldest.
    """

    key: QueueKey
    beyond: int
    limit: int


class Decision(msgspec.Struct, eq=False):
    """What one command brought about.

    Attributes:
        reply: the answer to who asked; sent when everything else here is durable.
        events: what happened, per execution in the order of its history.
        executions: the executions whose rows changed.
        tasks: the tasks whose rows changed, their attempts included.
        closed: executions that nothing can change any more: they leave the engine's memory.
        annotated: executions that had left it before, and of which nothing but the history goes on.
        pushes: messages to workers, in order, each for the session that it was decided for: a later one is told anew.
        streamed: events for those who watch; never stored.
        offsets: of those of them that are output, by their place: the attempt's lease, and how many bytes it has
            written before to the same of its outputs.
        lease: the highest lease that was ever given out.
        order: the highest place that was ever given out, in the order of starting and scheduling.
        late: answers to earlier requests that were left open (`Deferred`), by their number.
        wanted: what the decision is incomplete without: a worker has room for executions that rest. Whoever drives the
            engine gives it these pages (`Engine.take_page`) before anything else.
        silent: workers that said nothing for too long: whatever session they have is over.
        children: the children whose rows changed, as their parents know them.
        effects: what the host is to do about children, and a parent, that live elsewhere, with who wants it; in order.
        logged: what was written to the logs of workflows, in order.
        keys: idempotency keys that were given to something, or freed (None).
        stopping: executions of which more, or less, is being stopped than before; their histories need not tell so.
    """

    reply: Reply = ACCEPTED
    events: list[tuple[ExecutionId, HistoryEvent]] = []
    executions: dict[ExecutionId, Execution] = {}
    tasks: dict[str, Task] = {}
    closed: list[Execution] = []
    annotated: dict[ExecutionId, Execution] = {}
    pushes: list[tuple[SessionKey, ToWorker]] = []
    streamed: list[tuple[ExecutionId, StreamedEvent]] = []
    offsets: dict[int, tuple[Lease, int]] = {}
    lease: int = 0
    order: int = 0
    late: list[tuple[int, Reply]] = []
    wanted: list[WantedPage] = []
    silent: list[WorkerId] = []
    children: dict[ExecutionId, Child] = {}
    effects: list[tuple[ExecutionId, ChildEffect]] = []
    logged: list[tuple[Execution, LoggedEvent]] = []
    keys: dict[KeyName, KeyOwner | None] = {}
    stopping: dict[ExecutionId, Execution] = {}


class State:
    """Everything open, with the indexes that keep each decision's cost independent of the backlog.

    Attributes:
        now: the time of the decision being made.
        decision: what it has brought about so far.
        lease_ms: how long the attempts of a worker that went away stay its own.
        task_backlog: claimable tasks per queue and kind, oldest first. Holds tasks that ended meanwhile, too: they are
            passed over when their turn comes.
        agent_backlog: executions that need a worker, likewise.
        agents_in_memory: of how many executions that never ran, per queue and kind, more than the store knows.
        watches_attempts: whether the limits of running attempts are measured here, and orders to stop repeated.
        resting: executions that rest, and are in memory because this turn of the host is about them.
        task_workers: connected workers, and which have a free slot.
        agent_workers: the same for agents.
        crowded_workers: those who have no free slot for an agent, but hold one that they can do without.
        announcements: which kinds workers run as agents, and which as workflows.
        offered: tasks that became claimable in this decision.
        freed: workers in which slots became free in this decision.
        queued: backlogs that agents were added to in this decision.
        roomy: workers that have room for an agent since this decision.
        ended: tasks that ended in this decision and whose waiters have not been told yet.
        ended_children: children that ended in this decision and whose parents' waits have not been told yet.
        hosts_children: whether parents and children are in this engine; else each has one of its own, elsewhere.
        taken: of the ids of the children that the present command spawns, those that closed executions have.
        parked: executions per kind that wait for another deployment.
        agent_polls: who polls for an agent, and waits.
        task_polls: who polls for a task, and waits.
        fresh_polls: polls that came in this decision.
        called_backlog: executions that are run by calls and wait for another claim, per queue and kind, the one that
            was started first at the head of each heap. Some may have ended meanwhile.
        named_tasks: open executions of the tasks that calls name by their id alone.
        ended_alone: tasks that ended in this decision and are all that their execution stands for.
        attempts_by_task: attempts that may still be running, by their task; the last, if there are several.
        workflows: who waits for what among workflows.
        away: of the workflow that the present command lets go on by hand, the children that have left memory.
        stop_changes: executions of which this decision began, or ended, to stop something.
        still_stopping: executions that have ended while something of them, or below them, is still being stopped.
    """

    def __init__(
        self, *, lease_ms: int, agents_in_memory: int, watches_attempts: bool = True, hosts_children: bool = True
    ) -> None:
        self.now = Instant(0)
        self.decision = Decision()
        self.lease_ms = lease_ms
        self.agents_in_memory = agents_in_memory
        self.watches_attempts = watches_attempts
        self.hosts_children = hosts_children
        self.taken: Collection[ExecutionId] = ()
        self.executions: dict[ExecutionId, Execution] = {}
        self.attempts: dict[Lease, Attempt] = {}
        self.workers: dict[WorkerId, Worker] = {}
        self.deadlines = Deadlines()
        self.task_backlog: dict[QueueKey, deque[Task]] = {}
        self.agent_backlog: dict[QueueKey, AgentBacklog] = {}
        self.resting: dict[ExecutionId, Execution] = {}
        self.task_workers = Subscriptions(lambda worker: worker.free_slots > 0)
        self.agent_workers = Subscriptions(lambda worker: worker.free_agent_slots > 0)
        self.crowded_workers = Subscriptions(lambda worker: worker.free_agent_slots <= 0 and bool(worker.idle))
        self.announcements = Announcements()
        self.offered: list[Task] = []
        self.freed: dict[WorkerId, Worker] = {}
        self.queued: dict[QueueKey, None] = {}
        self.roomy: dict[WorkerId, Worker] = {}
        self.ended: list[Task] = []
        self.ended_children: list[Child] = []
        self.parked: dict[str, dict[ExecutionId, Execution]] = {}
        self.agent_polls = WaitingPolls()
        self.task_polls = WaitingPolls()
        self.fresh_polls: list[Poll] = []
        self.called_backlog: dict[QueueKey, list[tuple[int, int, Execution]]] = {}
        self.ended_alone: list[Task] = []
        self.named_tasks: dict[TaskId, Execution] = {}
        self.attempts_by_task: dict[TaskId, Attempt] = {}
        self.workflows = Workflows()
        self.away: Mapping[ExecutionId, Execution] = {}
        self.stop_changes: dict[ExecutionId, Execution] = {}
        self.still_stopping: dict[ExecutionId, Execution] = {}
        self.order = 0
        self.lease = 0
        self.deferred = 0
        self._last_options = DEFAULT_TASK_OPTIONS

    def next_order(self) -> int:
        self.order += 1
        return self.order

    def shared_options(self, options: TaskOptions) -> TaskOptions:
        """Options equal to these, the same ones for all tasks that are scheduled alike one after the other."""
        if options is self._last_options or options == self._last_options:
            return self._last_options
        self._last_options = DEFAULT_TASK_OPTIONS if options == DEFAULT_TASK_OPTIONS else options
        return self._last_options

    def push(self, worker: Worker, message: ToWorker) -> None:
        """Send a message to a worker once the decision is durable. One that is away is told when it comes back."""
        if worker.connected:
            self.decision.pushes.append(((worker.worker_id, worker.session), message))


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


def annotate(
    state: State, execution: Execution, event: EventType, task_id: TaskId | None = None, /, **details: Any
) -> None:
    """Append an event to the history of an execution that has left memory: of what came too late to change anything."""
    execution.sequence += 1
    decision = state.decision
    decision.annotated[execution.execution_id] = execution
    decision.events.append(
        (execution.execution_id, HistoryEvent(execution.sequence, state.now, event, task_id, 0, details))
    )
