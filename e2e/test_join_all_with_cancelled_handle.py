"""A cancelled task among those that are joined: `join_all` raises and names it, `join_all_settled` lists it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from e2e.expectations import assert_stays_so, assert_stopped, assert_told, completed, statuses
from e2e.harness import Harness, Play
from fixtures.scenarios import SCENARIOS
from rescind import TaskStatus

SCENARIO: Final = SCENARIOS["join_all_with_cancelled_handle"]
CHECKPOINTS: Final = [{"phase": "tasks-scheduled"}]


async def join_all_with_cancelled_handle(harness: Harness) -> None:
    await join_all_raises(harness)
    await join_all_settled_tells(harness)


async def join_all_raises(harness: Harness) -> None:
    run, output = await completed(harness, SCENARIO, start=0)
    tasks = await run.tasks()

    assert output == {
        "task1Cancelled": True,
        "joinAllSucceeded": False,
        "error": f"Task failed: Task 'slow-task' (id={tasks[0].task_id}) was cancelled",
        "success": True,
    }
    assert len(tasks) == 2
    await assert_stopped(run, 0)
    await assert_told(run, entries=2, checkpoints=CHECKPOINTS)
    await assert_stays_so(run)


async def join_all_settled_tells(harness: Harness) -> None:
    run, output = await completed(harness, SCENARIO, start=1)

    assert output == {
        "usedOutcomes": True,
        "completedCount": 1,
        "cancelledCount": 1,
        "failedCount": 0,
        "success": True,
    }
    assert statuses(await run.tasks()) == [TaskStatus.CANCELLED, TaskStatus.COMPLETED]
    await assert_stopped(run, 0)
    await assert_told(run, entries=2, checkpoints=CHECKPOINTS)
    await assert_stays_so(run)


def test_join_all_with_cancelled_handle(play: Callable[[Play], None]) -> None:
    play(join_all_with_cancelled_handle)
