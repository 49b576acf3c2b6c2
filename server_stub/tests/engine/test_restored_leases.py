"""Leases only grow, for the workers' sake: also where what is gone on from knows less than they do."""

from __future__ import annotations

from rescind.model.ids import Instant, Lease
from rescind_server.engine.machine import Engine


def lease_of_a_start(highest: int, now: int) -> int:
    """The highest lease of an engine that goes on from a file in which this one is the highest."""
    return Engine().restore([], Lease(highest), 0, {}, {}, Instant(now)).lease


def test_leases_go_on_from_the_clock_where_the_file_is_empty_or_an_older_copy() -> None:
    assert lease_of_a_start(highest=0, now=1_000_000) == 1_000_000
    assert lease_of_a_start(highest=900_000, now=1_000_000) == 1_000_000


def test_leases_go_on_from_the_file_where_the_clock_was_set_back() -> None:
    assert lease_of_a_start(highest=2_000_000, now=1_000_000) == 2_000_000
