"""A fallback races its primary and wins: the loser is not touched, and finishes behind its agent's end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from e2e.expectations import assert_stays_so, assert_told, completed, statuses
from e2e.harness import Harness, Play, Run
from fixtures.scenarios import SCENARIOS
from rescind import TaskStatus

SCENARIO: Final = SCENARIOS["racing_tasks_select"]


async def racing_tasks_select(harness: Harness) -> None:
    run, output = await completed(harness, SCENARIO)

    assert output == {
        "winner": "fallback",
        "winnerIndex": 0,
        "result": {"sleptMs": run.input["fallbackDelayMs"], "source": "fallback"},
        "remainingTasks": 1,
    }
    if harness.is_deterministic:
        assert statuses(await run.tasks()) == [TaskStatus.COMPLETED, TaskStatus.RUNNING]
    await assert_primary_finishes(run)
    delays = {key: run.input[key] for key in ("primaryDelayMs", "fallbackDelayMs")}
    await assert_told(run, entries=2, checkpoints=[{"phase": "pre-race", **delays}, {"phase": "post-race"}])
    await assert_stays_so(run)


async def assert_primary_finishes(run: Run) -> None:
    await run.tasks_ended()
    _, primary = await run.tasks()
    assert (primary.status, primary.stop_state) == (TaskStatus.COMPLETED, None)
    assert primary.output == {"sleptMs": run.input["primaryDelayMs"], "source": "primary"}


def test_racing_tasks_select(play: Callable[[Play], None]) -> None:
    play(racing_tasks_select)
