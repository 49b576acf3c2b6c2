"""One task per item leaves in one batch: none twice, and the results come back in the order of the items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from e2e.expectations import assert_stays_so, assert_told, completed, statuses
from e2e.harness import Harness, Play
from fixtures.scenarios import SCENARIOS
from rescind import TaskStatus

SCENARIO: Final = SCENARIOS["batch_api_scheduling"]


async def batch_api_scheduling(harness: Harness) -> None:
    run, output = await completed(harness, SCENARIO)
    tasks = await run.tasks()

    messages = [{"message": item} for item in run.input["items"]]
    assert output == {"itemCount": 5, "usedBatchApi": True, "results": messages}
    assert [(task.kind, task.input, task.output) for task in tasks] == [
        ("echo-task", message, message) for message in messages
    ]
    assert len({task.task_id for task in tasks}) == 5
    assert statuses(tasks) == [TaskStatus.COMPLETED] * 5
    checkpoints = [{"phase": "pre-batch", "itemCount": 5}, {"phase": "post-batch", "resultCount": 5}]
    await assert_told(run, entries=2, checkpoints=checkpoints)
    await assert_stays_so(run)


def test_batch_api_scheduling(play: Callable[[Play], None]) -> None:
    play(batch_api_scheduling)
