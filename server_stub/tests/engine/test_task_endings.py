"""A task's life (cancellation.md, sections 2 and 3): one door, one end, and who is told what."""

from __future__ import annotations

import itertools

import pytest

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.events import TASK_ENDS, EventType
from rescind.model.ids import ExecutionId, Lease, TaskId
from rescind.model.messages import TaskActivation, TaskReported
from rescind.model.operations import LeaveTasks
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.outcome import Failure
from rescind.model.payload import Payload
from rescind.model.status import (
    TASK_TRANSITIONS,
    CancelMode,
    CancelTaskResult,
    FailureKind,
    StopState,
    TaskStatus,
)
from server_stub.tests.engine.driver import ERROR, ONE_ATTEMPT, Stage
from server_stub.tests.engine.laws import STATUS_AFTER

ENDINGS = ["complete", "fail", "cancel", "time out", "lose the worker", "end the agent"]


def bring_about(stage: Stage, ending: str, task_id: TaskId) -> None:
    match ending:
        case "complete":
            stage.complete(task_id)
        case "fail":
            stage.fail(task_id)
        case "cancel":
            stage.cancel(task_id)
        case "time out":
            stage.pass_time(5_000)
        case "lose the worker":
            stage.leave()
            stage.pass_time(10_000)
        case "end the agent":
            stage.cancel_agent(hard=True)


def stage_with_a_running_task() -> tuple[Stage, TaskId]:
    stage = Stage()
    options = TaskOptions(retry=RetryPolicy(max_attempts=1), start_to_close_ms=5_000)
    (task_id,) = stage.start().schedule(options=options)
    assert stage.status(task_id) is TaskStatus.RUNNING
    return stage, task_id


@pytest.mark.parametrize(("first", "second"), list(itertools.product(ENDINGS, ENDINGS)))
def test_a_task_has_at_most_one_terminal_event(first: str, second: str) -> None:
    stage, task_id = stage_with_a_running_task()
    bring_about(stage, first, task_id)
    decided = stage.task(task_id)
    bring_about(stage, second, task_id)
    later = stage.task(task_id)
    assert (later.status, later.ended_at, later.output) == (decided.status, decided.ended_at, decided.output)
    assert sum(event in TASK_ENDS for event in stage.events(task_id)) == 1


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("complete", TaskStatus.COMPLETED),
        ("fail", TaskStatus.FAILED),
        ("cancel", TaskStatus.CANCELLED),
        ("time out", TaskStatus.FAILED),
        ("lose the worker", TaskStatus.FAILED),
        ("end the agent", TaskStatus.CANCELLED),
    ],
)
def test_every_ending_shows_its_status_and_nothing_is_at_work_for_ever(ending: str, status: TaskStatus) -> None:
    stage, task_id = stage_with_a_running_task()
    bring_about(stage, ending, task_id)
    assert stage.status(task_id) is status
    stage.leave(handed_back=True)
    assert stage.task(task_id).worker_id is None


def test_the_statuses_that_tasks_go_through_are_those_of_the_table() -> None:
    seen: dict[TaskStatus, set[TaskStatus]] = {status: set() for status in TaskStatus}
    for ending, is_claimed, tried_again in itertools.product(ENDINGS, [False, True], [False, True]):
        if not is_claimed and (ending in ("complete", "fail", "lose the worker") or tried_again):
            continue
        stage = Stage()
        kind = "work" if is_claimed else "unknown"
        options = TaskOptions(retry=RetryPolicy(max_attempts=1 + tried_again), schedule_to_close_ms=5_000)
        (task_id,) = stage.start().schedule(kind=kind, options=options)
        if tried_again:
            stage.fail(task_id)
            stage.pass_time(1_000)
        bring_about(stage, ending, task_id)
        passed = [STATUS_AFTER[event] for event in stage.events(task_id) if event in STATUS_AFTER]
        for before, after in itertools.pairwise(passed):
            seen[before].add(after)
    assert seen == {status: set(onward) for status, onward in TASK_TRANSITIONS.items()}


def test_a_result_that_loses_to_a_cancel_is_kept_as_discarded_with_its_size() -> None:
    stage, task_id = stage_with_a_running_task()
    assert stage.cancel(task_id) is CancelTaskResult.CANCELLED
    stage.complete(task_id, b"12345")
    assert stage.events(task_id)[-2:] == [EventType.RESULT_DISCARDED, EventType.STOP_ENDED]
    assert stage.last(EventType.RESULT_DISCARDED) == {"bytes": 5}
    assert stage.task(task_id).output is None
    assert stage.task(task_id).stop_state is StopState.STOPPED


def test_a_result_told_with_the_stop_report_is_discarded_too() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id)
    stage.report_stop(task_id, StopState.STOPPED, discarded_bytes=7)
    assert stage.last(EventType.RESULT_DISCARDED) == {"bytes": 7}


def test_work_that_obeyed_a_request_decided_meanwhile_brings_no_result_to_discard() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id, CancelMode.WAIT)
    stage.cancel(task_id)
    stage.obey(task_id)
    assert EventType.RESULT_DISCARDED not in stage.events(task_id)
    assert stage.task(task_id).stop_state is StopState.STOPPED


def test_a_completion_told_twice_counts_once() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.complete(task_id)
    assert stage.complete(task_id, b"other").events == []


def test_a_report_that_names_another_task_than_its_lease_is_void() -> None:
    stage, task_id = stage_with_a_running_task()
    assert stage.decide(TaskReported(TaskId("other"), stage.lease(task_id), Payload(b"1"))).events == []
    assert stage.decide(TaskReported(task_id, Lease(99), Payload(b"1"))).events == []
    assert stage.status(task_id) is TaskStatus.RUNNING


def test_cancel_in_one_batch_with_the_schedule_means_that_no_worker_ever_sees_the_task() -> None:
    stage = Stage()
    agent = stage.start()
    schedule = agent.schedules()
    _, cancel, _ = agent.do(schedule, agent.cancels(schedule.task_id))
    assert agent.result(cancel) is CancelTaskResult.CANCELLED
    assert stage.status(schedule.task_id) is TaskStatus.CANCELLED
    assert not [message for message in stage.pushed["w"] if isinstance(message, TaskActivation)]
    assert stage.task(schedule.task_id).stop_state is None


def test_cancel_before_the_claim_means_that_the_code_never_runs() -> None:
    stage = Stage(slots=1)
    agent = stage.start()
    first, second = agent.schedule(2)
    assert stage.cancel(second) is CancelTaskResult.CANCELLED
    stage.complete(first)
    assert stage.activations[second] == []


def test_cancel_between_attempts_forbids_the_next_one() -> None:
    stage = Stage(slots=1)
    agent = stage.start()
    (task_id,) = agent.schedule(options=TaskOptions(retry=RetryPolicy(initial_interval_ms=0)))
    agent.schedule()
    stage.fail(task_id)
    assert stage.status(task_id) is TaskStatus.PENDING
    assert stage.cancel(task_id) is CancelTaskResult.CANCELLED
    stage.pass_time(100_000)
    assert len(stage.activations[task_id]) == 1


@pytest.mark.parametrize("mode", list(CancelMode))
def test_cancel_during_back_off_forbids_the_next_attempt(mode: CancelMode) -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.fail(task_id)
    assert stage.cancel(task_id, mode) is CancelTaskResult.CANCELLED
    assert stage.engine.next_due() is None
    stage.pass_time(100_000)
    assert len(stage.activations[task_id]) == 1


def test_code_starts_at_most_once_per_attempt() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=TaskOptions(retry=RetryPolicy(max_attempts=3, backoff=1.0)))
    for _ in range(3):
        stage.fail(task_id)
        stage.pass_time(1_000)
    assert [(each.attempt, each.lease) for each in stage.activations[task_id]] == [(1, 1), (2, 2), (3, 3)]


def test_abandon_decides_at_once_and_leaves_the_work_alone() -> None:
    stage, task_id = stage_with_a_running_task()
    assert stage.cancel(task_id, CancelMode.ABANDON) is CancelTaskResult.CANCELLED
    assert stage.orders(task_id) == []
    assert stage.task(task_id).stop_state is None
    stage.complete(task_id, b"123")
    assert stage.events(task_id)[-1] is EventType.RESULT_DISCARDED
    assert stage.last(EventType.RESULT_DISCARDED) == {"bytes": 3}


@pytest.mark.parametrize(
    ("ending", "result"),
    [
        ("complete", CancelTaskResult.ALREADY_COMPLETED),
        ("fail", CancelTaskResult.ALREADY_FAILED),
        ("time out", CancelTaskResult.ALREADY_FAILED),
        ("cancel", CancelTaskResult.ALREADY_CANCELLED),
        ("end the agent", CancelTaskResult.ALREADY_CANCELLED),
    ],
)
@pytest.mark.parametrize("mode", list(CancelMode))
def test_cancel_after_the_end_tells_how_it_ended(ending: str, result: CancelTaskResult, mode: CancelMode) -> None:
    stage, task_id = stage_with_a_running_task()
    bring_about(stage, ending, task_id)
    assert stage.cancel(task_id, mode) is result
    assert stage.cancel(task_id, mode) is result


def test_strangers_and_unknown_ids_are_told_not_found() -> None:
    stage, task_id = stage_with_a_running_task()
    stranger = stage.start("stranger")
    assert stage.cancel(task_id, execution_id="stranger") is CancelTaskResult.NOT_FOUND
    assert stage.cancel(task_id, execution_id="nobody") is CancelTaskResult.NOT_FOUND
    assert stage.cancel(TaskId("unknown")) is CancelTaskResult.NOT_FOUND
    position = stranger.cancel(task_id)
    assert stranger.result(position) is CancelTaskResult.NOT_FOUND
    assert stage.status(task_id) is TaskStatus.RUNNING


def test_every_request_is_recorded_with_who_when_why_and_result() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.cancel(task_id, CancelMode.WAIT)
    stage.cancel(task_id)
    stage.pass_time(1)
    stage.cancel(task_id, cause=CancelCause(CancelSource.DISCONNECT, "client:other"))
    requests = [event for event in stage.histories[ExecutionId("x")] if event.type is EventType.TASK_CANCEL_REQUESTED]
    assert [(each.details or {})["result"] for each in requests] == ["ASKED", "CANCELLED", "ALREADY_CANCELLED"]
    assert requests[0].details == {
        "result": "ASKED",
        "mode": "WAIT",
        "source": "request",
        "by": "client:test",
        "reason": "no longer needed",
    }
    assert (requests[2].details or {})["by"] == "client:other"
    assert requests[2].at == requests[0].at + 1_000


def test_leaving_tasks_cancels_those_that_are_open_and_no_other() -> None:
    stage = Stage()
    agent = stage.start()
    done, running = agent.schedule(2)
    stage.complete(done)
    agent.do(LeaveTasks(0, (done, running, TaskId("unknown")), CancelCause(CancelSource.SCOPE_LEFT, "agent:x")))
    assert (stage.status(done), stage.status(running)) == (TaskStatus.COMPLETED, TaskStatus.CANCELLED)
    assert EventType.TASK_CANCEL_REQUESTED not in stage.events(done)


def test_the_first_cause_is_kept_everywhere() -> None:
    stage, task_id = stage_with_a_running_task()
    first, second = CancelCause(CancelSource.REQUEST, "first"), CancelCause(CancelSource.REQUEST, "second")
    stage.cancel(task_id, CancelMode.WAIT, cause=first)
    stage.cancel(task_id, CancelMode.TRY, cause=second)
    assert stage.task(task_id).cause == first
    assert [order.cause for order in stage.orders(task_id)] == [first, first]


def test_a_closed_execution_still_answers_who_cancels_its_tasks() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule(options=ONE_ATTEMPT)
    stage.fail(task_id, ERROR)
    agent.end()
    assert not stage.is_in_memory()
    assert stage.cancel(task_id) is CancelTaskResult.ALREADY_FAILED
    assert stage.cancel(TaskId("unknown")) is CancelTaskResult.NOT_FOUND


def test_a_failure_is_shown_with_the_words_of_the_code() -> None:
    stage, task_id = stage_with_a_running_task()
    stage.fail(task_id, Failure(FailureKind.ERROR, "no seat left", "SoldOut"))
    assert stage.last(EventType.TASK_FAILED) == {"kind": "ERROR", "error": "no seat left"}
