"""What no poll of flovyn.v1 is given, since its id is no UUID, is shown as work that no worker takes."""

from __future__ import annotations

from rescind.model.commands import StartExecution
from rescind.model.ids import ExecutionId, WorkerId, task_id_from_key
from rescind.model.messages import AgentKind, WorkerJoined
from rescind.model.workflows import PollWorkflow, StartWorkflow
from rescind_server.engine.calls import PollAgents
from rescind_server.engine.overview import waiting_work
from server_stub.tests.engine.workflow_stage import WorkflowStage

POLLS_FOR_AGENTS = PollAgents(poll_id="a", worker_id=WorkerId("v"), queue="default", kinds=("order",), wait_ms=60_000)
POLLS_FOR_WORKFLOWS = PollWorkflow("b", WorkerId("v"), kinds=("order",), wait_ms=60_000, only_uuids=True)
NAMED = ExecutionId("order-7")
WITH_UUID = ExecutionId(task_id_from_key("order 8"))


def takers(stage: WorkflowStage) -> dict[bool, int]:
    """How many workers take what waits, by whether that is workflows."""
    return {each.is_workflow: each.workers for each in waiting_work(stage.engine, lambda *_: ())}


def test_workers_that_poll_do_not_count_for_what_no_poll_is_given() -> None:
    stage = WorkflowStage()
    stage.ask(POLLS_FOR_AGENTS)
    stage.ask(POLLS_FOR_WORKFLOWS)
    stage.ask(StartExecution("order", execution_id=NAMED))
    stage.ask(StartWorkflow("order", execution_id=ExecutionId("flow-7")))
    assert takers(stage) == {False: 0, True: 0}


def test_a_worker_with_a_session_counts_for_it() -> None:
    stage = WorkflowStage()
    stage.ask(StartExecution("order", execution_id=NAMED))
    stage.ask(StartWorkflow("order", execution_id=ExecutionId("flow-7")))
    kinds = (AgentKind("order"),)
    stage.decide(WorkerJoined(WorkerId("w"), 1, ("default",), kinds, agent_slots=0, workflows=("order",)))
    assert takers(stage) == {False: 1, True: 1}
    stage.decide(WorkerJoined(WorkerId("w"), 2, ("default",)))
    assert takers(stage) == {False: 0, True: 0}


def test_what_polls_are_given_waits_for_those_who_poll() -> None:
    stage = WorkflowStage()
    stage.ask(POLLS_FOR_AGENTS)
    stage.ask(StartExecution("order", execution_id=WITH_UUID))
    stage.ask(StartExecution("order", execution_id=ExecutionId(task_id_from_key("order 9"))))
    assert takers(stage) == {False: 1}
