"""A pass over a workflow's code is taken in once, whole or not at all, and only from who holds the workflow."""

from __future__ import annotations

import pytest

from rescind.model.commands import Refused
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.options import DEFAULT_TASK_OPTIONS
from rescind.model.payload import Payload
from rescind.model.status import CancelTaskResult, ExecutionStatus, TaskStatus
from rescind.model.workflow_commands import (
    AnyWorkflowCommand,
    CancelTask,
    ClearState,
    CompleteWorkflow,
    CreatePromise,
    FailWorkflow,
    PassStatus,
    RecordOperation,
    ResolvePromise,
    ScheduleTask,
    SetState,
    StartTimer,
    SuspendWorkflow,
    first_sequence_of,
)
from rescind.model.workflow_events import TaskCancelled, TaskCompleted, TaskFailed, WorkflowExecutionFailed
from rescind.model.workflows import Submitted, SubmitWorkflowCommands
from server_stub.tests.engine.driver import CLIENT
from server_stub.tests.engine.workflow_stage import (
    WorkflowStage,
    schedules,
    starts_child,
    task_id,
    workflow_id,
)


def test_a_pass_is_recorded_in_the_order_of_its_commands() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    stage.submit(
        claimed,
        RecordOperation("draw", Payload(b"7")),
        SetState("a"),
        ClearState("a"),
        schedules("t"),
        SuspendWorkflow(),
    )
    assert stage.log() == [
        "WORKFLOW_STARTED",
        "OPERATION_COMPLETED",
        "STATE_SET",
        "STATE_CLEARED",
        "TASK_SCHEDULED",
        "WORKFLOW_SUSPENDED",
    ]
    assert stage.status_of() is ExecutionStatus.WAITING


def test_the_state_is_what_was_set_last_and_not_cleared() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), SetState("a", Payload(b"1")), SetState("b", Payload(b"2")), ClearState("a"))
    assert stage.workflow().state == {"b": Payload(b"2")}


def test_a_workflow_completes_with_its_output() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), CompleteWorkflow(Payload(b"42")))
    assert stage.status_of() is ExecutionStatus.COMPLETED
    assert stage.execution(workflow_id("x")).output == Payload(b"42")
    assert not stage.is_in_memory(workflow_id("x"))


def test_a_workflow_fails_with_its_error() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), FailWorkflow("it broke"))
    assert stage.last_logged() == WorkflowExecutionFailed("it broke")
    failure = stage.execution(workflow_id("x")).failure
    assert failure is not None
    assert failure.message == "it broke"


def test_a_pass_that_has_more_to_do_is_offered_again_at_once() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), SetState("a"), status=PassStatus.RUNNING)
    assert stage.claim().sequence == 2


def test_a_submission_that_is_sent_twice_is_taken_in_once() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    first = stage.submit(claimed, schedules("t"))
    second = stage.submit(claimed, schedules("t"))
    assert first == Submitted(2, ExecutionStatus.WAITING)
    assert second == Submitted(2, ExecutionStatus.WAITING, repeated=True)


def test_the_last_submission_is_recognised_behind_the_workflows_end() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    stage.submit(claimed, CompleteWorkflow())
    assert stage.submit(claimed, CompleteWorkflow()) == Submitted(2, ExecutionStatus.COMPLETED, repeated=True)


def test_a_submission_of_an_older_claim_changes_nothing() -> None:
    stage = WorkflowStage()
    stage.begin()
    old = stage.claim("gone", lease_ms=1_000)
    stage.pass_time(1_000)
    new = stage.claim("other")
    assert error_of(stage.submit(old, SetState("a"))) == "NotClaimed"
    assert stage.log() == ["WORKFLOW_STARTED"]
    assert isinstance(stage.submit(new, SetState("a")), Submitted)


def test_commands_for_a_workflow_that_nobody_holds_are_refused() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    stage.submit(claimed, schedules("t"))
    assert error_of(stage.submit(claimed, SetState("a"), foreign=True)) == "NotClaimed"


def test_commands_for_a_finished_workflow_are_refused() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    stage.submit(claimed, CompleteWorkflow())
    assert error_of(stage.submit(claimed, SetState("a"), foreign=True)) == "ExecutionEnded"


def test_commands_for_an_unknown_workflow_are_refused() -> None:
    reply = WorkflowStage().ask(SubmitWorkflowCommands(ExecutionId("nobody")))
    assert isinstance(reply, Refused)
    assert reply.error == "NotFound"


@pytest.mark.parametrize(("numbers", "expected"), [((), None), ((1, 2, 3), None), ((2, 3), 2), ((7,), 7)])
def test_both_numbering_habits_of_clients_are_understood(numbers: tuple[int, ...], expected: int | None) -> None:
    assert first_sequence_of(numbers) == expected


@pytest.mark.parametrize("first_sequence", [None, 2])
def test_a_client_that_cannot_name_its_claim_is_taken_at_its_word(first_sequence: int | None) -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    reply = stage.ask(
        SubmitWorkflowCommands(claimed.execution_id, (SetState("a"),), claim=None, first_sequence=first_sequence)
    )
    assert reply == Submitted(2, ExecutionStatus.WAITING)


def test_a_pass_that_has_seen_events_that_do_not_exist_is_refused() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    reply = stage.ask(SubmitWorkflowCommands(claimed.execution_id, (SetState("a"),), first_sequence=3))
    assert isinstance(reply, Refused)
    assert reply.error == "InvalidInput"
    assert stage.log() == ["WORKFLOW_STARTED"]


def test_a_pass_over_an_older_log_than_that_of_its_claim_is_refused() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), SetState("a"), status=PassStatus.RUNNING)
    stage.claim()
    reply = stage.ask(SubmitWorkflowCommands(workflow_id("x"), (SetState("b"),), first_sequence=2))
    assert isinstance(reply, Refused)
    assert reply.error == "NotClaimed"


BAD = {
    "a task id that is none": (ScheduleTask("work", TaskId("nonsense")),),
    "a task without a kind": (schedules("t", kind=""),),
    "a task that exists with another kind": (schedules("t"), schedules("t", kind="other")),
    "a timer's id used twice": (StartTimer("t", 1), StartTimer("t", 1)),
    "a promise's name used twice": (CreatePromise("p"), CreatePromise("p")),
    "a promise that nobody created": (ResolvePromise("p"),),
    "a child without a kind": (starts_child("c", kind=""),),
    "a child's id used for another name": (
        starts_child("c"),
        starts_child("c").__class__("d", "flow", workflow_id("c")),
    ),
    "a child's name used twice": (
        starts_child("c"),
        starts_child("c").__class__("c", "flow", workflow_id("d")),
    ),
    "something behind the end": (CompleteWorkflow(), SetState("b")),
}


@pytest.mark.parametrize("commands", BAD.values(), ids=BAD.keys())
def test_a_bad_command_refuses_the_whole_submission(commands: tuple[AnyWorkflowCommand, ...]) -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    assert isinstance(stage.submit(claimed, SetState("a"), *commands), Refused)
    assert stage.log() == ["WORKFLOW_STARTED"]
    assert isinstance(stage.submit(claimed, SetState("a")), Submitted)


def test_an_end_that_does_not_go_with_the_status_is_refused() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    assert error_of(stage.submit(claimed, CompleteWorkflow(), status=PassStatus.SUSPENDED)) == "InvalidInput"


def test_a_task_of_another_workflow_is_not_scheduled_again() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass("x"), schedules("t"))
    assert error_of(stage.submit(stage.begin_pass("y"), schedules("t"))) == "AlreadyExists"


# ── what lands between a claim and its submission ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("foreign", [False, True])
def test_an_event_that_lands_during_a_pass_does_not_leave_the_workflow_waiting(*, foreign: bool) -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    stage.signal("go", execution_id=workflow_id("x"))
    stage.submit(claimed, SuspendWorkflow("for the signal"), foreign=foreign)
    assert stage.status_of() is ExecutionStatus.PENDING
    assert stage.claim().sequence == 3


def test_an_event_that_the_pass_has_seen_is_no_news() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    stage.signal("go", execution_id=workflow_id("x"))
    reply = stage.ask(SubmitWorkflowCommands(claimed.execution_id, (), claim=claimed.claim, first_sequence=3))
    assert reply == Submitted(2, ExecutionStatus.WAITING)


def test_the_news_of_one_pass_is_not_that_of_the_next() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    stage.signal("go", execution_id=workflow_id("x"))
    stage.submit(claimed, foreign=True)
    stage.submit(stage.claim(), foreign=True)
    assert stage.status_of() is ExecutionStatus.WAITING


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_tasks_result_wakes_the_workflow() -> None:
    stage = WorkflowStage(worker="tasks")
    stage.submit(stage.begin_pass(), schedules("t"))
    stage.complete(task_id("t"), b"5")
    assert stage.last_logged() == TaskCompleted(task_id("t"), Payload(b"5"))
    assert stage.claim().claim == 2


def test_a_failure_that_is_tried_again_is_no_event() -> None:
    stage = WorkflowStage(worker="tasks")
    stage.submit(stage.begin_pass(), schedules("t", max_retries=1))
    stage.fail(task_id("t"))
    assert stage.status_of() is ExecutionStatus.WAITING
    stage.pass_time(60_000)
    stage.fail(task_id("t"))
    event = stage.last_logged()
    assert isinstance(event, TaskFailed)
    assert event.error == "it broke"


def test_a_task_is_tried_four_times_unless_said_otherwise() -> None:
    stage = WorkflowStage(worker="tasks")
    stage.submit(stage.begin_pass(), schedules("t"))
    assert stage.engine.execution(workflow_id("x")).tasks[task_id("t")].options is DEFAULT_TASK_OPTIONS  # type: ignore[union-attr]
    assert DEFAULT_TASK_OPTIONS.retry.max_attempts == 4


def test_a_task_that_takes_longer_than_it_may_fails() -> None:
    stage = WorkflowStage(worker="tasks")
    stage.submit(stage.begin_pass(), schedules("t", timeout_ms=500))
    stage.pass_time(500)
    event = stage.last_logged()
    assert isinstance(event, TaskFailed)
    assert "timed out" in event.error


def test_a_task_that_is_cancelled_from_outside_wakes_the_workflow() -> None:
    stage = WorkflowStage(worker="tasks")
    stage.submit(stage.begin_pass(), schedules("t"))
    assert stage.cancel(task_id("t"), execution_id=workflow_id("x")) is CancelTaskResult.CANCELLED
    assert stage.last_logged() == TaskCancelled(task_id("t"), "work", str(CLIENT), CLIENT)
    assert stage.status_of() is ExecutionStatus.PENDING
    assert stage.orders(task_id("t"))


def test_a_workflow_cancels_its_own_task_and_sees_its_end() -> None:
    stage = WorkflowStage(worker="tasks")
    stage.submit(stage.begin_pass(), schedules("t"), CancelTask(task_id("t"), CLIENT))
    assert stage.log()[-1] == "TASK_CANCELLED"
    assert not stage.activations[task_id("t")], "a task that was cancelled in the same batch was started"
    assert stage.claim()


def test_the_same_task_scheduled_again_is_one_task() -> None:
    stage = WorkflowStage(worker="tasks")
    stage.submit(stage.begin_pass(), schedules("t"), schedules("t"))
    assert stage.log()[-2:] == ["TASK_SCHEDULED", "TASK_SCHEDULED"]
    assert len(stage.details(workflow_id("x")).tasks) == 1


def test_the_end_of_a_workflow_cancels_its_open_tasks_without_an_event() -> None:
    stage = WorkflowStage(worker="tasks")
    stage.submit(stage.begin_pass(), schedules("t"), CompleteWorkflow())
    assert stage.task(task_id("t"), workflow_id("x")).status is TaskStatus.CANCELLED
    assert stage.log()[-1] == "WORKFLOW_COMPLETED"


def error_of(reply: Submitted | Refused) -> str:
    assert isinstance(reply, Refused), reply
    return reply.error
