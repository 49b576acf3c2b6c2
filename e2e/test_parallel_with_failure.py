"""Of three tasks one fails at each of its attempts: the others' results stand, and its own error is told unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from e2e.expectations import assert_stays_so, assert_told, completed, statuses
from e2e.harness import Harness, Play
from fixtures.scenarios import SCENARIOS
from rescind import TaskStatus

SCENARIO: Final = SCENARIOS["parallel_with_failure"]
ATTEMPTS_OF_A_FAILING_TASK: Final = 4  # the first, and three retries


async def parallel_with_failure(harness: Harness) -> None:
    run, output = await completed(harness, SCENARIO)
    tasks = await run.tasks()

    assert output == {
        "totalTasks": 3,
        "completedCount": 2,
        "failedCount": 1,
        "completedResults": [
            {"taskId": str(tasks[0].task_id), "output": {"name": "task-a", "success": True}},
            {"taskId": str(tasks[2].task_id), "output": {"name": "task-c", "success": True}},
        ],
        "failedErrors": [
            {"index": 1, "taskId": str(tasks[1].task_id), "error": "Task 'task-b' intentionally failed"},
        ],
    }
    assert [task.input for task in tasks] == run.input["tasks"]
    assert statuses(tasks) == [TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.COMPLETED]
    assert [task.attempts for task in tasks] == [1, ATTEMPTS_OF_A_FAILING_TASK, 1]
    await assert_told(run, entries=2, checkpoints=[{"phase": "pre-tasks", "taskCount": 3}])
    await assert_stays_so(run)


def test_parallel_with_failure(play: Callable[[Play], None]) -> None:
    play(parallel_with_failure)
