"""Attempts: tried again after exact pauses, ended in time, and never once too often (cancellation.md, section 9)."""

from __future__ import annotations

import pytest

from rescind.model.cause import CancelSource
from rescind.model.events import EventType
from rescind.model.ids import Instant
from rescind.model.messages import TaskAlive
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.outcome import Failure
from rescind.model.status import FailureKind, StopState, TaskStatus
from server_stub.tests.engine.driver import ERROR, Stage


def test_the_pauses_grow_and_are_exact() -> None:
    stage = Stage()
    retry = RetryPolicy(max_attempts=5, initial_interval_ms=1_000, backoff=2.0, maximum_interval_ms=3_000)
    (task_id,) = stage.start().schedule(options=TaskOptions(retry=retry))
    for pause in (1_000, 2_000, 3_000, 3_000):
        made = len(stage.activations[task_id])
        stage.fail(task_id)
        assert stage.last(EventType.TASK_ATTEMPT_FAILED)["retry_in_ms"] == pause
        assert stage.status(task_id) is TaskStatus.PENDING
        stage.pass_time(pause - 0.001)
        assert len(stage.activations[task_id]) == made
        stage.pass_time(0.001)
        assert len(stage.activations[task_id]) == made + 1
    stage.fail(task_id)
    assert stage.status(task_id) is TaskStatus.FAILED
    assert stage.events(task_id).count(EventType.TASK_ATTEMPT_FAILED) == 4


def test_without_a_pause_the_next_attempt_starts_in_the_same_decision() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=TaskOptions(retry=RetryPolicy(initial_interval_ms=0)))
    stage.fail(task_id)
    assert [each.attempt for each in stage.activations[task_id]] == [1, 2]


@pytest.mark.parametrize(
    "failure",
    [
        Failure(FailureKind.ERROR, "no", "Fatal", retryable=False),
        Failure(FailureKind.ERROR, "no", "NamedError"),
        Failure(FailureKind.REJECTED, "no", retryable=False),
    ],
)
def test_what_no_attempt_can_help_is_not_tried_again(failure: Failure) -> None:
    stage = Stage()
    options = TaskOptions(retry=RetryPolicy(non_retryable=("NamedError",)))
    (task_id,) = stage.start().schedule(options=options)
    stage.fail(task_id, failure)
    assert stage.status(task_id) is TaskStatus.FAILED
    assert stage.task(task_id).failure == failure


def test_a_task_that_takes_its_workers_down_with_it_ends_all_the_same() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=TaskOptions(retry=RetryPolicy(max_attempts=2)))
    for _ in range(2):
        stage.leave()
        stage.pass_time(10_000)
        stage.join()
        stage.pass_time(1_000)
    failure = stage.task(task_id).failure
    assert failure is not None
    assert failure.kind is FailureKind.WORKER_LOST
    assert "'w' was lost during attempt 2" in failure.message
    assert stage.status(task_id) is TaskStatus.FAILED


def test_a_lost_worker_does_not_use_up_an_attempt_of_the_tasks_own() -> None:
    stage = Stage()
    retry = RetryPolicy(max_attempts=2, initial_interval_ms=1_000, backoff=3.0)
    (task_id,) = stage.start().schedule(options=TaskOptions(retry=retry))
    stage.leave(handed_back=True)
    stage.join()
    stage.pass_time(1_000)
    stage.fail(task_id)
    assert stage.last(EventType.TASK_ATTEMPT_FAILED)["retry_in_ms"] == 1_000  # the first pause of its own
    stage.pass_time(1_000)
    stage.fail(task_id)
    assert stage.status(task_id) is TaskStatus.FAILED
    assert stage.task(task_id).attempts == 3


def test_a_long_story_of_failures_leaves_nothing_behind() -> None:
    stage = Stage()
    retry = RetryPolicy(max_attempts=1_000, initial_interval_ms=1, backoff=1.0)
    (task_id,) = stage.start().schedule(options=TaskOptions(retry=retry))
    for _ in range(50):
        stage.fail(task_id)
        stage.pass_time(1)
    stage.fail(task_id)
    task = next(iter(stage.engine._state.executions.values())).tasks[task_id]
    assert len(task.deadlines or ()) == 1


LIMITS = [
    ("schedule_to_start", TaskOptions(schedule_to_start_ms=500), False),
    ("schedule_to_close", TaskOptions(schedule_to_close_ms=500), False),
    ("schedule_to_close", TaskOptions(schedule_to_close_ms=500), True),
    ("start_to_close", TaskOptions(start_to_close_ms=500), True),
    ("heartbeat", TaskOptions(heartbeat_ms=500), True),
    ("idle", TaskOptions(idle_ms=500), True),
]


@pytest.mark.parametrize(("name", "options", "is_claimed"), LIMITS)
def test_a_limit_ends_the_task_at_its_time_and_says_which_it_was(
    name: str, options: TaskOptions, is_claimed: bool
) -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=options, kind="work" if is_claimed else "unknown")
    stage.pass_time(499.999)
    assert stage.task(task_id).ended_at is None
    stage.pass_time(0.001)
    task = stage.task(task_id)
    assert task.status is TaskStatus.FAILED
    assert task.failure == Failure(FailureKind.TIMED_OUT, f"Task timed out after 500 ms ({name})")
    assert [order.cause.source for order in stage.orders(task_id)] == [CancelSource.DEADLINE] * is_claimed
    assert task.stop_state is (StopState.REQUESTED if is_claimed else None)
    if is_claimed:
        stage.acknowledge(task_id)
    assert stage.engine.next_due() is None


@pytest.mark.parametrize(("name", "options", "is_claimed"), LIMITS)
def test_a_limit_comes_late_rather_than_never_and_once(name: str, options: TaskOptions, is_claimed: bool) -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=options, kind="work" if is_claimed else "unknown")
    stage.jump(1_000_000)
    stage.jump(1_000_000)
    assert stage.events(task_id).count(EventType.TASK_FAILED) == 1


@pytest.mark.parametrize("options", [options for _, options, is_claimed in LIMITS if is_claimed])
def test_a_result_at_the_very_instant_of_a_limit_comes_before_it(options: TaskOptions) -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=options)
    stage.now = Instant(stage.now + 500_000)
    stage.complete(task_id)
    stage.come_due()
    assert stage.status(task_id) is TaskStatus.COMPLETED
    assert stage.engine.next_due() is None


def test_the_time_to_start_is_over_with_the_first_claim() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=TaskOptions(schedule_to_start_ms=500))
    stage.pass_time(10_000)
    assert stage.status(task_id) is TaskStatus.RUNNING
    stage.fail(task_id)
    stage.pass_time(10_000)
    assert stage.status(task_id) is TaskStatus.RUNNING


def test_the_time_of_an_attempt_begins_anew_with_each() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=TaskOptions(start_to_close_ms=500))
    stage.pass_time(400)
    stage.fail(task_id)
    stage.pass_time(1_400)
    assert stage.status(task_id) is TaskStatus.RUNNING
    stage.pass_time(100)
    assert stage.status(task_id) is TaskStatus.FAILED


def test_the_time_in_all_includes_pauses() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=TaskOptions(schedule_to_close_ms=500))
    stage.fail(task_id)
    stage.pass_time(500)
    assert stage.status(task_id) is TaskStatus.FAILED
    stage.pass_time(10_000)
    assert len(stage.activations[task_id]) == 1


def test_any_report_ends_the_silence_but_only_progress_ends_idleness() -> None:
    stage = Stage()
    agent = stage.start()
    beating, idle = agent.schedule(options=TaskOptions(heartbeat_ms=500)) + agent.schedule(
        options=TaskOptions(idle_ms=500)
    )
    for _ in range(4):
        stage.pass_time(300)
        for task_id in (beating, idle):
            if stage.status(task_id) is TaskStatus.RUNNING:
                stage.decide(TaskAlive(task_id, stage.lease(task_id)))
    assert stage.status(beating) is TaskStatus.RUNNING
    assert stage.status(idle) is TaskStatus.FAILED


@pytest.mark.parametrize("report", [{"advanced": True}, {"progress": 0.5}])
def test_progress_begins_idleness_anew(report: dict[str, float | bool]) -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=TaskOptions(idle_ms=500))
    for _ in range(4):
        stage.pass_time(300)
        stage.decide(TaskAlive(task_id, stage.lease(task_id), **report))  # type: ignore[arg-type]
    assert stage.status(task_id) is TaskStatus.RUNNING
    stage.pass_time(500)
    assert stage.status(task_id) is TaskStatus.FAILED


def test_sliding_limits_leave_the_fixed_one_in_force_and_nothing_behind() -> None:
    stage = Stage()
    options = TaskOptions(heartbeat_ms=100, idle_ms=100, start_to_close_ms=100_000)
    (task_id,) = stage.start().schedule(options=options)
    for _ in range(20):
        stage.pass_time(90)
        stage.decide(TaskAlive(task_id, stage.lease(task_id), advanced=True))
    stage.complete(task_id)
    assert stage.engine.next_due() is None


@pytest.mark.parametrize("limit", ["start_to_close_ms", "heartbeat_ms", "idle_ms"])
def test_time_outs_are_tried_again_only_if_asked_for(limit: str) -> None:
    stage = Stage()
    retry = RetryPolicy(max_attempts=2, retry_timeouts=True)
    (task_id,) = stage.start().schedule(options=TaskOptions(retry=retry, **{limit: 500}))  # type: ignore[arg-type]
    stage.pass_time(500)
    assert stage.status(task_id) is TaskStatus.PENDING
    assert stage.task(task_id).stop_state is StopState.REQUESTED  # the first attempt is stopped nevertheless
    stage.pass_time(1_000)
    assert stage.status(task_id) is TaskStatus.RUNNING
    stage.pass_time(500)
    assert stage.status(task_id) is TaskStatus.FAILED
    assert len(stage.orders(task_id)) == 2


def test_the_result_of_an_attempt_that_timed_out_is_discarded_though_the_task_goes_on() -> None:
    stage = Stage()
    retry = RetryPolicy(retry_timeouts=True)
    (task_id,) = stage.start().schedule(options=TaskOptions(retry=retry, start_to_close_ms=500))
    stage.pass_time(500)
    stage.complete(task_id, b"123")
    assert stage.last(EventType.RESULT_DISCARDED) == {"bytes": 3}
    assert stage.status(task_id) is TaskStatus.PENDING


def test_losing_the_worker_of_an_attempt_that_timed_out_starts_no_second_pause() -> None:
    stage = Stage(slots=1)
    retry = RetryPolicy(max_attempts=3, retry_timeouts=True, initial_interval_ms=30_000, backoff=1.0)
    (task_id,) = stage.start().schedule(options=TaskOptions(retry=retry, start_to_close_ms=500))
    stage.pass_time(500)
    stage.leave()
    stage.pass_time(10_000)  # the lease ends during the pause
    assert stage.task(task_id).stops[0].state is StopState.LOST
    assert stage.events(task_id).count(EventType.TASK_ATTEMPT_FAILED) == 1
    stage.join()
    stage.pass_time(19_999)
    assert len(stage.activations[task_id]) == 1
    stage.pass_time(1)
    assert len(stage.activations[task_id]) == 2
    stage.fail(task_id, ERROR)
    stage.pass_time(29_999)
    assert len(stage.activations[task_id]) == 2
