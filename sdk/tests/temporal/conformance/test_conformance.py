"""An agent cannot tell that it runs on Temporal: generated ones take the very course that they take embedded.

Each is played in virtual time first. Where two of its inputs nearly meet, it is left out. On Temporal its history tells
in which order the inputs came: only if that is the same order has the same agent been played, and then the comparison
holds or fails. If the machine was too slow for that, the agent is played again with longer times.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings

from fixtures.temporal_servers.running import DevelopmentServer
from rescind.temporal import TemporalClient, TemporalWorker
from rescind.temporal.replaying import TemporalReplayer

from .embedded import Played, play
from .inputs import are_apart, came_in_order
from .on_temporal import TemporallyPlayed, temporal_play, without_stops_by_decision
from .playing import plays_a_part, plays_a_program
from .programs import Program, programs

ENOUGH: Final = 20
# In units; one unit is so many milliseconds on Temporal the first time, and twice as many each time after that.
GAP: Final = 2
UNIT_MS: Final = 100
MOST_PLAYS: Final = 5
FEWEST_INPUTS: Final = 3
AT_ONCE: Final = 24
LONGEST_PLAY: Final = 300.0


@dataclass
class Comparison:
    """What came of playing them all.

    Attributes:
        compared: how many took the same course.
        again: how often one was played again, since the machine was too slow.
        differing: those that took another course, and what it was.
        never_in_order: those that the machine was always too slow for, and what came to them the last time.
    """

    compared: int = 0
    again: int = 0
    differing: list[tuple[Played, TemporallyPlayed]] = field(default_factory=list)
    never_in_order: list[tuple[Played, TemporallyPlayed]] = field(default_factory=list)


def generated() -> list[Played]:
    """So many different programs whose inputs are well apart, always the same ones, each played in virtual time."""
    found: dict[Program, Played] = {}

    @settings(
        max_examples=ENOUGH + 5,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(unit_ms=UNIT_MS))
    def find(program: Program) -> None:
        played = play(program)
        assume(are_apart(played.inputs, GAP * UNIT_MS * 1_000))
        assume(sum(each.came for each in played.inputs) >= FEWEST_INPUTS)
        found[program] = played

    find()
    return list(found.values())


async def compare(address: str, all_played: list[Played]) -> Comparison:
    """Play them on the server, several at once."""
    comparison = Comparison()
    waiting = deque(all_played)
    queue = f"conformance-{uuid4()}"
    replayer = TemporalReplayer([plays_a_program])

    async def play_some(client: TemporalClient) -> None:
        while waiting:
            await _compare_one(client, queue, replayer, waiting.popleft(), comparison)

    async with (
        TemporalClient(address, by="client:test") as client,
        TemporalWorker(address, agents=[plays_a_program], tasks=[plays_a_part], queue=queue, slots=1_000),
        asyncio.TaskGroup() as group,
    ):
        for _ in range(AT_ONCE):
            group.create_task(play_some(client))
    return comparison


async def _compare_one(
    client: TemporalClient, queue: str, replayer: TemporalReplayer, played: Played, comparison: Comparison
) -> None:
    for times in range(MOST_PLAYS):
        comparison.again += times > 0
        slowed = msgspec.structs.replace(played.program, unit_ms=UNIT_MS * 2**times)
        async with asyncio.timeout(LONGEST_PLAY):
            there = await temporal_play(client, queue, replayer, slowed)
        if came_in_order(played.inputs, without_stops_by_decision(there.inputs, played.inputs)):
            if there.course == played.course:
                comparison.compared += 1
            else:
                comparison.differing.append((played, there))
            return
    comparison.never_in_order.append((played, there))


def test_generated_agents_take_the_same_course_on_temporal(
    development_server: DevelopmentServer, capsys: pytest.CaptureFixture[str]
) -> None:
    comparison = asyncio.run(compare(development_server.address, generated()))
    with capsys.disabled():
        print(f"\n{comparison.compared} generated agents compared with Temporal, {comparison.again} plays repeated")
    for played, there in comparison.differing[:1]:
        assert there.course == played.course, played.program
    assert not comparison.never_in_order, comparison.never_in_order[0]
    assert comparison.compared >= ENOUGH
