"""Cancelling an agent (cancellation.md, section 7): in every phase of its life, and with a clean-up or without."""

from __future__ import annotations

from rescind.model.cause import CancelSource
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId
from rescind.model.messages import AgentCancelled, AgentFailed, AgentKind, AgentParked
from rescind.model.operations import AwaitSignal
from rescind.model.status import (
    CancelTaskResult,
    ExecutionStatus,
    TaskStatus,
)
from server_stub.tests.engine.driver import CLIENT, ERROR, Stage

X = ExecutionId("x")
CANCELLED, ALREADY = CancelTaskResult.CANCELLED, CancelTaskResult.ALREADY_CANCELLED


def forever() -> AwaitSignal:
    return AwaitSignal(0, "never")


def test_an_agent_that_never_ran_is_cancelled_at_once_and_never_runs() -> None:
    stage = Stage(worker=None)
    agent = stage.start()
    assert stage.cancel_agent() is CANCELLED
    assert stage.execution().status is ExecutionStatus.CANCELLED
    stage.join("w")
    assert agent.starts == []


def test_an_agent_in_flight_is_told_with_its_next_activation() -> None:
    stage = Stage()
    agent = stage.start()
    assert stage.cancel_agent() is CANCELLED
    assert agent.told == []
    agent.rest(forever())
    assert agent.told == [CLIENT]
    agent.end(AgentCancelled())
    assert stage.execution().status is ExecutionStatus.CANCELLED


def test_an_agent_that_sleeps_is_woken_to_be_told() -> None:
    stage = Stage()
    agent = stage.start()
    agent.rest(forever())
    stage.cancel_agent()
    assert agent.told == [CLIENT]
    assert stage.execution().status is ExecutionStatus.CANCELLING


def test_an_agent_queued_after_a_loss_runs_once_more_to_clean_up() -> None:
    stage = Stage()
    agent = stage.start()
    agent.rest(forever())
    stage.leave()
    stage.cancel_agent()
    assert stage.execution().status is ExecutionStatus.CANCELLING
    stage.join("v")
    assert agent.told == [CLIENT]
    agent.end(AgentCancelled())
    assert stage.execution().status is ExecutionStatus.CANCELLED


def test_an_agent_whose_worker_is_lost_before_it_answered_is_told_again() -> None:
    stage = Stage()
    agent = stage.start()
    agent.rest(forever())
    stage.cancel_agent()
    stage.leave()
    stage.join("v")
    assert agent.told == [CLIENT, CLIENT]


def test_an_agent_that_was_told_and_is_run_anew_finds_the_cancel_in_its_journal() -> None:
    stage = Stage()
    agent = stage.start()
    agent.rest(forever())
    stage.cancel_agent()
    agent.rest(forever())  # cleans up
    stage.leave()
    stage.signal("never")
    stage.join("v")
    assert agent.told == [CLIENT]
    start = agent.starts[-1].start
    assert start is not None
    assert [entry.cancel for entry in start.journal] == [None, CLIENT]


def test_a_parked_agent_is_cancelled_at_once() -> None:
    stage = Stage()
    agent = stage.start()
    stage.decide(AgentParked(X, 1, "another path"))
    assert stage.execution().parked == "another path"
    assert stage.cancel_agent() is CANCELLED
    assert stage.execution().status is ExecutionStatus.CANCELLED
    assert stage.execution().parked is None
    assert not stage.engine._state.parked
    stage.join("v")
    assert len(agent.starts) == 1


def test_an_agent_that_parks_while_it_is_being_cancelled_ends() -> None:
    stage = Stage()
    stage.start()
    stage.cancel_agent()
    stage.decide(AgentParked(X, 1, "another path"))
    assert stage.execution().status is ExecutionStatus.CANCELLED


def test_a_second_cancel_does_not_interrupt_the_clean_up() -> None:
    stage = Stage()
    agent = stage.start()
    agent.rest(forever())
    assert stage.cancel_agent() is CANCELLED
    agent.rest(forever())
    assert stage.cancel_agent() is ALREADY
    assert stage.execution().status is ExecutionStatus.CANCELLING
    assert agent.pending is None
    assert agent.told == [CLIENT]


def test_hard_ends_at_once_also_in_the_clean_up() -> None:
    stage = Stage()
    agent = stage.start()
    agent.rest(forever())
    stage.cancel_agent()
    assert stage.cancel_agent(hard=True) is ALREADY
    assert stage.execution().status is ExecutionStatus.CANCELLED
    assert agent.evicted == [1]


def test_hard_without_a_cancel_before_ends_at_once_too() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    assert stage.cancel_agent(hard=True) is CANCELLED
    assert agent.told == []
    assert agent.evicted == [1]
    assert stage.status(task_id) is TaskStatus.CANCELLED
    assert len(stage.orders(task_id)) == 1


def test_the_budget_of_the_clean_up_ends_it() -> None:
    stage = Stage(worker=None)
    stage.join("w", agents=[AgentKind("agent", cleanup_budget_ms=2_000)])
    agent = stage.start()
    agent.rest(forever())
    stage.cancel_agent()
    stage.pass_time(1_999.999)
    assert stage.execution().status is ExecutionStatus.CANCELLING
    stage.pass_time(0.001)
    assert stage.execution().status is ExecutionStatus.CANCELLED
    assert agent.evicted == [1]


def test_the_end_of_the_budget_leaves_what_still_runs_no_grace() -> None:
    stage = Stage(worker=None)
    stage.join("w", agents=[AgentKind("agent", cleanup_budget_ms=2_000)])
    agent = stage.start()
    (stopping,) = agent.schedule()
    agent.rest(forever())
    stage.cancel_agent()
    (of_clean_up,) = agent.schedule()
    agent.rest(forever())
    stage.pass_time(2_000)
    assert stage.execution().status is ExecutionStatus.CANCELLED
    assert [order.force for order in stage.orders(stopping)] == [False, True]
    assert [order.force for order in stage.orders(of_clean_up)] == [True]


def test_the_clean_up_may_schedule_wait_and_cancel() -> None:
    stage = Stage()
    agent = stage.start()
    agent.rest(forever())
    stage.cancel_agent()
    (refund,) = agent.schedule()
    assert stage.status(refund) is TaskStatus.RUNNING
    stage.complete(refund)
    agent.end(AgentCancelled())
    assert stage.status(refund) is TaskStatus.COMPLETED
    assert stage.execution().status is ExecutionStatus.CANCELLED
    assert stage.engine.next_due() is None


def test_a_clean_up_that_raises_makes_it_failed() -> None:
    stage = Stage()
    agent = stage.start()
    agent.rest(forever())
    stage.cancel_agent()
    agent.end(AgentFailed(ERROR))
    assert stage.execution().status is ExecutionStatus.FAILED
    assert stage.execution().failure == ERROR


def test_an_agent_that_completed_while_its_cancel_was_accepted_ends_cancelled() -> None:
    stage = Stage()
    agent = stage.start()
    assert stage.cancel_agent() is CANCELLED
    agent.end()
    assert stage.execution().status is ExecutionStatus.CANCELLED
    assert stage.execution().output is None


def test_an_agent_that_cancels_itself_though_nobody_asked_has_failed() -> None:
    stage = Stage()
    stage.start().end(AgentCancelled())
    assert stage.execution().status is ExecutionStatus.FAILED


def test_the_first_cause_is_kept() -> None:
    stage = Stage()
    stage.start()
    stage.cancel_agent()
    stage.cancel_agent(cause=type(CLIENT)(CancelSource.SHUTDOWN, "server"))
    assert stage.execution().cause == CLIENT
    assert stage.events().count(EventType.EXECUTION_CANCEL_REQUESTED) == 2
    assert stage.last(EventType.EXECUTION_CANCEL_REQUESTED)["result"] == "ALREADY_CANCELLED"
