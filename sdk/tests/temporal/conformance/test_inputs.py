"""Whether two worlds were given the same: the premise of every comparison."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rescind.model.status import CancelMode as Mode

from .embedded import play
from .inputs import Input, Name, are_apart, came_in_order
from .programs import Cancel, JoinInTime, Program, Schedule, Scope, Sleep, Step

UNIT_MS = 100
EARLY, LATE, TAKEN_BACK = (
    Input(("end", 0, 1), 100, came=True),
    Input(("end", 1, 1), 200, came=True),
    Input(("timer", 5, 0), 300, came=False),
)


def inputs(*steps: Step) -> list[tuple[Name, int, bool]]:
    """Name, time in units since the start, and whether it came."""
    played = play(Program(steps, catches=True, unit_ms=UNIT_MS))
    start = played.history[0].at
    return [(each.name, (each.at - start) // (UNIT_MS * 1_000), each.came) for each in played.inputs]


def test_ends_of_parts_are_inputs_and_also_those_that_a_cancel_forestalled() -> None:
    assert inputs(Schedule(0, 5), Schedule(1, 9), Sleep(6), Cancel(1, Mode.TRY)) == [
        (("end", 0, 1), 5, True),
        (("timer", 3, 0), 6, True),
        (("end", 1, 1), 9, False),
    ]


def test_each_attempt_and_the_pause_before_it_are_inputs() -> None:
    assert inputs(Schedule(0, 5, failures=1, pause=3), Sleep(20)) == [
        (("end", 0, 1), 5, True),
        (("retry", 0, 1), 8, True),
        (("end", 0, 2), 13, True),
        (("timer", 2, 0), 20, True),
    ]


def test_that_work_which_may_decide_has_stopped_is_an_input() -> None:
    assert inputs(Schedule(0, 9), Sleep(3), Cancel(0, Mode.WAIT)) == [
        (("timer", 2, 0), 3, True),
        (("stopped", 0, 0), 3, True),
        (("end", 0, 1), 9, False),
    ]


@pytest.mark.parametrize(("units", "came"), [(4, True), (8, False)])
def test_deadlines_are_inputs_whether_they_are_reached_or_not(units: int, came: bool) -> None:
    joined = inputs(Schedule(0, 6), JoinInTime((0,), units))
    assert [each for each in joined if each[0][0] == "deadline"] == [(("deadline", 0, 0), units, came)]
    scoped = inputs(Scope((Schedule(0, 6), Sleep(6)), units))
    assert [each[1:] for each in scoped if each[0][0] == "timer"][0 if came else -1] == (units, came)


def test_inputs_that_nearly_meet_are_noticed() -> None:
    assert are_apart([EARLY, LATE], 100)
    assert not are_apart([EARLY, LATE], 101)


@pytest.mark.parametrize(
    ("seen", "holds"),
    [
        ([EARLY, LATE], True),
        ([EARLY, LATE, TAKEN_BACK], True),
        ([LATE, EARLY], False),
        ([EARLY], False),
        ([EARLY, TAKEN_BACK, LATE], False),
        ([EARLY, LATE, LATE], False),
    ],
)
def test_another_world_was_given_the_same_if_all_came_and_in_this_order(seen: Sequence[Input], holds: bool) -> None:
    assert came_in_order([EARLY, LATE, TAKEN_BACK], [each.name for each in seen]) is holds
