"""A container on a cluster is stopped by its cancel and removed, and that is recorded.

It needs both an engine and a server of Temporal, and runs in the session `temporal`, which fetches both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, AgentDefinition, agent
from rescind.executors import container
from rescind.model.events import EventType
from sdk.tests.containers.engine import IMAGE, TestEngine, make_engine

from .world import its_code_runs, stopped, world

pytestmark = [pytest.mark.asyncio, pytest.mark.containers]

obeys = container("obeys", IMAGE, "echo at work; setsid sleep 1000 & sleep 1000")
is_deaf = container("is-deaf", IMAGE, "trap '' TERM; echo at work; while :; do sleep 1000; done", grace=0.2)
ends = container("ends", IMAGE, "echo done")


@agent("cancels-a-container")
async def cancels_a_container(ctx: AgentContext, kind: str) -> None:
    (work,) = [each for each in (obeys, is_deaf) if each.kind == kind]
    future = ctx.schedule(work)
    await ctx.wait_for_signal_raw("enough")
    await future.cancel("enough")


@agent("runs-a-container")
async def runs_a_container(ctx: AgentContext) -> tuple[int, str]:
    result = await ctx.schedule(ends)
    return result.exit_code, result.stdout


AGENTS: tuple[AgentDefinition[Any, Any], ...] = (cancels_a_container, runs_a_container)


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestEngine]:
    """An engine of this test's own, found by DOCKER_HOST."""
    started = make_engine(tmp_path_factory.mktemp("engine"))
    started.start()
    try:
        started.make_image()
        monkeypatch.setenv("DOCKER_HOST", started.address)
        yield started
    finally:
        started.stop()


async def test_a_container_runs_stops_when_cancelled_and_is_removed(
    development_server: DevelopmentServer, engine: TestEngine
) -> None:
    told: list[object] = []
    async with world(development_server.address, AGENTS, [obeys, is_deaf, ends]) as here:
        assert await (await here.start(runs_a_container)).result() == (0, "done\n")
        for kind in ("obeys", "is-deaf"):
            handle = await here.start(cancels_a_container, kind)
            await its_code_runs(handle)
            assert len(engine.containers()) == 1
            await handle.signal("enough")
            await handle.result()
            (record,) = await stopped(handle)
            assert engine.containers() == []
            told += [each.details for each in await handle.history() if each.type is EventType.STOP_ENDED]
            assert record.status == "CANCELLED"
    assert told == [{"state": "STOPPED", "executor": "container"}, {"state": "KILLED", "executor": "container"}]
