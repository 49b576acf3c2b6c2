"""An agent's life (cancellation.md, section 7): started once, ended once with its tasks, parked, and then gone."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rescind.model.cause import CancelSource
from rescind.model.commands import Refused, SignalExecution, Started, StartExecution
from rescind.model.events import EXECUTION_ENDS, EventType
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import AgentCancelled, AgentParked, StepReported
from rescind.model.operations import AwaitSignal, BeginStep, CancelTask, StartTimer, StepRecorded
from rescind.model.options import TaskOptions
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import (
    EXECUTION_TRANSITIONS,
    CancelMode,
    CancelTaskResult,
    ExecutionStatus,
    ParentClosePolicy,
    TaskStatus,
)
from server_stub.tests.engine.driver import CLIENT, Agent, Stage

X = ExecutionId("x")
CANCELLED, ALREADY = CancelTaskResult.CANCELLED, CancelTaskResult.ALREADY_CANCELLED


def forever() -> AwaitSignal:
    return AwaitSignal(0, "never")


# -- starting --


@pytest.mark.parametrize("is_closed", [False, True])
def test_the_same_start_again_is_the_same_execution_also_after_it_has_ended(is_closed: bool) -> None:
    stage = Stage()
    agent = stage.start()
    if is_closed:
        agent.end()
        assert not stage.is_in_memory()
    assert stage.ask(StartExecution("agent", NULL_PAYLOAD, X)) == Started(X, created=False)
    assert len(agent.starts) == 1


@pytest.mark.parametrize("is_closed", [False, True])
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (StartExecution("agent", Payload(b"other"), X), "with other input"),
        (StartExecution("other", NULL_PAYLOAD, X), "of kind 'agent'"),
    ],
)
def test_another_start_with_the_same_id_is_refused_also_after_the_end(
    command: StartExecution, words: str, is_closed: bool
) -> None:
    stage = Stage()
    agent = stage.start()
    if is_closed:
        agent.end()
    reply = stage.ask(command)
    assert isinstance(reply, Refused)
    assert reply.error == "AlreadyExists"
    assert words in reply.message


def test_nobody_can_signal_or_cancel_what_was_never_started() -> None:
    stage = Stage()
    reply = stage.signal("hello", execution_id="unknown")
    assert isinstance(reply, Refused)
    assert reply.error == "NotFound"
    assert stage.cancel_agent("unknown") is CancelTaskResult.NOT_FOUND


@pytest.mark.parametrize("is_closed", [False, True])
def test_one_who_comes_after_the_end_is_told_so(is_closed: bool) -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    if is_closed:
        stage.complete(task_id)
    agent.end()
    assert stage.is_in_memory() is not is_closed
    reply = stage.signal("hello")
    assert isinstance(reply, Refused)
    assert reply.error == "ExecutionEnded"
    assert "COMPLETED" in reply.message
    assert stage.cancel_agent() is CancelTaskResult.ALREADY_COMPLETED
    assert stage.cancel_agent(hard=True) is CancelTaskResult.ALREADY_COMPLETED
    assert stage.cancel(task_id) is (CancelTaskResult.ALREADY_COMPLETED if is_closed else ALREADY)
    assert stage.execution().status is ExecutionStatus.COMPLETED


def test_the_statuses_that_agents_go_through_are_legal() -> None:
    stage = Stage()
    agent = stage.start()
    seen = [ExecutionStatus.PENDING, stage.execution().status]

    def note() -> None:
        if stage.execution().status is not seen[-1]:
            seen.append(stage.execution().status)

    for act in (
        lambda: agent.rest(AwaitSignal(0, "go")),
        lambda: stage.signal("go"),
        lambda: stage.leave(),
        lambda: stage.join("v"),
        lambda: agent.rest(forever()),
        lambda: stage.cancel_agent(),
        lambda: agent.end(AgentCancelled()),
    ):
        act()
        note()
    assert [status.value for status in seen] == [
        *("PENDING", "RUNNING", "WAITING", "RUNNING", "PENDING", "RUNNING", "WAITING", "CANCELLING", "CANCELLED")
    ]
    assert all(after in EXECUTION_TRANSITIONS[before] for before, after in pairwise(seen))


# -- its tasks --


@pytest.mark.parametrize("how", ["cancelled", "ends"])
def test_its_tasks_go_by_their_policy(how: str) -> None:
    stage = Stage()
    agent = stage.start()
    (bound,) = agent.schedule()
    (free,) = agent.schedule(options=TaskOptions(parent_close=ParentClosePolicy.ABANDON))
    if how == "cancelled":
        stage.cancel_agent()
    else:
        agent.end()
    assert (stage.status(bound), stage.status(free)) == (TaskStatus.CANCELLED, TaskStatus.RUNNING)
    cause = stage.task(bound).cause
    assert cause is not None
    assert (cause.source, cause.by) == (CancelSource.PARENT, CLIENT.by if how == "cancelled" else "agent:x")


def test_a_task_that_outlives_its_agent_keeps_it_in_memory_until_it_ends() -> None:
    stage = Stage()
    agent = stage.start()
    (free,) = agent.schedule(options=TaskOptions(parent_close=ParentClosePolicy.ABANDON))
    agent.do(agent.cancels(free, CancelMode.WAIT))
    agent.end()
    assert stage.is_in_memory()
    stage.obey(free)
    assert not stage.is_in_memory()
    assert stage.status(free) is TaskStatus.CANCELLED


def test_scheduling_the_same_id_twice_is_one_task() -> None:
    stage = Stage()
    agent = stage.start()
    schedule = agent.schedules()
    agent.do(schedule, schedule)
    stage.complete(schedule.task_id)
    agent.do(schedule)
    assert stage.events(schedule.task_id).count(EventType.TASK_SCHEDULED) == 1
    assert len(stage.activations[schedule.task_id]) == 1


def test_ending_closes_whatever_was_open() -> None:
    stage = Stage()
    agent = stage.start()
    agent.do(forever(), StartTimer(0, type(stage.now)(stage.now + 1_000)), BeginStep(0, "step"))
    agent.end()
    assert stage.engine.next_due() is None
    assert not stage.is_in_memory()


def test_the_execution_has_one_end_and_it_comes_after_those_of_its_tasks() -> None:
    stage = Stage()
    agent = stage.start()
    agent.schedule(2)
    agent.end()
    ends = [event for event in stage.events() if event in EXECUTION_ENDS]
    assert ends == [EventType.EXECUTION_COMPLETED]
    assert stage.events()[-1] is EventType.EXECUTION_COMPLETED


# -- parked --


def test_a_parked_agent_is_tried_by_the_worker_that_comes_not_by_the_one_that_parked_it() -> None:
    stage = Stage()
    agent = stage.start()
    stage.decide(AgentParked(X, 1, "another path"))
    assert stage.execution().status is ExecutionStatus.WAITING
    stage.join("v")
    assert [message.run for message in stage.pushed["v"] if hasattr(message, "run")] == [2]
    assert stage.execution().parked is None
    assert len(agent.starts) == 2


def test_a_parked_agent_is_not_tried_by_a_worker_of_another_queue() -> None:
    stage = Stage()
    agent = stage.start()
    stage.decide(AgentParked(X, 1, "another path"))
    stage.join("v", queues=("elsewhere",))
    assert len(agent.starts) == 1
    assert stage.execution().parked == "another path"


def test_what_happens_while_it_is_parked_is_not_lost() -> None:
    stage = Stage()
    agent = stage.start()
    (wait, _) = agent.do(AwaitSignal(0, "go"))
    stage.decide(AgentParked(X, 1, "another path"))
    stage.signal("go")
    stage.join("v")
    assert wait in agent.answers


def test_an_old_or_repeated_parking_is_void() -> None:
    stage = Stage()
    stage.start()
    stage.decide(AgentParked(X, 1, "another path"))
    assert stage.decide(AgentParked(X, 1, "again")).events == []
    stage.join("v")
    assert stage.decide(AgentParked(X, 1, "again")).events == []


# -- steps --


def step_result(agent: Agent, position: int) -> StepRecorded | None:
    answer = agent.answers.get(position)
    assert answer is None or isinstance(answer, StepRecorded)
    return answer


def test_a_side_effect_is_recorded_once() -> None:
    stage = Stage()
    agent = stage.start()
    (step,) = agent.rest(BeginStep(0, "draw"))
    stage.decide(StepReported(X, 1, step, Payload(b"7")))
    assert step_result(agent, step) == StepRecorded(Payload(b"7"))
    assert stage.decide(StepReported(X, 1, step, Payload(b"8"))).events == []


def test_a_side_effect_of_an_older_run_is_void() -> None:
    stage = Stage()
    agent = stage.start()
    (step, _) = agent.do(BeginStep(0, "draw"))
    stage.leave()
    stage.join("v")
    assert stage.decide(StepReported(X, 1, step, Payload(b"7"))).events == []
    stage.decide(StepReported(X, 2, step, Payload(b"8")))
    agent.do()
    assert step_result(agent, step) == StepRecorded(Payload(b"8"))


def test_a_side_effect_whose_worker_is_lost_is_begun_again_by_a_new_run_without_waiting_for_anything() -> None:
    stage = Stage()
    stage.join("v")
    agent = stage.start()
    agent.rest(BeginStep(0, "draw"))
    stage.leave()
    assert [activation.run for activation in agent.starts] == [1, 2]
    start = agent.starts[-1].start
    assert start is not None
    assert [issued.operation for issued in start.journal[0].issued] == ["BeginStep"]


def test_a_stranger_cannot_cancel_by_its_own_agent_either() -> None:
    stage = Stage()
    agent = stage.start()
    (position, _) = agent.do(CancelTask(0, TaskId("unknown"), CLIENT))
    assert agent.result(position) is CancelTaskResult.NOT_FOUND
    assert isinstance(stage.ask(SignalExecution(ExecutionId("nobody"), "s")), Refused)
