"""The history: one event per transition, numbered without a gap, the same bytes for the same commands."""

from __future__ import annotations

import msgspec

from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import ExecutionId, Instant, TaskId
from rescind.model.messages import AgentParked
from rescind.model.operations import WaitCondition
from rescind.model.options import TaskOptions
from server_stub.tests.engine.driver import Stage, awaits

X = ExecutionId("x")


def play() -> Stage:
    """A story with something of everything."""
    stage = Stage(slots=2, seed=7)
    agent = stage.start()
    tasks = agent.schedule(4, options=TaskOptions(start_to_close_ms=5_000))
    agent.rest(awaits(tasks, WaitCondition.SOME_COMPLETED, needed=2))
    stage.fail(tasks[0])
    stage.pass_time(1_000)
    stage.signal("hello")
    stage.cancel(tasks[1])
    stage.leave()
    stage.pass_time(4_000)
    stage.join(running=[stage.lease(tasks[0])])
    stage.pass_time(20_000)
    stage.cancel_agent()
    stage.pass_time(60_000)
    return stage


def test_the_same_commands_give_the_same_bytes() -> None:
    first, second = play(), play()
    assert first.histories == second.histories
    assert msgspec.msgpack.encode(first.pushed) == msgspec.msgpack.encode(second.pushed)
    assert msgspec.json.encode(first.details()) == msgspec.json.encode(second.details())


def test_an_event_reads_flat_with_its_time_in_iso_8601() -> None:
    event = HistoryEvent(3, Instant(1_500_000), EventType.TASK_STARTED, TaskId("t"), 2, {"worker": "w"})
    assert event.to_json() == {
        "sequence": 3,
        "at": "1970-01-01T00:00:01.500000Z",
        "type": "TASK_STARTED",
        "task_id": "t",
        "attempt": 2,
        "worker": "w",
    }


def test_no_detail_hides_what_every_event_says() -> None:
    own = {"sequence", "at", "type", "task_id", "attempt"}
    for event in play().histories[X]:
        assert not own & set(event.details or {})
        assert event.to_json()["sequence"] == event.sequence


def test_an_event_is_plain_json() -> None:
    for event in play().histories[X]:
        assert msgspec.json.decode(msgspec.json.encode(event.to_json())) == event.to_json()


def test_a_life_without_trouble_is_told_in_full() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    (_,) = agent.rest(awaits([task_id], WaitCondition.ALL_COMPLETED))
    stage.complete(task_id)
    agent.end()
    assert [event.value for event in stage.events()] == [
        "EXECUTION_STARTED",
        "EXECUTION_ACTIVATED",
        "TASK_SCHEDULED",
        "EXECUTION_ACTIVATED",
        "TASK_STARTED",
        "WAIT_STARTED",
        "EXECUTION_SUSPENDED",
        "TASK_COMPLETED",
        "WAIT_SETTLED",
        "EXECUTION_ACTIVATED",
        "EXECUTION_COMPLETED",
    ]


def test_every_row_that_changed_is_named_in_the_decision() -> None:
    for decision in play().decisions:
        assert {
            execution_id for execution_id, _ in decision.events
        } <= decision.executions.keys() | decision.annotated.keys()
        assert {event.task_id for _, event in decision.events if event.task_id} <= set(decision.tasks)


def test_a_command_that_means_nothing_leaves_no_trace() -> None:
    stage = Stage()
    stage.start()
    decision = stage.decide(AgentParked(ExecutionId("unknown"), 1, "problem"))
    assert (decision.events, decision.pushes, decision.executions) == ([], [], {})
