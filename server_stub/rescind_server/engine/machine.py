"""The engine: a command and the time go in, a decision comes out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, assert_never

from rescind.model.children import ChildEnded
from rescind.model.commands import (
    ACCEPTED,
    Call,
    CancelExecution,
    CancelTaskFromOutside,
    ChildCancelTold,
    Command,
    FromClient,
    Reply,
    SignalAnswered,
    SignalExecution,
    StartExecution,
)
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId, Instant, Lease, WorkerId
from rescind.model.messages import (
    AgentParked,
    AgentProgress,
    FromWorker,
    StepReported,
    StopReported,
    TaskAlive,
    TaskReported,
    WorkerAlive,
    WorkerJoined,
    WorkerLeft,
)
from rescind.model.operations import TimerFired
from rescind.model.views import ExecutionDetails
from rescind.model.workflows import SettlePromise
from rescind_server.engine import (
    activations,
    attempts,
    called_agents,
    called_tasks,
    calling,
    child_waits,
    children,
    claims,
    closed,
    execution_endings,
    executions,
    placement,
    polls,
    stopping,
    stops,
    waits,
    workers,
    workflow_claims,
    workflow_endings,
    workflow_promises,
    workflow_requests,
    workflow_starts,
)
from rescind_server.engine.deadlines import Deadline, DeadlineKind
from rescind_server.engine.entities import (
    Attempt,
    ChildWait,
    Execution,
    OpenOperation,
    StopWait,
    Task,
    TaskWait,
    Worker,
)
from rescind_server.engine.naming import execution_id_of
from rescind_server.engine.polls import Poll
from rescind_server.engine.restoring import restore
from rescind_server.engine.state import Decision, State, WantedPage, record
from rescind_server.engine.subscriptions import QueueKey
from rescind_server.engine.viewing import details_of
from rescind_server.engine.workflow_entities import Due, KeyName, KeyOwner, PollingWorker, WorkflowPoll

DEFAULT_LEASE_MS: Final = 10_000
"""How long the attempts of a worker that went away stay its own, unless set otherwise."""

AGENTS_IN_MEMORY: Final = 1_000
"""Of how many agents that never ran, per queue and kind, the engine knows more than that they rest in the store."""

_NOBODY: Final[Mapping[ExecutionId, Execution]] = {}


class Engine:
    """Decides everything, and does nothing.

    Each decision is complete: what is in it must be made durable before any of it is told to anybody.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        lease_ms: int = DEFAULT_LEASE_MS,
        agents_in_memory: int = AGENTS_IN_MEMORY,
        watches_attempts: bool = True,
        hosts_children: bool = True,
    ) -> None:
        """Make an empty engine.

        Args:
            seed: what the ids are derived from that nobody chose: the same seed gives the same ids.
            lease_ms: how long the attempts of a worker that went away stay its own.
            agents_in_memory: of how many executions that never ran, per queue and kind, the engine knows more than that
                they rest in the store.
            watches_attempts: whether the length and the silences of attempts are measured here, and orders to stop
                repeated. If not, whoever runs them does so, and tells of limits by `overrun`: attempts that wait for a
                worker elsewhere begin there.
            hosts_children: whether an agent's children are executions of this engine. If not, the host starts, cancels
                and signals them where they live, as decisions tell it (see `rescind.model.children`).
        """
        self._state = State(
            lease_ms=lease_ms,
            agents_in_memory=agents_in_memory,
            watches_attempts=watches_attempts,
            hosts_children=hosts_children,
        )
        self._seed = seed

    def decide(
        self,
        command: Command,
        now: Instant,
        closed_execution: Execution | None = None,
        taken: Collection[ExecutionId] = (),
        away: Mapping[ExecutionId, Execution] = _NOBODY,
    ) -> Decision:
        """Decide one command at a time that never goes back.

        Args:
            command: what is asked or reported.
            now: the time; an earlier one than before counts as the one before.
            closed_execution: what a client's command names, if it has left memory; the caller looks it up.
            taken: of the ids of children that an agent spawns by it, those that executions out of memory have.
            away: of a workflow that is let go on by hand, the children that have left memory.
        """
        state = self._begin(now)
        state.taken = taken
        state.away = away
        rule = _RULES.get(type(command))
        if rule is not None:
            rule(state, command)
        else:
            state.decision.reply = self._decide_for_client(command, closed_execution)
        return self._finish()

    def take_up(self, execution: Execution) -> None:
        """Remember an execution that rests, since the next command names it."""
        placement.take_up(self._state, execution)

    def take_page(self, wanted: WantedPage, page: Sequence[Execution]) -> None:
        """Go on with the decision that wanted this page, which is the last one that was made.

        Args:
            wanted: what was asked for.
            page: what the store has of it, in the order of starting; fewer if there are no more.
        """
        placement.take_page(self._state, wanted.key, page, is_last=len(page) < wanted.limit)
        self._finish()

    def let_rest(self) -> None:
        """All that was decided is durable: executions that rest leave memory."""
        placement.let_rest(self._state)

    def may_speak(self, worker_id: WorkerId, message: FromWorker) -> bool:
        """Whether a worker may tell this: it speaks of itself, and of what it holds. Leases can be guessed."""
        return workers.may_speak(self._state, worker_id, message)

    def holds(self, execution_id: ExecutionId) -> bool:
        """Whether an execution is in memory."""
        return execution_id in self._state.executions

    def next_due(self) -> Instant | None:
        """When `come_due` has something to decide; None if nothing waits for a time."""
        return self._state.deadlines.next_due()

    def come_due(self, now: Instant) -> Decision | None:
        """Decide the earliest deadline that has come; None if there is none."""
        deadline = self._state.deadlines.pop_due(now)
        if deadline is None:
            return None
        state = self._begin(now)
        subject, deadline.subject = deadline.subject, None
        if subject is not None:
            _come_due(state, deadline, subject)
        return self._finish()

    def overrun(self, lease: Lease, kind: DeadlineKind, now: Instant) -> Decision:
        """Decide that a running attempt has reached one of its limits, as whoever runs it has measured.

        Args:
            lease: the attempt; one that runs no more changes nothing.
            kind: START_TO_CLOSE, HEARTBEAT or IDLE.
            now: the time.
        """
        attempts.overrun(self._begin(now), lease, kind)
        return self._finish()

    def restore(
        self,
        executions: Iterable[tuple[Execution, Instant | None]],
        lease: Lease,
        order: int,
        resting: Mapping[QueueKey, int],
        keys: Mapping[KeyName, KeyOwner],
        now: Instant,
    ) -> Decision:
        """Go on from what was written down; what that brings about must be made durable as any decision."""
        restore(self._begin(now), executions, resting, keys, lease=lease, order=order)
        return self._finish()

    def forget(self) -> None:
        """Be as empty as a new engine, to go on from what was written down: what is remembered is not durable."""
        state = self._state
        self._state = State(
            lease_ms=state.lease_ms,
            agents_in_memory=state.agents_in_memory,
            watches_attempts=state.watches_attempts,
            hosts_children=state.hosts_children,
        )

    def details(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """An execution as it stands, with all that belongs to it; None if it is not in memory."""
        execution = self._state.executions.get(execution_id)
        return details_of(execution) if execution is not None else None

    def execution(self, execution_id: ExecutionId) -> Execution | None:
        """An execution itself, to be looked at and not changed; None if it is not in memory."""
        return self._state.executions.get(execution_id)

    def execution_of_promise(self, command: SettlePromise) -> ExecutionId | None:
        """The workflow whose promise a command is about, as far as memory knows; None if it does not."""
        return workflow_promises.execution_of(self._state, command)

    def execution_ids(self) -> list[ExecutionId]:
        """The executions in memory, in the order in which they came there."""
        return list(self._state.executions)

    def _begin(self, now: Instant) -> State:
        state = self._state
        # A clock that was set back must not reorder what has been decided.
        state.now = max(state.now, now)
        state.decision = Decision()
        return state

    def _finish(self) -> Decision:
        state = self._state
        if state.ended:
            waits.wake_waiters(state)
        if state.ended_alone:
            called_tasks.end_those_alone(state)
        if state.ended_children:
            child_waits.wake_waiters(state)
        if state.queued or state.roomy or state.fresh_polls:
            placement.hand_out(state)
        if state.offered or state.freed or state.fresh_polls:
            claims.hand_out(state)
        state.fresh_polls.clear()
        if state.workflows.offered:
            workflow_claims.hand_out(state)
        if state.stop_changes:
            stopping.tell_ancestors(state)
        decision = state.decision
        decision.lease = state.lease
        decision.order = state.order
        for execution_id, execution in decision.executions.items():
            if (
                execution.ended
                and execution.unsettled == 0
                and stopping.is_still(execution)
                and execution_id in state.executions
            ):
                decision.closed.append(execution)
                del state.executions[execution_id]
                if execution.called is not None:
                    called_agents.forget_names(state, execution)
                workflow_promises.forget(state, execution)
        return decision

    def _decide_for_client(self, command: Command, closed_execution: Execution | None) -> Reply:
        state = self._state
        reply = workflow_requests.decide(state, command, closed_execution, self._seed)
        if reply is not None:
            return reply
        if closed_execution is not None and isinstance(command, FromClient):
            return closed.answer(state, command, closed_execution)
        match command:
            case StartExecution():
                execution_id = command.execution_id
                if execution_id is None:
                    execution_id = execution_id_of(self._seed, state.order)
                if workflow_starts.is_meant(state, command, execution_id):
                    return workflow_starts.start_meant(state, command, execution_id)
                return executions.start(state, command, execution_id)
            case SignalExecution():
                return executions.signal(state, command)
            case CancelExecution():
                return executions.cancel(state, command)
            case CancelTaskFromOutside():
                return executions.cancel_task(state, command)
            case Call(execution_id=execution_id):
                execution = state.executions.get(execution_id) if execution_id is not None else None
                return calling.decide(state, command, execution)
            case _:
                return ACCEPTED


_RULES: Final[Mapping[type, Callable[[State, Any], None]]] = {
    WorkerJoined: workers.join,
    WorkerLeft: workers.leave,
    WorkerAlive: workers.alive,
    AgentProgress: executions.progress,
    StepReported: executions.step_reported,
    AgentParked: executions.park,
    TaskReported: attempts.report,
    StopReported: stops.report,
    TaskAlive: attempts.alive,
    ChildEnded: children.child_ended,
    ChildCancelTold: children.cancel_told,
    SignalAnswered: children.signal_answered,
}


def _come_due(
    state: State,
    deadline: Deadline,
    subject: Task | Attempt | Execution | OpenOperation | Worker | Poll | Due | WorkflowPoll | PollingWorker,
) -> None:
    match subject:
        case Attempt() if deadline.kind is DeadlineKind.REDELIVERY:
            stops.send_order(state, subject)
        case Attempt():
            attempts.time_out(state, deadline, subject)
        case Task() if deadline.kind is DeadlineKind.RETRY:
            claims.offer(state, subject)
        case Task():
            attempts.time_out_task(state, subject, deadline.kind)
        case TaskWait():
            waits.time_out(state, subject)
        case ChildWait():
            child_waits.time_out(state, subject)
        case StopWait():
            stops.time_out(state, subject)
        case OpenOperation():
            record(state, subject.execution, EventType.TIMER_FIRED, position=subject.position)
            activations.answer(state, subject, TimerFired())
        case Execution() if deadline.kind is DeadlineKind.CLAIM_END and subject.workflow is None:
            activations.release(state, subject)
        case Execution() if deadline.kind is DeadlineKind.CLAIM_END:
            workflow_claims.release(state, subject)
        case Execution() if deadline.kind is DeadlineKind.WORKFLOW_TIMEOUT:
            workflow_endings.time_out(state, subject)
        case Execution() if subject.workflow is not None:
            workflow_endings.end_cancelled(state, subject, hard=True)
        case Execution():
            execution_endings.end_clean_up(state, subject)
        case Worker() if deadline.kind is DeadlineKind.EVICTION:
            placement.look_again(state, subject)
        case Worker() if deadline.kind is DeadlineKind.WORKER_LEASE:
            workers.lease_ended(state, subject)
        case Worker():
            workers.silence_ended(state, subject)
        case Poll():
            polls.time_out(state, subject)
        case Due():
            workflow_promises.come_due(state, subject)
        case WorkflowPoll():
            workflow_claims.poll_ended(state, subject)
        case PollingWorker():
            workflow_claims.lease_ended(state, subject)
        case _:
            assert_never(subject)
