"""A server that is restarted or killed with its database file in the middle: all goes on from the file."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from fixtures.temporal_servers.running import DevelopmentServer, running
from rescind.model.events import TASK_ENDS

from .faulty_worker import AGENTS, Meeting, does_all_sorts, runner, three_race, worker_process
from .world import stopped, world

pytestmark = [pytest.mark.asyncio, pytest.mark.temporal]


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_race_goes_on_over_a_restart_of_the_server(tmp_path: Path, how: str) -> None:
    meeting = Meeting(tmp_path)
    server = DevelopmentServer(tmp_path, database=tmp_path / "temporal.db")
    async with (
        running(server),
        world(server.address) as here,
        worker_process(here.address, here.queue, "agents"),
        worker_process(here.address, here.queue, "tasks"),
    ):
        handle = await here.start(three_race, str(tmp_path))
        result = asyncio.ensure_future(handle.result())
        await meeting.has("a 1 begun", "b 1 begun", "c 1 begun")
        await asyncio.to_thread(server.stop if how == "stopped" else server.kill)
        meeting.let_go("b")
        await meeting.has("b 1 ended")
        await asyncio.to_thread(server.start)
        assert await result == "b"
        tasks = await stopped(handle)
        (entry,) = await handle.entries()
        ends = Counter(each.task_id for each in await handle.history() if each.type in TASK_ENDS)
    assert entry.content == "b before 2"
    assert [each.status for each in tasks] == ["CANCELLED", "COMPLETED", "CANCELLED"]
    assert set(ends.values()) == {1}


async def test_an_agent_that_waits_for_a_signal_takes_it_after_a_restart(tmp_path: Path) -> None:
    meeting = Meeting(tmp_path)
    meeting.let_go("a")
    server = DevelopmentServer(tmp_path, database=tmp_path / "temporal.db")
    async with running(server), world(server.address, AGENTS, (runner,)) as here:
        handle = await here.start(does_all_sorts, str(tmp_path))
        while not any(each.type == "STEP_RECORDED" for each in await handle.history()):
            pass
        await asyncio.to_thread(server.restart)
        await handle.signal("said", "again")
        assert await handle.result() == ["a", 1, 1, "stepped", "again"]
        assert len(await handle.entries()) == 1
