"""The agent's own event loop: its time is durable, and its owner says what it is."""

from __future__ import annotations

import asyncio

import pytest

from rescind.backends.native.agent_loop import AgentLoop

from .agents import START, Timers, fire, run


def test_time_is_what_the_owner_says_exact_to_the_microsecond(loop: AgentLoop) -> None:
    loop.step(START + 1)
    assert loop.now == START + 1
    assert loop.time() == (START + 1) / 1_000_000


def test_the_clock_never_goes_back(loop: AgentLoop) -> None:
    loop.step(START + 5)
    loop.step(START + 3)
    assert loop.now == START + 5


def test_sleep_is_a_durable_timer(loop: AgentLoop, timers: Timers) -> None:
    task = loop.create_task(asyncio.sleep(1.5, "rested"))
    loop.step(START)
    assert timers.delays() == [1_500_000]
    assert not task.done()
    fire(loop, timers, 1)
    assert task.result() == "rested"


@pytest.mark.parametrize("delay", [0, -1])
def test_sleep_of_nothing_starts_no_timer(loop: AgentLoop, timers: Timers, delay: float) -> None:
    assert run(loop, asyncio.sleep(delay, "on")) == "on"
    assert timers.started == []


@pytest.mark.parametrize(
    ("delay", "micros"), [(0.1, 100_000), (0.0000001, 1), (1e-6, 1), (86400 * 365, 31536000000000)]
)
def test_a_delay_is_rounded_up_to_the_microsecond(loop: AgentLoop, timers: Timers, delay: float, micros: int) -> None:
    loop.call_later(delay, print)
    assert timers.delays() == [micros]


@pytest.mark.parametrize("micros", [1, 2, 3, 99_999, 100_000, 1_000_001, 60_000_000])
def test_the_noise_of_floats_is_not_a_later_instant(loop: AgentLoop, timers: Timers, micros: int) -> None:
    loop.call_at(loop.time() + micros / 1_000_000, print)
    assert timers.delays() == [micros]


def test_an_instant_between_microseconds_is_rounded_up(loop: AgentLoop, timers: Timers) -> None:
    loop.call_at(START / 1_000_000 + 0.0000015, print)
    assert timers.delays() == [2]


def test_for_ever_needs_no_timer(loop: AgentLoop, timers: Timers) -> None:
    handle = loop.call_later(float("inf"), print)
    handle.cancel()
    assert timers.started == timers.cancelled == []


def test_beyond_a_hundred_years_is_for_ever(loop: AgentLoop, timers: Timers) -> None:
    loop.call_later(1e300, print)
    loop.call_at(loop.time() + 1e300, print)
    assert timers.started == []


def test_each_handle_has_a_timer_of_its_own(loop: AgentLoop, timers: Timers) -> None:
    loop.call_later(1, print)
    loop.call_later(1, print)
    assert timers.delays() == [1_000_000, 1_000_000]


def test_callbacks_of_timers_run_in_the_order_in_which_they_fired(loop: AgentLoop) -> None:
    heard: list[str] = []
    loop.call_later(1, heard.append, "first")
    loop.call_later(1, heard.append, "second")
    loop.fire_timer(2)
    loop.fire_timer(1)
    loop.step(START + 1_000_000)
    assert heard == ["second", "first"]


def test_a_cancelled_handle_cancels_its_timer_once(loop: AgentLoop, timers: Timers) -> None:
    handle = loop.call_later(1, print)
    handle.cancel()
    handle.cancel()
    assert timers.cancelled == [1]


def test_a_fired_timer_is_not_cancelled_but_its_callback_is(loop: AgentLoop, timers: Timers) -> None:
    heard: list[int] = []
    handle = loop.call_later(1, heard.append, 1)
    loop.fire_timer(1)
    handle.cancel()
    loop.step(START + 1_000_000)
    assert (heard, timers.cancelled) == ([], [])


def test_unknown_timers_are_ignored(loop: AgentLoop) -> None:
    loop.call_later(1, print).cancel()
    loop.fire_timer(1)
    loop.fire_timer(77)
    loop.step(START)
