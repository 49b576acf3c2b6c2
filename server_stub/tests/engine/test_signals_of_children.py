"""Signals between an agent and its children, and what these have used up."""

from __future__ import annotations

from typing import Any

from rescind.model.child_operations import (
    ChildrenSettled,
    ChildSignal,
    ReportUsage,
    SignalChild,
    SignalParent,
    SignalSent,
)
from rescind.model.children import Usage
from rescind.model.ids import ExecutionId
from rescind.model.operations import AwaitSignal, Resolution, Signal, SignalsTaken
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import ParentClosePolicy
from rescind_server.engine import child_waits
from server_stub.tests.engine.driver import Stage
from server_stub.tests.engine.test_children import ANY, awaits, grow, settled


def test_a_signal_goes_to_the_child_and_one_to_the_parent() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "c")
    (waits,) = child.rest(AwaitSignal(0, "down"))
    at, _ = root.do(SignalChild(0, ExecutionId("c"), "down", Payload(b"1")))
    taken = child.answers[waits]
    assert isinstance(taken, SignalsTaken)
    assert taken.signals[0].value == Payload(b"1")
    assert root.answers[at] == SignalSent(delivered=True)
    up, _ = child.do(SignalParent(0, "up", Payload(b"2")))
    assert child.answers[up] == SignalSent(delivered=True)
    (takes,) = root.rest(AwaitSignal(0, "up"))
    assert isinstance(root.answers[takes], SignalsTaken)


def test_a_signal_to_who_has_ended_is_not_delivered() -> None:
    stage = Stage()
    root = stage.start("x")
    done, orphan = grow(root, "done", "orphan", parent_close=ParentClosePolicy.ABANDON)
    done.end()
    at, _ = root.do(SignalChild(0, ExecutionId("done"), "down", NULL_PAYLOAD))
    assert root.answers[at] == SignalSent(delivered=False)
    root.end()
    up, _ = orphan.do(SignalParent(0, "up", NULL_PAYLOAD))
    assert orphan.answers[up] == SignalSent(delivered=False)


def test_a_signal_of_a_child_wakes_a_wait_that_wants_to_hear_of_it_and_is_told_once() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "c")
    (at,) = root.rest(awaits("c", condition=ANY, with_signals=True, only_first=True))
    child.do(SignalParent(0, "up", NULL_PAYLOAD))
    answer = settled(root, at)
    assert answer is not None
    assert [each.signal.name for each in answer.signals] == ["up"]
    root.rest(awaits("c", condition=ANY, with_signals=True, only_first=True))
    assert root.pending is None


def test_a_wait_that_hears_signals_tells_the_earliest_of_ends_and_signals() -> None:
    stage = Stage()
    root = stage.start("x")
    one, two = grow(root, "c1", "c2")
    one.do(SignalParent(0, "up", NULL_PAYLOAD))
    two.end()
    options: dict[str, Any] = {"condition": ANY, "with_signals": True, "only_first": True}
    first, _ = root.do(awaits("c1", "c2", **options))
    second, _ = root.do(awaits("c1", "c2", **options))
    answers = [settled(root, first), settled(root, second)]
    assert all(answer is not None for answer in answers)
    assert [[end.child_id for end in answer.ended] for answer in answers if answer] == [[], ["c2"]]


def test_what_an_agent_was_not_told_any_more_is_told_later_in_the_same_order() -> None:
    stage = Stage()
    grow(stage.start("x"), "c")
    execution = stage.engine._state.executions[ExecutionId("x")]
    child = execution.children[ExecutionId("c")]
    told = tuple(ChildSignal(child.child_id, Signal("up", NULL_PAYLOAD, number)) for number in range(4))
    execution.inbox += [
        Resolution(position, ChildrenSettled((), signals)) for position, signals in enumerate((told[:2], told[2:]))
    ]
    child_waits.keep_untold(stage.engine._state, execution)
    execution.inbox.clear()
    assert [signal.sequence for _, signal in child.untold] == [0, 1, 2, 3]


def test_what_a_child_has_used_up_is_told_with_its_end() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "c")
    child.do(ReportUsage(0, Usage(3, 0.5)), ReportUsage(0, Usage(4)))
    child.end()
    (at,) = root.rest(awaits("c"))
    answer = settled(root, at)
    assert answer is not None
    assert answer.ended[0].usage == Usage(7, 0.5)
    assert stage.execution("c").usage == Usage(7, 0.5)
