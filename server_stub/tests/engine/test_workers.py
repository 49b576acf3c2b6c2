"""Who gets what: kinds, queues, order, leases, and sessions that come and go."""

from __future__ import annotations

import pytest

from rescind.model.commands import StartExecution
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId, Lease, TaskId, WorkerId
from rescind.model.messages import (
    AgentActivation,
    AgentProgress,
    FromWorker,
    StepReported,
    StopOrder,
    StopReported,
    TaskActivation,
    TaskAlive,
    TaskReported,
    WorkerAlive,
    WorkerLeft,
)
from rescind.model.operations import Flush
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.status import ExecutionStatus, FailureKind, StopState, TaskStatus
from server_stub.tests.engine.driver import ONE_ATTEMPT, Stage


def handed_to(stage: Stage, worker: str) -> list[TaskId]:
    return [message.task_id for message in stage.pushed[worker] if isinstance(message, TaskActivation)]


def agents_of(stage: Stage, worker: str) -> list[ExecutionId]:
    return [message.execution_id for message in stage.pushed[worker] if isinstance(message, AgentActivation)]


def test_a_worker_gets_only_kinds_and_queues_that_it_announced() -> None:
    stage = Stage(worker=None)
    stage.join("agents", tasks=())
    agent = stage.start()
    (wrong_kind,) = agent.schedule(kind="other")
    (wrong_queue,) = agent.schedule(queue="elsewhere")
    (right,) = agent.schedule()
    stage.join("w", agents=())
    assert handed_to(stage, "w") == [right]
    stage.join("v", agents=(), tasks=("other",), queues=("default", "elsewhere"))
    assert handed_to(stage, "v") == [wrong_kind]
    assert stage.status(wrong_queue) is TaskStatus.PENDING


def test_a_task_is_put_on_the_queue_of_its_agent_unless_told_otherwise() -> None:
    stage = Stage(worker=None)
    stage.join("w", queues=("carriers",))
    agent = stage.start(queue="carriers")
    own, other = agent.schedule() + agent.schedule(queue="elsewhere")
    assert (stage.task(own).queue, stage.task(other).queue) == ("carriers", "elsewhere")
    assert handed_to(stage, "w") == [own]


def test_agents_run_only_on_workers_that_know_their_kind_and_take_their_queue() -> None:
    stage = Stage(worker=None)
    stage.join("other-kind", agents=("other",))
    stage.join("other-queue", queues=("elsewhere",))
    stage.start()
    assert stage.execution().status is ExecutionStatus.PENDING
    stage.join("right")
    assert agents_of(stage, "right") == ["x"]
    assert agents_of(stage, "other-kind") == agents_of(stage, "other-queue") == []


def test_the_oldest_task_is_handed_out_first_over_all_queues_and_kinds() -> None:
    stage = Stage(worker=None)
    stage.join("agents", tasks=())
    agent = stage.start()
    tasks = [
        agent.schedule(kind=kind, queue=queue)[0]
        for kind, queue in [("b", "q"), ("a", "p"), ("a", "q"), ("b", "p"), ("a", "q"), ("b", "q")]
    ]
    stage.join("w", agents=(), tasks=("a", "b"), queues=("p", "q"), slots=2)
    while len(handed_to(stage, "w")) < len(tasks):
        running = [task_id for task_id in handed_to(stage, "w") if stage.status(task_id) is TaskStatus.RUNNING]
        assert len(running) == 2
        stage.complete(running[0])
    assert handed_to(stage, "w") == tasks


def test_a_task_that_is_tried_again_without_pause_does_not_overtake_those_that_wait() -> None:
    stage = Stage(slots=1)
    agent = stage.start()
    first, second = agent.schedule(2, options=TaskOptions(retry=RetryPolicy(initial_interval_ms=0)))
    stage.fail(first)
    assert handed_to(stage, "w") == [first, second]
    stage.complete(second)
    assert handed_to(stage, "w") == [first, second, first]


def test_a_worker_never_has_more_than_its_slots() -> None:
    stage = Stage(slots=3)
    tasks = stage.start().schedule(10)
    assert handed_to(stage, "w") == tasks[:3]
    stage.complete(tasks[1])
    assert handed_to(stage, "w") == tasks[:4]


def test_several_workers_share_the_work_and_no_task_is_given_to_two() -> None:
    stage = Stage(slots=2)
    stage.join("v", slots=2)
    tasks = stage.start().schedule(5)
    assert sorted(handed_to(stage, "w") + handed_to(stage, "v")) == sorted(tasks[:4])
    stage.complete(handed_to(stage, "v")[0])
    assert len(handed_to(stage, "v")) == 3


def test_a_task_that_ended_in_the_backlog_is_passed_over() -> None:
    stage = Stage(slots=1)
    tasks = stage.start().schedule(4)
    stage.cancel(tasks[1])
    stage.cancel(tasks[2])
    stage.complete(tasks[0])
    assert handed_to(stage, "w") == [tasks[0], tasks[3]]


# -- sessions and leases --


def test_what_a_worker_runs_stays_its_own_until_its_lease_ends() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule(options=ONE_ATTEMPT)
    stage.leave()
    stage.pass_time(9_999.999)
    assert stage.status(task_id) is TaskStatus.RUNNING
    stage.pass_time(0.001)
    failure = stage.task(task_id).failure
    assert failure is not None
    assert failure.kind is FailureKind.WORKER_LOST


def test_a_result_from_a_worker_that_is_away_counts_while_its_lease_lasts() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.leave()
    stage.complete(task_id)
    assert stage.status(task_id) is TaskStatus.COMPLETED


def test_a_result_after_the_lease_has_ended_is_refused() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.leave()
    stage.pass_time(10_000)
    assert stage.complete(task_id).events == []
    assert stage.status(task_id) is TaskStatus.PENDING


def test_a_worker_that_comes_back_goes_on_with_what_it_names_and_has_lost_the_rest() -> None:
    stage = Stage()
    agent = stage.start()
    kept, lost = agent.schedule(2, options=ONE_ATTEMPT)
    stage.leave()
    stage.join(running=[stage.lease(kept)])
    stage.pass_time(20_000)
    assert (stage.status(kept), stage.status(lost)) == (TaskStatus.RUNNING, TaskStatus.FAILED)
    stage.complete(kept)
    assert len(stage.activations[kept]) == 1


def test_what_it_names_takes_up_its_slots() -> None:
    stage = Stage(slots=2)
    tasks = stage.start().schedule(3)
    stage.leave()
    stage.join(slots=2, running=[stage.lease(task_id) for task_id in tasks[:2]])
    assert handed_to(stage, "w") == tasks[:2]
    stage.complete(tasks[0])
    assert handed_to(stage, "w") == tasks


def test_an_attempt_that_the_server_has_forgotten_is_ordered_to_stop() -> None:
    stage = Stage(worker=None)
    stage.join("w", running=[Lease(77), Lease(76)])
    orders = [message for message in stage.pushed["w"] if isinstance(message, StopOrder)]
    assert [order.lease for order in orders] == [76, 77]


def test_the_end_of_an_old_session_says_nothing_about_the_new_one() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.join(running=[stage.lease(task_id)])
    stage.leave(session=1)
    stage.pass_time(20_000)
    assert stage.status(task_id) is TaskStatus.RUNNING


def test_a_session_that_is_not_newer_is_not_let_in() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.join(session=1)
    assert stage.status(task_id) is TaskStatus.RUNNING
    assert len(stage.activations[task_id]) == 1


def test_a_worker_that_left_twice_left_once() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    stage.leave()
    stage.pass_time(5_000)
    stage.leave()
    stage.pass_time(5_000)
    assert stage.status(task_id) is TaskStatus.PENDING


def test_a_worker_that_hands_back_frees_its_work_at_once() -> None:
    stage = Stage()
    stage.join("v", agents=())
    (task_id,) = stage.start().schedule(options=TaskOptions(retry=RetryPolicy(initial_interval_ms=0)))
    stage.leave(handed_back=True)
    assert handed_to(stage, "v") == [task_id]


def test_silence_ends_a_worker_and_signs_of_life_keep_it() -> None:
    stage = Stage(worker=None)
    stage.join("w", silence_ms=1_000)
    (task_id,) = stage.start().schedule(options=ONE_ATTEMPT)
    for _ in range(5):
        stage.pass_time(900)
        stage.decide(WorkerAlive(WorkerId("w")))
    assert stage.status(task_id) is TaskStatus.RUNNING
    stage.pass_time(999.999)
    assert stage.status(task_id) is TaskStatus.RUNNING
    stage.pass_time(0.001)
    assert stage.status(task_id) is TaskStatus.FAILED
    assert stage.decide(WorkerAlive(WorkerId("w"))).events == []


def test_a_silent_worker_that_joins_again_gets_work_again() -> None:
    stage = Stage(worker=None)
    stage.join("w", silence_ms=1_000)
    (task_id,) = stage.start().schedule()
    stage.pass_time(2_000)
    stage.join("w", silence_ms=1_000)
    assert [each.attempt for each in stage.activations[task_id]] == [1, 2]


# -- agents --


def test_an_agent_is_taken_up_at_once_by_another_worker_that_finds_its_journal() -> None:
    stage = Stage()
    stage.join("v")
    agent = stage.start()
    (task_id,) = agent.schedule()
    assert stage.lease(task_id) == 1
    agent.rest()
    stage.signal("ignored")
    stage.leave()
    stage.complete(task_id)
    assert agents_of(stage, "v") == []  # it sleeps: nobody need run it yet
    agent = stage.agents[ExecutionId("x")]
    stage.cancel_agent()
    assert agents_of(stage, "v") == ["x"]
    start = agent.starts[-1].start
    assert start is not None
    assert [[issued.operation for issued in entry.issued] for entry in start.journal] == [["ScheduleTask", "Flush"], []]


def test_an_activation_that_was_never_answered_is_taken_back_and_its_answers_come_again() -> None:
    stage = Stage()
    stage.join("v")
    agent = stage.start()
    (flush,) = agent.do()  # its answer is on its way to "w"
    agent.answers.clear()
    stage.leave()
    assert stage.events()[-2:] == [EventType.EXECUTION_RELEASED, EventType.EXECUTION_ACTIVATED]
    assert agents_of(stage, "v") == ["x"]
    assert list(agent.answers) == [flush]
    assert agent.pending is not None
    assert agent.pending.run == 2


def test_an_agent_whose_worker_is_lost_waits_for_one_that_can_run_it() -> None:
    stage = Stage()
    stage.start()
    stage.leave()
    assert stage.execution().status is ExecutionStatus.PENDING
    stage.join("other", agents=("other",))
    assert agents_of(stage, "other") == []
    stage.join("v")
    assert agents_of(stage, "v") == ["x"]


def test_what_an_old_run_still_sends_is_void() -> None:
    stage = Stage()
    agent = stage.start()
    stale = agent.pending
    assert stale is not None
    stage.leave()
    assert stage.decide(AgentProgress(agent.execution_id, stale.run, stale.number, (Flush(1),))).events == []
    stage.join("v")
    assert stage.decide(AgentProgress(agent.execution_id, stale.run, stale.number, (Flush(1),))).events == []
    assert agent.pending is not None
    assert agent.pending.run == 2


def test_progress_told_twice_counts_once() -> None:
    stage = Stage()
    agent = stage.start()
    first = agent.pending
    assert first is not None
    (task_id,) = agent.schedule()
    again = AgentProgress(agent.execution_id, first.run, first.number, (Flush(9),))
    assert stage.decide(again).events == []
    assert stage.status(task_id) is TaskStatus.RUNNING


def test_agents_that_wait_for_a_worker_are_all_taken_up_by_the_first_that_comes() -> None:
    stage = Stage(worker=None)
    for name in ("one", "two", "three"):
        stage.start(name)
    stage.cancel_agent("two")
    stage.join("w")
    assert agents_of(stage, "w") == ["one", "three"]


def test_ids_that_nobody_chose_follow_from_the_seed() -> None:
    first, second, other = (Stage(seed=seed).decide(StartExecution("agent")).reply for seed in (1, 1, 2))
    assert first == second != other


@pytest.mark.parametrize("silence_ms", [None, 60_000])
def test_nothing_is_left_of_a_worker_that_had_nothing_to_do(silence_ms: int | None) -> None:
    stage = Stage(worker=None)
    stage.join("w", silence_ms=silence_ms)
    stage.leave("w")
    assert stage.engine.next_due() is None
    assert not stage.engine._state.workers


def test_a_worker_speaks_of_itself_and_of_what_it_holds() -> None:
    stage = Stage()
    (task_id,) = stage.start().schedule()
    lease, execution_id = stage.lease(task_id), ExecutionId("x")
    of_the_first: list[FromWorker] = [
        TaskReported(task_id, lease),
        TaskAlive(task_id, lease),
        StopReported(task_id, lease, StopState.STOPPED),
        AgentProgress(execution_id, run=1, number=1, operations=()),
        StepReported(execution_id, run=1, position=1),
        WorkerAlive(WorkerId("w")),
        WorkerLeft(WorkerId("w"), 1),
    ]
    stage.join("v")
    for message in of_the_first:
        assert stage.engine.may_speak(WorkerId("w"), message)
        assert not stage.engine.may_speak(WorkerId("v"), message), message
