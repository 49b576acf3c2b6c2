"""Playing an agent whose worker is lost at a chosen event of its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rescind import AgentDefinition, ExecutionHandle, TaskDefinition
from rescind.client.records import History
from rescind.model.events import HistoryEvent
from rescind.testing import Environment, run
from rescind.testing.history_rules import check_history
from sdk.tests.agents.work import EXECUTION, TASKS


@dataclass(frozen=True, slots=True)
class Story:
    """What an agent gave, and what it left behind.

    Attributes:
        output: what it returned.
        tasks: id, kind and status of each task, in the order of scheduling.
        entries: id, role and content of each entry.
        history: everything that happened.
    """

    output: Any
    tasks: tuple[tuple[str, str, str], ...]
    entries: tuple[tuple[str, str, str], ...]
    history: History


def story_of(
    definition: AgentDefinition[Any, Any],
    *,
    lost_at: int | None = None,
    signals: Sequence[tuple[str, Any]] = (),
    tasks: Sequence[TaskDefinition[Any, Any]] = (),
) -> Story:
    """Play an agent to its end, in an environment of its own.

    Args:
        definition: the agent.
        lost_at: the number of the event at which its worker is lost, and another one started.
        signals: what it is sent as soon as it was started.
        tasks: what its worker can run besides the common tasks.
    """

    async def play() -> Story:
        async with Environment([definition], [*TASKS, *tasks], lease_ms=1_000) as env:
            handle = await env.start(definition, id=EXECUTION)
            for name, value in signals:
                await handle.signal(name, value)
            async for event in handle.follow():
                if isinstance(event, HistoryEvent) and event.sequence == lost_at:
                    await env.kill_worker()
                    env.start_worker()
            return await _told(handle)

    return run(play())


def stories_with_a_loss_at_every_event(
    definition: AgentDefinition[Any, Any],
    *,
    signals: Sequence[tuple[str, Any]] = (),
    tasks: Sequence[TaskDefinition[Any, Any]] = (),
) -> tuple[Story, list[Story]]:
    """The undisturbed story, and one for each event of its history at which the worker was lost."""
    undisturbed = story_of(definition, signals=signals, tasks=tasks)
    return undisturbed, [
        story_of(definition, lost_at=event.sequence, signals=signals, tasks=tasks) for event in undisturbed.history[:-1]
    ]


async def _told(handle: ExecutionHandle[Any]) -> Story:
    history = await handle.history()
    check_history(history)
    return Story(
        await handle.result(),
        tuple((str(each.task_id), each.kind, each.status.value) for each in await handle.tasks()),
        tuple((str(each.entry_id), each.role.value, str(each.content)) for each in await handle.entries()),
        history,
    )
