"""Agents and tasks whose workers have no session: polls, silence, giving back, and what a restart keeps."""

from __future__ import annotations

from itertools import count

import pytest

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import ACCEPTED, CallAnswer, CancelExecution, Deferred, Refused, StartExecution
from rescind.model.events import EventType
from rescind.model.ids import ORGANISATION_SEPARATOR, ExecutionId, TaskId, WorkerId
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import ExecutionStatus, TaskStatus
from rescind_server.engine import polls
from rescind_server.engine.calls import (
    AgentClaimed,
    EndAgent,
    GiveBackAgent,
    GiveBackTask,
    NothingFound,
    PollAgents,
    PollCall,
    PollTasks,
    ReportTask,
    ScheduleAgentTask,
    StartTask,
    SuspendAgent,
    TaskClaimed,
    WithdrawPoll,
    WorkerBeat,
)
from server_stub.tests.engine.driver import Stage

AGENT = ExecutionId("00000000-0000-4000-8000-00000000000a")
OTHER = ExecutionId("00000000-0000-4000-8000-00000000000b")
TASK = TaskId("task")
WORKER = WorkerId("flovyn:worker")
_numbers = count()


def stage() -> Stage:
    """An engine with no worker that has a session."""
    return Stage(worker=None)


def poll(on: Stage, command: PollCall) -> int:
    """Let a poll wait; returns the number of its answer."""
    reply = on.ask(command)
    assert isinstance(reply, Deferred)
    return reply.number


def for_agents(*kinds: str, wait_ms: int = 60_000) -> PollAgents:
    name = f"poll-{next(_numbers)}"
    return PollAgents(poll_id=name, worker_id=WORKER, queue="default", kinds=kinds or None, wait_ms=wait_ms)


def for_tasks(*kinds: str, wait_ms: int = 60_000) -> PollTasks:
    name = f"poll-{next(_numbers)}"
    return PollTasks(poll_id=name, worker_id=WORKER, queue="default", kinds=kinds or None, wait_ms=wait_ms)


def claimed_agent(on: Stage, execution_id: ExecutionId = AGENT) -> AgentClaimed:
    """Start an agent, and claim it."""
    on.ask(StartExecution("chat", execution_id=execution_id))
    claimed = on.late[poll(on, for_agents())]
    assert isinstance(claimed, AgentClaimed)
    return claimed


def claimed_task(on: Stage, options: TaskOptions | None = None) -> TaskClaimed:
    """Let an agent schedule a task, and claim that."""
    command = ScheduleAgentTask(execution_id=AGENT, task_id=TASK, kind="work", options=options or TaskOptions())
    on.ask(command)
    claimed = on.late[poll(on, for_tasks())]
    assert isinstance(claimed, TaskClaimed)
    return claimed


def status(on: Stage, execution_id: ExecutionId = AGENT) -> ExecutionStatus:
    details = on.engine.details(execution_id)
    assert details is not None
    return details.execution.status


def task_status(on: Stage) -> TaskStatus:
    execution = on.engine.execution(AGENT)
    assert execution is not None
    return execution.tasks[TASK].status


def answered(on: Stage, number: int) -> CallAnswer | None:
    answer = on.late.get(number)
    assert answer is None or isinstance(answer, CallAnswer)
    return answer


# ── polls ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_poll_waits_for_as_long_as_it_asks_and_is_told_that_there_is_nothing() -> None:
    on = stage()
    number = poll(on, for_agents(wait_ms=5_000))
    on.pass_time(4_999)
    assert answered(on, number) is None
    on.pass_time(1)
    assert answered(on, number) == NothingFound()


def test_long_polls_end_together_with_a_whole_second_and_never_later_than_they_ask() -> None:
    on = stage()
    on.pass_time(1_000 - on.now // 1_000 % 1_000 + 100)
    numbers = [poll(on, for_agents(wait_ms=60_000))]
    on.pass_time(700)
    numbers += [poll(on, for_tasks(wait_ms=60_000))]
    on.pass_time(60_000 - 801)
    assert [answered(on, number) for number in numbers] == [None, None]
    on.pass_time(1)
    assert [answered(on, number) for number in numbers] == [NothingFound(), NothingFound()]


def test_a_poll_that_waits_for_nothing_is_answered_in_its_own_turn() -> None:
    on = stage()
    number = poll(on, for_tasks(wait_ms=0))
    on.pass_time(0)
    assert answered(on, number) == NothingFound()


def test_the_poll_that_waits_for_longest_is_served_first() -> None:
    on = stage()
    numbers = [poll(on, for_agents(*kinds)) for kinds in ((), ("chat", "other"), ("chat",))]
    for execution_id in (AGENT, OTHER):
        on.ask(StartExecution("chat", execution_id=execution_id))
    answers = [answered(on, number) for number in numbers]
    assert [each.execution_id for each in answers if isinstance(each, AgentClaimed)] == [AGENT, OTHER]
    assert answers[2] is None


@pytest.mark.parametrize("organisation", ["", f"acme{ORGANISATION_SEPARATOR}"])
def test_an_agent_whose_id_is_no_uuid_is_passed_over_by_polls(organisation: str) -> None:
    on = stage()
    named, readable = ExecutionId(f"{organisation}named"), ExecutionId(f"{organisation}{AGENT}")
    waiting = poll(on, for_agents())
    on.ask(StartExecution("chat", execution_id=named))
    assert answered(on, waiting) is None
    on.ask(StartExecution("chat", execution_id=readable))
    claimed = answered(on, waiting)
    assert isinstance(claimed, AgentClaimed)
    assert claimed.execution_id == readable
    assert status(on, named) is ExecutionStatus.PENDING
    on.join(agents=("chat",))
    assert status(on, named) is ExecutionStatus.RUNNING


def test_a_withdrawn_poll_is_given_nothing() -> None:
    on = stage()
    command = for_agents()
    number = poll(on, command)
    on.ask(WithdrawPoll(poll_id=command.poll_id))
    on.ask(StartExecution("chat", execution_id=AGENT))
    assert answered(on, number) == NothingFound()
    assert status(on) is ExecutionStatus.PENDING


def test_a_thousand_polls_that_wait_cost_no_decision() -> None:
    on = stage()
    for _ in range(1_000):
        poll(on, for_tasks())
    decided = len(on.decisions)
    on.pass_time(59_999)
    assert len(on.decisions) == decided


def test_a_decision_about_polls_alone_changes_no_row() -> None:
    on = stage()
    decision = on.decide(for_tasks())
    assert (decision.events, decision.executions, decision.tasks) == ([], {}, {})


# ── what reached nobody ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_agent_that_is_given_back_is_claimed_by_the_next() -> None:
    on = stage()
    first = claimed_agent(on)
    on.ask(GiveBackAgent(execution_id=AGENT, run=first.run))
    second = on.late[poll(on, for_agents())]
    assert isinstance(second, AgentClaimed)
    # The first claim is over: giving it back once more takes nothing away.
    on.ask(GiveBackAgent(execution_id=AGENT, run=first.run))
    assert status(on) is ExecutionStatus.RUNNING


def test_a_task_that_is_given_back_has_lost_no_retry() -> None:
    on = stage()
    claimed_agent(on)
    first = claimed_task(on, TaskOptions(RetryPolicy(max_attempts=1)))
    on.ask(GiveBackTask(lease=first.lease))
    again = on.late[poll(on, for_tasks())]
    assert isinstance(again, TaskClaimed)
    assert (again.task_id, again.number) == (TASK, 2)
    # The first claim is over: giving it back once more takes nothing away.
    assert on.ask(GiveBackTask(lease=first.lease)) == ACCEPTED
    assert on.ask(ReportTask(task_id=TASK)) == ACCEPTED
    assert task_status(on) is TaskStatus.COMPLETED


# ── silence ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_worker_runs_is_tried_anew_when_its_heartbeats_cease() -> None:
    on = stage()
    claimed_agent(on)
    claimed_task(on)
    on.ask(WorkerBeat(worker_id=WORKER))
    on.pass_time(polls.BEATING_SILENCE_MS - 1)
    assert (status(on), task_status(on)) == (ExecutionStatus.RUNNING, TaskStatus.RUNNING)
    on.pass_time(1)
    assert (status(on), task_status(on)) == (ExecutionStatus.PENDING, TaskStatus.PENDING)


def test_heartbeats_keep_what_a_worker_runs() -> None:
    on = stage()
    claimed_agent(on)
    for _ in range(10):
        on.ask(WorkerBeat(worker_id=WORKER))
        on.pass_time(polls.BEATING_SILENCE_MS - 1)
    assert status(on) is ExecutionStatus.RUNNING


def test_a_worker_that_never_sent_a_heartbeat_may_be_silent_for_much_longer() -> None:
    on = stage()
    claimed_agent(on)
    on.pass_time(polls.LONGEST_SILENCE_MS - 1)
    assert status(on) is ExecutionStatus.RUNNING
    on.pass_time(1)
    assert status(on) is ExecutionStatus.PENDING


def test_each_poll_is_a_sign_of_life() -> None:
    on = stage()
    claimed_agent(on)
    for _ in range(3):
        on.pass_time(polls.LONGEST_SILENCE_MS - 1)
        poll(on, for_tasks(wait_ms=0))
    assert status(on) is ExecutionStatus.RUNNING


# ── ends and cancels ────────────────────────────────────────────────────────────────────────────────────────────────

WHY = CancelCause(CancelSource.REQUEST, "client:web", "not needed")


def test_an_agent_that_waits_is_cancelled_at_once_with_its_tasks() -> None:
    on = stage()
    claimed_agent(on)
    claimed_task(on)
    on.ask(SuspendAgent(execution_id=AGENT, task_ids=(TASK,)))
    on.ask(CancelExecution(AGENT, WHY))
    assert (status(on), task_status(on)) == (ExecutionStatus.CANCELLED, TaskStatus.CANCELLED)


def test_an_agent_that_runs_is_cancelled_when_it_next_ends_or_waits() -> None:
    on = stage()
    for execution_id, command in (
        (AGENT, EndAgent(execution_id=AGENT)),
        (OTHER, SuspendAgent(execution_id=OTHER, signal="go")),
    ):
        claimed_agent(on, execution_id)
        on.ask(CancelExecution(execution_id, WHY))
        assert status(on, execution_id) is ExecutionStatus.CANCELLING
        assert on.ask(command) == ACCEPTED
        assert on.closed[execution_id].status is ExecutionStatus.CANCELLED


def test_an_agent_that_is_being_cancelled_and_says_nothing_ends_with_its_budget() -> None:
    on = stage()
    claimed_agent(on)
    on.ask(CancelExecution(AGENT, WHY))
    on.pass_time(30_000)
    assert on.closed[AGENT].status is ExecutionStatus.CANCELLED


def test_a_late_result_is_recorded_as_discarded_and_changes_nothing() -> None:
    on = stage()
    claimed_agent(on)
    claimed_task(on)
    on.ask(CancelExecution(AGENT, WHY, hard=True))
    reply = on.ask(ReportTask(task_id=TASK, output=NULL_PAYLOAD))
    assert isinstance(reply, Refused)
    assert task_status_of_closed(on) is TaskStatus.CANCELLED
    assert EventType.RESULT_DISCARDED in [event.type for event in on.histories[AGENT]]


def task_status_of_closed(on: Stage) -> TaskStatus:
    return on.closed[AGENT].tasks[TASK].status


def test_a_standalone_task_is_an_execution_that_ends_with_it() -> None:
    on = stage()
    on.ask(
        StartTask(
            execution_id=ExecutionId(TASK),
            organisation="default",
            kind="work",
            queue="default",
            input=NULL_PAYLOAD,
            options=TaskOptions(),
            labels={},
            by="client",
        )
    )
    poll(on, for_tasks())
    assert on.ask(ReportTask(task_id=TASK)) == ACCEPTED
    assert on.closed[ExecutionId(TASK)].status is ExecutionStatus.COMPLETED
