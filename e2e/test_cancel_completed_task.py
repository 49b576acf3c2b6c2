"""A close race: a loser was either cancelled, and is told of, or had completed already, and is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from e2e.expectations import assert_stays_so, assert_stopped, assert_told, completed, statuses
from e2e.harness import Harness, Play
from fixtures.scenarios import SCENARIOS
from rescind import TaskStatus

SCENARIO: Final = SCENARIOS["cancel_completed_task"]


async def cancel_completed_task(harness: Harness) -> None:
    run, output = await completed(harness, SCENARIO)
    winner, *losers = await run.tasks()

    assert output["winnerIndex"] == 0
    assert winner.status is TaskStatus.COMPLETED
    told = output["cancelResults"]
    cancelled = [loser for loser in losers if loser.status is TaskStatus.CANCELLED]
    assert told == [{"taskId": str(loser.task_id), "cancelled": True} for loser in cancelled]
    assert all(loser.status is TaskStatus.COMPLETED for loser in losers if loser not in cancelled)
    if harness.is_deterministic:
        assert statuses(losers) == [TaskStatus.CANCELLED, TaskStatus.CANCELLED]
        await assert_stopped(run, 1, 2)
    await assert_told(run, entries=2, checkpoints=[{"phase": "pre-race", "taskCount": 3}])
    await assert_stays_so(run)


def test_cancel_completed_task(play: Callable[[Play], None]) -> None:
    play(cancel_completed_task)
