"""Workflows and their children: started, told of each other's end, cancelled with all below, each end once."""

from __future__ import annotations

import pytest

from rescind.errors import InvalidInput
from rescind.model.cause import CancelSource
from rescind.model.commands import Refused, Started
from rescind.model.events import EventType
from rescind.model.ids import WorkerId
from rescind.model.payload import Payload
from rescind.model.status import CancelTaskResult, ExecutionStatus, StopState, TaskStatus
from rescind.model.workflow_commands import (
    CancelWorkflow,
    CompleteWorkflow,
    FailWorkflow,
    PassStatus,
    RequestCancelChildWorkflow,
    ScheduleChildWorkflow,
    SetState,
)
from rescind.model.workflow_events import (
    CancellationRequested,
    ChildWorkflowCancellationFailed,
    ChildWorkflowCancellationRequested,
    ChildWorkflowCompleted,
    ChildWorkflowFailed,
    ChildWorkflowInitiated,
)
from rescind.model.workflows import PollWorkflow, StartWorkflow, Submitted, WorkflowClaimed
from server_stub.tests.engine.driver import CLIENT
from server_stub.tests.engine.workflow_stage import WorkflowStage, schedules, starts_child, task_id, workflow_id

X, C, G = workflow_id("x"), workflow_id("c"), workflow_id("g")


def family(stage: WorkflowStage, *, runs: bool = True) -> WorkflowClaimed | None:
    """`x` waits for its child `c`, which is claimed if it `runs`."""
    stage.submit(stage.begin_pass(), starts_child("c"))
    return stage.claim() if runs else None


def cancels_child(child: str = "c", reason: str = "enough") -> RequestCancelChildWorkflow:
    return RequestCancelChildWorkflow(workflow_id(child), "", reason)


def ask_for_cancel(stage: WorkflowStage, child: str = "c") -> None:
    """`x` is woken, and asks for its child's cancel."""
    stage.signal("go", execution_id=X)
    stage.submit(stage.claim(), cancels_child(child))


# ── children ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_child_is_started_with_the_parents_queue() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), starts_child("c", value=Payload(b"1")))
    assert stage.last_logged() == ChildWorkflowInitiated("c", "flow", C, Payload(b"1"))
    child = stage.execution(C)
    assert child.queue == "default"
    assert child.input == Payload(b"1")
    assert child.parent_id == X


def test_a_childs_result_wakes_its_parent() -> None:
    stage = WorkflowStage()
    child = family(stage)
    assert child is not None
    stage.submit(child, CompleteWorkflow(Payload(b"5")))
    assert stage.last_logged() == ChildWorkflowCompleted("c", C, Payload(b"5"))
    assert stage.status_of() is ExecutionStatus.PENDING


def test_a_childs_failure_is_told_in_its_own_words() -> None:
    stage = WorkflowStage()
    child = family(stage)
    assert child is not None
    stage.submit(child, FailWorkflow("it broke"))
    event = stage.last_logged()
    assert isinstance(event, ChildWorkflowFailed)
    assert "it broke" in event.error


def test_a_name_that_is_used_again_is_refused_and_the_first_child_goes_on() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), starts_child("c"))
    stage.claim("of the child")
    stage.signal("go", execution_id=X)
    again = ScheduleChildWorkflow("c", "flow", workflow_id("other"))
    reply = stage.submit(stage.claim(), again)
    assert isinstance(reply, Refused)
    assert reply.error == "AlreadyExists"
    assert not stage.is_in_memory(workflow_id("other"))
    assert stage.log()[1:] == ["CHILD_WORKFLOW_INITIATED", "SIGNAL_RECEIVED"]


def test_a_name_that_somebody_outside_has_used_is_free_for_the_workflow_itself() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    stage.ask(StartWorkflow("flow", execution_id=workflow_id("other"), parent_id=X, child_execution_name="c"))
    assert isinstance(stage.submit(claimed, starts_child("c")), Submitted)


def test_the_same_child_asked_for_again_is_one_child() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), starts_child("c"), starts_child("c"))
    assert stage.log()[1:] == ["CHILD_WORKFLOW_INITIATED", "CHILD_WORKFLOW_INITIATED"]
    assert len(stage.engine.execution_ids()) == 2


def test_the_id_of_another_execution_is_refused_for_a_child() -> None:
    stage = WorkflowStage()
    stage.begin("c")
    stage.claim()
    assert isinstance(stage.submit(stage.begin_pass(), starts_child("c")), Refused)


def test_a_child_goes_on_when_its_parent_has_ended_first() -> None:
    stage = WorkflowStage()
    child = family(stage)
    assert child is not None
    stage.signal("go", execution_id=X)
    stage.submit(stage.claim(), CompleteWorkflow())
    assert stage.status_of("c") is ExecutionStatus.RUNNING
    stage.submit(child, CompleteWorkflow())
    assert stage.log("x")[-1] == "WORKFLOW_COMPLETED"


def test_a_child_that_is_started_from_outside_is_no_event_of_its_parent() -> None:
    stage = WorkflowStage()
    stage.begin()
    reply = stage.ask(StartWorkflow("flow", execution_id=C, parent_id=X, child_execution_name="c"))
    assert reply == Started(C, created=True)
    assert stage.log() == ["WORKFLOW_STARTED"]
    stage.cancel_agent(X)
    assert stage.status_of("c") is ExecutionStatus.CANCELLED


# ── cancelling a child ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_child_is_told_by_whom_and_why_it_is_cancelled() -> None:
    stage = WorkflowStage()
    family(stage)
    ask_for_cancel(stage)
    assert stage.last_logged() == ChildWorkflowCancellationRequested("c", C, "enough")
    event = stage.last_logged("c")
    assert isinstance(event, CancellationRequested)
    assert (event.requested_by, event.reason) == (X, "enough")
    assert event.cause is not None
    assert event.cause.source is CancelSource.PARENT
    assert stage.status_of("c") is ExecutionStatus.CANCELLING


def test_the_parent_gets_one_event_when_the_cancelled_child_has_ended() -> None:
    stage = WorkflowStage()
    child = family(stage)
    assert child is not None
    ask_for_cancel(stage)
    assert stage.status_of("x") is ExecutionStatus.WAITING
    stage.submit(child, CancelWorkflow("told"), status=PassStatus.CANCELLED)
    event = stage.last_logged()
    assert isinstance(event, ChildWorkflowFailed)
    assert "cancelled" in event.error
    assert stage.log().count("CHILD_WORKFLOW_FAILED") == 1


def test_a_child_that_never_ran_is_cancelled_at_once_and_its_code_never_runs() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), starts_child("c"), cancels_child())
    assert stage.log()[-2:] == ["CHILD_WORKFLOW_CANCELLATION_REQUESTED", "CHILD_WORKFLOW_FAILED"]
    assert stage.log("c") == ["WORKFLOW_STARTED", "CANCELLATION_REQUESTED", "WORKFLOW_CANCELLED"]
    assert stage.claim().execution_id == X
    assert stage.nothing_to_claim()


def test_a_child_that_ends_before_its_cancel_comes_is_not_cancelled() -> None:
    stage = WorkflowStage()
    child = family(stage)
    assert child is not None
    stage.signal("go", execution_id=X)
    parent = stage.claim()
    stage.submit(child, CompleteWorkflow())
    stage.submit(parent, cancels_child())
    event = stage.last_logged()
    assert isinstance(event, ChildWorkflowCancellationFailed)
    assert "ended already" in event.error
    assert stage.log("c")[-1] == "WORKFLOW_COMPLETED"
    assert stage.status_of() is ExecutionStatus.PENDING


def test_a_child_that_nobody_knows_is_not_cancelled() -> None:
    stage = WorkflowStage()
    stage.begin("stranger")
    stage.claim()
    stage.submit(stage.begin_pass(), cancels_child("stranger"))
    assert isinstance(stage.last_logged(), ChildWorkflowCancellationFailed)
    assert stage.status_of("stranger") is ExecutionStatus.RUNNING


def test_a_second_request_to_cancel_a_child_has_no_effect() -> None:
    stage = WorkflowStage()
    family(stage)
    ask_for_cancel(stage)
    ask_for_cancel(stage)
    assert stage.log("c").count("CANCELLATION_REQUESTED") == 1
    assert "CHILD_WORKFLOW_CANCELLATION_FAILED" not in stage.log()


def test_a_child_that_completes_behind_its_cancel_is_cancelled() -> None:
    stage = WorkflowStage()
    child = family(stage)
    assert child is not None
    ask_for_cancel(stage)
    stage.submit(child, CompleteWorkflow())
    assert stage.status_of("c") is ExecutionStatus.CANCELLED


# ── cancelling from outside ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_workflow_that_never_ran_is_cancelled_at_once() -> None:
    stage = WorkflowStage()
    stage.begin()
    assert stage.cancel_agent(X) is CancelTaskResult.CANCELLED
    assert stage.log() == ["WORKFLOW_STARTED", "CANCELLATION_REQUESTED", "WORKFLOW_CANCELLED"]
    assert stage.nothing_to_claim()


def test_a_workflow_that_waits_is_offered_so_that_it_can_clean_up() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), SetState("a"))
    stage.cancel_agent(X)
    claimed = stage.claim()
    assert claimed.cause == CLIENT
    assert stage.status_of() is ExecutionStatus.CANCELLING
    stage.submit(claimed, CancelWorkflow(), status=PassStatus.CANCELLED)
    assert stage.status_of() is ExecutionStatus.CANCELLED


def test_a_cancel_during_a_pass_is_told_to_the_next_one() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    stage.cancel_agent(X)
    stage.submit(claimed, SetState("a"))
    assert stage.claim().cause == CLIENT


def test_clean_up_may_wait_for_durable_steps() -> None:
    stage = WorkflowStage(worker="tasks")
    stage.submit(stage.begin_pass(), SetState("a"))
    stage.cancel_agent(X)
    stage.submit(stage.claim(), schedules("undo"), cleaning_up=True)
    assert stage.status_of() is ExecutionStatus.CANCELLING
    stage.complete(task_id("undo"))
    stage.submit(stage.claim(), CancelWorkflow(), status=PassStatus.CANCELLED)
    assert stage.status_of() is ExecutionStatus.CANCELLED


def test_a_clean_up_that_takes_too_long_is_ended() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), SetState("a"))
    stage.cancel_agent(X)
    stage.submit(stage.claim(), cleaning_up=True)
    stage.pass_time(30_000)
    assert stage.status_of() is ExecutionStatus.CANCELLED


def test_who_claims_says_how_long_the_clean_up_of_its_kind_may_take() -> None:
    stage = WorkflowStage()
    stage.begin("x")
    claimed = stage.ask(PollWorkflow("p", WorkerId("w"), cleanup_budgets_ms={"flow": 2_000, "other": 9}))
    assert isinstance(claimed, WorkflowClaimed)
    stage.submit(claimed, SetState("a"))
    stage.cancel_agent(X)
    stage.submit(stage.claim(), cleaning_up=True)
    stage.pass_time(1_999)
    assert stage.status_of() is ExecutionStatus.CANCELLING
    stage.pass_time(1)
    assert stage.status_of() is ExecutionStatus.CANCELLED


@pytest.mark.parametrize("budget_ms", [-1, 2**62])
def test_a_budget_that_cannot_be_meant_is_refused(budget_ms: int) -> None:
    with pytest.raises(InvalidInput, match="workflow 'flow': cleanup_budget_ms is"):
        PollWorkflow("p", WorkerId("w"), cleanup_budgets_ms={"flow": budget_ms})


def test_a_worker_that_does_not_understand_cancels_ends_the_workflow_by_waiting() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), SetState("a"))
    stage.cancel_agent(X)
    stage.submit(stage.claim(), foreign=True)
    assert stage.status_of() is ExecutionStatus.CANCELLED


def test_a_clean_up_that_raises_fails_the_workflow() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), SetState("a"))
    stage.cancel_agent(X)
    stage.submit(stage.claim(), FailWorkflow("it broke"))
    assert stage.status_of() is ExecutionStatus.FAILED


def test_a_failure_of_the_type_cancelled_is_a_cancel() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), SetState("a"))
    stage.cancel_agent(X)
    stage.submit(stage.claim(), FailWorkflow("Cancelled", failure_type="CANCELLED"))
    assert stage.status_of() is ExecutionStatus.CANCELLED


def test_a_hard_cancel_ends_a_workflow_in_the_middle_of_its_clean_up() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    stage.cancel_agent(X)
    assert stage.cancel_agent(X, hard=True) is CancelTaskResult.ALREADY_CANCELLED
    assert stage.status_of() is ExecutionStatus.CANCELLED
    assert isinstance(stage.submit(claimed, SetState("a")), Refused)


def test_the_first_cause_is_kept() -> None:
    stage = WorkflowStage()
    stage.begin_pass()
    assert stage.cancel_agent(X) is CancelTaskResult.CANCELLED
    assert stage.cancel_agent(X) is CancelTaskResult.ALREADY_CANCELLED
    assert stage.log().count("CANCELLATION_REQUESTED") == 1
    assert stage.events(execution_id=X).count(EventType.EXECUTION_CANCEL_REQUESTED) == 2


def test_the_cancel_of_an_ended_workflow_is_told_how_it_ended() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), CompleteWorkflow())
    assert stage.cancel_agent(X) is CancelTaskResult.ALREADY_COMPLETED


def test_the_running_tasks_of_a_cancelled_workflow_are_stopped() -> None:
    stage = WorkflowStage(worker="tasks")
    stage.submit(stage.begin_pass(), schedules("t"))
    stage.cancel_agent(X)
    task = stage.task(task_id("t"), X)
    assert (task.status, task.stop_state) == (TaskStatus.CANCELLED, StopState.REQUESTED)
    assert stage.log()[-2:] == ["CANCELLATION_REQUESTED", "TASK_CANCELLED"]


@pytest.mark.parametrize("hard", [False, True])
def test_a_tree_is_cancelled_in_one_decision_the_deepest_first(*, hard: bool) -> None:
    stage = WorkflowStage()
    child = family(stage)
    assert child is not None
    stage.submit(child, starts_child("g"))
    stage.claim()
    stage.cancel_agent(X, hard=hard)
    changed = [execution.execution_id for execution, _ in stage.decisions[-1].logged]
    assert list(dict.fromkeys(changed)) == [G, C, X]
    wanted = ExecutionStatus.CANCELLED if hard else ExecutionStatus.CANCELLING
    assert {stage.status_of(name) for name in "xcg"} == {wanted}


def test_a_parent_hears_of_its_own_cancel_before_the_end_of_a_child_that_never_ran() -> None:
    stage = WorkflowStage()
    family(stage, runs=False)
    stage.cancel_agent(X)
    assert stage.log()[-2:] == ["CANCELLATION_REQUESTED", "CHILD_WORKFLOW_FAILED"]


def test_a_very_deep_tree_is_cancelled() -> None:
    stage = WorkflowStage()
    deep = [f"level {number}" for number in range(200)]
    claimed = stage.begin_pass("root")
    for name in deep:
        stage.submit(claimed, starts_child(name))
        claimed = stage.claim()
    stage.cancel_agent(workflow_id("root"))
    assert stage.status_of(deep[-1]) is ExecutionStatus.CANCELLING


def test_an_abandoned_child_goes_on() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), starts_child("c", abandon=True))
    stage.cancel_agent(X)
    assert stage.status_of("c") is ExecutionStatus.PENDING
