"""Two operators who cancel by filters that select some of the same, at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

import pytest

from rescind import CancelTaskResult, ExecutionStatus
from rescind.client.connecting import Client
from rescind.model.commands import StartExecution
from rescind.model.events import EventType
from rescind.model.filters import ExecutionFilter
from rescind_server.app import Server

pytestmark = pytest.mark.asyncio
EACH = 400


async def all_met(client: Client, selection: ExecutionFilter, *, hard: bool) -> Mapping[CancelTaskResult, int]:
    """How many met what, in the end."""
    steps = [dict(counts) async for counts in client.cancel_where(selection, "not needed", hard=hard)]
    return steps[-1]


@pytest.mark.parametrize("hard", [False, True])
async def test_two_operators_with_overlapping_filters_cancel_each_execution_once(server: Server, hard: bool) -> None:
    async with Client(server.address, by="operator:one") as one, Client(server.address, by="operator:two") as two:
        # One third is of the first operator's queue, one of the second's team, and one of both.
        places = [("q", "x"), ("other", "y"), ("q", "y")]
        await one.start_many(
            StartExecution("patient", queue=queue, labels={"team": team}) for queue, team in places * EACH
        )
        open_ones = (ExecutionStatus.PENDING, ExecutionStatus.CANCELLED)
        met = await asyncio.gather(
            all_met(one, ExecutionFilter(queue="q", statuses=open_ones), hard=hard),
            all_met(two, ExecutionFilter(labels={"team": "y"}, statuses=open_ones), hard=hard),
        )
        total: Counter[CancelTaskResult] = Counter()
        for counts in met:
            assert sum(counts.values()) == 2 * EACH
            total.update(counts)
        assert total == {CancelTaskResult.CANCELLED: 3 * EACH, CancelTaskResult.ALREADY_CANCELLED: EACH}
        shared = [each async for each in one.list(ExecutionFilter(queue="q", labels={"team": "y"}))]
        assert {each.status for each in shared} == {"CANCELLED"}
        for each in shared[::100]:
            types = (await one.handle(each.execution_id).history()).types()
            assert types.count(EventType.EXECUTION_CANCELLED) == 1
            assert types.count(EventType.EXECUTION_CANCEL_REQUESTED) == 2
