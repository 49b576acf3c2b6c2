"""Where thousands are cancelled at once, each turn has as much in it as a turn may take."""

from __future__ import annotations

from rescind_server.host.pace import TURN_S, Pace


def after(*turns: tuple[int, float]) -> int:
    pace = Pace()
    for count, seconds in turns:
        pace.note(count, seconds)
    return pace.size


def test_it_comes_to_what_fits_into_a_turn() -> None:
    pace = Pace()
    for _ in range(20):
        pace.note(pace.size, pace.size * 0.000_050)
    assert abs(pace.size * 0.000_050 - TURN_S) < 0.001


def test_one_slow_turn_does_not_bring_it_to_a_stop() -> None:
    assert after((100, TURN_S), (100, 5.0)) >= 40


def test_it_stays_within_bounds_on_any_machine() -> None:
    assert after(*[(20, 9.0)] * 20) == 20
    assert after(*[(500, 0.0)] * 20) == 500
