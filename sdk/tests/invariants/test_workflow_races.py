"""Races around workflows, their timers, tasks and children, with crashes and restarts, each decided by a seed.

The laws that hold after every decision are those of `server_stub/tests/engine/workflow_laws.py`. Among them: a timer
ends by one event; a workflow that waits knows all that happened; each end of a task or child is told once; what would
be restored is what is remembered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from rescind.model.status import TERMINAL_EXECUTION
from sdk.tests.invariants.workflow_storm import Storm

STEPS: Final = 40
PARTS: Final = 8
"""So many tests share the seeds: each is short, and they may run side by side."""


def storms(seeds: range, path: Path, watch: Callable[[Storm], None]) -> None:
    """Let one storm after the other rage, each on a file of its own, and calm down."""

    async def run() -> None:
        for seed in seeds:
            storm = Storm(seed, path / f"{seed}.db")
            try:
                await storm.rage(STEPS)
                await storm.calm_down()
                watch(storm)
            except BaseException as error:
                error.add_note(f"seed {seed}")
                raise
            finally:
                storm.close()
                empty(path)

    asyncio.run(run())


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


@pytest.mark.invariants
@pytest.mark.parametrize("part", range(PARTS))
def test_every_workflow_ends_whatever_meets_and_nothing_that_was_told_is_lost(
    part: int, seeds: range, tmp_path: Path
) -> None:
    met: Counter[str] = Counter()

    def watch(storm: Storm) -> None:
        assert set(storm.statuses().values()) <= TERMINAL_EXECUTION
        met["crash"] += storm.crashes
        met["given up"] += storm.given_up
        for log in storm.logs.values():
            met.update(logged.event.event_type for logged in log)

    storms(seeds[part::PARTS], tmp_path, watch)
    for what in ("crash", "given up", "TIMER_FIRED", "TASK_COMPLETED", "CHILD_WORKFLOW_FAILED"):
        assert met[what], f"no storm met {what}"


@pytest.mark.invariants
def test_the_same_seed_gives_the_same_logs(tmp_path: Path) -> None:
    logs: list[object] = []
    for _ in range(2):
        storms(range(3), tmp_path, lambda storm: logs.append(storm.logs))
    assert logs[:3] == logs[3:]
