"""Whether the work has really stopped (cancellation.md, section 4): one record per attempt, and each reaches an end."""

from __future__ import annotations

import itertools

import pytest

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.events import EventType
from rescind.model.ids import Instant, Lease, TaskId
from rescind.model.messages import StopReported
from rescind.model.operations import AwaitStopped, TasksStopped, Withdraw
from rescind.model.options import TaskOptions
from rescind.model.status import STOP_TRANSITIONS, CancelMode, StopState
from server_stub.tests.engine.driver import CLIENT, Agent, Stage

REPORTABLE = [StopState.REQUESTED, StopState.DELIVERED, StopState.STOPPED, StopState.KILLED]


def cancelled_at_work() -> tuple[Stage, Agent, TaskId]:
    stage = Stage(slots=1)
    agent = stage.start()
    (task_id,) = agent.schedule()
    stage.cancel(task_id)
    return stage, agent, task_id


@pytest.mark.parametrize("end", [StopState.STOPPED, StopState.KILLED])
def test_a_stop_goes_from_requested_by_delivered_to_its_end_each_with_its_time(end: StopState) -> None:
    stage, _, task_id = cancelled_at_work()
    requested = stage.now
    stage.pass_time(1)
    stage.report_stop(task_id, StopState.DELIVERED)
    stage.pass_time(1)
    stage.report_stop(task_id, end)
    (record,) = stage.task(task_id).stops
    assert record.state is end
    assert (record.requested_at, record.delivered_at, record.ended_at) == (requested, requested + 1_000, stage.now)
    assert stage.events(task_id)[-3:] == [EventType.STOP_REQUESTED, EventType.STOP_DELIVERED, EventType.STOP_ENDED]


def test_the_order_is_pushed_in_the_decision_that_cancels() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.cancel(task_id)
    (order,) = stage.orders(task_id)
    assert (order.lease, order.cause, order.decided) == (stage.lease(task_id), CLIENT, True)


@pytest.mark.parametrize("reports", list(itertools.product(REPORTABLE, repeat=3)))
def test_stale_and_repeated_reports_change_nothing(reports: tuple[StopState, ...]) -> None:
    stage, _, task_id = cancelled_at_work()
    lease = stage.lease(task_id)
    expected = StopState.REQUESTED
    for report in reports:
        decision = stage.decide(StopReported(task_id, lease, report))
        is_news = report in STOP_TRANSITIONS[expected]
        assert bool(decision.events) == is_news
        expected = report if is_news else expected
        assert stage.task(task_id).stop_state is expected


def test_a_report_about_an_attempt_that_nobody_ordered_to_stop_changes_nothing() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    assert stage.report_stop(task_id, StopState.STOPPED).events == []
    assert stage.decide(StopReported(task_id, Lease(99), StopState.STOPPED)).events == []


def test_the_slot_is_free_when_the_work_has_stopped_not_when_the_task_is_cancelled() -> None:
    stage, agent, task_id = cancelled_at_work()
    (waiting,) = agent.schedule()
    assert stage.activations[waiting] == []
    stage.report_stop(task_id, StopState.DELIVERED)
    assert stage.activations[waiting] == []
    stage.report_stop(task_id, StopState.STOPPED)
    assert len(stage.activations[waiting]) == 1


@pytest.mark.parametrize("again", ["stop report", "result"])
def test_a_slot_is_freed_exactly_once(again: str) -> None:
    stage, agent, task_id = cancelled_at_work()
    lease = stage.lease(task_id)
    first, second = agent.schedule(2)
    stage.report_stop(task_id, StopState.STOPPED)
    if again == "stop report":
        stage.decide(StopReported(task_id, lease, StopState.KILLED))
    else:
        stage.complete(task_id)
    assert len(stage.activations[first]) == 1
    assert stage.activations[second] == []


def test_an_order_for_a_worker_that_is_away_waits_for_its_return() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=TaskOptions(start_to_close_ms=1_000))
    lease = stage.lease(task_id)
    stage.leave()
    stage.pass_time(1_000)
    assert stage.orders(task_id) == []
    assert stage.task(task_id).stop_state is StopState.REQUESTED
    stage.join(running=[lease])
    (order,) = stage.orders(task_id)
    assert (order.lease, order.cause.source) == (lease, CancelSource.DEADLINE)
    stage.report_stop(task_id, StopState.STOPPED)
    assert stage.task(task_id).stop_state is StopState.STOPPED


def test_the_cause_that_a_worker_is_told_on_its_return_is_the_one_of_the_cancel() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.leave()
    cause = CancelCause(CancelSource.REPLACED, "agent:x", "a better one")
    stage.cancel(task_id, cause=cause)
    stage.join(running=[stage.lease(task_id)])
    assert [order.cause for order in stage.orders(task_id)] == [cause]


def end_of_lease(stage: Stage) -> None:
    stage.leave()
    stage.pass_time(9_999.999)
    assert stage.task(next(iter(stage.activations))).stop_state is StopState.REQUESTED
    stage.pass_time(0.001)


def return_without_it(stage: Stage) -> None:
    stage.leave()
    stage.join(running=[])


def hand_back(stage: Stage) -> None:
    stage.leave(handed_back=True)


def second_session(stage: Stage) -> None:
    stage.join(running=[])


@pytest.mark.parametrize("lose", [end_of_lease, return_without_it, hand_back, second_session])
def test_every_stop_record_reaches_an_end_also_without_a_report(lose: object) -> None:
    stage, _, task_id = cancelled_at_work()
    assert callable(lose)
    lose(stage)
    assert stage.task(task_id).stop_state is StopState.LOST
    assert stage.last(EventType.STOP_ENDED)["state"] == "LOST"


def test_an_execution_leaves_memory_when_its_last_attempt_has_stopped() -> None:
    stage, agent, task_id = cancelled_at_work()
    agent.end()
    assert stage.is_in_memory()
    stage.report_stop(task_id, StopState.STOPPED)
    assert not stage.is_in_memory()
    assert stage.task(task_id).stop_state is StopState.STOPPED


@pytest.mark.parametrize("ending", ["report", "obey", "lost"])
def test_an_execution_leaves_memory_when_its_abandoned_work_is_over(ending: str) -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    stage.cancel(task_id, CancelMode.ABANDON)
    agent.end()
    assert stage.is_in_memory()
    match ending:
        case "report":
            stage.complete(task_id)
        case "obey":
            stage.obey(task_id)
        case "lost":
            stage.leave()
            stage.pass_time(10_000)
    assert not stage.is_in_memory()


# -- waiting until the work has stopped --


def states(agent: Agent, position: int) -> dict[TaskId, StopState | None] | None:
    answer = agent.answers.get(position)
    assert answer is None or isinstance(answer, TasksStopped)
    return None if answer is None else dict(answer.states)


def test_who_waits_for_the_stop_is_woken_by_it() -> None:
    stage, agent, task_id = cancelled_at_work()
    (wait,) = agent.rest(AwaitStopped(0, (task_id,)))
    stage.report_stop(task_id, StopState.DELIVERED)
    assert states(agent, wait) is None
    stage.report_stop(task_id, StopState.KILLED)
    assert states(agent, wait) == {task_id: StopState.KILLED}


def test_who_waits_for_several_stops_is_woken_by_the_last_of_them() -> None:
    stage = Stage()
    agent = stage.start()
    first, second = agent.schedule(2)
    (wait,) = agent.rest(AwaitStopped(0, (first, second, first)))
    stage.cancel(first)
    stage.report_stop(first, StopState.STOPPED)
    assert states(agent, wait) is None
    stage.complete(second)
    assert states(agent, wait) == {first: StopState.STOPPED, second: None}


def test_what_has_stopped_already_and_what_is_unknown_is_not_waited_for() -> None:
    stage, agent, task_id = cancelled_at_work()
    stage.report_stop(task_id, StopState.STOPPED)
    (wait,) = agent.rest(AwaitStopped(0, (task_id, TaskId("unknown"))))
    assert states(agent, wait) == {task_id: StopState.STOPPED, TaskId("unknown"): None}


def test_a_deadline_ends_the_wait_with_the_states_as_they_are() -> None:
    stage, agent, task_id = cancelled_at_work()
    (wait,) = agent.rest(AwaitStopped(0, (task_id,), Instant(stage.now + 1_000_000)))
    stage.report_stop(task_id, StopState.DELIVERED)
    stage.pass_time(1_000)
    assert states(agent, wait) == {task_id: StopState.DELIVERED}
    stage.report_stop(task_id, StopState.STOPPED)  # nobody waits any more
    assert stage.engine.next_due() is None


def test_a_deadline_that_has_passed_answers_at_once() -> None:
    stage, agent, task_id = cancelled_at_work()
    (wait,) = agent.rest(AwaitStopped(0, (task_id,), stage.now))
    assert states(agent, wait) == {task_id: StopState.REQUESTED}


def test_a_withdrawn_wait_for_a_stop_wakes_nobody() -> None:
    stage, agent, task_id = cancelled_at_work()
    (wait, _) = agent.do(AwaitStopped(0, (task_id,), Instant(stage.now + 1_000_000)))
    agent.rest(Withdraw(0, wait))
    stage.report_stop(task_id, StopState.STOPPED)
    stage.pass_time(2_000)
    assert agent.pending is None


def test_a_deadline_that_comes_while_the_agent_is_busy_is_part_of_what_becomes_durable() -> None:
    stage, agent, task_id = cancelled_at_work()
    agent.do(AwaitStopped(0, (task_id,), Instant(stage.now + 1_000_000)))
    stage.pass_time(1_000)
    assert list(stage.decisions[-1].executions) == ["x"]
