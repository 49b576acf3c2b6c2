"""Claims of workers that poll: what ends them although the worker lives, behind a restart and in steady operation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import ACCEPTED, CancelExecution, Deferred, Refused, StartExecution
from rescind.model.ids import ExecutionId, WorkerId
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import ExecutionStatus, TaskStatus
from rescind.model.workflow_commands import CompleteWorkflow
from rescind.model.workflows import PollWorkflow, Submitted, WorkerGone, WorkerSeen, WorkflowClaimed
from rescind_server.engine.calls import (
    AgentClaimed,
    AppendAgentEntry,
    BeatTask,
    EndAgent,
    LogTask,
    PollAgents,
    PollTasks,
    ReportTask,
    ReportTaskProgress,
    ScheduleAgentTask,
    TaskCall,
    TaskClaimed,
    WorkerBeat,
)
from rescind_server.engine.claim_ends import PASS_RESTART_GRACE_MS, RESTART_GRACE_MS
from rescind_server.engine.machine import Engine
from rescind_server.store.sqlite import SqliteStore
from server_stub.tests.engine.workflow_stage import WorkflowStage, task_id, workflow_id

WORKER = WorkerId("flovyn:worker")
FLOW = workflow_id("x")
AGENT = ExecutionId(task_id("agent"))
TASK = task_id("t")
ONCE = TaskOptions(RetryPolicy(max_attempts=1))
PASS_MS = 60_000


class Restarting(WorkflowStage):
    """A stage whose engine can be gone in the middle: another one goes on from the file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / "store.db"
        self._names = (f"call-{number}" for number in count())
        self._kept = 0

    def restart(self) -> None:
        """Write down what was decided, and go on from there. Time stands still meanwhile."""
        with closing(SqliteStore(self._path)) as store:
            asyncio.run(store.commit(self.decisions[self._kept :]))
            loaded = store.load()
        self.engine = Engine()
        self._take(self.engine.restore(*loaded, self.now))
        self._kept = len(self.decisions)

    def claim_workflow(self, worker: str = WORKER) -> WorkflowClaimed:
        """Claim a workflow as those do that send no heartbeats."""
        poll = PollWorkflow(next(self._names), WorkerId(worker), wait_ms=0, lease_ms=180_000, pass_ms=PASS_MS)
        claimed = self.ask(poll)
        assert isinstance(claimed, WorkflowClaimed)
        return claimed

    def claim_agent(self) -> AgentClaimed:
        claimed = self._polled(
            PollAgents(poll_id=next(self._names), worker_id=WORKER, queue="default", kinds=None, wait_ms=0)
        )
        assert isinstance(claimed, AgentClaimed)
        return claimed

    def claim_task(self) -> TaskClaimed:
        claimed = self._polled(
            PollTasks(poll_id=next(self._names), worker_id=WORKER, queue="default", kinds=None, wait_ms=0)
        )
        assert isinstance(claimed, TaskClaimed)
        return claimed

    def begin_agent(self) -> AgentClaimed:
        self.ask(StartExecution("chat", execution_id=AGENT))
        return self.claim_agent()

    def begin_task(self, options: TaskOptions | None = None) -> TaskClaimed:
        """Let an agent schedule a task, and claim that."""
        self.begin_agent()
        options = options or TaskOptions()
        self.ask(ScheduleAgentTask(execution_id=AGENT, task_id=TASK, kind="work", options=options))
        return self.claim_task()

    def poll_on(self) -> None:
        """The worker polls for everything, and sends heartbeats: it lives."""
        self.ask(PollWorkflow(next(self._names), WORKER, wait_ms=0, kinds=("other",)))
        self._polled(PollTasks(poll_id=next(self._names), worker_id=WORKER, queue="other", kinds=None, wait_ms=0))
        self.ask(WorkerSeen(WORKER))
        self.ask(WorkerBeat(worker_id=WORKER))

    def live_through_the_grace(self) -> None:
        """Let the grace pass; the worker shows all the time that it lives."""
        for _ in range(10):
            self.poll_on()
            self.pass_time(RESTART_GRACE_MS / 10)

    def agent_status(self) -> ExecutionStatus:
        return self.execution(AGENT).status

    def task_status(self) -> TaskStatus:
        execution = self.engine.execution(AGENT) or self.closed[AGENT]
        return execution.tasks[TASK].status

    def _polled(self, command: PollAgents | PollTasks) -> object:
        reply = self.ask(command)
        assert isinstance(reply, Deferred)
        self.pass_time(0)
        return self.late.pop(reply.number)


@pytest.fixture
def stage(tmp_path: Path) -> Restarting:
    return Restarting(tmp_path)


# ── behind a restart ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pass_that_nobody_submits_behind_a_restart_is_made_again_whatever_its_worker_says(stage: Restarting) -> None:
    stage.begin()
    stage.claim_workflow()
    stage.restart()
    stage.pass_time(PASS_RESTART_GRACE_MS - 1)
    stage.poll_on()
    assert stage.status_of() is ExecutionStatus.RUNNING
    stage.pass_time(1)
    assert stage.status_of() is ExecutionStatus.PENDING
    assert stage.claim_workflow().claim == 2


def test_a_pass_of_before_a_restart_is_taken_within_the_grace(stage: Restarting) -> None:
    stage.begin()
    claimed = stage.claim_workflow()
    stage.restart()
    stage.pass_time(PASS_RESTART_GRACE_MS - 1)
    assert isinstance(stage.submit(claimed, CompleteWorkflow(), foreign=True), Submitted)
    stage.pass_time(PASS_RESTART_GRACE_MS)
    assert stage.status_of() is ExecutionStatus.COMPLETED


def test_a_claim_behind_the_restart_outlasts_the_grace_of_the_one_before(stage: Restarting) -> None:
    stage.begin()
    stage.submit(stage.claim_workflow())
    stage.signal("go", execution_id=FLOW)
    stage.restart()
    stage.claim_workflow()
    stage.pass_time(PASS_RESTART_GRACE_MS)
    assert stage.status_of() is ExecutionStatus.RUNNING


def test_a_cancelled_workflow_whose_pass_was_lost_in_the_restart_is_told_again(stage: Restarting) -> None:
    stage.begin()
    stage.claim_workflow()
    stage.ask(CancelExecution(FLOW, CancelCause(CancelSource.REQUEST, "client:test")))
    stage.restart()
    stage.pass_time(PASS_RESTART_GRACE_MS)
    assert stage.status_of() is ExecutionStatus.CANCELLING
    assert stage.claim_workflow().cause is not None


def test_an_agent_of_which_nobody_speaks_behind_a_restart_is_offered_again(stage: Restarting) -> None:
    stage.begin_agent()
    stage.restart()
    stage.live_through_the_grace()
    assert stage.agent_status() is ExecutionStatus.PENDING
    assert stage.claim_agent().run == 2


def test_an_agent_that_ends_within_the_grace_has_ended(stage: Restarting) -> None:
    stage.begin_agent()
    stage.restart()
    assert stage.ask(EndAgent(execution_id=AGENT)) == ACCEPTED
    stage.live_through_the_grace()
    assert stage.agent_status() is ExecutionStatus.COMPLETED


def test_an_agent_that_stores_something_within_the_grace_stays_with_its_worker(stage: Restarting) -> None:
    stage.begin_agent()
    stage.restart()
    stage.ask(
        AppendAgentEntry(
            execution_id=AGENT, entry_id="e", parent_id=None, entry_type="MESSAGE", role="user", content=NULL_PAYLOAD
        )
    )
    stage.live_through_the_grace()
    assert stage.agent_status() is ExecutionStatus.RUNNING


def test_an_attempt_of_which_nobody_speaks_behind_a_restart_is_lost_and_tried_again(stage: Restarting) -> None:
    stage.begin_task()
    stage.restart()
    stage.live_through_the_grace()
    assert stage.task_status() is TaskStatus.PENDING
    stage.pass_time(RetryPolicy().pause_before(2))
    assert stage.claim_task().number == 2


def test_an_attempt_that_was_the_last_fails_its_task_when_it_is_lost(stage: Restarting) -> None:
    stage.begin_task(ONCE)
    stage.restart()
    stage.live_through_the_grace()
    assert stage.task_status() is TaskStatus.FAILED
    assert isinstance(stage.ask(ReportTask(task_id=TASK)), Refused)


def test_a_report_within_the_grace_is_taken(stage: Restarting) -> None:
    stage.begin_task(ONCE)
    stage.restart()
    stage.pass_time(RESTART_GRACE_MS - 1)
    assert stage.ask(ReportTask(task_id=TASK)) == ACCEPTED
    assert stage.task_status() is TaskStatus.COMPLETED


@pytest.mark.parametrize(
    "call",
    [
        lambda: BeatTask(task_id=TASK),
        lambda: ReportTaskProgress(execution_id=AGENT, task_id=TASK, progress=0.5),
        lambda: LogTask(execution_id=AGENT, task_id=TASK, level="INFO", message="at it"),
    ],
)
def test_an_attempt_that_speaks_within_the_grace_is_at_work(stage: Restarting, call: Callable[[], TaskCall]) -> None:
    stage.begin_task(ONCE)
    stage.restart()
    assert stage.ask(call()) == ACCEPTED
    stage.live_through_the_grace()
    assert stage.task_status() is TaskStatus.RUNNING


# ── in steady operation ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pass_that_takes_too_long_is_made_again_though_its_worker_polls_on(stage: Restarting) -> None:
    stage.begin()
    stage.claim_workflow()
    stage.pass_time(PASS_MS - 1)
    stage.poll_on()
    assert stage.status_of() is ExecutionStatus.RUNNING
    stage.pass_time(1)
    assert stage.claim_workflow().claim == 2


def test_each_pass_has_its_whole_time(stage: Restarting) -> None:
    stage.begin()
    stage.submit(stage.claim_workflow())
    stage.signal("go", execution_id=FLOW)
    stage.pass_time(PASS_MS - 1)
    stage.claim_workflow()
    stage.pass_time(PASS_MS - 1)
    assert stage.status_of() is ExecutionStatus.RUNNING


# ── a worker that comes back as another process ─────────────────────────────────────────────────────────────────────

GONE = WorkerGone(WORKER, unless_polling=True)


def test_all_that_a_worker_has_claimed_is_released_when_it_is_gone(stage: Restarting) -> None:
    stage.begin()
    stage.claim_workflow()
    stage.begin_task()
    stage.ask(GONE)
    assert stage.status_of() is ExecutionStatus.PENDING
    assert stage.agent_status() is ExecutionStatus.PENDING
    assert stage.task_status() is TaskStatus.PENDING


@pytest.mark.parametrize(
    "poll",
    [
        PollWorkflow("waits", WORKER, queue="other", wait_ms=1_000),
        PollAgents(poll_id="waits", worker_id=WORKER, queue="other", kinds=None, wait_ms=1_000),
        PollTasks(poll_id="waits", worker_id=WORKER, queue="other", kinds=None, wait_ms=1_000),
    ],
)
def test_a_worker_of_which_a_poll_waits_is_not_gone(
    stage: Restarting, poll: PollWorkflow | PollAgents | PollTasks
) -> None:
    stage.begin()
    stage.claim_workflow()
    stage.begin_task()
    stage.ask(poll)
    stage.ask(GONE)
    assert stage.status_of() is ExecutionStatus.RUNNING
    assert stage.agent_status() is ExecutionStatus.RUNNING
    assert stage.task_status() is TaskStatus.RUNNING


def test_what_another_worker_has_claimed_stays_its_own(stage: Restarting) -> None:
    stage.begin()
    stage.claim_workflow("flovyn:other")
    stage.ask(GONE)
    assert stage.status_of() is ExecutionStatus.RUNNING
