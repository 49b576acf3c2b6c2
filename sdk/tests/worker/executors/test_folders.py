"""A task's folder is removed when the attempt has ended."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

from rescind import TaskContext, task
from rescind.executors import shell
from rescind.testing import MockTaskContext
from sdk.tests.worker.executors.observed import in_real_time, observed, until


def folder_seen_by(definition: Any) -> tuple[str, str]:
    """How a task ended, and the folder that it said it had."""
    found: list[str] = []

    @in_real_time
    async def main() -> None:
        async with observed(definition) as seen:
            await seen.until(lambda: bool(seen.events))
            if definition.kind == "cancelled":
                await seen.cancel()
            record = await seen.over()
            found.extend([record.status.value, seen.events[0].value["data"]])

    main()
    return found[0], found[1]


@pytest.mark.parametrize("end", ["returning", "failing", "cancelled"])
def test_a_folder_is_gone_when_the_attempt_has_ended_however_it_ended(end: str) -> None:
    @task(end, max_retries=0)
    async def holding(ctx: TaskContext) -> None:
        (ctx.folder / "sub").mkdir(mode=0o500)
        (ctx.folder / "file").write_text("kept for now")
        assert ctx.folder.exists()
        ctx.stream_data_value(str(ctx.folder))
        if end == "failing":
            raise ValueError
        if end == "cancelled":
            await asyncio.sleep(3_600)

    status, folder = folder_seen_by(holding)
    assert status == {"returning": "COMPLETED", "failing": "FAILED", "cancelled": "CANCELLED"}[end]
    assert not Path(folder).exists()


def test_a_mock_has_a_folder_too() -> None:
    ctx = MockTaskContext()
    folder = ctx.folder
    assert folder.is_dir()
    assert folder == ctx.folder
    del ctx
    gc.collect()
    assert not folder.exists()


@in_real_time
async def test_a_long_output_lies_in_the_folder_and_is_gone_with_it(tmp_path: Path) -> None:
    command = f"seq 50000; echo done >&2; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done"
    async with observed(shell("long", command)) as seen:
        await seen.said("done", "stderr")
        (worker, _) = seen.env._workers[0]
        (attempt,) = worker._attempts.values()
        folder = attempt._context.folder
        await until(lambda: (folder / "stdout.log").stat().st_size == 288_894)
        (tmp_path / "go").touch()
        await seen.over()
    assert not folder.exists()
