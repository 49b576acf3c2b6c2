"""Programs that can be compared between worlds: always the same ones."""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck, assume, given, settings

from .embedded import Played, play
from .inputs import are_apart
from .programs import Program, programs

# In units. Two inputs that come closer together may come in any order where time is real.
GAP: Final = 2
FEWEST_INPUTS: Final = 3
# In units. Where time is real, one that is played again takes twice as long, and all wait for it.
LONGEST: Final = 100


def generate(count: int, unit_ms: int) -> list[Played]:
    """So many different programs with a few inputs that are well apart, none too long, each played in virtual time.

    Args:
        count: how many.
        unit_ms: the length of their unit in milliseconds.
    """
    found: dict[Program, Played] = {}

    @settings(
        # Many are left out. Those behind the last that is wanted cost nothing.
        max_examples=2 * count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(unit_ms=unit_ms))
    def find(program: Program) -> None:
        if len(found) >= count:
            return
        played = play(program)
        assume(are_apart(played.inputs, GAP * unit_ms * 1_000))
        assume(sum(each.came for each in played.inputs) >= FEWEST_INPUTS)
        assume(played.history[-1].at - played.history[0].at <= LONGEST * unit_ms * 1_000)
        found[program] = played

    find()
    assert len(found) == count, f"only {len(found)} programs were found"
    return list(found.values())
