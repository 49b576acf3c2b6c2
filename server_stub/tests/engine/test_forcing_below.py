"""A forced cancel of a workflow takes the grace of all that is being stopped below it, whatever has ended by then."""

from __future__ import annotations

from rescind.model.status import CancelTaskResult, ExecutionStatus, StopState
from rescind.model.workflow_commands import CancelWorkflow, CompleteWorkflow
from server_stub.tests.engine.workflow_stage import WorkflowStage, schedules, starts_child, task_id, workflow_id

X, C, G, T = workflow_id("x"), workflow_id("c"), workflow_id("g"), task_id("t")


def line(stage: WorkflowStage, *, abandon: bool = False) -> None:
    """`x` waits for `c`, which waits for `g`, which waits for a task that runs."""
    stage.submit(stage.begin_pass(), starts_child("c", abandon=abandon))
    stage.submit(stage.claim(), starts_child("g"))
    stage.submit(stage.claim(), schedules("t"))


def forced(stage: WorkflowStage) -> list[bool]:
    """Whether each order to stop that the task was sent leaves it no grace."""
    return [order.force for order in stage.orders(T)]


def end_all_but(stage: WorkflowStage, *others: str) -> None:
    """Each workflow of the line that is cancelled ends its clean-up, but for these."""
    for _ in range(3):
        claimed = stage.claim()
        if claimed.execution_id not in others:
            stage.submit(claimed, CancelWorkflow("enough"))


def test_it_reaches_the_work_of_descendants_that_have_ended() -> None:
    stage = WorkflowStage(worker="w")
    line(stage)
    stage.cancel_agent(X)
    end_all_but(stage)
    assert {stage.status_of(name) for name in "xcg"} == {ExecutionStatus.CANCELLED}
    assert forced(stage) == [False]
    assert stage.cancel_agent(X, hard=True) is CancelTaskResult.ALREADY_CANCELLED
    assert forced(stage) == [False, True]
    stage.report_stop(T, StopState.KILLED)
    assert not any(map(stage.is_in_memory, (X, C, G)))


def test_it_ends_what_cleans_up_below_a_workflow_that_has_ended() -> None:
    stage = WorkflowStage(worker="w")
    line(stage)
    stage.cancel_agent(X)
    end_all_but(stage, C, G)
    assert [stage.status_of(name) for name in "xcg"] == [
        ExecutionStatus.CANCELLED,
        ExecutionStatus.CANCELLING,
        ExecutionStatus.CANCELLING,
    ]
    stage.cancel_agent(X, hard=True)
    assert {stage.status_of(name) for name in "xcg"} == {ExecutionStatus.CANCELLED}
    assert forced(stage) == [False, True]


def test_it_reaches_below_a_workflow_that_still_cleans_up() -> None:
    stage = WorkflowStage(worker="w")
    line(stage)
    stage.cancel_agent(X)
    stage.cancel_agent(X, hard=True)
    assert {stage.status_of(name) for name in "xcg"} == {ExecutionStatus.CANCELLED}
    assert forced(stage) == [False, True]


def test_it_leaves_alone_what_nobody_cancelled_below_a_workflow_that_has_completed() -> None:
    stage = WorkflowStage(worker="w")
    line(stage)
    stage.signal("go", execution_id=X)
    stage.submit(stage.claim(), CompleteWorkflow())
    assert stage.cancel_agent(X, hard=True) is CancelTaskResult.ALREADY_COMPLETED
    assert [stage.status_of(name) for name in "cg"] == [ExecutionStatus.WAITING] * 2
    assert forced(stage) == []


def test_it_leaves_alone_what_was_left_on_its_own() -> None:
    stage = WorkflowStage(worker="w")
    line(stage, abandon=True)
    stage.cancel_agent(X)
    stage.cancel_agent(C)
    stage.cancel_agent(X, hard=True)
    assert [stage.status_of(name) for name in "cg"] == [ExecutionStatus.CANCELLING] * 2
    assert forced(stage) == [False]
