"""What the first client does to a namespace, and what is told of agents whose turns fail."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fixtures.temporal_servers.running import DevelopmentServer, running
from rescind.errors import UnknownKind
from rescind.model.filters import ExecutionFilter
from rescind.temporal import TemporalClient

from .test_bad_input import known, unknown_to_the_worker
from .test_overseeing import all_of, until
from .world import world

pytestmark = [pytest.mark.asyncio, pytest.mark.temporal]
AT_THE_FIRST_PROBLEM = {"system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute": 1}


async def test_the_first_client_has_labels_indexed_for_all_that_come_after_it(tmp_path: Path) -> None:
    async with running(DevelopmentServer(tmp_path)) as server, asyncio.timeout(60):
        async with TemporalClient(server.address) as first:
            assert first.port.finds_labels is False
            await first.start(known, labels={"team": "eu"})

        async def is_indexed() -> bool:
            async with TemporalClient(server.address) as later:
                return later.port.finds_labels

        await until(is_indexed, bool)
        async with TemporalClient(server.address) as later:
            await later.start(known, labels={"team": "eu"})
            wanted = ExecutionFilter(labels={"team": "eu"})
            await until(lambda: all_of(later.list(wanted)), lambda found: len(found) == 2)


async def test_agents_whose_turns_fail_are_parked_with_the_reason(tmp_path: Path) -> None:
    async with (
        running(DevelopmentServer(tmp_path, dynamic_config=AT_THE_FIRST_PROBLEM)) as server,
        world(server.address, [known]) as here,
    ):
        handle = await here.start(unknown_to_the_worker)
        with pytest.raises(UnknownKind):
            await handle.result()
        stuck = await until(here.client.stuck, lambda stuck: bool(stuck.parked))
    (parked,) = stuck.parked
    assert (parked.kind, parked.count, parked.execution_id) == ("unknown-to-the-worker", 1, handle.id)
    assert "no agent of kind 'unknown-to-the-worker' is registered here" in parked.reason
