"""A worker keeps so many runs of agents in memory; when others wait, one that can be done without makes room."""

from __future__ import annotations

from rescind.model.events import EventType
from rescind.model.messages import AgentActivation, AgentEviction, AgentParked
from rescind.model.operations import AwaitSignal, BeginStep
from rescind.model.status import ExecutionStatus
from server_stub.tests.engine.driver import Agent, Stage

PENDING, RUNNING, WAITING = ExecutionStatus.PENDING, ExecutionStatus.RUNNING, ExecutionStatus.WAITING


def staged(agent_slots: int) -> Stage:
    stage = Stage(worker=None)
    stage.join("w", agent_slots=agent_slots)
    return stage


def statuses(stage: Stage) -> list[ExecutionStatus]:
    return [stage.execution(name).status for name in stage.agents]


def evictions(stage: Stage, worker: str = "w") -> list[str]:
    return [message.execution_id for message in stage.pushed[worker] if isinstance(message, AgentEviction)]


def waits(agent: Agent) -> None:
    agent.rest(AwaitSignal(0, "go"))


def test_a_worker_is_given_no_more_agents_than_it_has_slots_and_the_next_when_one_has_ended() -> None:
    stage = staged(2)
    first, *_ = [stage.start(name) for name in ("x1", "x2", "x3", "x4")]
    assert statuses(stage) == [RUNNING, RUNNING, PENDING, PENDING]
    first.end()
    assert statuses(stage)[1:] == [RUNNING, RUNNING, PENDING]


def test_a_worker_that_joins_is_given_the_oldest_that_it_has_slots_for() -> None:
    stage = Stage(worker=None)
    for name in ("x1", "x2", "x3"):
        stage.start(name)
    stage.join("w", agent_slots=2)
    assert statuses(stage) == [RUNNING, RUNNING, PENDING]


def test_the_oldest_goes_first_whatever_its_kind() -> None:
    stage = Stage(worker=None)
    for name, kind in (("x1", "b"), ("x2", "a"), ("x3", "b"), ("x4", "a")):
        stage.start(name, kind=kind)
    stage.join("w", agents=("a", "b"), agent_slots=3)
    assert statuses(stage) == [RUNNING, RUNNING, RUNNING, PENDING]


def test_the_run_that_waits_for_longest_makes_room_for_an_agent_that_is_queued() -> None:
    stage = staged(2)
    first, second = stage.start("x1"), stage.start("x2")
    waits(second)
    waits(first)
    stage.pass_time(1_000)
    stage.start("x3")
    assert evictions(stage) == ["x2"]
    assert statuses(stage) == [WAITING, WAITING, RUNNING]


def test_an_agent_that_never_ran_takes_nobodys_place_who_waits_for_a_moment_only() -> None:
    stage = staged(1)
    first = stage.start("x1")
    stage.start("x2")
    waits(first)
    stage.pass_time(999)
    assert evictions(stage) == []
    stage.pass_time(1)
    assert evictions(stage) == ["x1"]
    assert statuses(stage) == [WAITING, RUNNING]


def test_an_agent_that_ran_before_takes_it_at_once() -> None:
    stage = staged(1)
    first = stage.start("x1")
    waits(first)
    stage.pass_time(1_000)
    waits(stage.start("x2"))
    stage.signal("go", execution_id="x1")
    assert evictions(stage) == ["x1", "x2"]
    assert statuses(stage) == [RUNNING, WAITING]


def test_room_is_looked_for_with_another_worker_when_the_run_that_waited_here_was_woken() -> None:
    stage = staged(1)
    first = stage.start("x1")
    waits(first)
    stage.pass_time(500)
    stage.join("v", agent_slots=1)
    waits(stage.start("x2"))
    stage.start("x3")
    stage.signal("go", execution_id="x1")
    stage.pass_time(1_000)
    assert evictions(stage, "v") == ["x2"]


def test_room_is_looked_for_with_another_worker_when_the_one_that_was_looked_at_has_left() -> None:
    stage = staged(1)
    waits(stage.start("x1"))
    stage.join("v", agent_slots=1)
    waits(stage.start("x2"))
    stage.start("x3")
    stage.leave("w")
    stage.pass_time(1_000)
    assert evictions(stage, "v") == ["x2"]


def test_nobody_is_evicted_as_long_as_nobody_needs_the_room() -> None:
    stage = staged(2)
    for name in ("x1", "x2"):
        waits(stage.start(name))
    assert evictions(stage) == []


def test_a_run_that_comes_to_wait_makes_room_for_an_agent_that_was_queued_before() -> None:
    stage = staged(1)
    first = stage.start("x1")
    stage.start("x2")
    waits(first)
    stage.pass_time(1_000)
    assert evictions(stage) == ["x1"]
    assert statuses(stage) == [WAITING, RUNNING]


def test_a_run_whose_side_effect_is_under_way_is_not_evicted() -> None:
    stage = staged(1)
    stage.start("x1").rest(BeginStep(0, "pay"))
    stage.start("x2")
    stage.pass_time(1_000)
    assert evictions(stage) == []
    assert statuses(stage) == [WAITING, PENDING]


def test_an_evicted_agent_is_replayed_when_it_is_woken() -> None:
    stage = staged(1)
    first = stage.start("x1")
    waits(first)
    stage.pass_time(1_000)
    second = stage.start("x2")
    stage.signal("go", execution_id="x1")
    assert statuses(stage) == [PENDING, RUNNING]
    second.end()
    start = first.starts[-1].start
    assert first.starts[-1].run == 2
    assert start is not None
    assert [issued.operation for issued in start.journal[0].issued] == ["AwaitSignal"]
    assert stage.events(execution_id="x1").count(EventType.EXECUTION_RELEASED) == 0


def test_agents_that_ran_before_go_on_before_others_begin() -> None:
    stage = staged(1)
    first = stage.start("x1")
    waits(first)
    stage.pass_time(1_000)
    second = stage.start("x2")
    stage.start("x3")
    stage.signal("go", execution_id="x1")
    second.end()
    assert statuses(stage)[::2] == [RUNNING, PENDING]


def test_an_agent_that_ran_before_goes_on_before_older_ones_of_another_kind_begin() -> None:
    stage = Stage(worker=None)
    stage.join("w", agents=("b",), agent_slots=1)
    stage.start("x1", kind="a")
    waits(stage.start("x2", kind="b"))
    stage.leave("w")
    stage.signal("go", execution_id="x2")
    assert statuses(stage) == [PENDING, PENDING]
    stage.join("v", agents=("a", "b"), agent_slots=1)
    assert statuses(stage) == [PENDING, RUNNING]


def test_a_free_slot_is_taken_before_anybody_is_evicted() -> None:
    stage = staged(1)
    waits(stage.start("x1"))
    stage.join("v", agent_slots=1)
    stage.start("x2")
    assert evictions(stage) == []
    assert [type(message) for message in stage.pushed["v"]] == [AgentActivation]


def test_parked_agents_are_tried_by_a_worker_that_comes_as_far_as_it_has_room() -> None:
    stage = staged(3)
    for name in ("x1", "x2"):
        stage.decide(AgentParked(stage.start(name).execution_id, 1, "the code has changed"))
    assert statuses(stage) == [WAITING, WAITING]
    stage.leave("w", handed_back=True)
    stage.join("v", agent_slots=1)
    assert statuses(stage) == [RUNNING, PENDING]


def test_agents_and_tasks_are_given_to_workers_in_turn() -> None:
    stage = Stage(worker=None)
    for worker in ("u", "v", "w"):
        stage.join(worker)
    agents = [stage.start(f"x{number}") for number in range(6)]
    assert [len(stage.pushed[worker]) for worker in ("u", "v", "w")] == [2, 2, 2]
    agents[0].schedule(6)
    running = stage.engine._state.workers.values()
    assert [len(worker.running) for worker in running] == [2, 2, 2]
