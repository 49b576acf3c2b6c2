"""What is counted: each outcome once, when it is durable, by what it was."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import Instant
from rescind.model.messages import StopReported
from rescind.model.options import TaskOptions
from rescind.model.outcome import Failure
from rescind.model.overviews import ParkedAgents, ServerFacts, Stuck, WaitingWork
from rescind.model.status import FailureKind, StopState
from rescind_server.telling import counts as counting
from rescind_server.telling.counts import ByKind, CancelRequest, Counts, StopStage
from rescind_server.telling.exposition import exposition
from rescind_server.telling.histogram import Histogram
from server_stub.tests.engine.driver import Stage

FACTS = ServerFacts("1.0", Instant(10_000_000), Instant(2_000_000), "memory", connected_workers=2, known_workers=3)
ONE_ATTEMPT = TaskOptions(start_to_close_ms=5_000)


def counted(stage: Stage) -> Counts:
    counts = Counts()
    for decision in stage.decisions:
        counts.note([decision])
    return counts


def samples(counts: Counts, stuck: Stuck | None = None, organisation: str = "default") -> dict[tuple[str, str], float]:
    """Each figure by its name and its labels."""
    families = text_string_to_metric_families(exposition(organisation, counts, FACTS, stuck).decode())
    return {
        (sample.name, ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_outcomes_are_counted_by_kind_and_result() -> None:
    stage = Stage()
    agent = stage.start()
    completed, timed_out, cancelled = agent.schedule(3, options=ONE_ATTEMPT)
    stage.complete(completed)
    stage.cancel(cancelled)
    stage.pass_time(5_000)
    agent.end()
    counts = counted(stage)
    assert counts.started == {("default", "agent"): 1}
    assert counts.ended_executions == {ByKind("default", "agent", "COMPLETED"): 1}
    assert counts.ended_tasks == {
        ByKind("default", "work", "COMPLETED"): 1,
        ByKind("default", "work", "CANCELLED"): 1,
        ByKind("default", "work", "FAILED", "TIMED_OUT"): 1,
    }
    assert stage.status(timed_out) == "FAILED"


def test_requests_to_cancel_are_counted_by_what_they_met_also_when_all_is_over() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    stage.complete(task_id)
    agent.end()
    assert not stage.is_in_memory()
    stage.cancel(task_id)
    stage.cancel_agent(cause=CancelCause(CancelSource.DISCONNECT, "client:web"))
    assert counted(stage).cancel_requests == {
        CancelRequest("default", "task", "request", "ALREADY_COMPLETED"): 1,
        CancelRequest("default", "execution", "disconnect", "ALREADY_COMPLETED"): 1,
    }


def test_the_time_to_stop_is_counted_by_executor_and_stage() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.cancel(task_id)
    lease = stage.activations[task_id][-1].lease
    stage.pass_time(20)
    stage.decide(StopReported(task_id, lease, StopState.DELIVERED))
    stage.pass_time(1_000)
    stage.decide(StopReported(task_id, lease, StopState.KILLED, executor="shell"))
    stops = counted(stage).stops
    assert {stage: histogram.total for stage, histogram in stops.items()} == {
        StopStage("default", "shell", "delivered"): pytest.approx(0.02),
        StopStage("default", "shell", "killed"): pytest.approx(1.02),
    }


def test_a_stop_whose_worker_is_lost_is_counted_as_lost() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.cancel(task_id)
    stage.leave()
    stage.pass_time(10_000)
    assert list(counted(stage).stops) == [StopStage("default", "", "lost")]


def test_commits_are_counted_by_how_much_was_decided_in_them() -> None:
    stage = Stage()
    stage.start()
    counts = Counts()
    counts.note(stage.decisions)
    counts.note([])
    deciding = sum(bool(decision.events) for decision in stage.decisions)
    assert list(counts.commits.cumulative())[-1] == (float("inf"), 1)
    assert counts.commits.total == deciding
    assert counts.events == len(stage.events())


def test_kinds_that_callers_invent_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_NAMES", 2)
    stage = Stage()
    for number in range(5):
        stage.start(f"x-{number}", kind=f"kind-{number}")
    assert counted(stage).started == {
        ("default", "kind-0"): 1,
        ("default", "kind-1"): 1,
        ("default", "other"): 3,
    }


def test_the_1001st_kind_and_all_that_come_behind_it_share_one_figure() -> None:
    counts = Counts()
    told = {counts.kind("default", f"kind-{number}") for number in range(1_002)}
    assert told == {f"kind-{number}" for number in range(1_000)} | {"other"}
    assert counts.kind("default", "kind-7") == "kind-7"
    assert counts.kind("of another organisation", "kind-1001") == "kind-1001"


def test_what_waits_of_many_kinds_and_queues_is_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_NAMES", 1)
    waiting = tuple(
        WaitingWork(False, f"queue-{number}", f"kind-{number}", 10, Instant(number * 1_000_000), number)
        for number in range(1, 5)
    )
    told = samples(Counts(), Stuck(waiting=waiting))
    assert {labels: value for (name, labels), value in told.items() if name == "rescind_queue_depth"} == {
        "kind=kind-1,queue=queue-1,sort=task": 10,
        "kind=other,queue=other,sort=task": 30,
    }
    assert told["rescind_queue_oldest_seconds", "kind=other,queue=other,sort=task"] == 8
    assert told["rescind_queue_workers", "kind=other,queue=other,sort=task"] == 2


def test_an_executor_that_a_worker_made_up_gets_no_figure_of_its_own() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.cancel(task_id)
    lease = stage.activations[task_id][-1].lease
    stage.decide(StopReported(task_id, lease, StopState.STOPPED, executor="x" * 50))
    assert list(counted(stage).stops) == [StopStage("default", "other", "stopped")]


def test_a_value_is_counted_at_every_bound_that_it_does_not_pass() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.note(value)
    assert list(histogram.cumulative()) == [(1.0, 2), (2.0, 3), (float("inf"), 4)]
    assert histogram.total == 12


def test_figures_are_told_as_prometheus_reads_them() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule(options=ONE_ATTEMPT)
    stage.fail(task_id, Failure(FailureKind.ERROR, "no luck", retryable=False))
    stage.cancel(task_id)
    stuck = Stuck(
        task_count=4,
        waiting=(WaitingWork(False, "default", "work", 7, Instant(4_000_000), 1),),
        parked=(ParkedAgents("agent", 2, "why", stage.execution().execution_id),),
    )
    told = samples(counted(stage), stuck)
    assert told["rescind_tasks_ended_total", "failure=ERROR,kind=work,status=FAILED"] == 1
    assert told["rescind_cancel_requests_total", "result=ALREADY_FAILED,source=request,target=task"] == 1
    assert told["rescind_queue_depth", "kind=work,queue=default,sort=task"] == 7
    assert told["rescind_queue_oldest_seconds", "kind=work,queue=default,sort=task"] == 6
    assert told["rescind_stuck_tasks", ""] == 4
    assert told["rescind_parked_agents", "kind=agent"] == 2
    assert (told["rescind_workers", "session=connected"], told["rescind_workers", "session=away"]) == (2, 1)
    assert told["rescind_commit_decisions_count", ""] == told["rescind_commit_decisions_bucket", "le=+Inf"]
    assert told["rescind_store_takes_commits", ""] == 1


def test_an_organisation_is_told_nothing_of_another() -> None:
    stage = Stage()
    stage.start()
    stage.cancel_agent()
    told = samples(counted(stage), organisation="other")
    assert not [name for name, labels in told if "kind=" in labels or "target=" in labels]


def test_what_waits_is_left_out_while_the_store_is_in_trouble() -> None:
    assert not [name for name, _ in samples(Counts()) if "queue" in name or "stuck" in name]
