"""What must hold at the end of every scenario, whatever it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from e2e.harness import Harness, Run, SeenTask
from fixtures.scenarios import Scenario
from rescind import EntryRole, ExecutionStatus, StopState, TaskStatus
from rescind.model.events import EventType
from rescind.model.status import STOP_ENDED, TERMINAL_TASK
from rescind.testing import check_history


async def completed(harness: Harness, scenario: Scenario, start: int = 0) -> tuple[Run, Any]:
    """Start a scenario's agent and see it complete; the execution and its output."""
    run = await harness.start(scenario.agent.kind, scenario.inputs[start])
    output = await run.result()
    assert await run.status() is ExecutionStatus.COMPLETED
    return run, output


async def assert_told(run: Run, entries: int, checkpoints: Sequence[Any]) -> None:
    """It has saved these checkpoints, and appended so many entries: each once, the assistant's, `{"text": …}`."""
    seen = await run.entries()
    assert len({entry.entry_id for entry in seen}) == len(seen) == entries
    for entry in seen:
        assert entry.role is EntryRole.ASSISTANT
        assert list(entry.content) == ["text"]
        assert isinstance(entry.content["text"], str)
    assert list(await run.checkpoints()) == list(checkpoints)


async def assert_stays_so(run: Run) -> None:
    """When its workers have reported, every stop record has reached an end, and no outcome has changed.

    Where there is a history, it obeys the invariants.
    """
    before = await run.tasks()
    await run.stopped()
    after = await run.tasks()
    for task, later in zip(before, after, strict=True):
        assert later.status is task.status or task.status not in TERMINAL_TASK
        assert later.stop_state is None or later.stop_state in STOP_ENDED
    history = await run.history()
    if history is not None:
        check_history(history)


async def assert_stopped(run: Run, *places: int) -> None:
    """The tasks at these places were cancelled while their code ran, and the code was stopped before its end."""
    await run.stopped()
    tasks = await run.tasks()
    found = [(tasks[place].status, tasks[place].stop_state) for place in places]
    assert found == [(TaskStatus.CANCELLED, StopState.STOPPED)] * len(places)
    stopped = {str(tasks[place].task_id) for place in places}
    for event in await run.history() or ():
        # Code that nobody stops has stopped in the end as well, with a result that nobody wants.
        assert event.type is not EventType.RESULT_DISCARDED or event.task_id not in stopped, event


def statuses(tasks: Sequence[SeenTask]) -> list[TaskStatus]:
    """The tasks' statuses, in order."""
    return [task.status for task in tasks]
