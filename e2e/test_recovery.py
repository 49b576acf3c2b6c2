"""The worker, or the engine, is lost, at every single event of an execution in turn: the agent goes on regardless.

The undisturbed run tells how many events there are. Then, for each of them, the agent is started anew, its worker is
killed when that event has come, and a fresh one takes over. Killed a few turns of the event loop later, the worker has
had an activation but not run it, or has run it and not been heard.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from fixtures.scenarios import AGENTS, SCENARIOS, TASKS
from rescind import ExecutionHandle
from rescind.model.events import EventType, HistoryEvent
from rescind.testing import Environment, check_history, run

TURNS_BEHIND_AN_EVENT: Final = range(5)
# By name: which agent is started, with which input.
STARTS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    f"{scenario.name}-{number}": (scenario.agent.kind, given)
    for scenario in SCENARIOS.values()
    for number, given in enumerate(scenario.inputs, start=1)
}


@dataclass(frozen=True, slots=True)
class Course:
    """What must be the same, whatever has become of the worker."""

    output: Any
    tasks: list[tuple[str, str, Any]]
    entries: list[tuple[str, Any]]
    checkpoints: list[bytes]


async def start(environment: Environment, kind: str, given: Mapping[str, Any]) -> ExecutionHandle[Any]:
    return await environment.start(kind, given, id="recovered")


async def course_of(handle: ExecutionHandle[Any]) -> Course:
    return Course(
        await handle.result(),
        [(str(task.task_id), task.kind, task.input) for task in await handle.tasks()],
        [(str(entry.entry_id), entry.content) for entry in await handle.entries()],
        [checkpoint.state.data for checkpoint in await handle.checkpoints()],
    )


async def undisturbed(kind: str, given: Mapping[str, Any]) -> tuple[Course, Sequence[HistoryEvent]]:
    async with Environment(agents=AGENTS, tasks=TASKS) as environment:
        handle = await start(environment, kind, given)
        return await course_of(handle), await handle.history()


async def with_a_loss(
    kind: str, given: Mapping[str, Any], at_event: int, turns: int
) -> tuple[Course, Sequence[HistoryEvent]]:
    async with Environment(agents=AGENTS, tasks=TASKS) as environment:
        handle = await start(environment, kind, given)
        await come(handle, at_event)
        for _ in range(turns):
            await asyncio.sleep(0)
        await environment.kill_worker()
        environment.start_worker()
        return await course_of(handle), await handle.history()


async def with_a_restart(
    kind: str, given: Mapping[str, Any], at_event: int, path: Path
) -> tuple[Course, Sequence[HistoryEvent]]:
    async with Environment(agents=AGENTS, tasks=TASKS, store=path) as environment:
        await come(await start(environment, kind, given), at_event)
    async with Environment(agents=AGENTS, tasks=TASKS, store=path) as environment:
        handle = environment.handle("recovered")
        return await course_of(handle), await handle.history()


async def come(handle: ExecutionHandle[Any], at_event: int) -> None:
    async for event in handle.follow():
        if isinstance(event, HistoryEvent) and event.sequence >= at_event:
            return


def was_run_again(history: Sequence[HistoryEvent]) -> bool:
    return any((event.details or {}).get("run", 1) > 1 for event in history)


def assert_nothing_doubled(history: Sequence[HistoryEvent]) -> None:
    check_history(history)
    scheduled = Counter(event.task_id for event in history if event.type is EventType.TASK_SCHEDULED)
    appended = Counter(
        (event.details or {}).get("entry_id") for event in history if event.type is EventType.ENTRY_APPENDED
    )
    assert set(scheduled.values()) | set(appended.values()) <= {1}


@pytest.mark.parametrize(("kind", "given"), STARTS.values(), ids=STARTS)
def test_a_lost_worker_changes_nothing_of_what_its_agent_does(kind: str, given: Mapping[str, Any]) -> None:
    expected, events = run(undisturbed(kind, given))
    recoveries = 0
    for event in events:
        for turns in TURNS_BEHIND_AN_EVENT:
            course, history = run(with_a_loss(kind, given, event.sequence, turns))
            assert course == expected, f"the worker was lost {turns} turns behind {event}"
            assert_nothing_doubled(history)
            recoveries += was_run_again(history)
    assert recoveries >= len(TURNS_BEHIND_AN_EVENT)


@pytest.mark.parametrize(("kind", "given"), STARTS.values(), ids=STARTS)
def test_a_lost_engine_changes_nothing_of_what_its_agent_does(
    kind: str, given: Mapping[str, Any], tmp_path: Path
) -> None:
    expected, events = run(undisturbed(kind, given))
    for event in events[:-1]:
        course, history = run(with_a_restart(kind, given, event.sequence, tmp_path / f"{event.sequence}.db"))
        assert course == expected, f"the engine was lost behind {event}"
        assert_nothing_doubled(history)


def test_workers_are_lost_at_events_of_every_sort() -> None:
    met = {event.type for kind, given in STARTS.values() for event in run(undisturbed(kind, given))[1]}
    assert met >= {
        EventType.EXECUTION_ACTIVATED,
        EventType.EXECUTION_SUSPENDED,
        EventType.EXECUTION_COMPLETED,
        EventType.TASK_STARTED,
        EventType.TASK_ATTEMPT_FAILED,
        EventType.WAIT_SETTLED,
        EventType.TIMER_FIRED,
        EventType.STOP_REQUESTED,
        EventType.STOP_ENDED,
    }
