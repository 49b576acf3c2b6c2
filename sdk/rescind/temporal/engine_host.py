"""The engine of one execution, driven in turns by whoever it lives in: what is the same for agents and workflows.

It is what `rescind_server.host` is to a server, for one execution and without a store: Temporal keeps what came in, and
on a replay all is decided again, to the same effect.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from typing import Final

from rescind.backends.native.agent_run import AgentRun
from rescind.backends.native.workflow_run import WorkflowRun
from rescind.model.commands import CancelAnswered, Command, Deferred, Reply, StartExecution
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId, WorkerId
from rescind.model.messages import StopOrder, StreamedEvent, TaskActivation, ToWorker, WorkerJoined
from rescind.model.overviews import AttemptView
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.model.status import CancelTaskResult, ExecutionStatus
from rescind.model.views import ExecutionDetails
from rescind.model.workflow_events import LoggedEvent
from rescind.temporal.continuing import Carried
from rescind.temporal.effects import Effects
from rescind.temporal.records import AttemptReport, Limit, StepReport
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Execution
from rescind_server.engine.machine import Engine
from rescind_server.engine.state import Decision
from rescind_server.engine.stops import standing_order
from rescind_server.engine.viewing import details_of, listed_task

MOST_AT_ONCE: Final = 1_500
"""How many attempts of one execution run at once; more wait in the engine. Temporal takes 2,000 pending activities."""
_MOST_STREAMED: Final = 1_000
_TASK_WORKER: Final = WorkerId("activities")
_LIMITS: Final = {
    "start_to_close": DeadlineKind.START_TO_CLOSE,
    "heartbeat": DeadlineKind.HEARTBEAT,
    "idle": DeadlineKind.IDLE,
}


class EngineHost(ABC):
    """Drives the engine of one execution.

    Attributes:
        execution_id: the execution.
        history: its events, since this host began.
        first_event: the number of the event before the first of them.
        previous_run: the run of the workflow that tells of those before; empty if there is none.
        streamed: the last events that were streamed.
        streamed_count: how many were streamed in all.
    """

    def __init__(self, execution_id: str, effects: Effects, payload_limit: int = DEFAULT_PAYLOAD_LIMIT) -> None:
        """Make a host that knows of no execution yet.

        Args:
            execution_id: the execution's id.
            effects: what brings about what is decided.
            payload_limit: the largest payload in bytes.
        """
        self.execution_id = ExecutionId(execution_id)
        self.history: list[HistoryEvent] = []
        self.first_event = 0
        self.previous_run = ""
        self.streamed: deque[StreamedEvent] = deque(maxlen=_MOST_STREAMED)
        self.streamed_count = 0
        self._effects = effects
        self._payload_limit = payload_limit
        self._engine = Engine(watches_attempts=False, hosts_children=False)
        self._pushed: deque[ToWorker] = deque()
        self._queues: dict[str, None] = {}
        self._kinds: dict[str, None] = {}
        self._session = 0
        self._running: dict[Lease, TaskActivation] = {}
        self._steps: set[int] = set()
        self._deferred: dict[int, CancelTaskResult | None] = {}
        self._closed: Execution | None = None
        self._lease = Lease(0)

    # -- for the workflow --

    @abstractmethod
    def begin(self, start: StartExecution) -> None:
        """The execution exists. It takes signals and cancels from now on; its code runs as soon as `run` was called."""

    @abstractmethod
    def run(self) -> None:
        """Run the code from now on."""

    @abstractmethod
    def step_ended(self, position: int, report: StepReport) -> None:
        """A side effect is done."""

    @property
    @abstractmethod
    def code(self) -> AgentRun | WorkflowRun:
        """The code, which runs, or has run."""

    @abstractmethod
    def discard(self) -> None:
        """Forget the code where it stands: its workflow leaves memory."""

    @property
    def may_move_on(self) -> bool:
        """Whether its workflow may continue as new now: then `carry` is to be called."""
        return False

    def carry(self, run_id: str) -> Carried | None:
        """What the next run of the workflow goes on from; None if it must go on in this one."""
        return None

    def log(self) -> list[LoggedEvent]:
        """The event log, if the code is that of a workflow."""
        workflow = self._execution().workflow
        return workflow.log if workflow is not None else []

    def tell(self, command: Command) -> Reply:
        """Decide a command, and bring about all that follows from it; returns the answer."""
        reply = self._decide(command)
        self._settle()
        return reply

    def come_due(self) -> None:
        """Decide all that waited for the present time or an earlier one."""
        while (decision := self._engine.come_due(self._effects.now())) is not None:
            self._take(decision)
            self._settle()

    def next_due(self) -> Instant | None:
        """When `come_due` has something to decide; None if nothing waits for a time."""
        return self._engine.next_due()

    def attempt_ended(self, lease: Lease, report: AttemptReport) -> None:
        """An activity has ended, and tells how its attempt did."""
        self._forget(lease)
        for message in (report.delivered, report.reported, report.stopped):
            if message is not None:
                self._decide(message)
        self._settle()

    def attempt_lost(self, lease: Lease) -> None:
        """The worker of an attempt is lost: the engine tries it again, or ends its task."""
        self._forget(lease)
        self._join_tasks()
        self._settle()

    def overrun(self, lease: Lease, limit: Limit) -> None:
        """A running attempt has reached one of its limits."""
        self._take(self._engine.overrun(lease, _LIMITS[limit], self._effects.now()))
        self._settle()

    def deferred_answer(self, reply: Deferred) -> CancelTaskResult | None:
        """The answer to an earlier request that was left open; None while its work decides."""
        return self._deferred.get(reply.number)

    @property
    def is_closed(self) -> bool:
        """Whether the execution has ended, and nothing of it is at work."""
        return self._closed is not None

    @property
    def status(self) -> ExecutionStatus:
        """Where the execution stands."""
        return self._execution().status

    def details(self) -> ExecutionDetails:
        """The execution as it stands."""
        return details_of(self._execution())

    def at_work(self, task_id: TaskId) -> tuple[AttemptView, ...]:
        """The attempts of a task that may still be running."""
        return listed_task(self._execution().tasks[task_id]).at_work

    def standing_order(self, lease: Lease) -> StopOrder | None:
        """What whoever runs an attempt is to be told; None if it may run on, or has ended."""
        for task in self._execution().tasks.values():
            for attempt in task.attempts or ():
                if attempt.lease == lease:
                    return standing_order(attempt)
        return None

    # -- inside --

    def _execution(self) -> Execution:
        execution = self._closed or self._engine.execution(self.execution_id)
        assert execution is not None, "the host was asked before it began"
        return execution

    def _queue(self) -> str:
        return self._execution().queue

    def _decide(self, command: Command) -> Reply:
        decision = self._engine.decide(command, self._effects.now(), self._closed)
        self._take(decision)
        return decision.reply

    def _take(self, decision: Decision) -> None:
        self.history.extend(event for _, event in decision.events)
        self._stream(event for _, event in decision.streamed)
        self._pushed.extend(message for _, message in decision.pushes)
        self._lease = Lease(max(self._lease, decision.lease))
        for number, reply in decision.late:
            if isinstance(reply, CancelAnswered):
                self._deferred[number] = reply.result
        for execution in decision.closed:
            self._closed = execution
        for _, effect in decision.effects:
            self._effects.carry_out(effect)

    def _stream(self, events: Iterable[StreamedEvent]) -> None:
        for event in events:
            self.streamed.append(event)
            self.streamed_count += 1

    def _settle(self) -> None:
        """Bring about what was decided, and what follows from that, until nothing moves."""
        while self._pushed:
            match self._pushed.popleft():
                case TaskActivation() as activation:
                    self._start_attempt(activation)
                case StopOrder() as order if order.lease in self._running:
                    self._effects.stop_attempt(order)
                case pushed:
                    self._take_push(pushed)

    @abstractmethod
    def _take_push(self, pushed: ToWorker) -> None:
        """Something for whoever runs the code has come."""

    def _make_room_for(self, scheduled: Iterable[tuple[str, str | None]]) -> None:
        """Let the tasks that are about to be scheduled be handed out: some worker of their queue is there for them.

        Args:
            scheduled: the kind of each, and its queue; none is the execution's.
        """
        is_new = False
        for kind, asked in scheduled:
            queue = asked if asked is not None else self._queue()
            is_new = is_new or queue not in self._queues or kind not in self._kinds
            self._queues[queue] = None
            self._kinds[kind] = None
        if is_new:
            self._join_tasks()

    def _join_tasks(self) -> None:
        """Begin a new session of those who run tasks, naming what is running: an attempt that is not named is lost."""
        self._session += 1
        self._decide(
            WorkerJoined(
                _TASK_WORKER,
                self._session,
                tuple(self._queues),
                tasks=tuple(self._kinds),
                task_slots=MOST_AT_ONCE,
                running=tuple(self._running),
                agent_slots=0,
            )
        )

    def _start_attempt(self, activation: TaskActivation) -> None:
        self._running[activation.lease] = activation
        task = self._execution().tasks[activation.task_id]
        self._effects.start_attempt(activation, task.options, task.scheduled_at)

    def _forget(self, lease: Lease) -> None:
        if self._running.pop(lease, None) is not None:
            self._effects.forget_attempt(lease)
