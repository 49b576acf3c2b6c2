"""Signals: each by one reader, in order, never lost. Timers: of cancel and due time in one tick, one wins."""

from __future__ import annotations

import pytest

from rescind.model.commands import Signalled
from rescind.model.events import EventType
from rescind.model.ids import Instant
from rescind.model.operations import (
    AwaitSignal,
    DrainSignals,
    PeekSignal,
    ReturnSignals,
    SignalPeeked,
    SignalsTaken,
    StartTimer,
    TimerFired,
    Withdraw,
)
from server_stub.tests.engine.driver import Agent, Stage


def taken(agent: Agent, position: int) -> list[str] | None:
    answer = agent.answers.get(position)
    assert answer is None or isinstance(answer, SignalsTaken)
    return None if answer is None else [signal.value.data.decode() for signal in answer.signals]


def test_a_signal_wakes_the_one_that_waits_for_its_name() -> None:
    stage = Stage()
    agent = stage.start()
    (wait,) = agent.rest(AwaitSignal(0, "go"))
    assert stage.signal("stop") == Signalled(1)
    assert agent.pending is None
    assert stage.signal("go", b"now") == Signalled(2)
    assert taken(agent, wait) == ["now"]


def test_signals_are_taken_in_the_order_of_arrival_each_once() -> None:
    stage = Stage()
    agent = stage.start()
    for value in (b"1", b"2", b"3"):
        stage.signal("go", value)
    first, second, _ = agent.do(AwaitSignal(0, "go"), AwaitSignal(0, "go"))
    assert (taken(agent, first), taken(agent, second)) == (["1"], ["2"])
    (rest, _) = agent.do(DrainSignals(0, "go"))
    assert taken(agent, rest) == ["3"]
    (nothing, _) = agent.do(DrainSignals(0, "go"))
    assert taken(agent, nothing) == []


@pytest.mark.parametrize(
    ("pattern", "is_glob", "expected"),
    [
        ("chat.*", True, ["a", "c"]),
        ("chat.**", True, ["a", "b", "c"]),
        ("chat.*", False, []),
        ("*", True, ["d"]),
    ],
)
def test_a_glob_selects_by_the_whole_name(pattern: str, is_glob: bool, expected: list[str]) -> None:
    stage = Stage()
    agent = stage.start()
    for name, value in [("chat.x", b"a"), ("chat.x.y", b"b"), ("chat.z", b"c"), ("other", b"d")]:
        stage.signal(name, value)
    (drain, _) = agent.do(DrainSignals(0, pattern, is_glob))
    assert taken(agent, drain) == expected


def test_of_several_waits_the_earliest_issued_gets_the_signal() -> None:
    stage = Stage()
    agent = stage.start()
    other, by_glob, by_name = agent.rest(AwaitSignal(0, "b"), AwaitSignal(0, "*", True), AwaitSignal(0, "a"))
    stage.signal("a")
    assert taken(agent, by_glob) == ["1"]
    assert taken(agent, by_name) is taken(agent, other) is None


def test_peeking_takes_nothing() -> None:
    stage = Stage()
    agent = stage.start()
    (before, _) = agent.do(PeekSignal(0, "go"))
    stage.signal("go")
    after, wait, _ = agent.do(PeekSignal(0, "go"), AwaitSignal(0, "go"))
    assert (agent.answers[before], agent.answers[after]) == (SignalPeeked(False), SignalPeeked(True))
    assert taken(agent, wait) == ["1"]


def test_a_signal_whose_reader_withdrew_before_it_was_given_is_in_the_queue_again_at_its_place() -> None:
    stage = Stage()
    agent = stage.start()
    (wait, _) = agent.do(AwaitSignal(0, "go"))
    stage.signal("go", b"1")
    stage.signal("go", b"2")
    agent.do(Withdraw(0, wait))
    assert stage.events().count(EventType.SIGNAL_RETURNED) == 1
    (drain, _) = agent.do(DrainSignals(0, "go"))
    assert taken(agent, wait) is None
    assert taken(agent, drain) == ["1", "2"]


def test_a_signal_that_is_given_back_goes_to_the_next_that_waits_for_it() -> None:
    stage = Stage()
    agent = stage.start()
    first, second, _ = agent.do(AwaitSignal(0, "go"), AwaitSignal(0, "go"))
    stage.signal("go")
    agent.rest(Withdraw(0, first))
    assert taken(agent, second) == ["1"]


def test_signals_that_the_code_returns_are_in_the_queue_again_at_their_places() -> None:
    stage = Stage()
    agent = stage.start()
    for value in (b"1", b"2", b"3"):
        stage.signal("go", value)
    first, _ = agent.do(AwaitSignal(0, "go"))
    answer = agent.answers[first]
    assert isinstance(answer, SignalsTaken)
    agent.do(ReturnSignals(0, answer.signals))
    (drain, _) = agent.do(DrainSignals(0, "go"))
    assert taken(agent, drain) == ["1", "2", "3"]


def test_a_withdrawn_wait_takes_no_signal() -> None:
    stage = Stage()
    agent = stage.start()
    (wait, _) = agent.do(AwaitSignal(0, "go"))
    agent.rest(Withdraw(0, wait))
    stage.signal("go")
    assert agent.pending is None


def test_a_signal_for_an_agent_without_a_worker_is_there_when_it_runs() -> None:
    stage = Stage()
    agent = stage.start()
    (wait,) = agent.rest(AwaitSignal(0, "go"))
    stage.leave()
    stage.signal("go")
    stage.join("v")
    assert taken(agent, wait) == ["1"]


# -- timers --


def due(stage: Stage, milliseconds: int) -> Instant:
    return Instant(stage.now + milliseconds * 1_000)


def test_a_timer_fires_at_its_time_and_once() -> None:
    stage = Stage()
    agent = stage.start()
    (timer,) = agent.rest(StartTimer(0, due(stage, 1_000)))
    stage.pass_time(999.999)
    assert agent.pending is None
    stage.pass_time(0.001)
    assert agent.answers[timer] == TimerFired()
    agent.rest()
    stage.jump(1_000_000)
    assert stage.events().count(EventType.TIMER_FIRED) == 1


def test_timers_fire_in_the_order_of_their_times_then_of_their_starts() -> None:
    stage = Stage()
    agent = stage.start()
    agent.rest(*[StartTimer(0, due(stage, at)) for at in (300, 100, 200, 100)])
    stage.jump(1_000)
    fired = [
        event.details["position"]
        for event in stage.histories[agent.execution_id]
        if event.type == "TIMER_FIRED" and event.details
    ]
    assert fired == [2, 4, 3, 1]


def test_a_timer_whose_time_has_passed_fires_at_once() -> None:
    stage = Stage()
    agent = stage.start()
    (timer,) = agent.rest(StartTimer(0, due(stage, -1)))
    stage.come_due()
    assert agent.answers[timer] == TimerFired()


def test_a_timer_cancelled_in_the_tick_of_its_due_time_never_fires() -> None:
    stage = Stage()
    agent = stage.start()
    (timer, _) = agent.do(StartTimer(0, due(stage, 1_000)))
    stage.now = due(stage, 1_000)
    agent.rest(Withdraw(0, timer))
    assert stage.come_due() == 0
    assert timer not in agent.answers
    assert stage.events().count(EventType.TIMER_FIRED) == 0


def test_a_timer_that_fired_in_the_tick_of_its_cancel_is_taken_back_before_the_code_sees_it() -> None:
    stage = Stage()
    agent = stage.start()
    (timer, _) = agent.do(StartTimer(0, due(stage, 1_000)))
    stage.pass_time(1_000)
    agent.rest(Withdraw(0, timer))
    assert agent.pending is None
    assert timer not in agent.answers


def test_a_clock_that_is_set_back_fires_nothing_twice_and_reorders_nothing() -> None:
    stage = Stage()
    agent = stage.start()
    agent.rest(StartTimer(0, due(stage, 1_000)))
    stage.pass_time(1_000)
    stage.now = Instant(0)
    stage.signal("go")
    assert stage.histories[agent.execution_id][-1].at == 2_000_000
