"""Plays worker, agent and client against the engine, at times that the test sets. After each decision the laws hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import (
    CancelAnswered,
    CancelExecution,
    CancelTaskFromOutside,
    Command,
    Deferred,
    Reply,
    SignalExecution,
    StartExecution,
)
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId, WorkerId, task_id_from_key
from rescind.model.messages import (
    AgentActivation,
    AgentCancelled,
    AgentCompleted,
    AgentEviction,
    AgentFailed,
    AgentKind,
    AgentProgress,
    StopOrder,
    StopReported,
    TaskActivation,
    TaskReported,
    ToWorker,
    WorkerJoined,
    WorkerLeft,
)
from rescind.model.operations import (
    Answer,
    AnyOperation,
    AwaitTasks,
    CancelTask,
    Flush,
    ScheduleTask,
    TaskCancelAnswered,
    TasksSettled,
    WaitCondition,
)
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelMode, CancelTaskResult, FailureKind, StopState, TaskStatus
from rescind.model.views import ExecutionDetails, ExecutionView, TaskView
from rescind_server.engine.entities import Execution
from rescind_server.engine.machine import Engine
from rescind_server.engine.state import Decision
from rescind_server.engine.viewing import details_of
from server_stub.tests.engine.laws import check_history, check_memory

CLIENT: Final = CancelCause(CancelSource.REQUEST, "client:test", "no longer needed")
ONE_ATTEMPT: Final = TaskOptions(retry=RetryPolicy(max_attempts=1))
ERROR: Final = Failure(FailureKind.ERROR, "it broke", "ValueError")


class Stage:
    """An engine, its clock, and everything that it has told anybody.

    Attributes:
        now: the time; set it, or let it pass with `pass_time`.
        pushed: what each worker was sent, in order.
        late: the answers given to requests that were left open, by their number.
    """

    def __init__(self, *, worker: str | None = "w", slots: int = 100, lease_ms: int = 10_000, seed: int = 0) -> None:
        self.engine = Engine(seed=seed, lease_ms=lease_ms)
        self.now = Instant(1_000_000)
        self.pushed: dict[str, list[ToWorker]] = defaultdict(list)
        self.late: dict[int, Reply] = {}
        self.decisions: list[Decision] = []
        self.histories: dict[ExecutionId, list[HistoryEvent]] = defaultdict(list)
        self.closed: dict[ExecutionId, Execution] = {}
        self.activations: dict[TaskId, list[TaskActivation]] = defaultdict(list)
        self.agents: dict[ExecutionId, Agent] = {}
        self._sessions: dict[str, int] = defaultdict(int)
        if worker is not None:
            self.join(worker, slots=slots)

    # -- time and commands --

    def decide(self, command: Command) -> Decision:
        """Let the engine decide, and check the laws; nothing else happens, also if a deadline has come."""
        execution_id = getattr(command, "execution_id", None)
        closed = None
        if execution_id is not None and not self.engine.holds(execution_id):
            closed = self.closed.get(execution_id)
        return self._take(self.engine.decide(command, self.now, closed))

    def ask(self, command: Command) -> Reply:
        """The reply to a command."""
        return self.decide(command).reply

    def pass_time(self, milliseconds: float) -> None:
        """Let time pass, and everything come due in its order, each at its time."""
        until = Instant(self.now + round(milliseconds * 1_000))
        while (due := self.engine.next_due()) is not None and due <= until:
            self.now = max(self.now, due)
            self.come_due()
        self.now = until

    def jump(self, milliseconds: float) -> None:
        """Let time pass while nobody looks: everything comes due late, at the new time."""
        self.now = Instant(self.now + round(milliseconds * 1_000))
        self.come_due()

    def come_due(self) -> int:
        """Let everything come due that has; returns how much it was."""
        count = 0
        while (decision := self.engine.come_due(self.now)) is not None:
            self._take(decision)
            count += 1
        return count

    def _take(self, decision: Decision) -> Decision:
        self.decisions.append(decision)
        for execution_id, event in decision.events:
            self.histories[execution_id].append(event)
        for execution in decision.closed:
            self.closed[execution.execution_id] = execution
        for number, reply in decision.late:
            assert number not in self.late, "an open request was answered twice"
            self.late[number] = reply
        for (worker_id, _), message in decision.pushes:
            self.pushed[worker_id].append(message)
            self._arrives(message)
        for changed in {execution_id for execution_id, _ in decision.events}:
            check_history(self.histories[changed])
        check_memory(self.engine)
        return decision

    def _arrives(self, message: ToWorker) -> None:
        match message:
            case TaskActivation():
                self.activations[message.task_id].append(message)
            case AgentActivation() if message.execution_id in self.agents:
                self.agents[message.execution_id].receive(message)
            case AgentEviction() if message.execution_id in self.agents:
                self.agents[message.execution_id].evicted.append(message.run)

    # -- workers --

    def join(
        self,
        worker: str = "w",
        *,
        slots: int = 100,
        tasks: Sequence[str] = ("work",),
        agents: Sequence[str | AgentKind] = ("agent",),
        queues: Sequence[str] = ("default",),
        running: Sequence[Lease] = (),
        session: int | None = None,
        silence_ms: int | None = None,
        agent_slots: int = 1_000,
    ) -> None:
        """A worker's session begins, numbered anew unless `session` is given."""
        self._sessions[worker] = session if session is not None else self._sessions[worker] + 1
        kinds = tuple(AgentKind(kind) if isinstance(kind, str) else kind for kind in agents)
        self.decide(
            WorkerJoined(
                WorkerId(worker),
                self._sessions[worker],
                tuple(queues),
                kinds,
                tuple(tasks),
                slots,
                tuple(running),
                silence_ms,
                agent_slots,
            )
        )

    def leave(self, worker: str = "w", *, session: int | None = None, handed_back: bool = False) -> None:
        """A worker's session ends: the present one, unless `session` is given."""
        self.decide(WorkerLeft(WorkerId(worker), session or self._sessions[worker], handed_back))

    def lease(self, task_id: TaskId, attempt: int = -1) -> Lease:
        """The lease of a task's attempt; by default of the last."""
        return self.activations[task_id][attempt].lease

    def complete(self, task_id: TaskId, output: bytes = b"1", attempt: int = -1) -> Decision:
        """The attempt returns."""
        return self.decide(TaskReported(task_id, self.lease(task_id, attempt), Payload(output)))

    def fail(self, task_id: TaskId, failure: Failure = ERROR, attempt: int = -1) -> Decision:
        """The attempt raises."""
        return self.decide(TaskReported(task_id, self.lease(task_id, attempt), failure=failure))

    def obey(self, task_id: TaskId, attempt: int = -1) -> Decision:
        """The attempt was asked to stop (mode WAIT), and does."""
        return self.decide(TaskReported(task_id, self.lease(task_id, attempt), cancelled=True))

    def report_stop(
        self, task_id: TaskId, state: StopState, *, discarded_bytes: int | None = None, attempt: int = -1
    ) -> Decision:
        """The worker tells how far the stopping has come."""
        return self.decide(StopReported(task_id, self.lease(task_id, attempt), state, discarded_bytes))

    def acknowledge(self, task_id: TaskId, attempt: int = -1) -> Decision:
        """The worker says that it has the last order that was sent for the task."""
        order = self.orders(task_id)[-1]
        lease = self.lease(task_id, attempt)
        return self.decide(StopReported(task_id, lease, StopState.DELIVERED, decided=order.decided, force=order.force))

    def orders(self, task_id: TaskId) -> list[StopOrder]:
        """The stop orders that were sent for a task, to whatever worker; one that was sent again is told once."""
        return list(dict.fromkeys(self.deliveries(task_id)))

    def deliveries(self, task_id: TaskId) -> list[StopOrder]:
        """The stop orders that were sent for a task, as often as they were sent."""
        every = [message for messages in self.pushed.values() for message in messages]
        return [message for message in every if isinstance(message, StopOrder) and message.task_id == task_id]

    # -- clients --

    def start(self, execution_id: str = "x", *, kind: str = "agent", queue: str = "default") -> Agent:
        """Start an agent, which is activated if there is a worker for it."""
        name = ExecutionId(execution_id)
        self.agents[name] = agent = Agent(self, name)
        self.decide(StartExecution(kind, NULL_PAYLOAD, name, queue))
        return agent

    def cancel(
        self,
        task_id: TaskId,
        mode: CancelMode = CancelMode.TRY,
        *,
        execution_id: str = "x",
        cause: CancelCause = CLIENT,
    ) -> CancelTaskResult | int:
        """Cancel a task from outside; a number if the answer comes `late`."""
        reply = self.ask(CancelTaskFromOutside(ExecutionId(execution_id), task_id, cause, mode))
        if isinstance(reply, Deferred):
            return reply.number
        assert isinstance(reply, CancelAnswered)
        return reply.result

    def cancel_agent(
        self, execution_id: str = "x", *, hard: bool = False, cause: CancelCause = CLIENT
    ) -> CancelTaskResult:
        """Cancel an agent."""
        reply = self.ask(CancelExecution(ExecutionId(execution_id), cause, hard))
        assert isinstance(reply, CancelAnswered)
        return reply.result

    def signal(self, name: str, value: bytes = b"1", *, execution_id: str = "x") -> Reply:
        """Signal an agent."""
        return self.ask(SignalExecution(ExecutionId(execution_id), name, Payload(value)))

    def late_result(self, number: CancelTaskResult | int) -> CancelTaskResult | None:
        """What an open request was answered; None if it still is open."""
        reply = self.late.get(number) if isinstance(number, int) else None
        return reply.result if isinstance(reply, CancelAnswered) else None

    # -- what is seen --

    def details(self, execution_id: str = "x") -> ExecutionDetails:
        """An execution, in memory or closed."""
        name = ExecutionId(execution_id)
        return self.engine.details(name) or details_of(self.closed[name])

    def execution(self, execution_id: str = "x") -> ExecutionView:
        """The execution itself."""
        return self.details(execution_id).execution

    def task(self, task_id: TaskId, execution_id: str = "x") -> TaskView:
        """One of its tasks."""
        return next(task for task in self.details(execution_id).tasks if task.task_id == task_id)

    def status(self, task_id: TaskId, execution_id: str = "x") -> TaskStatus:
        """A task's status."""
        return self.task(task_id, execution_id).status

    def events(self, task_id: TaskId | None = None, execution_id: str = "x") -> list[EventType]:
        """What happened to an execution, or to one task of it."""
        history = self.histories[ExecutionId(execution_id)]
        return [event.type for event in history if task_id is None or event.task_id == task_id]

    def last(self, event: EventType, execution_id: str = "x") -> dict[str, Any]:
        """The details of the last event of a type."""
        history = self.histories[ExecutionId(execution_id)]
        return next(each.details or {} for each in reversed(history) if each.type is event)

    def is_in_memory(self, execution_id: str = "x") -> bool:
        """Whether the execution still is in the engine's memory."""
        return self.engine.holds(ExecutionId(execution_id))


class Agent:
    """The code of one agent, as its worker plays it.

    Attributes:
        pending: the activation that it has not answered yet; None while it waits.
        told: the causes that activations carried.
        answers: what its operations were answered, by position.
        starts: what each of its runs was begun with.
        evicted: the runs that the worker was told to forget.
    """

    def __init__(self, stage: Stage, execution_id: ExecutionId) -> None:
        self.stage = stage
        self.execution_id = execution_id
        self.pending: AgentActivation | None = None
        self.told: list[CancelCause] = []
        self.answers: dict[int, Answer] = {}
        self.starts: list[AgentActivation] = []
        self.evicted: list[int] = []
        self.position = 0
        self.scheduled = 0

    def receive(self, activation: AgentActivation) -> None:
        self.pending = activation
        if activation.start is not None:
            self.starts.append(activation)
            self.position = max(self.position, activation.start.base_position)
        if activation.cancel is not None:
            self.told.append(activation.cancel)
        self.answers.update({resolution.position: resolution.answer for resolution in activation.resolutions})

    def rest(self, *operations: AnyOperation) -> list[int]:
        """Answer the activation with these operations, and wait; returns their positions."""
        return self._answer(self._placed(operations), None)

    def do(self, *operations: AnyOperation) -> list[int]:
        """Answer the activation with these operations, and be activated again at once."""
        return self.rest(*operations, Flush(0))

    def end(
        self, ending: AgentCompleted | AgentFailed | AgentCancelled | None = None, *operations: AnyOperation
    ) -> None:
        """The code ends; by returning, unless told otherwise."""
        self._answer(self._placed(operations), ending or AgentCompleted(Payload(b"done")))

    def schedule(
        self, count: int = 1, *, kind: str = "work", queue: str | None = None, options: TaskOptions | None = None
    ) -> list[TaskId]:
        """Schedule tasks, and stay active; returns their ids."""
        operations = [self.schedules(kind=kind, queue=queue, options=options) for _ in range(count)]
        self.do(*operations)
        return [operation.task_id for operation in operations]

    def schedules(
        self, *, kind: str = "work", queue: str | None = None, options: TaskOptions | None = None
    ) -> ScheduleTask:
        """The operation that schedules one new task."""
        self.scheduled += 1
        task_id = task_id_from_key(f"{self.execution_id}/{self.scheduled}")
        return ScheduleTask(0, task_id, kind, NULL_PAYLOAD, queue, options or TaskOptions())

    def cancel(self, task_id: TaskId, mode: CancelMode = CancelMode.TRY) -> int:
        """Cancel a task and stay active; returns the operation's position."""
        return self.do(self.cancels(task_id, mode))[0]

    def cancels(self, task_id: TaskId, mode: CancelMode = CancelMode.TRY) -> CancelTask:
        """The operation that cancels a task."""
        return CancelTask(0, task_id, CancelCause(CancelSource.REQUEST, f"agent:{self.execution_id}"), mode)

    def result(self, position: int) -> CancelTaskResult | None:
        """What a cancel was answered; None if it is open."""
        answer = self.answers.get(position)
        return answer.result if isinstance(answer, TaskCancelAnswered) else None

    def settled(self, position: int) -> TasksSettled | None:
        """What a wait was answered; None if it is open."""
        answer = self.answers.get(position)
        assert answer is None or isinstance(answer, TasksSettled)
        return answer

    def _placed(self, operations: Sequence[AnyOperation]) -> list[AnyOperation]:
        placed = []
        for operation in operations:
            self.position += 1
            placed.append(msgspec.structs.replace(operation, position=self.position))
        return placed

    def _answer(
        self, placed: list[AnyOperation], ending: AgentCompleted | AgentFailed | AgentCancelled | None
    ) -> list[int]:
        assert self.pending is not None, "the agent is not active"
        activation, self.pending = self.pending, None
        self.stage.decide(AgentProgress(self.execution_id, activation.run, activation.number, tuple(placed), ending))
        return [operation.position for operation in placed]


def awaits(
    tasks: Sequence[TaskId],
    condition: WaitCondition,
    *,
    needed: int = 1,
    deadline: Instant | None = None,
    losers: CancelSource | None = None,
) -> AwaitTasks:
    """The operation that waits for tasks."""
    return AwaitTasks(0, tuple(tasks), condition, needed, deadline, losers)
