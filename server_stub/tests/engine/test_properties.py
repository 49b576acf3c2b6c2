"""Random stories against a small model: what was observed once stays so, and every answer fits what was observed.

The laws of `laws.py` are checked after every single decision, by the stage. Here stands what can only be said with a
memory of the story: who was told what, who won, and that everything can be brought to an end.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.events import TASK_ENDS, EventType
from rescind.model.ids import Instant, Lease, TaskId, WorkerId
from rescind.model.messages import (
    AgentCancelled,
    AgentCompleted,
    AgentFailed,
    AgentKind,
    AgentParked,
    AgentProgress,
    StopReported,
    TaskActivation,
    TaskAlive,
    TaskReported,
    WorkerAlive,
)
from rescind.model.operations import (
    AnyOperation,
    AppendEntry,
    AwaitSignal,
    AwaitStopped,
    AwaitTasks,
    CancelTask,
    DrainSignals,
    Flush,
    LeaveTasks,
    SaveCheckpoint,
    StartTimer,
    TasksSettled,
    WaitCondition,
    Withdraw,
)
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import (
    STOP_ENDED,
    TERMINAL_TASK,
    CancelMode,
    CancelTaskResult,
    ParentClosePolicy,
    StopState,
    TaskStatus,
)
from server_stub.tests.engine.driver import ERROR, Agent, Stage
from server_stub.tests.engine.laws import check_lives

WORKERS = ("w", "v")
# How often each comes: most stories are about work; what ends a story comes seldom.
HAPPENINGS = [
    *["an_agent_does"] * 10,
    *["an_attempt_reports"] * 6,
    *["a_stop_is_reported"] * 2,
    *["a_client_cancels_a_task"] * 3,
    *["a_client_signals"] * 2,
    *["time_passes"] * 3,
    *["a_worker_joins"] * 2,
    "a_worker_leaves",
    "a_worker_is_alive",
    "progress_arrives_again",
    "an_agent_starts",
    "an_agent_ends",
    "a_client_cancels_an_agent",
]
TASK_OPTIONS = (
    TaskOptions(),
    TaskOptions(retry=RetryPolicy(max_attempts=1)),
    TaskOptions(retry=RetryPolicy(initial_interval_ms=0, max_attempts=3)),
    TaskOptions(retry=RetryPolicy(retry_timeouts=True, max_attempts=3), start_to_close_ms=700),
    TaskOptions(schedule_to_start_ms=500, schedule_to_close_ms=3_000),
    TaskOptions(heartbeat_ms=600, idle_ms=900, parent_close=ParentClosePolicy.ABANDON),
)
ALREADY = {
    TaskStatus.COMPLETED: CancelTaskResult.ALREADY_COMPLETED,
    TaskStatus.FAILED: CancelTaskResult.ALREADY_FAILED,
    TaskStatus.CANCELLED: CancelTaskResult.ALREADY_CANCELLED,
}
DOES = st.sampled_from(
    [
        *("schedule", "schedule", "await", "await", "cancel", "stopped", "signal", "drain", "timer", "withdraw"),
        *("leave", "checkpoint", "entry"),
    ]
)
PLACES = st.lists(st.integers(0, 30), min_size=1, max_size=4)


class Story(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(worker=None)
        self.seen: dict[TaskId, tuple[TaskStatus, Instant | None]] = {}
        self.ended_order: list[TaskId] = []
        self.waits: dict[tuple[str, int], AwaitTasks] = {}
        self.asked: dict[int, TaskId] = {}
        self.told_cancelled: Counter[TaskId] = Counter()
        self.cancels: dict[tuple[str, int], TaskId] = {}
        self.sent: list[AgentProgress] = []

    @initialize(data=st.data(), slots=st.integers(1, 3), checkpointing=st.booleans())
    def begin(self, data: st.DataObject, slots: int, checkpointing: bool) -> None:
        self.kind = AgentKind("agent", "checkpoint" if checkpointing else "replay", 1_000)
        self.slots = slots
        self.stage.join("w", slots=slots, agents=[self.kind])
        for _ in range(2):
            self.an_agent_starts(data)
        for agent in self.stage.agents.values():
            agent.do(*[self.operation(data, agent, "schedule") for _ in range(3)])
        self.look()

    # -- what the story knows --

    def tasks(self) -> list[TaskId]:
        return list(self.seen)

    def leases(self) -> list[TaskActivation]:
        return [activation for each in self.stage.activations.values() for activation in each]

    def execution_of(self, task_id: TaskId) -> str:
        return next(name for name in self.stage.agents if task_id in self.known_tasks(name))

    def known_tasks(self, name: str) -> list[TaskId]:
        return [task.task_id for task in self.stage.details(name).tasks]

    def look(self) -> None:
        """Compare what is seen now with all that was seen before."""
        ended_now = [
            event.task_id
            for decision in self.stage.decisions
            for _, event in decision.events
            if event.type in TASK_ENDS and event.task_id is not None
        ]
        self.ended_order += ended_now
        self.stage.decisions.clear()
        for name, agent in self.stage.agents.items():
            for task in self.stage.details(name).tasks:
                before = self.seen.get(task.task_id)
                if before is not None and before[0] in TERMINAL_TASK:
                    assert before == (task.status, task.ended_at), "a task changed after its end (invariant 1)"
                self.seen[task.task_id] = (task.status, task.ended_at)
                for stop in task.stops:
                    assert (stop.ended_at is not None) == (stop.state in STOP_ENDED)
            self.check_answers(name, agent)
        for number, task_id in list(self.asked.items()):
            result = self.stage.late_result(number)
            assert (result is not None) == (self.seen[task_id][0] in TERMINAL_TASK), "an asker waits for nothing"
            if result is not None:
                del self.asked[number]
                self.note_answer(task_id, result)

    def check_answers(self, name: str, agent: Agent) -> None:
        for position, answer in agent.answers.items():
            operation = self.waits.pop((name, position), None)
            if operation is not None and isinstance(answer, TasksSettled):
                self.check_settled(operation, answer)
            task_id = self.cancels.pop((name, position), None)
            result = agent.result(position)
            if task_id is not None and result is not None:
                self.note_answer(task_id, result)

    def note_answer(self, task_id: TaskId, result: CancelTaskResult) -> None:
        self.told_cancelled[task_id] += result is CancelTaskResult.CANCELLED
        assert self.told_cancelled[task_id] <= 1, "two were told CANCELLED (invariant 5)"
        if result is not CancelTaskResult.CANCELLED:
            assert result is ALREADY[self.seen[task_id][0]]

    def check_settled(self, operation: AwaitTasks, answer: TasksSettled) -> None:
        """The condition was true, the ends are told in their order, and the winners were the first."""
        told = [task_id for task_id, _ in answer.ended]
        assert told == sorted(told, key=self.ended_order.index)
        for task_id, outcome in answer.ended:
            assert self.seen[task_id][0] is outcome.status
        assert not set(answer.cancelled) & set(told)
        if operation.condition is WaitCondition.SOME_COMPLETED and not answer.timed_out:
            completed = [each for each in told if self.seen[each][0] is TaskStatus.COMPLETED]
            if len(completed) == len(told) and told:
                members = [each for each in self.ended_order if each in operation.task_ids]
                first = [each for each in members if self.seen[each][0] is TaskStatus.COMPLETED]
                assert told == first[: len(told)], "the winners were not the first"
        if operation.losers is not None:
            assert all(self.seen[each][0] in TERMINAL_TASK for each in operation.task_ids), "a loser is still open"

    @rule(data=st.data(), what=st.sampled_from(HAPPENINGS))
    def something_happens(self, data: st.DataObject, what: str) -> None:
        getattr(self, what)(data)
        self.look()

    # -- agents --

    def an_agent_starts(self, data: st.DataObject) -> None:
        self.stage.start(f"x{len(self.stage.agents)}")

    def an_agent_does(self, data: st.DataObject) -> None:
        active = [agent for agent in self.stage.agents.values() if agent.pending is not None]
        if not active:
            return
        agent = data.draw(st.sampled_from(active))
        assert agent.pending is not None
        name = agent.execution_id
        flush = data.draw(st.sampled_from([True, True, False]))
        operations = [self.operation(data, agent, what) for what in data.draw(st.lists(DOES, min_size=1, max_size=5))]
        pending, first = agent.pending, agent.position + 1
        is_current = self.is_answerable(agent)
        for place, operation in enumerate(operations):
            if is_current and isinstance(operation, AwaitTasks):
                self.waits[name, first + place] = operation
            if is_current and isinstance(operation, CancelTask):
                self.cancels[name, first + place] = operation.task_id
        agent.rest(*operations, *([Flush(0)] if flush else []))
        self.sent.append(AgentProgress(agent.execution_id, pending.run, pending.number, (Flush(first),)))

    def is_answerable(self, agent: Agent) -> bool:
        execution = self.stage.engine._state.executions.get(agent.execution_id)
        return execution is not None and agent.pending is not None and execution.number == agent.pending.number

    def operation(self, data: st.DataObject, agent: Agent, what: str) -> AnyOperation:
        known = self.known_tasks(agent.execution_id)
        picked = [known[place % len(known)] for place in data.draw(PLACES)] if known else []
        later = Instant(self.stage.now + data.draw(st.sampled_from([0, 300_000, 2_000_000])))
        deadline = later if data.draw(st.booleans()) else None
        match what:
            case "await" if picked:
                condition = data.draw(st.sampled_from(list(WaitCondition)))
                losers = data.draw(st.sampled_from([None, CancelSource.RACE_LOST]))
                return AwaitTasks(0, tuple(picked), condition, data.draw(st.integers(1, 3)), deadline, losers)
            case "cancel" if picked:
                return agent.cancels(picked[0], data.draw(st.sampled_from(list(CancelMode))))
            case "stopped":
                return AwaitStopped(0, tuple(picked), deadline)
            case "signal":
                return AwaitSignal(0, data.draw(st.sampled_from(["a", "b"])))
            case "drain":
                return DrainSignals(0, "*", True)
            case "timer":
                return StartTimer(0, later)
            case "withdraw":
                return Withdraw(0, max(1, agent.position - data.draw(st.integers(-3, 6))))
            case "leave":
                return LeaveTasks(0, tuple(picked), CancelCause(CancelSource.SCOPE_LEFT, "agent"))
            case "checkpoint":
                return SaveCheckpoint(0, NULL_PAYLOAD)
            case "entry":
                return AppendEntry(0, f"e{agent.position}", "message", "user", NULL_PAYLOAD)
            case _:
                kind = data.draw(st.sampled_from(["work", "work", "other"]))
                return agent.schedules(kind=kind, options=data.draw(st.sampled_from(TASK_OPTIONS)))

    def an_agent_ends(self, data: st.DataObject) -> None:
        active = [agent for agent in self.stage.agents.values() if agent.pending is not None]
        if not active:
            return
        agent = data.draw(st.sampled_from(active))
        how = data.draw(st.sampled_from(["completes", "fails", "is cancelled", "parks"]))
        assert agent.pending is not None
        if how == "parks":
            self.stage.decide(AgentParked(agent.execution_id, agent.pending.run, "another path"))
        else:
            endings: dict[str, AgentCompleted | AgentFailed] = {
                "completes": AgentCompleted(NULL_PAYLOAD),
                "fails": AgentFailed(ERROR),
            }
            agent.end(endings.get(how, AgentCancelled()))

    def progress_arrives_again(self, data: st.DataObject) -> None:
        if self.sent:
            assert self.stage.decide(data.draw(st.sampled_from(self.sent))).events == []

    # -- clients --

    def a_client_cancels_a_task(self, data: st.DataObject) -> None:
        if not self.seen:
            return
        mode = data.draw(st.sampled_from(list(CancelMode)))
        task_id = data.draw(st.sampled_from(self.tasks()))
        before = self.seen[task_id][0]
        result = self.stage.cancel(task_id, mode, execution_id=self.execution_of(task_id))
        if before in TERMINAL_TASK:
            assert result is ALREADY[before]
        elif before is TaskStatus.RUNNING and mode is CancelMode.WAIT:
            assert isinstance(result, int)
            self.asked[result] = task_id
        else:
            assert result is CancelTaskResult.CANCELLED
        self.look()
        if result is CancelTaskResult.CANCELLED:
            self.note_answer(task_id, result)
            assert self.seen[task_id][0] is TaskStatus.CANCELLED

    def a_client_cancels_an_agent(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(list(self.stage.agents)))
        self.stage.cancel_agent(name, hard=data.draw(st.sampled_from([False, False, False, True])))

    def a_client_signals(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(list(self.stage.agents)))
        self.stage.signal(data.draw(st.sampled_from(["a", "b"])), execution_id=name)

    # -- workers --

    def an_attempt_reports(self, data: st.DataObject) -> None:
        if not self.leases():
            return
        how = data.draw(st.sampled_from(["completes", "completes", "completes", "fails", "obeys", "is alive"]))
        # The latest most often: they are at work.
        activation = data.draw(st.sampled_from(self.leases()[::-1]))
        task_id, lease = activation.task_id, activation.lease
        before = self.seen[task_id][0]
        is_live = lease in self.stage.engine._state.attempts
        reports: dict[str, TaskReported | TaskAlive] = {
            "completes": TaskReported(task_id, lease, Payload(b"1")),
            "fails": TaskReported(task_id, lease, failure=ERROR),
            "obeys": TaskReported(task_id, lease, cancelled=True),
            "is alive": TaskAlive(task_id, lease, advanced=True),
        }
        decision = self.stage.decide(reports[how])
        types = [event.type for _, event in decision.events if event.task_id == task_id]
        self.look()
        if not is_live:
            assert decision.events == [], "an old lease was heard"
        elif how == "completes" and before in TERMINAL_TASK:
            assert EventType.RESULT_DISCARDED in types
        elif how == "completes" and lease == self.stage.lease(task_id) and before is TaskStatus.RUNNING:
            assert self.seen[task_id][0] is TaskStatus.COMPLETED

    def a_stop_is_reported(self, data: st.DataObject) -> None:
        if self.leases():
            activation = data.draw(st.sampled_from(self.leases()[::-1]))
            state = data.draw(st.sampled_from([StopState.DELIVERED, StopState.STOPPED, StopState.KILLED]))
            self.stage.decide(StopReported(activation.task_id, activation.lease, state))

    def a_worker_joins(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(WORKERS))
        known: list[Lease] = [each.lease for each in self.leases()]
        named = data.draw(st.lists(st.sampled_from(known), unique=True)) if known else []
        if data.draw(st.booleans()):
            named = known
        tasks = data.draw(st.sampled_from([("work", "other"), ("work",), ()]))
        silence = data.draw(st.sampled_from([None, None, 2_000]))
        room = data.draw(st.sampled_from([1_000, 2, 1]))
        self.stage.join(
            worker,
            slots=self.slots,
            agents=[self.kind],
            tasks=tasks,
            running=named,
            silence_ms=silence,
            agent_slots=room,
        )

    def a_worker_leaves(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from([None, None, 1]))
        self.stage.leave(data.draw(st.sampled_from(WORKERS)), session=session, handed_back=data.draw(st.booleans()))

    def a_worker_is_alive(self, data: st.DataObject) -> None:
        self.stage.decide(WorkerAlive(WorkerId(data.draw(st.sampled_from(WORKERS)))))

    # -- time --

    def time_passes(self, data: st.DataObject) -> None:
        pass_by = self.stage.jump if data.draw(st.booleans()) else self.stage.pass_time
        pass_by(data.draw(st.sampled_from([1, 300, 300, 700, 1_500, 12_000])))

    def teardown(self) -> None:
        """Whatever happened, everything can be brought to an end, and nothing is left."""
        stage = self.stage
        for worker in WORKERS:
            stage.leave(worker)
        stage.pass_time(100_000)
        for name in list(stage.agents):
            stage.cancel_agent(name, hard=True)
        for task_id in self.tasks():
            stage.cancel(task_id, execution_id=self.execution_of(task_id))
        self.look()
        assert not self.asked
        assert stage.engine.execution_ids() == []
        assert stage.engine.next_due() is None
        assert not stage.engine._state.attempts
        assert not stage.engine._state.workers
        assert not stage.engine._state.parked
        for name in stage.agents:
            for task in stage.details(name).tasks:
                assert all(stop.state in STOP_ENDED for stop in task.stops), "a stop record has no end (invariant 6)"
            check_lives(stage.histories[name])


TestRandomStories = Story.TestCase
TestRandomStories.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
