"""Children, and a parent, that live elsewhere: the engine decides what is its own, and its host does the rest."""

from __future__ import annotations

from rescind.model.child_operations import ChildCancelAnswered, SignalChild, SignalParent, SignalSent
from rescind.model.children import (
    CancelElsewhere,
    ChildEffect,
    ChildEnded,
    SignalElsewhere,
    Spawned,
    SpawnElsewhere,
)
from rescind.model.commands import ChildCancelTold, SignalAnswered, SignalExecution, StartExecution
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId
from rescind.model.messages import AgentCancelled
from rescind.model.operations import AwaitSignal
from rescind.model.outcome import Outcome
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelTaskResult, ParentClosePolicy, TaskStatus
from rescind_server.engine.machine import Engine
from server_stub.tests.engine.driver import Agent, Stage
from server_stub.tests.engine.test_children import ANY, awaits, cancels, settled, spawns

DONE = Outcome(TaskStatus.COMPLETED, output=Payload(b"1"), attempts=1)


class AloneStage(Stage):
    """An engine of one execution, whose children live elsewhere."""

    def __init__(self) -> None:
        super().__init__(worker=None)
        self.engine = Engine(hosts_children=False)
        self.join("w")

    def effects(self) -> list[ChildEffect]:
        """What the host was asked to do by the last decision that asked for anything."""
        return [effect for _, effect in next((each.effects for each in reversed(self.decisions) if each.effects), [])]


def parent_of(stage: Stage, *child_ids: str, policy: ParentClosePolicy = ParentClosePolicy.CANCEL) -> Agent:
    root = stage.start("x")
    root.do(*(spawns(each, parent_close=policy) for each in child_ids))
    return root


def test_a_spawn_is_recorded_and_asked_of_the_host() -> None:
    stage = AloneStage()
    parent_of(stage, "c")
    effect = SpawnElsewhere(ExecutionId("c"), "agent", NULL_PAYLOAD, "default", {}, Spawned(ExecutionId("x")))
    assert stage.effects() == [effect]
    assert EventType.CHILD_SPAWNED in stage.events()
    assert not stage.engine.holds(ExecutionId("c"))


def test_the_news_of_a_childs_end_wakes_its_parent_and_counts_once() -> None:
    stage = AloneStage()
    root = parent_of(stage, "c")
    (at,) = root.rest(awaits("c"))
    for _ in range(2):
        stage.decide(ChildEnded(ExecutionId("x"), ExecutionId("c"), DONE))
    answer = settled(root, at)
    assert answer is not None
    assert answer.ended[0].outcome == DONE
    assert stage.events().count(EventType.CHILD_ENDED) == 1


def test_a_cancel_waits_for_what_the_host_tells_it_met() -> None:
    stage = AloneStage()
    root = parent_of(stage, "c")
    (at,) = root.rest(cancels("c", within_ms=5))
    (effect,) = stage.effects()
    assert isinstance(effect, CancelElsewhere)
    assert (effect.child_id, effect.position, effect.within_ms, effect.hard) == ("c", at, 5, False)
    assert at not in root.answers
    stage.decide(ChildCancelTold(ExecutionId("x"), at, CancelTaskResult.ALREADY_FAILED))
    assert root.answers[at] == ChildCancelAnswered(CancelTaskResult.ALREADY_FAILED)


def test_a_cancel_of_a_child_whose_end_is_known_asks_nobody() -> None:
    stage = AloneStage()
    root = parent_of(stage, "c")
    stage.decide(ChildEnded(ExecutionId("x"), ExecutionId("c"), DONE))
    at, *_ = root.do(cancels("c"))
    assert root.answers[at] == ChildCancelAnswered(CancelTaskResult.ALREADY_COMPLETED)


def test_the_cancel_of_a_parent_is_asked_of_its_children_once_and_those_it_abandons_are_left_alone() -> None:
    stage = AloneStage()
    root = parent_of(stage, "c1", "c2")
    root.do(spawns("c3", parent_close=ParentClosePolicy.ABANDON))
    root.rest(AwaitSignal(0, "never"))
    stage.cancel_agent("x")
    asked = [effect for effect in stage.effects() if isinstance(effect, CancelElsewhere)]
    assert [(effect.child_id, effect.cause.by, effect.position) for effect in asked] == [
        ("c1", "agent:x", None),
        ("c2", "agent:x", None),
    ]
    root.end(AgentCancelled())
    assert stage.decisions[-1].effects == []
    assert stage.is_in_memory("x")
    for name in ("c1", "c2"):
        stage.decide(ChildEnded(ExecutionId("x"), ExecutionId(name), Outcome(TaskStatus.CANCELLED)))
    assert not stage.is_in_memory("x")


def test_signals_go_by_the_host_and_are_answered_by_it() -> None:
    stage = AloneStage()
    root = parent_of(stage, "c")
    (at,) = root.rest(SignalChild(0, ExecutionId("c"), "go", NULL_PAYLOAD))
    assert stage.effects() == [SignalElsewhere(ExecutionId("c"), "go", NULL_PAYLOAD, at)]
    stage.decide(SignalAnswered(ExecutionId("x"), at, delivered=True))
    assert root.answers[at] == SignalSent(delivered=True)


def test_a_child_is_told_of_its_parent_and_signals_it_by_the_host() -> None:
    stage = AloneStage()
    name = ExecutionId("c")
    stage.agents[name] = child = Agent(stage, name)
    stage.decide(StartExecution("agent", NULL_PAYLOAD, name, spawned=Spawned(ExecutionId("x"))))
    assert child.starts[0].start is not None
    assert child.starts[0].start.parent_id == "x"
    (at,) = child.rest(SignalParent(0, "up", NULL_PAYLOAD))
    assert stage.effects() == [SignalElsewhere(ExecutionId("x"), "up", NULL_PAYLOAD, at)]
    child_at = at
    stage.decide(SignalAnswered(name, child_at, delivered=False))
    assert child.answers[at] == SignalSent(delivered=False)


def test_a_signal_that_comes_by_the_host_in_a_childs_name_is_told_to_waits_for_children() -> None:
    stage = AloneStage()
    root = parent_of(stage, "c")
    (at,) = root.rest(awaits("c", condition=ANY, with_signals=True, only_first=True))
    stage.decide(SignalExecution(ExecutionId("x"), "up", NULL_PAYLOAD, by="agent:c"))
    answer = settled(root, at)
    assert answer is not None
    assert [each.signal.name for each in answer.signals] == ["up"]
