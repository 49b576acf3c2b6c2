"""Mode WAIT (cancellation.md, section 3): the work is asked to stop, and decides; whoever asked learns what it did."""

from __future__ import annotations

import pytest

from rescind.model.ids import TaskId
from rescind.model.operations import WaitCondition, Withdraw
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.status import (
    CancelMode,
    CancelTaskResult,
    TaskStatus,
)
from server_stub.tests.engine.driver import CLIENT, Stage, awaits


def stage_with_a_running_task() -> tuple[Stage, TaskId]:
    stage = Stage()
    options = TaskOptions(retry=RetryPolicy(max_attempts=1), start_to_close_ms=5_000)
    (task_id,) = stage.start().schedule(options=options)
    assert stage.status(task_id) is TaskStatus.RUNNING
    return stage, task_id


def test_a_task_asked_to_stop_keeps_running_until_its_work_decides() -> None:
    stage, task_id = stage_with_a_running_task()
    number = stage.cancel(task_id, CancelMode.WAIT)
    assert stage.status(task_id) is TaskStatus.RUNNING
    assert stage.task(task_id).cancel_requested_at == stage.now
    assert [order.decided for order in stage.orders(task_id)] == [False]
    assert stage.late_result(number) is None


@pytest.mark.parametrize(
    ("decides", "status", "result"),
    [
        ("obey", TaskStatus.CANCELLED, CancelTaskResult.CANCELLED),
        ("complete", TaskStatus.COMPLETED, CancelTaskResult.ALREADY_COMPLETED),
        ("fail", TaskStatus.FAILED, CancelTaskResult.ALREADY_FAILED),
    ],
)
def test_what_the_work_decides_is_the_answer(decides: str, status: TaskStatus, result: CancelTaskResult) -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()  # it could be tried again, but for the request
    number = stage.cancel(task_id, CancelMode.WAIT)
    getattr(stage, decides)(task_id)
    assert stage.status(task_id) is status
    assert stage.late_result(number) is result
    assert not stage.task(task_id).stops


def test_cancelled_is_answered_to_exactly_one_request() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    outside = stage.cancel(task_id, CancelMode.WAIT)
    inside = agent.cancel(task_id, CancelMode.WAIT)
    later = stage.cancel(task_id, CancelMode.WAIT)
    stage.obey(task_id)
    agent.do()
    assert stage.late_result(outside) is CancelTaskResult.CANCELLED
    assert agent.result(inside) is CancelTaskResult.ALREADY_CANCELLED
    assert stage.late_result(later) is CancelTaskResult.ALREADY_CANCELLED


def test_a_later_try_ends_what_was_only_asked_and_is_the_one_told_so() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    outside = stage.cancel(task_id, CancelMode.WAIT)
    inside = agent.cancel(task_id, CancelMode.WAIT)
    assert stage.cancel(task_id) is CancelTaskResult.CANCELLED
    agent.do()
    assert stage.late_result(outside) is CancelTaskResult.ALREADY_CANCELLED
    assert agent.result(inside) is CancelTaskResult.ALREADY_CANCELLED
    assert [order.decided for order in stage.orders(task_id)] == [False, True]


def test_a_task_asked_to_stop_whose_worker_is_lost_is_cancelled_not_tried_again() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    number = stage.cancel(task_id, CancelMode.WAIT)
    stage.leave()
    stage.pass_time(10_000)
    assert stage.status(task_id) is TaskStatus.CANCELLED
    assert stage.late_result(number) is CancelTaskResult.CANCELLED
    assert stage.task(task_id).cause == CLIENT


def test_a_worker_that_was_away_is_asked_again_when_it_comes_back() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.leave()
    stage.cancel(task_id, CancelMode.WAIT)
    assert stage.orders(task_id) == []
    stage.join(running=[stage.lease(task_id)])
    assert [(order.decided, order.cause) for order in stage.orders(task_id)] == [(False, CLIENT)]


def test_an_asker_that_withdrew_is_answered_nothing_and_the_next_one_is_told_cancelled() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    inside = agent.cancel(task_id, CancelMode.WAIT)
    outside = stage.cancel(task_id, CancelMode.WAIT)
    agent.do(Withdraw(0, inside))
    stage.obey(task_id)
    agent.do()
    assert agent.result(inside) is None
    assert stage.late_result(outside) is CancelTaskResult.CANCELLED


def test_an_asker_whose_agent_has_ended_is_answered_nothing() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    agent.do(agent.cancels(task_id, CancelMode.WAIT))
    agent.end()
    assert stage.status(task_id) is TaskStatus.CANCELLED


def test_asking_a_task_that_nobody_runs_cancels_it_at_once() -> None:
    stage = Stage(worker=None)
    stage.join("agents-only", tasks=())
    (task_id,) = stage.start().schedule()
    assert stage.cancel(task_id, CancelMode.WAIT) is CancelTaskResult.CANCELLED


def test_a_time_out_of_work_that_was_asked_to_stop_answers_already_failed() -> None:
    stage, task_id = stage_with_a_running_task()
    number = stage.cancel(task_id, CancelMode.WAIT)
    stage.pass_time(5_000)
    assert stage.late_result(number) is CancelTaskResult.ALREADY_FAILED
    assert [order.decided for order in stage.orders(task_id)] == [False, True]


def test_an_open_request_is_answered_once_also_if_a_wait_ends_with_the_same_task() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    cancel, wait = agent.rest(agent.cancels(task_id, CancelMode.WAIT), awaits([task_id], WaitCondition.ALL_ENDED))
    stage.obey(task_id)
    assert agent.result(cancel) is CancelTaskResult.CANCELLED
    agent.do()
    settled = agent.settled(wait)
    assert settled is not None
    assert [outcome.status for _, outcome in settled.ended] == [TaskStatus.CANCELLED]
