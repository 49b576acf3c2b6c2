"""Who runs a workflow: started once, handed to one worker at a time, and to another if that one is lost."""

from __future__ import annotations

import msgspec

from rescind.model.commands import ACCEPTED, Deferred, Refused, SignalExecution, Signalled, Started
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId, Instant, WorkerId
from rescind.model.payload import Payload
from rescind.model.status import ExecutionStatus
from rescind.model.workflow_commands import CompleteWorkflow, FailWorkflow, SetState
from rescind.model.workflow_events import RetryRequested, SignalReceived, WorkflowStarted
from rescind.model.workflows import (
    MOST_SIGNALS,
    HoldWorkflows,
    NoWorkflow,
    PollWorkflow,
    ReleaseWorkflow,
    RetryWorkflow,
    SignalledWithStart,
    SignalWithStart,
    StartWorkflow,
    WithdrawPoll,
    WorkerGone,
    WorkerSeen,
    WorkflowClaimed,
    WorkflowRetried,
)
from rescind_server.engine.machine import Engine
from server_stub.tests.engine.workflow_stage import WorkflowStage, schedules, starts_child, task_id, workflow_id

X = workflow_id("x")


# ── starting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_event_of_a_log_is_the_start() -> None:
    stage = WorkflowStage()
    stage.begin(input=Payload(b"1"), labels={"team": "a"})
    assert stage.last_logged() == WorkflowStarted("flow", Payload(b"1"), {"team": "a"})
    assert stage.status_of() is ExecutionStatus.PENDING


def test_the_same_id_is_the_same_workflow() -> None:
    stage = WorkflowStage()
    start = StartWorkflow("flow", execution_id=X)
    assert stage.ask(start) == Started(X, created=True)
    assert stage.ask(start) == Started(X, created=False)
    other = stage.ask(msgspec.structs.replace(start, kind="other"))
    assert isinstance(other, Refused)
    assert other.error == "AlreadyExists"


def test_an_ended_workflow_is_recognised_by_its_id() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), CompleteWorkflow())
    assert stage.ask(StartWorkflow("flow", execution_id=X)) == Started(X, created=False)


def test_a_key_stands_for_the_workflow_that_has_it_whatever_else_is_asked() -> None:
    stage = WorkflowStage()
    first = stage.ask(StartWorkflow("flow", idempotency_key="k"))
    second = stage.ask(StartWorkflow("other", Payload(b"2"), idempotency_key="k"))
    assert isinstance(first, Started)
    assert second == Started(first.execution_id, created=False)


def test_a_completed_workflow_keeps_its_key_for_its_time() -> None:
    stage = WorkflowStage()
    start = StartWorkflow("flow", idempotency_key="k", idempotency_key_ttl_seconds=60)
    stage.ask(start)
    claimed = stage.claim()
    stage.submit(claimed, CompleteWorkflow())
    assert stage.ask(start) == Started(claimed.execution_id, created=False)
    stage.pass_time(60_000)
    reply = stage.ask(start)
    assert isinstance(reply, Started)
    assert reply.created


def test_a_failed_workflow_frees_its_key() -> None:
    stage = WorkflowStage()
    start = StartWorkflow("flow", idempotency_key="k")
    stage.ask(start)
    stage.submit(stage.claim(), FailWorkflow("it broke"))
    reply = stage.ask(start)
    assert isinstance(reply, Started)
    assert reply.created


def test_keys_of_other_organisations_are_others() -> None:
    stage = WorkflowStage()
    start = StartWorkflow("flow", idempotency_key="k")
    stage.ask(start)
    reply = stage.ask(msgspec.structs.replace(start, organisation="other"))
    assert isinstance(reply, Started)
    assert reply.created


def test_a_workflow_that_takes_longer_than_it_may_fails() -> None:
    stage = WorkflowStage()
    stage.begin(timeout_ms=500)
    stage.pass_time(500)
    failure = stage.execution(X).failure
    assert failure is not None
    assert "timed out" in failure.message


# ── polling ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_poll_that_waits_is_answered_the_moment_work_appears() -> None:
    stage = WorkflowStage()
    poll = stage.poll()
    assert isinstance(poll, Deferred)
    stage.begin()
    claimed = stage.late[poll.number]
    assert isinstance(claimed, WorkflowClaimed)
    assert claimed.execution_id == X
    assert claimed.sequence == 1
    assert claimed.now == stage.now


def test_a_poll_that_has_waited_for_long_enough_is_answered_with_nothing() -> None:
    stage = WorkflowStage()
    poll = stage.poll(wait_ms=500)
    assert isinstance(poll, Deferred)
    stage.pass_time(499)
    assert poll.number not in stage.late
    stage.pass_time(1)
    assert stage.late[poll.number] == NoWorkflow()


def test_of_several_polls_for_one_workflow_the_one_that_waited_longest_gets_it() -> None:
    stage = WorkflowStage()
    first, second = stage.poll("a"), stage.poll("b", kinds=("flow",))
    assert isinstance(first, Deferred)
    assert isinstance(second, Deferred)
    stage.begin()
    assert isinstance(stage.late[first.number], WorkflowClaimed)
    assert second.number not in stage.late


def test_a_hundred_polls_for_ten_workflows_claim_each_once() -> None:
    stage = WorkflowStage()
    for number in range(100):
        stage.poll(f"w{number}")
    for number in range(10):
        stage.begin(f"x{number}")
    claimed = [reply.execution_id for reply in stage.late.values() if isinstance(reply, WorkflowClaimed)]
    assert sorted(claimed) == sorted(workflow_id(f"x{number}") for number in range(10))


def test_a_worker_gets_only_the_kinds_that_it_runs() -> None:
    stage = WorkflowStage()
    stage.begin(kind="other")
    assert stage.poll(wait_ms=0, kinds=("flow",)) == NoWorkflow()
    assert stage.claim(kinds=("flow", "other")).kind == "other"


def test_a_worker_gets_only_the_workflows_of_its_organisation() -> None:
    stage = WorkflowStage()
    stage.begin()
    poll = PollWorkflow("p", WorkerId("w"), wait_ms=0, organisation="other")
    assert stage.ask(poll) == NoWorkflow()
    claimed = stage.ask(msgspec.structs.replace(poll, organisation="default"))
    assert isinstance(claimed, WorkflowClaimed)


def test_the_oldest_goes_first_and_a_priority_makes_older() -> None:
    stage = WorkflowStage()
    stage.begin("first")
    stage.pass_time(1_000)
    stage.begin("second")
    stage.begin("urgent", priority_ms=5_000)
    order = [stage.claim().execution_id for _ in range(3)]
    assert order == [workflow_id("urgent"), workflow_id("first"), workflow_id("second")]


def test_the_log_comes_with_the_claim_if_it_is_asked_for() -> None:
    stage = WorkflowStage()
    stage.begin()
    claimed = stage.ask(PollWorkflow("p", WorkerId("w"), brings_log=True))
    assert isinstance(claimed, WorkflowClaimed)
    assert list(claimed.events) == stage.workflow().log


def test_a_poller_that_has_hung_up_is_given_nothing() -> None:
    stage = WorkflowStage()
    stage.ask(PollWorkflow("p", WorkerId("w")))
    assert stage.ask(WithdrawPoll("p")) == ACCEPTED
    stage.begin()
    assert stage.status_of() is ExecutionStatus.PENDING


def test_what_a_poller_was_given_as_it_hung_up_goes_to_another() -> None:
    stage = WorkflowStage()
    stage.ask(PollWorkflow("p", WorkerId("w")))
    stage.begin()
    assert stage.nothing_to_claim()
    stage.ask(WithdrawPoll("p"))
    assert stage.claim("other").claim == 2


def test_a_withdrawal_behind_the_submission_changes_nothing() -> None:
    stage = WorkflowStage()
    stage.ask(PollWorkflow("p", WorkerId("w")))
    stage.begin()
    (claimed,) = stage.late.values()
    assert isinstance(claimed, WorkflowClaimed)
    stage.submit(claimed, schedules("t"))
    stage.ask(WithdrawPoll("p"))
    assert stage.status_of() is ExecutionStatus.WAITING


# ── losing a worker ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_worker_that_is_silent_for_its_lease_loses_its_claim() -> None:
    stage = WorkflowStage()
    stage.begin()
    stage.claim("gone", lease_ms=1_000)
    stage.pass_time(999)
    assert stage.nothing_to_claim()
    stage.pass_time(1)
    assert stage.claim("other").claim == 2
    assert EventType.EXECUTION_RELEASED in stage.events(execution_id=X)


def test_a_sign_of_life_prolongs_the_claim() -> None:
    stage = WorkflowStage()
    stage.begin()
    stage.claim("w", lease_ms=1_000)
    stage.pass_time(900)
    stage.ask(WorkerSeen(WorkerId("w")))
    stage.pass_time(900)
    assert stage.status_of() is ExecutionStatus.RUNNING
    stage.pass_time(100)
    assert stage.status_of() is ExecutionStatus.PENDING


def test_a_pass_that_its_worker_still_makes_keeps_its_claim() -> None:
    stage = WorkflowStage()
    stage.begin()
    claimed = stage.claim("w", lease_ms=1_000, pass_ms=600)
    for _ in range(10):
        stage.pass_time(599)
        stage.ask(HoldWorkflows(WorkerId("w"), ((X, claimed.claim),), 600))
    assert stage.status_of() is ExecutionStatus.RUNNING
    stage.pass_time(600)
    assert stage.claim("other").claim == 2


def test_a_pass_that_its_worker_does_not_name_goes_to_others_though_it_lives() -> None:
    stage = WorkflowStage()
    stage.begin("made")
    made = stage.claim("w", lease_ms=1_000, pass_ms=600)
    stage.begin("lost")
    stage.claim("w", lease_ms=1_000, pass_ms=600)
    for _ in range(2):
        stage.pass_time(500)
        stage.ask(HoldWorkflows(WorkerId("w"), ((made.execution_id, made.claim),), 600))
    assert stage.claim("other").execution_id == workflow_id("lost")
    assert stage.status_of("made") is ExecutionStatus.RUNNING


def test_a_claim_of_another_or_of_before_is_not_prolonged() -> None:
    stage = WorkflowStage()
    stage.begin()
    claimed = stage.claim("w", pass_ms=600)
    stage.pass_time(500)
    for worker, claim, execution_id in (("other", claimed.claim, X), ("w", 0, X), ("w", 1, workflow_id("none"))):
        assert stage.ask(HoldWorkflows(WorkerId(worker), ((execution_id, claim),), 600)) == ACCEPTED
    stage.pass_time(100)
    assert stage.status_of() is ExecutionStatus.PENDING
    stage.ask(HoldWorkflows(WorkerId("w"), ((X, claimed.claim),), 600))
    assert stage.claim("other").claim == 2


def test_the_claims_of_a_worker_that_is_gone_are_offered_at_once() -> None:
    stage = WorkflowStage()
    stage.begin()
    stage.claim("gone")
    stage.ask(WorkerGone(WorkerId("gone")))
    assert stage.claim("other").claim == 2


def test_the_claims_of_a_session_end_with_it() -> None:
    stage = WorkflowStage(worker="w")
    stage.begin()
    stage.claim("w")
    stage.leave("w")
    assert stage.claim("other").claim == 2


def test_a_worker_may_give_a_workflow_back() -> None:
    stage = WorkflowStage()
    claimed = stage.begin_pass()
    stage.ask(ReleaseWorkflow(X, claimed.claim))
    assert stage.claim("other").claim == 2
    stage.ask(ReleaseWorkflow(X, claimed.claim))
    assert stage.status_of() is ExecutionStatus.RUNNING


# ── signals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_signal_stands_in_the_log_and_wakes() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), SetState("a"))
    assert stage.signal("go", b"1", execution_id=X) == Signalled(3)
    assert stage.last_logged() == SignalReceived("go", Payload(b"1"))
    assert stage.claim().sequence == 3


def test_a_signal_to_an_ended_workflow_is_refused() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), CompleteWorkflow())
    reply = stage.signal("go", execution_id=X)
    assert isinstance(reply, Refused)
    assert reply.error == "ExecutionEnded"


def test_a_workflow_takes_so_many_signals_and_no_more() -> None:
    engine = Engine()
    engine.decide(StartWorkflow("flow", execution_id=X), Instant(1))
    replies = [engine.decide(SignalExecution(X, "go"), Instant(1)).reply for _ in range(MOST_SIGNALS + 1)]
    assert replies[-2] == Signalled(MOST_SIGNALS + 1)
    assert isinstance(replies[-1], Refused)
    assert replies[-1].error == "LimitReached"


def test_signal_with_start_creates_once_and_signals_each_time() -> None:
    stage = WorkflowStage()
    command = SignalWithStart(StartWorkflow("flow", idempotency_key="order-1"), "go")
    first = stage.ask(command)
    assert isinstance(first, SignalledWithStart)
    assert first.created
    assert first.sequence == 2
    assert stage.ask(command) == SignalledWithStart(first.execution_id, created=False, sequence=3)


def test_signal_with_start_begins_anew_behind_an_end() -> None:
    stage = WorkflowStage()
    command = SignalWithStart(StartWorkflow("flow", idempotency_key="order-1"), "go")
    first = stage.ask(command)
    stage.submit(stage.claim(), CompleteWorkflow())
    second = stage.ask(command)
    assert isinstance(first, SignalledWithStart)
    assert isinstance(second, SignalledWithStart)
    assert second.created
    assert second.execution_id != first.execution_id


# ── retry by hand ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_workflow_goes_on_by_hand_from_its_log() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), SetState("a"), FailWorkflow("it broke"))
    assert stage.ask(RetryWorkflow(X, "mended")) == WorkflowRetried(X, 1)
    assert stage.last_logged() == RetryRequested("mended")
    assert stage.execution(X).failure is None
    stage.submit(stage.claim(), CompleteWorkflow())
    assert stage.status_of() is ExecutionStatus.COMPLETED


def test_a_task_that_the_failure_cancelled_is_told_of_on_retry() -> None:
    stage = WorkflowStage(worker="tasks")
    stage.submit(stage.begin_pass(), schedules("t"), FailWorkflow("it broke"))
    stage.ask(RetryWorkflow(X))
    assert stage.log()[-2:] == ["RETRY_REQUESTED", "TASK_CANCELLED"]
    assert task_id("t") in stage.workflow().ended_tasks


def test_a_child_that_ended_meanwhile_is_told_of_on_retry() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), starts_child("c"))
    child = stage.claim()
    stage.signal("go", execution_id=X)
    stage.submit(stage.claim(), FailWorkflow("it broke"))
    stage.submit(child, CompleteWorkflow())
    parent = stage.closed[X]
    stage.engine.decide(RetryWorkflow(X), stage.now, parent, away=stage.closed)
    assert stage.log()[-2:] == ["RETRY_REQUESTED", "CHILD_WORKFLOW_COMPLETED"]


def test_a_child_that_goes_on_by_hand_ends_once_for_its_parent() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), starts_child("c"))
    stage.submit(stage.claim(), FailWorkflow("it broke"))
    stage.submit(stage.claim())
    stage.ask(RetryWorkflow(workflow_id("c")))
    stage.submit(stage.claim(), CompleteWorkflow())
    assert stage.status_of("c") is ExecutionStatus.COMPLETED
    assert [event for event in stage.log() if event.startswith("CHILD_WORKFLOW_")] == [
        "CHILD_WORKFLOW_INITIATED",
        "CHILD_WORKFLOW_FAILED",
    ]


def test_a_workflow_that_goes_on_by_hand_has_all_its_time_again() -> None:
    stage = WorkflowStage()
    stage.begin(timeout_ms=1_000)
    for attempt in (1, 2, 3):
        stage.pass_time(999)
        stage.submit(stage.claim(), FailWorkflow("it broke"))
        stage.pass_time(5_000)
        assert stage.ask(RetryWorkflow(X)) == WorkflowRetried(X, attempt)
    stage.pass_time(999)
    assert stage.status_of() is ExecutionStatus.PENDING
    stage.pass_time(1)
    assert stage.status_of() is ExecutionStatus.FAILED
    assert stage.log()[-1] == "WORKFLOW_EXECUTION_FAILED"


def test_an_agent_does_not_go_on_by_hand() -> None:
    stage = WorkflowStage(worker="w")
    stage.start("a")
    reply = stage.ask(RetryWorkflow(ExecutionId("a")))
    assert isinstance(reply, Refused)
    assert (reply.error, "is an agent" in reply.message) == ("RequestError", True)


def test_a_cancelled_workflow_does_not_go_on_by_hand() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), SetState("a"))
    stage.cancel_agent(X)
    stage.submit(stage.claim(), FailWorkflow("it broke"))
    assert isinstance(stage.ask(RetryWorkflow(X)), Refused)


def test_only_a_failed_workflow_goes_on_by_hand() -> None:
    stage = WorkflowStage()
    stage.begin()
    assert isinstance(stage.ask(RetryWorkflow(X)), Refused)
    stage.submit(stage.claim(), CompleteWorkflow())
    assert isinstance(stage.ask(RetryWorkflow(X)), Refused)
    assert stage.status_of() is ExecutionStatus.COMPLETED
