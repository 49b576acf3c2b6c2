"""Workers that are killed, frozen, ended and evicted in the middle: the work ends right, and nothing happens twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType as TemporalEvent

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import ExecutionHandle
from rescind.model.events import EventType

from .faulty_worker import AGENTS, Meeting, cancels_when_told, does_all_sorts, holds, runner, three_race, worker_process
from .world import World, stopped, world

pytestmark = pytest.mark.asyncio

_BEGUN = [f"{name} 1 begun" for name in ("a", "b", "c")]


async def test_a_race_ends_right_when_its_worker_is_killed_in_the_middle(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    async with world(development_server.address) as here:
        handle = await here.start(three_race, str(tmp_path))
        async with worker_process(here.address, here.queue) as first:
            await meeting.has(*_BEGUN)
            await first.kill()
        async with worker_process(here.address, here.queue):
            await meeting.has("a 2 begun", "b 2 begun", "c 2 begun")
            meeting.let_go("b")
            assert await handle.result() == "b"
            tasks = await stopped(handle)
            assert [each.content for each in await handle.entries()] == ["b before 2"]
        events = await temporal_events(here, handle)
    assert [each.status for each in tasks] == ["CANCELLED", "COMPLETED", "CANCELLED"]
    assert [each.attempts for each in tasks] == [2, 2, 2]
    assert [each.stop_state for each in tasks] == ["STOPPED", None, "STOPPED"]
    assert events[TemporalEvent.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED] == 6
    assert begun_once(meeting)


async def test_a_race_is_won_while_no_worker_is_there_for_its_agent(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    async with world(development_server.address) as here, worker_process(here.address, here.queue, "tasks"):
        handle = await here.start(three_race, str(tmp_path))
        async with worker_process(here.address, here.queue, "agents") as first:
            await meeting.has(*_BEGUN)
            await first.kill()
        meeting.let_go("c")
        await meeting.has("c 1 ended")
        async with worker_process(here.address, here.queue, "agents"):
            assert await handle.result() == "c"
            tasks = await stopped(handle)
        assert (await temporal_events(here, handle))[TemporalEvent.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED] == 3
    assert [each.status for each in tasks] == ["CANCELLED", "CANCELLED", "COMPLETED"]
    assert [each.attempts for each in tasks] == [1, 1, 1]
    assert begun_once(meeting)


async def test_an_attempt_whose_worker_is_silent_for_too_long_is_tried_again_and_its_late_end_is_nothing(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    async with world(development_server.address) as here, worker_process(here.address, here.queue, "agents"):
        handle = await here.start(holds, str(tmp_path))
        async with worker_process(here.address, here.queue, "task") as silent:
            await meeting.has("a 1 begun")
            silent.freeze()
            async with worker_process(here.address, here.queue, "tasks"):
                await meeting.has("a 2 begun")
                meeting.let_go("a")
                await meeting.has("a 2 ended")
                silent.thaw()
                # Let go or told that it is lost, whatever it hears first.
                while not any(each.startswith(("a 1 ended", "a 1 cancelled")) for each in meeting.noted):
                    await handle.status()
                await handle.signal("go")
                assert await handle.result() == "a"
        (task,) = await handle.tasks()
        types = Counter(each.type for each in await handle.history())
    assert (task.status, task.attempts) == ("COMPLETED", 2)
    assert types[EventType.TASK_COMPLETED] == 1


async def test_work_that_was_cancelled_while_its_worker_is_silent_ends_as_lost(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    async with world(development_server.address) as here, worker_process(here.address, here.queue, "agents"):
        handle = await here.start(cancels_when_told, str(tmp_path))
        async with worker_process(here.address, here.queue, "task") as silent:
            await meeting.has("a 1 begun")
            silent.freeze()
            await handle.signal("cancel")
            assert await handle.result() == "LOST"
        (task,) = await handle.tasks()
    assert (task.status, task.stop_state, task.attempts) == ("CANCELLED", "LOST", 1)


async def test_a_worker_that_is_told_to_end_hands_over_its_agents_and_their_tasks(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    async with world(development_server.address) as here:
        handle = await here.start(three_race, str(tmp_path))
        async with worker_process(here.address, here.queue) as first:
            await meeting.has(*_BEGUN)
            assert await first.leave() == 0
        async with worker_process(here.address, here.queue):
            await meeting.has("a 2 begun", "b 2 begun", "c 2 begun")
            meeting.let_go("a")
            assert await handle.result() == "a"
            tasks = await stopped(handle)
    assert [each.status for each in tasks] == ["COMPLETED", "CANCELLED", "CANCELLED"]
    assert all("its worker ends" in each for each in meeting.noted if " 1 cancelled" in each)
    assert begun_once(meeting)


@pytest.mark.parametrize("kept", [0, 100])
async def test_an_agent_that_is_evicted_at_each_step_does_the_same(
    development_server: DevelopmentServer, tmp_path: Path, kept: int
) -> None:
    meeting = Meeting(tmp_path)
    meeting.let_go("a")
    cached = {"max_cached_workflows": kept}
    async with world(development_server.address, AGENTS, (runner,), temporal_options=cached) as here:
        handle = await here.start(does_all_sorts, str(tmp_path))
        await handle.signal("said", "hello")
        assert await handle.result() == ["a", 1, 1, "stepped", "hello"]
        tasks = await stopped(handle)
        (entry,) = await handle.entries()
    assert entry.content == "a hello"
    assert [each.status for each in tasks] == ["COMPLETED", "CANCELLED", "CANCELLED", "CANCELLED", "COMPLETED"]
    assert len(meeting.noted) == len(set(meeting.noted)) + 2, "only a, which runs twice, is noted twice"


async def temporal_events(here: World, handle: ExecutionHandle[Any]) -> Counter[Any]:
    """What stands in Temporal's own history of an execution."""
    workflow = here.client.port.client.get_workflow_handle(handle.id)
    return Counter([each.event_type async for each in workflow.fetch_history_events()])


def begun_once(meeting: Meeting) -> bool:
    """Whether no attempt was begun twice."""
    begun = [each for each in meeting.noted if each.endswith("begun")]
    return len(begun) == len(set(begun))
