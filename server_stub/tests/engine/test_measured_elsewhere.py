"""Where somebody else runs the attempts, and measures them: the engine takes their word for what has run out."""

from __future__ import annotations

import pytest

from rescind.model.commands import StartExecution
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId, WorkerId
from rescind.model.messages import AgentKind, AgentProgress, StopOrder, TaskActivation, WorkerJoined
from rescind.model.operations import ScheduleTask
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import StopState, TaskStatus
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.machine import Engine
from rescind_server.engine.state import Decision

TASK = TaskId("00000000-0000-5000-8000-000000000001")
X = ExecutionId("x")
NOW = Instant(1_000_000)
LIMITED = TaskOptions(start_to_close_ms=1, heartbeat_ms=1, idle_ms=1)


def running(options: TaskOptions) -> tuple[Engine, Lease]:
    """An engine that measures no attempts, with one that runs."""
    engine = Engine(watches_attempts=False)
    engine.decide(StartExecution("agent", execution_id=X), NOW)
    engine.decide(WorkerJoined(WorkerId("w"), 1, ("default",), (AgentKind("agent"),), ("task",)), NOW)
    schedule = ScheduleTask(1, TASK, "task", NULL_PAYLOAD, None, options)
    decision = engine.decide(AgentProgress(X, 1, 1, (schedule,)), NOW)
    (activation,) = [message for _, message in decision.pushes if isinstance(message, TaskActivation)]
    return engine, activation.lease


def orders(decision: Decision) -> list[StopOrder]:
    return [message for _, message in decision.pushes if isinstance(message, StopOrder)]


def test_limits_of_attempts_wait_for_no_time() -> None:
    engine, _ = running(LIMITED)
    assert engine.next_due() is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (DeadlineKind.START_TO_CLOSE, "start_to_close"),
        (DeadlineKind.HEARTBEAT, "heartbeat"),
        (DeadlineKind.IDLE, "idle"),
    ],
)
def test_a_limit_that_is_told_fails_the_task_and_stops_its_work(kind: DeadlineKind, name: str) -> None:
    engine, lease = running(LIMITED)
    decision = engine.overrun(lease, kind, NOW)
    details = engine.details(X)
    assert details is not None
    (task,) = details.tasks
    assert (task.status, task.stop_state) == (TaskStatus.FAILED, StopState.REQUESTED)
    assert task.failure is not None
    assert task.failure.message == f"Task timed out after 1 ms ({name})"
    assert [order.lease for order in orders(decision)] == [lease]


def test_a_limit_may_be_followed_by_another_attempt() -> None:
    retry = RetryPolicy(initial_interval_ms=0, retry_timeouts=True)
    engine, lease = running(TaskOptions(start_to_close_ms=1, retry=retry))
    decision = engine.overrun(lease, DeadlineKind.START_TO_CLOSE, NOW)
    (again,) = [message for _, message in decision.pushes if isinstance(message, TaskActivation)]
    assert again.attempt == 2


def test_a_limit_that_the_task_does_not_have_changes_nothing() -> None:
    engine, lease = running(TaskOptions())
    assert engine.overrun(lease, DeadlineKind.IDLE, NOW).events == []


def test_a_limit_of_an_attempt_that_runs_no_more_changes_nothing() -> None:
    engine, lease = running(LIMITED)
    assert engine.overrun(Lease(lease + 1), DeadlineKind.IDLE, NOW).events == []


def test_an_order_to_stop_is_sent_once() -> None:
    engine, lease = running(LIMITED)
    decision = engine.overrun(lease, DeadlineKind.IDLE, NOW)
    assert len(orders(decision)) == 1
    assert engine.next_due() is None
