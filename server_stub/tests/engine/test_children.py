"""Agents with children: spawned, awaited, signalled, cancelled with all under them, deepest first. Section 7."""

from __future__ import annotations

from typing import Any

import pytest

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.child_operations import (
    AwaitChildren,
    CancelChild,
    ChildCancelAnswered,
    ChildrenSettled,
    LeaveChildren,
    SignalChild,
    SignalSent,
    SpawnChild,
)
from rescind.model.children import Budget
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId, Instant
from rescind.model.messages import (
    AgentActivation,
    AgentCancelled,
    AgentCompleted,
    AgentFailed,
    AgentParked,
    AgentProgress,
)
from rescind.model.operations import AwaitSignal, Flush, WaitCondition
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelTaskResult, FailureKind, ParentClosePolicy, TaskStatus
from server_stub.tests.engine.driver import CLIENT, ERROR, Agent, Stage

ENDINGS = [AgentCompleted(Payload(b"1")), AgentFailed(ERROR)]
ALL, ANY = WaitCondition.ALL_ENDED, WaitCondition.ANY_ENDED


def spawns(child_id: str, *, kind: str = "agent", **options: Any) -> SpawnChild:
    return SpawnChild(0, ExecutionId(child_id), kind, NULL_PAYLOAD, **options)


def awaits(*child_ids: str, condition: WaitCondition = ALL, **options: Any) -> AwaitChildren:
    return AwaitChildren(0, tuple(ExecutionId(each) for each in child_ids), condition, **options)


def cancels(child_id: str, *, hard: bool = False, within_ms: int | None = None) -> CancelChild:
    cause = CancelCause(CancelSource.REQUEST, "agent:x", "enough")
    return CancelChild(0, ExecutionId(child_id), cause, hard, within_ms)


def grow(parent: Agent, *child_ids: str, **options: Any) -> list[Agent]:
    """Spawn children, whose code begins; the parent stays active."""
    stage = parent.stage
    children = [Agent(stage, ExecutionId(each)) for each in child_ids]
    stage.agents |= {child.execution_id: child for child in children}
    parent.do(*(spawns(each, **options) for each in child_ids))
    return children


def family(stage: Stage) -> dict[str, Agent]:
    """A tree of three levels, all of whose members wait for a signal that nobody sends."""
    root = stage.start("x")
    members = {"x": root}
    for child in grow(root, "x.1", "x.2"):
        members[child.execution_id] = child
        for leaf in grow(child, f"{child.execution_id}.1", f"{child.execution_id}.2"):
            members[leaf.execution_id] = leaf
    for member in members.values():
        member.rest(AwaitSignal(0, "never"))
    return members


def statuses(stage: Stage, *names: str) -> list[str]:
    return [stage.execution(name).status.value for name in names]


def settled(agent: Agent, position: int) -> ChildrenSettled | None:
    answer = agent.answers.get(position)
    assert answer is None or isinstance(answer, ChildrenSettled)
    return answer


def requested(stage: Stage) -> list[str]:
    """The executions whose cancel was requested in the last decision, in that order."""
    wanted = EventType.EXECUTION_CANCEL_REQUESTED
    return [execution_id for execution_id, event in stage.decisions[-1].events if event.type is wanted]


def test_a_child_begins_in_the_decision_that_spawns_it_and_knows_its_parent() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "c", budget=Budget(max_tokens=5))
    start = child.starts[0].start
    assert start is not None
    assert (start.parent_id, start.queue, start.budget) == ("x", "default", Budget(max_tokens=5))
    assert stage.execution("c").parent_id == "x"
    assert stage.last(EventType.EXECUTION_STARTED, "c")["by"] == "agent:x"


def test_spawning_the_same_id_again_is_the_same_child() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "c")
    root.do(spawns("c"), spawns("c", kind="other"))
    assert len(child.starts) == 1
    assert stage.events(execution_id="x").count(EventType.CHILD_SPAWNED) == 1


def test_an_id_that_another_execution_has_is_a_child_that_failed() -> None:
    stage = Stage()
    other = stage.start("c")
    root = stage.start("x")
    (_, at) = root.rest(spawns("c"), awaits("c"))
    answer = settled(root, at)
    assert answer is not None
    failure = answer.ended[0].outcome.failure
    assert failure is not None
    assert (failure.kind, failure.error_type) == (FailureKind.REJECTED, "AlreadyExists")
    other.end()
    assert stage.execution("c").parent_id is None


def test_an_id_that_a_closed_execution_has_is_a_child_that_failed() -> None:
    stage = Stage()
    root = stage.start("x")
    pending = root.pending
    assert pending is not None
    operations = (SpawnChild(1, ExecutionId("c"), "agent", NULL_PAYLOAD), AwaitChildren(2, (ExecutionId("c"),), ALL))
    progress = AgentProgress(ExecutionId("x"), pending.run, pending.number, operations)
    stage._take(stage.engine.decide(progress, stage.now, None, [ExecutionId("c")]))
    answer = settled(root, 2)
    assert answer is not None
    assert answer.ended[0].outcome.status is TaskStatus.FAILED


@pytest.mark.parametrize("ends_first", [True, False])
def test_a_wait_is_answered_whether_the_child_ends_before_it_or_behind_it(ends_first: bool) -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "c")
    if ends_first:
        child.end()
        (at,) = root.rest(awaits("c"))
    else:
        (at,) = root.rest(awaits("c"))
        assert root.pending is None
        child.end()
    answer = settled(root, at)
    assert answer is not None
    assert answer.ended[0].outcome.output == Payload(b"done")


def test_a_wait_for_all_is_answered_once_in_the_order_of_the_ends() -> None:
    stage = Stage()
    root = stage.start("x")
    one, two = grow(root, "c1", "c2")
    (at,) = root.rest(awaits("c1", "c2"))
    two.end(AgentFailed(ERROR))
    assert root.pending is None
    one.end()
    answer = settled(root, at)
    assert answer is not None
    assert [(end.child_id, end.outcome.status.value) for end in answer.ended] == [("c2", "FAILED"), ("c1", "COMPLETED")]


def test_a_wait_for_any_is_answered_by_the_first_end() -> None:
    stage = Stage()
    root = stage.start("x")
    _, two = grow(root, "c1", "c2")
    (at,) = root.rest(awaits("c1", "c2", condition=ANY))
    two.end()
    answer = settled(root, at)
    assert answer is not None
    assert [end.child_id for end in answer.ended] == ["c2"]


def test_a_wait_for_children_is_over_at_its_deadline() -> None:
    stage = Stage()
    root = stage.start("x")
    grow(root, "c")
    (at,) = root.rest(awaits("c", deadline=Instant(stage.now + 5_000_000)))
    stage.pass_time(5_000)
    assert settled(root, at) == ChildrenSettled(timed_out=True)


def test_a_wait_for_no_child_of_this_agent_tells_so() -> None:
    stage = Stage()
    root = stage.start("x")
    other = stage.start("y")
    grow(other, "c")
    (at,) = root.rest(awaits("c"))
    answer = settled(root, at)
    assert answer is not None
    failure = answer.ended[0].outcome.failure
    assert failure == Failure(FailureKind.REJECTED, "this agent has no such child", retryable=False)


def test_a_cancelled_tree_is_told_deepest_first_in_one_decision() -> None:
    stage = Stage()
    family(stage)
    stage.cancel_agent("x")
    assert requested(stage) == ["x", "x.1.1", "x.1.2", "x.2.1", "x.2.2", "x.1", "x.2"]
    told = [message.execution_id for message in stage.pushed["w"][-7:] if isinstance(message, AgentActivation)]
    assert told == ["x.1.1", "x.1.2", "x.2.1", "x.2.2", "x.1", "x.2", "x"]


def test_each_child_is_told_by_whom_and_why_and_who_asked_in_the_first_place() -> None:
    stage = Stage()
    members = family(stage)
    stage.cancel_agent("x")
    assert members["x"].told == [CLIENT]
    assert members["x.1"].told == [CancelCause(CancelSource.PARENT, "agent:x", CLIENT.reason)]
    assert members["x.1.2"].told == [CancelCause(CancelSource.PARENT, "agent:x.1", CLIENT.reason)]
    assert stage.last(EventType.EXECUTION_CANCEL_REQUESTED, "x.1.2")["asked_by"] == CLIENT.by
    assert stage.last(EventType.CHILD_CANCEL_REQUESTED, "x.1")["result"] == "CANCELLED"


def test_a_parent_that_waits_is_told_of_the_end_of_a_child_that_was_cancelled_with_it() -> None:
    stage = Stage()
    members = family(stage)
    stage.cancel_agent("x")
    members["x.1.1"].end(AgentCancelled())
    (at,) = members["x.1"].rest(awaits("x.1.1"))
    answer = settled(members["x.1"], at)
    assert answer is not None
    assert answer.ended[0].outcome.status is TaskStatus.CANCELLED


def test_a_child_that_never_began_ends_with_its_cancel_and_its_code_never_runs() -> None:
    stage = Stage()
    root = stage.start("x")
    root.do(spawns("c", kind="nobody-runs-this"))
    at, wait = root.rest(cancels("c"), awaits("c"))
    assert root.answers[at] == ChildCancelAnswered(CancelTaskResult.CANCELLED)
    assert statuses(stage, "c") == ["CANCELLED"]
    assert settled(root, wait) is not None
    stage.join("v", agents=("nobody-runs-this",))
    assert stage.events(execution_id="c").count(EventType.EXECUTION_ACTIVATED) == 0


def test_a_child_that_is_spawned_and_cancelled_in_one_step_never_begins() -> None:
    stage = Stage()
    root = stage.start("x")
    root.rest(spawns("c"), cancels("c"), Flush(0))
    assert statuses(stage, "c") == ["CANCELLED"]
    assert EventType.EXECUTION_ACTIVATED not in stage.events(execution_id="c")


def test_cancels_of_a_child_are_answered_by_what_they_meet() -> None:
    stage = Stage()
    root = stage.start("x")
    done, broken, open_ = grow(root, "done", "broken", "open")
    done.end()
    broken.end(AgentFailed(ERROR))
    open_.rest(AwaitSignal(0, "never"))
    positions = root.do(*map(cancels, ("done", "broken", "open", "open", "no-child-of-mine")))[:-1]
    answers = [root.answers[position] for position in positions]
    assert answers == [
        ChildCancelAnswered(CancelTaskResult(result))
        for result in ("ALREADY_COMPLETED", "ALREADY_FAILED", "CANCELLED", "ALREADY_CANCELLED", "NOT_FOUND")
    ]


def test_a_child_of_another_parent_is_not_found_and_goes_on() -> None:
    stage = Stage()
    root, other = stage.start("x"), stage.start("y")
    grow(other, "c")
    at, signal, *_ = root.do(cancels("c"), SignalChild(0, ExecutionId("c"), "hello", NULL_PAYLOAD))
    assert root.answers[at] == ChildCancelAnswered(CancelTaskResult.NOT_FOUND)
    assert root.answers[signal] == SignalSent(delivered=False)
    assert statuses(stage, "c") == ["RUNNING"]


def test_a_child_that_completes_while_its_cancel_is_under_way_is_cancelled() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "c")
    at, *_ = root.do(cancels("c"))
    child.end()
    assert root.answers[at] == ChildCancelAnswered(CancelTaskResult.CANCELLED)
    assert statuses(stage, "c") == ["CANCELLED"]


def test_hard_goes_down_the_tree_and_ends_it_at_once() -> None:
    stage = Stage()
    members = family(stage)
    stage.cancel_agent("x", hard=True)
    assert set(statuses(stage, *members)) == {"CANCELLED"}
    ends = [name for name, event in stage.decisions[-1].events if event.type is EventType.EXECUTION_CANCELLED]
    assert ends == ["x.1.1", "x.1.2", "x.2.1", "x.2.2", "x.1", "x.2", "x"]


def test_hard_behind_a_graceful_cancel_ends_what_still_cleans_up() -> None:
    stage = Stage()
    members = family(stage)
    stage.cancel_agent("x")
    assert set(statuses(stage, *members)) == {"CANCELLING"}
    assert stage.cancel_agent("x", hard=True) is CancelTaskResult.ALREADY_CANCELLED
    assert set(statuses(stage, *members)) == {"CANCELLED"}


def test_hard_reaches_what_cleans_up_under_a_parent_that_has_ended() -> None:
    stage = Stage()
    members = family(stage)
    members["x.1"].stage.cancel_agent("x.1")
    members["x.1"].end(AgentCancelled())
    assert statuses(stage, "x.1", "x.1.1") == ["CANCELLED", "CANCELLING"]
    stage.cancel_agent("x", hard=True)
    assert statuses(stage, "x.1.1", "x.1.2") == ["CANCELLED", "CANCELLED"]


def test_the_time_of_a_graceful_cancel_shortens_the_clean_up() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "c")
    child.rest(AwaitSignal(0, "never"))
    root.do(cancels("c", within_ms=1_000))
    stage.pass_time(1_000)
    assert statuses(stage, "c") == ["CANCELLED"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_when_the_parent_ends_its_children_go_by_their_policy(ending: Any) -> None:
    stage = Stage()
    root = stage.start("x")
    goes, *_ = grow(root, "goes")
    (stays,) = grow(root, "stays", parent_close=ParentClosePolicy.ABANDON)
    root.end(ending)
    assert statuses(stage, "goes", "stays") == ["CANCELLING", "RUNNING"]
    assert goes.told == []
    goes.rest(Flush(0))
    assert goes.told[0].by == "agent:x"
    assert goes.told[0].reason == f"its agent is {stage.execution('x').status.value}"
    stays.end()
    assert statuses(stage, "stays") == ["COMPLETED"]


def test_a_parent_stays_in_memory_until_the_children_that_go_with_it_have_ended() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "c")
    root.end()
    assert stage.is_in_memory("x")
    child.end(AgentCancelled())
    assert not stage.is_in_memory("x")
    assert stage.last(EventType.CHILD_ENDED, "x")["status"] == "CANCELLED"


def test_a_parent_that_is_cancelled_leaves_an_abandoned_child_alone() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "c", parent_close=ParentClosePolicy.ABANDON)
    stage.cancel_agent("x")
    root.end(AgentCancelled())
    assert statuses(stage, "c") == ["RUNNING"]
    assert not stage.is_in_memory("x")
    child.end()
    assert statuses(stage, "c") == ["COMPLETED"]


def test_a_parked_child_ends_with_its_parents_cancel() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "c")
    assert child.pending is not None
    stage.decide(AgentParked(ExecutionId("c"), child.pending.run, "other code"))
    stage.cancel_agent("x")
    assert statuses(stage, "c") == ["CANCELLED"]


def test_children_that_are_left_are_cancelled_and_nobody_is_answered() -> None:
    stage = Stage()
    root = stage.start("x")
    done, open_ = grow(root, "done", "open")
    done.end()
    left = (ExecutionId("done"), ExecutionId("open"), ExecutionId("no-child"))
    root.do(LeaveChildren(0, left, CancelCause(CancelSource.SCOPE_LEFT, "agent:x")))
    assert statuses(stage, "done", "open") == ["COMPLETED", "CANCELLING"]
    open_.rest(Flush(0))
    assert open_.told[0].source is CancelSource.SCOPE_LEFT
