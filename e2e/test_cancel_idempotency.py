"""A task is cancelled three times: one request is told that it did it, and the others change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from e2e.expectations import assert_stays_so, assert_stopped, assert_told, completed, statuses
from e2e.harness import Harness, Play
from fixtures.scenarios import SCENARIOS
from rescind import TaskStatus

SCENARIO: Final = SCENARIOS["cancel_idempotency"]


async def cancel_idempotency(harness: Harness) -> None:
    run, output = await completed(harness, SCENARIO)
    tasks = await run.tasks()

    assert output == {
        "cancelCount": 3,
        "firstCancelSucceeded": True,
        "cancelResults": [
            {"attempt": 1, "cancelled": True, "status": "CANCELLED"},
            {"attempt": 2, "cancelled": False, "status": "CANCELLED"},
            {"attempt": 3, "cancelled": False, "status": "CANCELLED"},
        ],
        "success": True,
    }
    assert statuses(tasks) == [TaskStatus.CANCELLED]
    await assert_told(run, entries=2, checkpoints=[{"phase": "task-scheduled", "taskId": str(tasks[0].task_id)}])
    await assert_stopped(run, 0)  # still cancelled, after its worker has reported
    await assert_stays_so(run)


def test_cancel_idempotency(play: Callable[[Play], None]) -> None:
    play(cancel_idempotency)
