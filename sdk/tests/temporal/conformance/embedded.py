"""A program in the embedded engine, in virtual time: what every other world is compared with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from rescind.model.events import HistoryEvent
from rescind.model.views import ExecutionDetails
from rescind.testing import Environment, run

from .courses import Course, course_of
from .inputs import Input, inputs_of
from .playing import plays_a_part, plays_a_program
from .programs import Program

EXECUTION_ID = "played"
# By then everything has come that could come.
_LONG_AFTER = 3_600.0


@dataclass(frozen=True, slots=True)
class Played:
    """A program that was played in virtual time.

    Attributes:
        program: the program.
        course: the course that it took.
        inputs: what came to it, and what would have come, in order.
        history: its history.
    """

    program: Program
    course: Course
    inputs: list[Input]
    history: Sequence[HistoryEvent]


def play(program: Program) -> Played:
    """Play a program in an environment of its own."""
    details, history = run(_played(program))
    return Played(program, course_of(details, history), inputs_of(program, details, history), history)


async def _played(program: Program) -> tuple[ExecutionDetails, Sequence[HistoryEvent]]:
    async with Environment(agents=[plays_a_program], tasks=[plays_a_part]) as environment:
        handle = await environment.start(plays_a_program, program, id=EXECUTION_ID)
        await asyncio.sleep(_LONG_AFTER)
        return await handle.details(), await handle.history()
