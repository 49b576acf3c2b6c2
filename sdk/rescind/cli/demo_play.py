"""Plays a scenario on the embedded backend, in virtual or in real time, while somebody watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from rescind.cli.scenarios import Scenario, catalogue
from rescind.client.client import ExecutionHandle
from rescind.client.records import History, TaskRecord
from rescind.embedding import Embedded
from rescind.errors import OutcomeError
from rescind.model.events import EventType, HistoryEvent
from rescind.model.status import STOP_ENDED, ExecutionStatus
from rescind.testing.environment import Environment
from rescind.testing.virtual_time import run

# The longest that the demo waits, behind the agent's end, for cancelled work to have stopped.
_LONGEST_STOP: Final = 2.0
_LOOK_EVERY: Final = 0.005


@dataclass(frozen=True, slots=True)
class Played:
    """One execution, as it stood when it had ended and its cancelled work had stopped.

    Attributes:
        execution_id: its id.
        given: its input.
        status: how it ended.
        output: its result, if COMPLETED.
        error: the text of what ended it, otherwise.
        tasks: its tasks, in the order in which they were scheduled.
        history: all that happened to it.
        took: how long that took by the machine's clock, in seconds.
    """

    execution_id: str
    given: Mapping[str, Any]
    status: ExecutionStatus
    output: Any
    error: str | None
    tasks: Sequence[TaskRecord]
    history: History
    took: float


class Audience(Protocol):
    """Who watches while it happens."""

    def begin(self, given: Mapping[str, Any]) -> None:
        """An execution is about to be started."""

    def see(self, event: HistoryEvent, tasks: Sequence[TaskRecord]) -> None:
        """An event has come; the tasks are those that there are by now."""

    def end(self, played: Played) -> None:
        """The execution has ended."""


def play_in_virtual_time(scenario: Scenario, seed: int) -> list[Played]:
    """Play a scenario, however long it lasts, in no time."""
    cast = catalogue()

    async def main() -> list[Played]:
        async with Environment(agents=cast.AGENTS, tasks=cast.TASKS, seed=seed) as environment:
            return [await _play(environment, scenario, given, None) for given in scenario.inputs]

    # Only the demo itself reads the machine's clock, to tell how long it took; that is to be the real one.
    return run(main(), wall_clock=False)


async def play_in_real_time(scenario: Scenario, seed: int, audience: Audience | None) -> list[Played]:
    """Play a scenario by the machine's clock."""
    cast = catalogue()
    async with Embedded(agents=cast.AGENTS, tasks=cast.TASKS, seed=seed) as environment:
        return [await _play(environment, scenario, given, audience) for given in scenario.inputs]


async def _play(
    environment: Embedded, scenario: Scenario, given: Mapping[str, Any], audience: Audience | None
) -> Played:
    began = time.perf_counter()
    if audience is not None:
        audience.begin(given)
    handle = await environment.start(scenario.agent, given)
    if audience is not None:
        await _follow(handle, audience)
    output, error = await _outcome(handle)
    await _cancelled_work_has_stopped(handle)
    history, tasks, status = await handle.history(), await handle.tasks(), await handle.status()
    took = time.perf_counter() - began
    played = Played(handle.id, given, status, output, error, tasks, history, took)
    if audience is not None:
        audience.end(played)
    return played


async def _follow(handle: ExecutionHandle[Any], audience: Audience) -> None:
    tasks: Sequence[TaskRecord] = ()
    async for event in handle.follow():
        if isinstance(event, HistoryEvent):
            if event.type is EventType.TASK_SCHEDULED:
                tasks = await handle.tasks()
            audience.see(event, tasks)


async def _outcome(handle: ExecutionHandle[Any]) -> tuple[Any, str | None]:
    try:
        return await handle.result(), None
    except OutcomeError as error:
        return None, str(error)


async def _cancelled_work_has_stopped(handle: ExecutionHandle[Any]) -> None:
    for _ in range(int(_LONGEST_STOP / _LOOK_EVERY)):
        if all(task.stop_state is None or task.stop_state in STOP_ENDED for task in await handle.tasks()):
            return
        await asyncio.sleep(_LOOK_EVERY)
