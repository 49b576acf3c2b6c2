"""How an order to stop reaches its worker: again until it is acknowledged, again when it is back, and by force."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.events import EventType
from rescind.model.ids import TaskId
from rescind.model.messages import StopReported
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.status import CancelMode, CancelTaskResult, StopState, TaskStatus
from rescind.model.views import StopView
from server_stub.tests.engine.driver import CLIENT, Stage

ANOTHER = CancelCause(CancelSource.REQUEST, "client:other", "it takes too long")


def stage_with_a_running_task() -> tuple[Stage, TaskId]:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    return stage, task_id


def stop_of(stage: Stage, task_id: TaskId) -> StopView:
    return stage.task(task_id).stops[-1]


# -- sent again --


@pytest.mark.parametrize("mode", [CancelMode.TRY, CancelMode.WAIT, CancelMode.FORCE])
def test_an_order_that_is_not_acknowledged_is_sent_again_after_ever_longer_pauses(mode: CancelMode) -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id, mode)
    (order,) = stage.deliveries(task_id)
    sent_after = []
    begun = stage.now
    for _ in range(200):
        before = len(stage.deliveries(task_id))
        stage.pass_time(1_000)
        if len(stage.deliveries(task_id)) > before:
            sent_after.append((stage.now - begun) // 1_000_000)
    assert sent_after == [1, 3, 7, 15, 31, 63, 123, 183]
    assert set(stage.deliveries(task_id)) == {order}


def test_the_record_counts_how_often_its_order_was_sent() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id)
    assert stop_of(stage, task_id).deliveries == 1
    stage.pass_time(3_000)
    assert stop_of(stage, task_id).deliveries == 3
    assert stage.decisions[-1].tasks.keys() == {task_id}, "the count is not part of what becomes durable"
    assert stop_of(stage, task_id).state is StopState.REQUESTED


@pytest.mark.parametrize("mode", [CancelMode.TRY, CancelMode.WAIT, CancelMode.FORCE])
def test_an_order_that_is_acknowledged_is_not_sent_again(mode: CancelMode) -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id, mode)
    stage.acknowledge(task_id)
    assert stage.engine.next_due() is None
    assert len(stage.deliveries(task_id)) == 1


@pytest.mark.parametrize("end", ["stopped", "returned", "worker lost"])
def test_an_order_for_work_that_has_ended_is_not_sent_again(end: str) -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id)
    match end:
        case "stopped":
            stage.report_stop(task_id, StopState.STOPPED)
        case "returned":
            stage.complete(task_id)
        case "worker lost":
            stage.leave(handed_back=True)
    assert stage.engine.next_due() is None
    assert len(stage.deliveries(task_id)) == 1


def test_a_request_that_was_acknowledged_does_not_acknowledge_the_order_behind_it() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id, CancelMode.WAIT)
    stage.cancel(task_id)
    lease = stage.lease(task_id)
    stage.decide(StopReported(task_id, lease, StopState.DELIVERED, decided=False))
    stage.pass_time(1_000)
    assert [order.decided for order in stage.deliveries(task_id)] == [False, True, True]
    stage.decide(StopReported(task_id, lease, StopState.DELIVERED))
    assert stage.engine.next_due() is None


def test_tasks_that_nobody_cancels_wait_for_no_time_at_all() -> None:
    stage = Stage()
    stage.start().schedule(50)
    assert stage.engine.next_due() is None


# -- workers that are away --


def test_while_its_worker_is_away_an_order_is_not_sent_and_begins_anew_when_it_is_back() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id)
    stage.leave()
    stage.pass_time(9_000)
    assert len(stage.deliveries(task_id)) == 1
    stage.join(running=[stage.lease(task_id)])
    assert len(stage.deliveries(task_id)) == 2
    stage.pass_time(2_000)
    assert len(stage.deliveries(task_id)) == 3


def test_a_worker_that_never_answers_is_lost_with_its_lease_and_so_is_the_stop() -> None:
    stage = Stage(worker=None)
    stage.join(silence_ms=10_000)
    (task_id,) = stage.start().schedule()
    stage.cancel(task_id)
    stage.pass_time(10_000)
    assert stop_of(stage, task_id).state is StopState.LOST
    assert stage.status(task_id) is TaskStatus.CANCELLED
    sent = len(stage.deliveries(task_id))
    stage.pass_time(600_000)
    assert len(stage.deliveries(task_id)) == sent


def return_a_result(stage: Stage, task_id: TaskId) -> None:
    stage.complete(task_id, b"12345")


def fail(stage: Stage, task_id: TaskId) -> None:
    stage.fail(task_id)


def say_that_it_has_stopped(stage: Stage, task_id: TaskId) -> None:
    stage.report_stop(task_id, StopState.STOPPED)


@pytest.mark.parametrize("late_report", [return_a_result, fail, say_that_it_has_stopped])
def test_a_late_report_of_a_worker_that_comes_back_ends_the_stop_record_and_leaves_the_outcome(
    late_report: Callable[[Stage, TaskId], None],
) -> None:
    stage, task_id = stage_with_a_running_task()
    stage.leave()
    stage.cancel(task_id)
    stage.pass_time(5_000)
    stage.join(running=[stage.lease(task_id)])
    late_report(stage, task_id)
    assert stage.status(task_id) is TaskStatus.CANCELLED
    assert stop_of(stage, task_id).state is StopState.STOPPED
    assert (EventType.RESULT_DISCARDED in stage.events(task_id)) is (late_report is not say_that_it_has_stopped)
    assert stage.engine.next_due() is None


def test_a_task_cancelled_while_no_worker_is_there_never_starts() -> None:
    stage, waiting = stage_with_a_running_task()
    stage.leave(handed_back=True)
    stage.cancel(waiting)
    stage.join()
    assert len(stage.activations[waiting]) == 1
    assert stage.orders(waiting) == []


# -- by force --


def test_force_is_decided_with_the_cancel_and_told_with_the_order() -> None:
    stage, task_id = stage_with_a_running_task()
    assert stage.cancel(task_id, CancelMode.FORCE) is CancelTaskResult.CANCELLED
    (order,) = stage.orders(task_id)
    assert (order.decided, order.force, order.cause) == (True, True, CLIENT)
    assert stop_of(stage, task_id).forced_at == stage.now
    assert stage.last(EventType.TASK_CANCEL_REQUESTED)["mode"] == "FORCE"
    assert stage.last(EventType.STOP_REQUESTED)["force"] is True


@pytest.mark.parametrize("first", [CancelMode.TRY, CancelMode.ABANDON])
@pytest.mark.parametrize("acknowledged", [True, False])
def test_force_behind_another_cancel_ends_the_grace_and_not_more(first: CancelMode, acknowledged: bool) -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id, first)
    if acknowledged and first is CancelMode.TRY:
        stage.acknowledge(task_id)
    before = stage.task(task_id)
    stage.pass_time(500)
    assert stage.cancel(task_id, CancelMode.FORCE, cause=ANOTHER) is CancelTaskResult.ALREADY_CANCELLED
    assert stage.orders(task_id)[-1].force
    assert stage.orders(task_id)[-1].cause == CLIENT, "the first cause is kept"
    stop = stop_of(stage, task_id)
    assert (stop.forced_at, stop.deliveries) == (stage.now, 1)
    after = stage.task(task_id)
    assert (after.status, after.ended_at, after.cause) == (before.status, before.ended_at, before.cause)
    stage.report_stop(task_id, StopState.KILLED)
    assert stop_of(stage, task_id).state is StopState.KILLED


def test_force_twice_is_told_once() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id)
    stage.cancel(task_id, CancelMode.FORCE)
    forced_at = stop_of(stage, task_id).forced_at
    stage.pass_time(100)
    assert stage.cancel(task_id, CancelMode.FORCE) is CancelTaskResult.ALREADY_CANCELLED
    assert [order.force for order in stage.deliveries(task_id)] == [False, True]
    assert stop_of(stage, task_id).forced_at == forced_at


def test_a_forced_order_is_not_acknowledged_by_the_one_before_it() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id)
    stage.cancel(task_id, CancelMode.FORCE)
    stage.decide(StopReported(task_id, stage.lease(task_id), StopState.DELIVERED))
    assert stop_of(stage, task_id).state is StopState.DELIVERED
    stage.pass_time(1_000)
    assert [order.force for order in stage.deliveries(task_id)] == [False, True, True]
    stage.acknowledge(task_id)
    assert stage.engine.next_due() is None


def test_force_decides_for_work_that_was_left_to_decide() -> None:
    stage, task_id = stage_with_a_running_task()
    number = stage.cancel(task_id, CancelMode.WAIT)
    assert stage.cancel(task_id, CancelMode.FORCE) is CancelTaskResult.CANCELLED
    assert stage.late_result(number) is CancelTaskResult.ALREADY_CANCELLED
    assert [(order.decided, order.force) for order in stage.orders(task_id)] == [(False, False), (True, True)]


def test_force_reaches_every_attempt_of_a_task_that_may_still_run() -> None:
    stage = Stage()
    retry = RetryPolicy(max_attempts=2, retry_timeouts=True, initial_interval_ms=0)
    (task_id,) = stage.start().schedule(options=TaskOptions(start_to_close_ms=1_000, retry=retry))
    stage.pass_time(1_000)
    assert len(stage.activations[task_id]) == 2
    stage.cancel(task_id, CancelMode.FORCE)
    leases = {each.lease for each in stage.activations[task_id]}
    assert {order.lease for order in stage.orders(task_id) if order.force} == leases


def test_force_for_a_task_of_which_nothing_runs_changes_nothing() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.complete(task_id)
    assert stage.cancel(task_id, CancelMode.FORCE) is CancelTaskResult.ALREADY_COMPLETED
    assert (stage.orders(task_id), stage.status(task_id)) == ([], TaskStatus.COMPLETED)


def test_a_worker_that_was_away_is_told_of_the_force_when_it_comes_back() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id)
    stage.leave()
    stage.cancel(task_id, CancelMode.FORCE)
    stage.join(running=[stage.lease(task_id)])
    assert [order.force for order in stage.deliveries(task_id)] == [False, True]


@pytest.mark.parametrize("behind", ["nothing", "a graceful cancel", "its end"])
def test_a_hard_cancel_of_an_agent_leaves_its_work_no_grace(behind: str) -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    if behind != "nothing":
        stage.cancel_agent()
        assert [order.force for order in stage.orders(task_id)] == [False]
    if behind == "its end":
        agent.end()
    stage.cancel_agent(hard=True)
    assert stage.orders(task_id)[-1].force
    assert sum(order.force for order in stage.deliveries(task_id)) == 1
    assert stage.status(task_id) is TaskStatus.CANCELLED


def test_a_hard_cancel_of_an_agent_leaves_alone_what_was_left_running() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    stage.cancel(task_id, CancelMode.ABANDON)
    stage.cancel_agent(hard=True)
    assert stage.orders(task_id) == []


# -- two who ask --


@pytest.mark.parametrize("modes", [(CancelMode.TRY, CancelMode.TRY), (CancelMode.FORCE, CancelMode.FORCE)])
def test_two_operators_with_overlapping_filters_cancel_each_task_once(modes: tuple[CancelMode, CancelMode]) -> None:
    stage = Stage()
    tasks = stage.start().schedule(6)
    first, second = tasks[:4], tasks[2:]
    answers: dict[TaskId, list[CancelTaskResult | int]] = {task_id: [] for task_id in tasks}
    # Step by step, in turn: each filter is worked off in steps, and others are served between them.
    for steps in zip(first, second, strict=True):
        for task_id, mode, cause in zip(steps, modes, (CLIENT, ANOTHER), strict=True):
            answers[task_id].append(stage.cancel(task_id, mode, cause=cause))
    for task_id in tasks:
        once, *again = answers[task_id]
        assert once is CancelTaskResult.CANCELLED
        assert again == [CancelTaskResult.ALREADY_CANCELLED] * (task_id in first and task_id in second)
        assert len(stage.deliveries(task_id)) == 1
