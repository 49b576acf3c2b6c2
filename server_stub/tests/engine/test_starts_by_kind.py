"""A start that names a kind alone: a workflow where workers run that kind as a workflow and none as an agent."""

from __future__ import annotations

from rescind.model.commands import Refused, Started, StartExecution
from rescind.model.ids import ExecutionId, WorkerId
from rescind.model.messages import AgentKind, WorkerJoined
from rescind.model.payload import Payload
from rescind.model.workflows import NoWorkflow, PollWorkflow
from rescind_server.engine.calls import NothingFound, PollAgents
from rescind_server.engine.overview import waiting_work, worker_views
from rescind_server.engine.polls import MOST_QUEUES_TOLD
from server_stub.tests.engine.workflow_stage import WorkflowStage

X = ExecutionId("x")
MINUTE_MS = 60_000


def started(stage: WorkflowStage, execution_id: ExecutionId = X, **options: object) -> bool:
    """Start the kind `order`; returns whether it is a workflow now."""
    command = StartExecution("order", execution_id=execution_id, **{"or_workflow": True, **options})  # type: ignore[arg-type]
    assert stage.ask(command) == Started(execution_id, created=True)
    execution = stage.engine.execution(execution_id)
    assert execution is not None
    return execution.workflow is not None


def join(stage: WorkflowStage, worker: str = "w", session: int = 1, *, agents: tuple[str, ...] = ()) -> None:
    kinds = tuple(AgentKind(kind) for kind in agents)
    stage.decide(WorkerJoined(WorkerId(worker), session, ("default",), kinds, workflows=("order",)))


def test_a_kind_that_workers_run_as_a_workflow_is_started_as_one() -> None:
    stage = WorkflowStage()
    join(stage)
    assert started(stage)


def test_a_kind_that_nobody_has_spoken_of_is_that_of_an_agent() -> None:
    assert not started(WorkflowStage())


def test_a_kind_that_some_worker_runs_as_an_agent_is_that_of_an_agent() -> None:
    stage = WorkflowStage()
    join(stage)
    join(stage, "v", agents=("order",))
    assert not started(stage)


def test_another_queue_tells_nothing() -> None:
    stage = WorkflowStage()
    join(stage)
    assert not started(stage, queue="other")


def test_who_says_agent_gets_an_agent() -> None:
    stage = WorkflowStage()
    join(stage)
    assert not started(stage, or_workflow=False)


def test_between_two_deployments_a_workflow_stays_one() -> None:
    stage = WorkflowStage(worker=None)
    join(stage)
    stage.leave("w", session=1, handed_back=True)
    assert started(stage)
    join(stage, session=2, agents=("order",))
    stage.leave("w", session=2, handed_back=True)
    assert not started(stage, ExecutionId("y"))


def test_a_repeat_finds_what_it_started_whatever_workers_say_by_now() -> None:
    stage = WorkflowStage()
    start = StartExecution("order", Payload(b"1"), X, or_workflow=True)
    stage.ask(start)
    join(stage)
    assert stage.ask(start) == Started(X, created=False)
    assert isinstance(stage.ask(StartExecution("order", Payload(b"2"), X, or_workflow=True)), Refused)


def test_polls_announce_what_a_worker_without_a_session_runs() -> None:
    stage = WorkflowStage()
    poll = PollWorkflow("p", WorkerId("w"), kinds=("order",), wait_ms=0, only_uuids=True, announces=True)
    assert stage.ask(poll) == NoWorkflow()
    (view,) = worker_views(stage.engine, stage.now, "", 10)
    assert (view.queues, view.workflows, view.polls, view.connected) == (("default",), ("order",), True, False)
    assert started(stage)
    stage.late.clear()
    stage.ask(PollAgents(poll_id="q", worker_id=WorkerId("w"), queue="default", kinds=("order",), wait_ms=0))
    stage.pass_time(0)
    assert list(stage.late.values()) == [NothingFound()]
    assert not started(stage, ExecutionId("y"))


def test_however_many_queues_a_worker_polls_a_bounded_number_is_remembered() -> None:
    stage = WorkflowStage()
    for number in range(MOST_QUEUES_TOLD + 5):
        stage.ask(PollWorkflow("p", WorkerId("w"), f"q{number}", ("order",), wait_ms=0, announces=True))
    (view,) = worker_views(stage.engine, stage.now, "", 10)
    assert (len(view.queues), view.queues[-1]) == (MOST_QUEUES_TOLD, f"q{MOST_QUEUES_TOLD + 4}")
    assert started(stage, queue=view.queues[-1])


def test_a_worker_without_a_session_is_forgotten_when_it_is_silent() -> None:
    stage = WorkflowStage()
    stage.ask(PollWorkflow("p", WorkerId("w"), kinds=("order",), wait_ms=0, announces=True))
    stage.pass_time(61 * MINUTE_MS)
    assert worker_views(stage.engine, stage.now, "", 10) == []


def test_an_agent_that_was_meant_as_a_workflow_is_told_from_others() -> None:
    stage = WorkflowStage()
    started(stage)
    stage.begin("y", kind="order")
    join(stage)
    agent, workflow = waiting_work(stage.engine, lambda *_: ())
    assert (agent.sort, agent.kind, agent.workers, agent.workers_of_workflow) == ("agent", "order", 0, 1)
    assert (workflow.sort, workflow.kind, workflow.count, workflow.workers) == ("workflow", "order", 1, 1)
