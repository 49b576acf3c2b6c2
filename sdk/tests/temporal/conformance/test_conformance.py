"""An agent cannot tell that it runs on Temporal: generated ones take the very course that they take embedded.

Each is played in virtual time first. Where two of its inputs nearly meet, it is left out. On Temporal its history tells
in which order the inputs came: only if that is the same order has the same agent been played, and then the comparison
holds or fails. If the machine was too slow for that, the agent is played again with longer times.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import msgspec
import pytest

from fixtures.temporal_servers.running import WORKER_COMMANDS, DevelopmentServer
from rescind.temporal import TemporalClient, TemporalReplayer, TemporalWorker

from .embedded import Played
from .generating import generate
from .inputs import came_in_order
from .on_temporal import TemporallyPlayed, temporal_play, without_stops_by_decision
from .playing import plays_a_part, plays_a_program

pytestmark = pytest.mark.temporal

# Left alone, Temporal's timers come late by up to a second, and most agents would have to be played again. It looks for
# timers of a shorter time then, and must look more often: at its usual rate it finds ten of them in a second.
PROMPT_TIMERS: Final = {
    **WORKER_COMMANDS,
    "history.timerProcessorMaxTimeShift": "10ms",
    "history.timerProcessorMaxPollRPS": 1_000,
}
ENOUGH: Final = 200
BATCH: Final = 50
# On Temporal a unit is as long as in virtual time at first, and twice as long each time that it is played again.
UNIT_MS: Final = 100
MOST_PLAYS: Final = 4
AT_ONCE: Final = 25
LONGEST_PLAY: Final = 100.0


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


@pytest.fixture(scope="module")
def prompt_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentServer]:
    """A development server whose timers come in time."""
    server = DevelopmentServer(tmp_path_factory.mktemp("prompt-server"), dynamic_config=PROMPT_TIMERS)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def generated() -> list[Played]:
    """So many different programs whose inputs are well apart, always the same ones, each played in virtual time."""
    return generate(ENOUGH, UNIT_MS)


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
        TemporalWorker(
            address,
            agents=[plays_a_program],
            tasks=[plays_a_part],
            queue=queue,
            slots=1_000,
            shutdown_grace_ms=100,
        ),
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


@pytest.mark.parametrize("first", range(0, ENOUGH, BATCH))
def test_generated_agents_take_the_same_course_on_temporal(
    first: int, generated: list[Played], prompt_server: DevelopmentServer, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = generated[first : first + BATCH]
    comparison = asyncio.run(compare(prompt_server.address, batch))
    with capsys.disabled():
        print(f" {comparison.compared} generated agents compared, {comparison.again} plays repeated ", end="")
    for played, there in comparison.differing[:1]:
        assert there.course == played.course, played.program
    assert not comparison.never_in_order, comparison.never_in_order[0]
    assert comparison.compared == len(batch)
