"""Waking the waiter (cancellation.md, sections 5 and 6): exactly when the condition becomes true, at both ends."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from rescind.model.cause import CancelSource
from rescind.model.events import EventType
from rescind.model.ids import Instant, TaskId
from rescind.model.messages import TaskActivation, TaskReported
from rescind.model.operations import WaitCondition, Withdraw
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import CancelTaskResult, FailureKind, StopState, TaskStatus
from server_stub.tests.engine.driver import ONE_ATTEMPT, Agent, Stage, awaits

ALL_COMPLETED = WaitCondition.ALL_COMPLETED
ALL_ENDED = WaitCondition.ALL_ENDED
SOME = WaitCondition.SOME_COMPLETED
ANY_ENDED = WaitCondition.ANY_ENDED
DONE, BROKE, GONE = "completes", "fails", "is cancelled"


def three_running() -> tuple[Stage, Agent, list[TaskId]]:
    stage = Stage()
    agent = stage.start()
    return stage, agent, agent.schedule(3, options=ONE_ATTEMPT)


def end(stage: Stage, task_id: TaskId, how: str) -> None:
    match how:
        case "completes":
            stage.complete(task_id)
        case "fails":
            stage.fail(task_id)
        case _:
            stage.cancel(task_id)


# What ends of three members, and after how many of them each condition holds.
STORIES = [
    (ALL_COMPLETED, 1, [DONE, DONE, DONE], 3),
    (ALL_COMPLETED, 1, [DONE, BROKE, DONE], 2),
    (ALL_COMPLETED, 1, [GONE, DONE, DONE], 1),
    (ALL_ENDED, 1, [BROKE, GONE, DONE], 3),
    (SOME, 1, [BROKE, DONE, DONE], 2),
    (SOME, 1, [BROKE, GONE, BROKE], 3),
    (SOME, 2, [DONE, BROKE, DONE], 3),
    (SOME, 2, [BROKE, GONE, DONE], 2),
    (SOME, 3, [DONE, BROKE, DONE], 2),
    (ANY_ENDED, 1, [BROKE, DONE, DONE], 1),
    (ANY_ENDED, 1, [GONE, DONE, DONE], 1),
]


@pytest.mark.parametrize("before", [0, 1, 2, 3])
@pytest.mark.parametrize(("condition", "needed", "ends", "holds_after"), STORIES)
def test_an_agent_is_woken_exactly_when_its_condition_becomes_true(
    condition: WaitCondition, needed: int, ends: list[str], holds_after: int, before: int
) -> None:
    stage, agent, tasks = three_running()
    for task_id, how in zip(tasks[:before], ends, strict=False):
        end(stage, task_id, how)
    (wait,) = agent.rest(awaits(tasks, condition, needed=needed))
    woken_after = before if agent.pending is not None else None
    for count in range(before, 3):
        if woken_after is None:
            end(stage, tasks[count], ends[count])
            woken_after = count + 1 if agent.pending is not None else None
    assert woken_after == max(before, holds_after)
    assert agent.settled(wait) is not None


@pytest.mark.parametrize(("condition", "needed", "ends", "holds_after"), STORIES)
def test_members_that_end_while_the_agent_is_busy_wake_it_when_it_suspends(
    condition: WaitCondition, needed: int, ends: list[str], holds_after: int
) -> None:
    stage, agent, tasks = three_running()
    (wait, _) = agent.do(awaits(tasks, condition, needed=needed))
    for task_id, how in zip(tasks[:holds_after], ends, strict=False):
        end(stage, task_id, how)
    agent.rest()
    assert agent.settled(wait) is not None


def test_a_member_that_ends_in_the_batch_that_registers_the_wait_counts() -> None:
    _, agent, tasks = three_running()
    positions = agent.rest(*[agent.cancels(task_id) for task_id in tasks], awaits(tasks, ALL_ENDED))
    settled = agent.settled(positions[-1])
    assert settled is not None
    assert [task_id for task_id, _ in settled.ended] == tasks


def test_a_wait_registered_before_the_end_in_one_batch_is_settled_in_it() -> None:
    _, agent, tasks = three_running()
    wait, *_ = agent.rest(awaits(tasks, ANY_ENDED), agent.cancels(tasks[1]))
    settled = agent.settled(wait)
    assert settled is not None
    assert [task_id for task_id, _ in settled.ended] == [tasks[1]]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("late", [False, True])
def test_the_winner_is_the_first_in_the_order_of_events_not_of_the_list(order: tuple[int, ...], late: bool) -> None:
    stage, agent, tasks = three_running()
    if not late:
        agent.rest(awaits(tasks, SOME))
    for place in order if late else order[:1]:
        stage.complete(tasks[place])
    if late:
        agent.rest(awaits(tasks, SOME))
    settled = agent.settled(agent.position)
    assert settled is not None
    assert [task_id for task_id, _ in settled.ended] == [tasks[order[0]]]
    assert stage.last(EventType.WAIT_SETTLED)["winners"] == [tasks[order[0]]]


def test_the_answer_tells_the_members_in_the_order_in_which_they_ended() -> None:
    stage, agent, tasks = three_running()
    (wait,) = agent.rest(awaits(tasks, ALL_ENDED))
    for place, how in [(2, DONE), (0, BROKE), (1, GONE)]:
        end(stage, tasks[place], how)
    settled = agent.settled(wait)
    assert settled is not None
    assert [task_id for task_id, _ in settled.ended] == [tasks[2], tasks[0], tasks[1]]
    assert [outcome.status.value for _, outcome in settled.ended] == ["COMPLETED", "FAILED", "CANCELLED"]


def test_a_join_that_fails_names_the_one_that_failed() -> None:
    stage, agent, tasks = three_running()
    (wait,) = agent.rest(awaits(tasks, ALL_COMPLETED))
    stage.complete(tasks[2])
    stage.fail(tasks[1])
    settled = agent.settled(wait)
    assert settled is not None
    assert [task_id for task_id, _ in settled.ended] == [tasks[1]]
    assert stage.status(tasks[0]) is TaskStatus.RUNNING  # join_all leaves the others running


@pytest.mark.parametrize("before", [False, True])
def test_a_task_given_twice_counts_once_per_position(before: bool) -> None:
    stage, agent, (first, second, _) = three_running()
    if before:
        stage.complete(first)
    (wait,) = agent.rest(awaits([first, second, first], SOME, needed=2))
    if not before:
        stage.complete(first)
    settled = agent.settled(wait)
    assert settled is not None
    assert [task_id for task_id, _ in settled.ended] == [first]


def test_a_task_given_twice_is_waited_for_by_both_positions() -> None:
    stage, agent, (first, second, _) = three_running()
    (wait,) = agent.rest(awaits([first, first, second], ALL_ENDED))
    stage.complete(first)
    assert agent.settled(wait) is None
    stage.complete(second)
    assert agent.settled(wait) is not None


def test_a_wait_for_an_unknown_task_ends_at_once_as_rejected() -> None:
    _, agent, tasks = three_running()
    (wait,) = agent.rest(awaits([tasks[0], TaskId("unknown")], ALL_ENDED))
    settled = agent.settled(wait)
    assert settled is not None
    ((task_id, outcome),) = settled.ended
    assert task_id == "unknown"
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.REJECTED


@pytest.mark.parametrize("condition", list(WaitCondition))
def test_a_wait_for_nothing_is_over_at_once(condition: WaitCondition) -> None:
    agent = Stage().start()
    (wait,) = agent.rest(awaits([], condition))
    settled = agent.settled(wait)
    assert settled is not None
    assert settled.ended == ()


def test_a_race_for_more_winners_than_members_is_over_at_once_and_leaves_nothing_running() -> None:
    _, agent, tasks = three_running()
    (wait,) = agent.rest(awaits(tasks, SOME, needed=4, losers=CancelSource.RACE_LOST))
    settled = agent.settled(wait)
    assert settled is not None
    assert settled.cancelled == tuple(tasks)


def test_a_race_for_no_winner_at_all_is_over_at_once() -> None:
    _, agent, tasks = three_running()
    (wait,) = agent.rest(awaits(tasks, SOME, needed=0))
    assert agent.settled(wait) is not None


# -- losers --


def test_losers_are_cancelled_in_the_decision_that_decides_the_winner() -> None:
    stage, agent, tasks = three_running()
    (wait,) = agent.rest(awaits(tasks, SOME, losers=CancelSource.RACE_LOST))
    decision = stage.complete(tasks[1])
    types = [event.type for _, event in decision.events]
    assert types.index(EventType.TASK_COMPLETED) < types.index(EventType.TASK_CANCELLED)
    settled = agent.settled(wait)
    assert settled is not None
    assert settled.cancelled == (tasks[0], tasks[2])  # in input order
    assert [stage.task(each).stop_state for each in settled.cancelled] == [StopState.REQUESTED] * 2
    cause = stage.task(tasks[0]).cause
    assert cause is not None
    assert (cause.source, cause.by) == (CancelSource.RACE_LOST, "agent:x")


def test_only_losers_that_this_race_ended_are_named() -> None:
    stage, agent, tasks = three_running()
    (wait,) = agent.rest(awaits([tasks[2], tasks[0], tasks[0], tasks[1]], SOME, losers=CancelSource.RACE_LOST))
    stage.fail(tasks[0])
    stage.complete(tasks[1])
    settled = agent.settled(wait)
    assert settled is not None
    assert settled.cancelled == (tasks[2],)


def test_losers_that_end_wake_those_who_wait_for_them_in_the_same_decision() -> None:
    stage, agent, tasks = three_running()
    race, other = agent.rest(awaits(tasks[:2], SOME, losers=CancelSource.RACE_LOST), awaits([tasks[1]], ALL_ENDED))
    stage.complete(tasks[0])
    agent.rest()
    assert agent.settled(race) is not None
    settled = agent.settled(other)
    assert settled is not None
    assert settled.ended[0][1].status is TaskStatus.CANCELLED


def test_losers_that_never_ran_are_never_started() -> None:
    stage = Stage(slots=1)
    agent = stage.start()
    tasks = agent.schedule(3)
    agent.rest(awaits(tasks, SOME, losers=CancelSource.RACE_LOST))
    stage.complete(tasks[0])
    assert [message.task_id for message in stage.pushed["w"] if isinstance(message, TaskActivation)] == tasks[:1]


# -- deadlines --


def test_a_deadline_ends_the_wait_with_what_there_is_and_cancels_the_rest() -> None:
    stage, agent, tasks = three_running()
    deadline = Instant(stage.now + 2_000_000)
    (wait,) = agent.rest(awaits(tasks, ALL_ENDED, deadline=deadline, losers=CancelSource.DEADLINE))
    stage.complete(tasks[1])
    stage.pass_time(1_999)
    assert agent.settled(wait) is None
    stage.pass_time(1)
    settled = agent.settled(wait)
    assert settled is not None
    assert settled.timed_out
    assert [task_id for task_id, _ in settled.ended] == [tasks[1]]
    assert settled.cancelled == (tasks[0], tasks[2])


def test_an_end_at_the_very_instant_of_the_deadline_comes_before_it() -> None:
    stage, agent, tasks = three_running()
    (wait,) = agent.rest(awaits(tasks[:1], ALL_ENDED, deadline=Instant(stage.now + 1_000)))
    stage.now = Instant(stage.now + 1_000)
    stage.complete(tasks[0])
    assert stage.come_due() == 0
    settled = agent.settled(wait)
    assert settled is not None
    assert not settled.timed_out


@pytest.mark.parametrize("offset", [0, -5_000_000])
def test_a_deadline_that_has_passed_ends_a_wait_at_once(offset: int) -> None:
    stage, agent, tasks = three_running()
    stage.complete(tasks[0])
    (wait,) = agent.rest(awaits(tasks, ALL_ENDED, deadline=Instant(stage.now + offset), losers=CancelSource.DEADLINE))
    settled = agent.settled(wait)
    assert settled is not None
    assert settled.timed_out
    assert settled.cancelled == tuple(tasks[1:])


def test_a_deadline_that_has_passed_does_not_count_against_a_condition_that_holds() -> None:
    stage, agent, tasks = three_running()
    stage.complete(tasks[0])
    (wait,) = agent.rest(awaits(tasks[:1], ALL_ENDED, deadline=stage.now))
    settled = agent.settled(wait)
    assert settled is not None
    assert not settled.timed_out


def test_a_wait_that_is_over_leaves_no_deadline() -> None:
    stage, agent, tasks = three_running()
    agent.rest(awaits(tasks, ANY_ENDED, deadline=Instant(stage.now + 1_000_000)))
    stage.complete(tasks[0])
    assert stage.engine.next_due() is None


# -- withdrawn --


@pytest.mark.parametrize("same_batch", [False, True])
def test_a_withdrawn_wait_cancels_no_losers_and_wakes_nobody(same_batch: bool) -> None:
    stage, agent, tasks = three_running()
    race = awaits(tasks, SOME, deadline=Instant(stage.now + 1_000), losers=CancelSource.RACE_LOST)
    if same_batch:
        agent.rest(race, Withdraw(0, agent.position + 1))
    else:
        (wait, _) = agent.do(race)
        agent.rest(Withdraw(0, wait))
    assert stage.engine.next_due() is None
    stage.complete(tasks[0])
    stage.pass_time(10)
    assert agent.pending is None
    assert [stage.status(task_id) for task_id in tasks[1:]] == [TaskStatus.RUNNING] * 2


def test_a_wait_withdrawn_behind_an_end_in_one_batch_cancels_no_losers() -> None:
    stage, agent, tasks = three_running()
    (wait, _) = agent.do(awaits(tasks, ANY_ENDED, losers=CancelSource.RACE_LOST))
    cancel, _ = agent.rest(agent.cancels(tasks[0]), Withdraw(0, wait))
    assert agent.result(cancel) is CancelTaskResult.CANCELLED
    assert agent.settled(wait) is None
    assert [stage.status(task_id) for task_id in tasks[1:]] == [TaskStatus.RUNNING] * 2


def test_an_answer_that_the_code_was_not_given_yet_can_be_taken_back() -> None:
    stage, agent, tasks = three_running()
    (wait, _) = agent.do(awaits(tasks, ANY_ENDED))
    stage.complete(tasks[0])
    agent.rest(Withdraw(0, wait))
    assert agent.settled(wait) is None
    assert agent.pending is None


def test_withdrawing_what_is_not_open_changes_nothing() -> None:
    _, agent, _ = three_running()
    agent.rest(Withdraw(0, 99))
    assert agent.pending is None


# -- cost --


def calls_into_the_engine(act: Callable[[], object]) -> int:
    """How many of the engine's functions a call runs: work, whatever the machine."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        if event == "call" and "rescind_server" in frame.f_code.co_filename:
            count += 1

    previous = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(previous)
    return count


@pytest.mark.parametrize("condition", [ALL_ENDED, ALL_COMPLETED])
def test_each_end_costs_the_same_however_many_members_wait_with_it(condition: WaitCondition) -> None:
    costs = set()
    for members in (10, 100):
        stage = Stage()
        agent = stage.start()
        tasks = agent.schedule(members)
        agent.rest(awaits(tasks, condition))
        report = TaskReported(tasks[5], stage.lease(tasks[5]), NULL_PAYLOAD)
        costs.add(calls_into_the_engine(partial(stage.engine.decide, report, stage.now)))
    assert len(costs) == 1
