"""Three tasks race: the first success wins, the losers are cancelled and have stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from e2e.expectations import assert_stays_so, assert_stopped, assert_told, completed, statuses
from e2e.harness import Harness, Play
from fixtures.scenarios import SCENARIOS
from rescind import TaskStatus

SCENARIO: Final = SCENARIOS["racing_tasks_with_cancellation"]


async def racing_tasks_with_cancellation(harness: Harness) -> None:
    run, output = await completed(harness, SCENARIO)
    tasks = await run.tasks()

    assert (output["winnerIndex"], output["winner"]) == (0, "fast")
    assert output["result"] == {"sleptMs": run.input["fastDelayMs"], "source": "fast"}
    assert [(task.kind, task.input["source"]) for task in tasks] == [
        ("slow-task", "fast"),
        ("slow-task", "medium"),
        ("slow-task", "slow"),
    ]
    assert statuses(tasks) == [TaskStatus.COMPLETED, TaskStatus.CANCELLED, TaskStatus.CANCELLED]
    assert output["cancelResults"] == [{"taskId": str(loser.task_id), "cancelled": True} for loser in tasks[1:]]
    await assert_stopped(run, 1, 2)
    await assert_told(run, entries=2, checkpoints=[{"phase": "pre-race", "taskCount": 3}])
    await assert_stays_so(run)


def test_racing_tasks_with_cancellation(play: Callable[[Play], None]) -> None:
    play(racing_tasks_with_cancellation)
