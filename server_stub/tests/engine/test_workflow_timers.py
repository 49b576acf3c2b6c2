"""Timers and promises of workflows: each ends by one event, in time or late, and never behind a cancel."""

from __future__ import annotations

from typing import Any

import pytest

from rescind.model.commands import Refused
from rescind.model.events import EventType
from rescind.model.ids import Instant
from rescind.model.options import LONGEST_MS
from rescind.model.payload import Payload
from rescind.model.status import ExecutionStatus
from rescind.model.workflow_commands import (
    CancelTimer,
    CompleteWorkflow,
    CreatePromise,
    ResolvePromise,
    SetState,
    StartTimer,
)
from rescind.model.workflow_events import PromiseCreated, PromiseRejected, PromiseResolved, PromiseTimeout, TimerFired
from rescind.model.workflows import PromiseSettled, SettlePromise, Submitted
from server_stub.tests.engine.workflow_stage import WorkflowStage, workflow_id

X = workflow_id("x")


def test_a_timer_fires_when_it_is_due_and_wakes() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), StartTimer("t", 500))
    stage.pass_time(499)
    assert stage.status_of() is ExecutionStatus.WAITING
    stage.pass_time(1)
    assert stage.last_logged() == TimerFired("t")
    assert stage.status_of() is ExecutionStatus.PENDING


def test_an_overdue_timer_fires_late_and_once() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), StartTimer("t", 500))
    stage.jump(10_000)
    assert stage.log().count("TIMER_FIRED") == 1


@pytest.mark.parametrize("duration_ms", [0, -5])
def test_a_timer_without_a_length_fires_at_once(duration_ms: int) -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), StartTimer("t", duration_ms))
    stage.come_due()
    assert stage.last_logged() == TimerFired("t")


def test_a_cancelled_timer_never_fires() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), StartTimer("t", 500), CancelTimer("t"))
    stage.pass_time(10_000)
    assert stage.log()[1:] == ["TIMER_STARTED", "TIMER_CANCELLED"]


def test_the_history_tells_how_each_timer_ended() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), StartTimer("fires", 500), StartTimer("cancelled", 500), CancelTimer("cancelled"))
    stage.pass_time(500)
    told = [
        (event.type, event.details["name"]) for event in stage.histories[X] if event.details and "name" in event.details
    ]
    assert told == [
        (EventType.TIMER_STARTED, "fires"),
        (EventType.TIMER_STARTED, "cancelled"),
        (EventType.WITHDRAWN, "cancelled"),
        (EventType.TIMER_FIRED, "fires"),
    ]


def test_a_timer_without_a_length_can_be_cancelled_in_the_same_batch() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), StartTimer("t", 0), CancelTimer("t"))
    stage.come_due()
    assert stage.log()[1:] == ["TIMER_STARTED", "TIMER_CANCELLED"]


def test_of_cancel_and_due_time_in_one_tick_the_one_that_is_decided_first_wins() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), StartTimer("a", 500), StartTimer("b", 500))
    stage.signal("go", execution_id=X)
    claimed = stage.claim()
    stage.now = Instant(stage.now + 500_000)
    stage.submit(claimed, CancelTimer("a"))
    stage.come_due()
    assert stage.log(since=4) == ["TIMER_CANCELLED", "TIMER_FIRED"]
    stage.submit(stage.claim(), CancelTimer("b"))
    assert stage.log(since=4) == ["TIMER_CANCELLED", "TIMER_FIRED"]


def test_the_cancel_of_a_timer_that_nobody_knows_is_harmless() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), CancelTimer("t"))
    assert stage.status_of() is ExecutionStatus.WAITING


def test_the_timers_of_an_ended_workflow_are_dropped() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), StartTimer("t", 500), CreatePromise("p", timeout_ms=500), CompleteWorkflow())
    assert stage.engine.next_due() is None


# ── promises ────────────────────────────────────────────────────────────────────────────────────────────────────────


def created(stage: WorkflowStage, **options: Any) -> str:
    stage.submit(stage.begin_pass(), CreatePromise("p", **options))
    event = stage.last_logged()
    assert isinstance(event, PromiseCreated)
    return event.promise_id


def test_a_promise_is_resolved_from_outside_by_its_id() -> None:
    stage = WorkflowStage()
    promise_id = created(stage)
    assert stage.ask(SettlePromise(promise_id, Payload(b"1"))) == PromiseSettled(promise_id, X)
    assert stage.last_logged() == PromiseResolved(promise_id, "p", Payload(b"1"))
    assert stage.status_of() is ExecutionStatus.PENDING


def test_a_promise_is_found_by_its_workflow_and_name() -> None:
    stage = WorkflowStage()
    promise_id = created(stage)
    assert stage.ask(SettlePromise(f"{X}/p", error="no")) == PromiseSettled(promise_id, X)
    assert stage.last_logged() == PromiseRejected(promise_id, "p", "no")


def test_a_promise_is_found_by_its_key() -> None:
    stage = WorkflowStage()
    promise_id = created(stage, idempotency_key="k")
    assert stage.ask(SettlePromise("k", by_key=True)) == PromiseSettled(promise_id, X)


def test_a_key_that_belongs_to_another_promise_is_not_given_away() -> None:
    stage = WorkflowStage()
    first = created(stage, idempotency_key="k")
    stage.submit(stage.begin_pass("y"), CreatePromise("q", idempotency_key="k"))
    event = stage.last_logged("y")
    assert isinstance(event, PromiseCreated)
    assert event.idempotency_key is None
    assert stage.ask(SettlePromise("k", by_key=True)) == PromiseSettled(first, X)


def test_the_first_who_settles_a_promise_wins() -> None:
    stage = WorkflowStage()
    promise_id = created(stage)
    stage.ask(SettlePromise(promise_id, Payload(b"1")))
    assert stage.ask(SettlePromise(promise_id, error="no")) == PromiseSettled(promise_id, X, already=True)
    assert stage.log().count("PROMISE_REJECTED") == 0


def test_a_late_repeat_behind_the_workflows_end_is_told_that_the_promise_is_settled() -> None:
    stage = WorkflowStage()
    promise_id = created(stage)
    stage.ask(SettlePromise(promise_id, Payload(b"1")))
    stage.submit(stage.claim(), CompleteWorkflow())
    assert stage.ask(SettlePromise(f"{X}/p", Payload(b"1"))) == PromiseSettled(promise_id, X, already=True)


def test_a_promise_that_its_workflow_left_open_is_settled_no_more() -> None:
    stage = WorkflowStage()
    created(stage)
    stage.signal("go", execution_id=X)
    stage.submit(stage.claim(), CompleteWorkflow())
    reply = stage.ask(SettlePromise(f"{X}/p"))
    assert isinstance(reply, Refused)
    assert reply.error == "ExecutionEnded"


def test_a_promise_that_nobody_settles_times_out_once() -> None:
    stage = WorkflowStage()
    promise_id = created(stage, timeout_ms=500)
    stage.pass_time(500)
    assert stage.last_logged() == PromiseTimeout(promise_id, "p")
    assert stage.ask(SettlePromise(promise_id)) == PromiseSettled(promise_id, X, already=True)


def test_a_promise_can_be_settled_for_a_hundred_years_at_most() -> None:
    stage = WorkflowStage()
    created(stage, timeout_ms=2**63 - 1)
    event = stage.last_logged()
    assert isinstance(event, PromiseCreated)
    assert event.timeout_ms == LONGEST_MS


def test_a_settled_promise_does_not_time_out() -> None:
    stage = WorkflowStage()
    promise_id = created(stage, timeout_ms=500)
    stage.ask(SettlePromise(promise_id))
    stage.pass_time(1_000)
    assert "PROMISE_TIMEOUT" not in stage.log()


@pytest.mark.parametrize("promise", ["nobody's", f"{X}/q", "nobody/p"])
def test_the_resolve_of_an_unknown_promise_is_refused(promise: str) -> None:
    stage = WorkflowStage()
    created(stage)
    reply = stage.ask(SettlePromise(promise))
    assert isinstance(reply, Refused)
    assert reply.error == "NotFound"


def test_another_organisation_does_not_find_the_promise() -> None:
    stage = WorkflowStage()
    reply = stage.ask(SettlePromise(created(stage), organisation="other"))
    assert isinstance(reply, Refused)
    assert reply.error == "NotFound"


def test_code_that_resolves_its_own_promise_is_run_on() -> None:
    stage = WorkflowStage()
    stage.submit(stage.begin_pass(), CreatePromise("p"), ResolvePromise("p", Payload(b"1")))
    assert stage.status_of() is ExecutionStatus.PENDING


def test_a_promise_that_is_settled_stays_so_for_its_own_code() -> None:
    stage = WorkflowStage()
    promise_id = created(stage)
    stage.ask(SettlePromise(promise_id))
    reply = stage.submit(stage.claim(), ResolvePromise(promise_id), SetState("a"))
    assert isinstance(reply, Submitted)
    assert stage.log().count("PROMISE_RESOLVED") == 1
