"""How a cancel reaches running code without the user's help, and why: by worker commands, or by signs of life."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, agent
from rescind.temporal.worker import heartbeat_interval

from .faulty_worker import Meeting
from .reasons import TASKS
from .world import stopped, world

pytestmark = pytest.mark.asyncio

_HOUR: Final = 3_600_000
_WHY: Final = "request by agent:{id}: found a better one"
_KINDS: Final = [each.kind for each in TASKS]


@agent("cancels-one")
async def cancels_one(ctx: AgentContext, given: dict[str, str]) -> str:
    future = ctx.schedule_raw(given["kind"], given["folder"])
    await ctx.wait_for_signal_raw("cancel")
    return (await future.cancel("found a better one")).value


@pytest.fixture(scope="module")
def silent_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentServer]:
    """One that sends no worker commands."""
    yield from _serving(tmp_path_factory.mktemp("silent"), {})


@pytest.fixture(scope="module")
def boasting_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentServer]:
    """One that says that it sends worker commands, and sends none."""
    yield from _serving(tmp_path_factory.mktemp("boasting"), {"frontend.WorkerCommandsEnabled": True})


def _serving(folder: Path, config: dict[str, Any]) -> Iterator[DevelopmentServer]:
    server = DevelopmentServer(folder, dynamic_config=config)
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("kind", _KINDS)
async def test_a_worker_command_brings_a_cancel_and_its_reason_long_before_the_next_sign_of_life(
    development_server: DevelopmentServer, tmp_path: Path, kind: str
) -> None:
    await delivered(development_server, tmp_path, kind, cancel_within_ms=_HOUR, lease_ms=_HOUR)


@pytest.mark.temporal
@pytest.mark.parametrize("kind", _KINDS)
async def test_signs_of_life_bring_a_cancel_and_its_reason_where_no_commands_are_sent(
    silent_server: DevelopmentServer, tmp_path: Path, kind: str
) -> None:
    await delivered(silent_server, tmp_path, kind, cancel_within_ms=_HOUR, lease_ms=1_000)


@pytest.mark.temporal
@pytest.mark.parametrize("within", [1_000, 100])
async def test_a_cancel_arrives_in_its_time_though_a_cluster_sends_no_commands_that_says_it_does(
    boasting_server: DevelopmentServer, tmp_path: Path, within: int
) -> None:
    meeting = Meeting(tmp_path)
    async with world(boasting_server.address, [cancels_one], TASKS, cancel_within_ms=within, lease_ms=_HOUR) as here:
        handle = await here.start(cancels_one, {"kind": "on-the-loop", "folder": str(tmp_path)})
        await meeting.has("begun")
        await handle.signal("cancel")
        await handle.result()
        (task,) = await stopped(handle)
    assert task.stop_state == "STOPPED"


async def test_signs_of_life_come_twice_within_the_time_of_a_cancel_and_four_times_within_a_lease() -> None:
    assert heartbeat_interval(cancel_within_ms=1_000, lease_ms=10_000, has_commands=False) == 0.5
    assert heartbeat_interval(cancel_within_ms=100, lease_ms=10_000, has_commands=False) == 0.05
    assert heartbeat_interval(cancel_within_ms=1_000, lease_ms=1_000, has_commands=False) == 0.25
    assert heartbeat_interval(cancel_within_ms=60_000, lease_ms=10_000, has_commands=False) == 2.5


async def test_where_commands_are_sent_signs_of_life_keep_the_same_promise_with_half_as_many() -> None:
    assert heartbeat_interval(cancel_within_ms=1_000, lease_ms=10_000, has_commands=True) == 0.9
    assert heartbeat_interval(cancel_within_ms=60_000, lease_ms=10_000, has_commands=True) == 2.5


async def delivered(server: DevelopmentServer, folder: Path, kind: str, **options: Any) -> None:
    """Cancel running work; return when it has told why it was cancelled, and its stop was recorded."""
    meeting = Meeting(folder)
    async with world(server.address, [cancels_one], TASKS, **options) as here:
        handle = await here.start(cancels_one, {"kind": kind, "folder": str(folder)})
        await meeting.has("begun")
        await handle.signal("cancel")
        assert await handle.result() == "CANCELLED"
        (task,) = await stopped(handle)
    told = "told" if kind == "as-a-program" else _WHY.format(id=handle.id)
    assert meeting.noted == ["begun", told]
    assert (task.status, task.stop_state) == ("CANCELLED", "STOPPED")
