"""Idempotency keys and ids that are taken: what belongs to something else is refused, and nothing of it is told."""

from __future__ import annotations

import pytest

from rescind.model.commands import Refused, Started, StartExecution
from rescind.model.ids import ExecutionId
from rescind.model.options import DEFAULT_TASK_OPTIONS
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.workflow_commands import AnyWorkflowCommand, CompleteWorkflow, CreatePromise
from rescind.model.workflows import SignalledWithStart, SignalWithStart, StartWorkflow
from rescind_server.engine.calls import ScheduleAgentTask, StartTask
from server_stub.tests.engine.workflow_stage import WorkflowStage, schedules, task_id, workflow_id

X = workflow_id("x")
OF_ONE = StartWorkflow("flow", idempotency_key="k", by="client:one")
OF_TWO = StartWorkflow("other", idempotency_key="k", by="client:two")


@pytest.mark.parametrize("keyed", [CreatePromise("p", idempotency_key="k"), schedules("t", idempotency_key="k")])
def test_the_key_of_a_promise_or_a_task_starts_and_signals_no_workflow(keyed: AnyWorkflowCommand) -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), keyed)
    before = stage.log()
    for request in (OF_ONE, SignalWithStart(OF_ONE, "go")):
        reply = stage.ask(request)
        assert isinstance(reply, Refused)
        assert (reply.error, X in reply.message) == ("AlreadyExists", False)
    assert stage.log() == before


def test_a_stranger_s_signal_with_start_does_not_reach_the_workflow_that_has_the_key() -> None:
    stage = WorkflowStage()
    started = stage.ask(OF_ONE)
    assert isinstance(started, Started)
    reply = stage.ask(SignalWithStart(OF_TWO, "go", only_own=True))
    assert isinstance(reply, Refused)
    assert (reply.error, started.execution_id in reply.message) == ("AlreadyExists", False)
    for request in (SignalWithStart(OF_ONE, "go", only_own=True), SignalWithStart(OF_TWO, "go")):
        signalled = stage.ask(request)
        assert isinstance(signalled, SignalledWithStart)
        assert signalled.execution_id == started.execution_id


def test_a_task_of_its_own_keeps_its_id_to_itself() -> None:
    stage = WorkflowStage()
    alone = task_id("t")
    stage.ask(
        StartTask(
            execution_id=ExecutionId(alone),
            task_id=alone,
            organisation="default",
            kind="work",
            queue="default",
            input=NULL_PAYLOAD,
            options=DEFAULT_TASK_OPTIONS,
            labels={},
            by="client:one",
        )
    )
    reply = stage.submit(stage.begin_pass(), schedules("t"), CompleteWorkflow())
    assert isinstance(reply, Refused)
    assert reply.error == "AlreadyExists"
    assert stage.log() == ["WORKFLOW_STARTED"]


def test_a_task_that_an_agent_has_named_keeps_its_id_to_itself() -> None:
    stage = WorkflowStage()
    stage.ask(StartExecution("agent", execution_id=ExecutionId("a")))
    stage.ask(
        ScheduleAgentTask(
            execution_id=ExecutionId("a"),
            task_id=task_id("t"),
            kind="work",
            input=NULL_PAYLOAD,
            queue=None,
            options=DEFAULT_TASK_OPTIONS,
        )
    )
    reply = stage.submit(stage.begin_pass(), schedules("t"))
    assert isinstance(reply, Refused)
    assert reply.error == "AlreadyExists"
