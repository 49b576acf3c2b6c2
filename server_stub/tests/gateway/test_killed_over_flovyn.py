"""A server killed with SIGKILL under a worker of ours that speaks flovyn.v1: what runs is finished, and not failed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from rescind import ExecutionStatus
from rescind.testing import check_history

from .test_killed import LONGEST, kill, lines, lines_of, processes, reachable

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("where", ["task", "side effect"])
async def test_what_runs_goes_on_behind_a_killed_server_and_runs_once(where: str, tmp_path: Path) -> None:
    file, until = tmp_path / "ran", tmp_path / "until"
    given = {"file": str(file), "until": str(until), "where": where}
    async with processes(tmp_path) as (run, client):
        server = await run.server()
        await run.worker("flovyn.v1")
        await reachable(client)
        handle = await client.start("holds", given, id=str(uuid4()))
        await lines(file, 1)
        for _ in range(2):
            await kill(server)
            server = await run.server()
            await reachable(client)
        until.touch()
        assert await asyncio.wait_for(handle.result(), LONGEST) == "after"
        assert lines_of(file) == ["holds", "after 1"]
        assert len(await handle.entries()) == 1
        check_history(await handle.history())


async def test_what_ends_while_there_is_no_server_is_told_to_the_next(tmp_path: Path) -> None:
    file, until = tmp_path / "ran", tmp_path / "until"
    given = {"file": str(file), "until": str(until), "where": "task"}
    async with processes(tmp_path) as (run, client):
        server = await run.server()
        await run.worker("flovyn.v1")
        await reachable(client)
        handle = await client.start("holds", given, id=str(uuid4()))
        await lines(file, 1)
        await kill(server)
        until.touch()
        await run.server()
        assert await asyncio.wait_for(handle.result(), LONGEST) == "after"
        assert lines_of(file) == ["holds", "after 1"]


async def test_an_agent_that_waits_goes_on_behind_a_killed_server(tmp_path: Path) -> None:
    file = tmp_path / "ran"
    async with processes(tmp_path) as (run, client):
        server = await run.server()
        await run.worker("flovyn.v1")
        await reachable(client)
        handle = await client.start("steps", {"count": "2", "file": str(file)}, id=str(uuid4()))
        await lines(file, 1)
        async with asyncio.timeout(LONGEST):
            while True:
                details = await handle.details()
                if details.tasks[0].ended_at is not None and details.execution.status is ExecutionStatus.WAITING:
                    break
                await asyncio.sleep(0.01)
        await kill(server)
        await run.server()
        await reachable(client)
        await handle.signal("go")
        assert await asyncio.wait_for(handle.result(), LONGEST) == ["0", "1"]
        assert lines_of(file) == ["0 1", "1 1"]
