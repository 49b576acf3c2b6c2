"""A slow task is cancelled in mid-work, and the task that replaces it gives the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from e2e.expectations import assert_stays_so, assert_stopped, assert_told, completed, statuses
from e2e.harness import Harness, Play
from fixtures.scenarios import SCENARIOS
from rescind import TaskStatus

SCENARIO: Final = SCENARIOS["cancel_and_replace"]


async def cancel_and_replace(harness: Harness) -> None:
    run, output = await completed(harness, SCENARIO)
    tasks = await run.tasks()

    assert output == {
        "slowTaskCancelled": True,
        "slowTaskStatus": "CANCELLED",
        "success": True,
        "replacementResult": {"sleptMs": run.input["fastDelayMs"], "source": "fast-replacement"},
    }
    assert [task.input["source"] for task in tasks] == ["slow-original", "fast-replacement"]
    assert statuses(tasks) == [TaskStatus.CANCELLED, TaskStatus.COMPLETED]
    await assert_stopped(run, 0)
    scheduled = {"phase": "slow-task-scheduled", "taskId": str(tasks[0].task_id)}
    await assert_told(run, entries=3, checkpoints=[scheduled])
    await assert_stays_so(run)


def test_cancel_and_replace(play: Callable[[Play], None]) -> None:
    play(cancel_and_replace)
