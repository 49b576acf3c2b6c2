"""A client of a cluster: lists, filters, bulk cancels, labels, and what is told where no worker can be asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, agent
from rescind.errors import ExecutionFailed, ExecutionWasCancelled, NotFound
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.status import ExecutionStatus
from rescind.model.views import ExecutionView
from rescind.temporal import TemporalClient

from .world import World, nap, world

pytestmark = pytest.mark.asyncio


@agent("waits-for-long")
async def waits_for_long(ctx: AgentContext) -> None:
    await ctx.schedule(nap, 60.0, labels={"part": ctx.labels.get("part", "")})


@agent("ends-at-once")
async def ends_at_once(ctx: AgentContext) -> str:
    return "done"


@agent("fails-at-once")
async def fails_at_once(ctx: AgentContext) -> None:
    raise ValueError("broken")


async def listed(here: World, count: int, **conditions: Any) -> list[ExecutionView]:
    """The executions of this world, as soon as the cluster's list shows that many."""
    while True:
        found = [each async for each in here.client.list(ExecutionFilter(queue=here.queue, **conditions))]
        if len(found) == count:
            return found
        await asyncio.sleep(0.05)


async def test_executions_are_listed_by_kind_status_and_label(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [waits_for_long, ends_at_once]) as here:
        waiting = [await here.start(waits_for_long, labels={"part": part}) for part in ("a", "b")]
        ended = await here.start(ends_at_once)
        await ended.result()
        assert [each.execution_id for each in await listed(here, 1, kind="ends-at-once")] == [ended.id]
        assert [each.execution_id for each in await listed(here, 1, labels={"part": "a"})] == [waiting[0].id]
        open_ones = await listed(here, 2, statuses=(ExecutionStatus.WAITING,))
        assert [each.execution_id for each in open_ones] == [each.id for each in reversed(waiting)]
        (completed,) = await listed(here, 1, statuses=(ExecutionStatus.COMPLETED,))
    assert (completed.status, completed.created_by) == ("COMPLETED", "client:test")


async def test_all_that_a_filter_selects_is_cancelled_and_repeating_it_is_harmless(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [waits_for_long]) as here:
        handles = [await here.start(waits_for_long) for _ in range(5)]
        await listed(here, 5)
        counts: Counter[str] = Counter()
        async for counted in here.client.cancel_where(ExecutionFilter(queue=here.queue), "enough"):
            counts = Counter({result.value: count for result, count in counted.items()})
        assert counts == {"CANCELLED": 5}
        for handle in handles:
            with pytest.raises(ExecutionWasCancelled, match="enough"):
                await handle.result()
            assert (await handle.cancel()).value == "ALREADY_CANCELLED"


async def test_tasks_are_found_in_their_executions_and_cancelled_alone(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [waits_for_long]) as here:
        handle = await here.start(waits_for_long, labels={"part": "x"})
        while not await handle.tasks():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        mine = TaskFilter(execution_id=handle.id, labels={"part": "x"})
        assert [each.task.kind async for each in here.client.tasks(mine)] == ["nap"]
        assert await here.client.count(mine) == 1
        async for counts in here.client.cancel_where(mine):
            assert {result.value: count for result, count in counts.items()} == {"CANCELLED": 1}


async def test_an_end_is_told_also_where_no_worker_is_left(development_server: DevelopmentServer) -> None:
    async with world(development_server.address) as here:
        done, broken = await here.start(ends_at_once), await here.start(fails_at_once)
        async with here.worker([ends_at_once, fails_at_once]):
            await done.result()
            with pytest.raises(ExecutionFailed):
                await broken.result()
        async with TemporalClient(here.address, timeout=1.0) as impatient:
            assert await impatient.handle(done.id).result() == "done"
            with pytest.raises(ExecutionFailed, match="ValueError: broken"):
                await impatient.handle(broken.id).result()


async def test_a_workflow_that_is_terminated_is_an_execution_that_was_cancelled(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [waits_for_long]) as here:
        handle = await here.start(waits_for_long)
        while not await handle.tasks():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await here.client.port.client.get_workflow_handle(handle.id).terminate("by hand")
        with pytest.raises(ExecutionWasCancelled, match="its workflow was terminated"):
            await handle.result()


async def test_an_id_that_is_not_there_is_not_found(development_server: DevelopmentServer) -> None:
    async with world(development_server.address) as here:
        for ask in (here.client.handle("nobody").status, here.client.handle("nobody").result):
            with pytest.raises(NotFound, match="no execution 'nobody'"):
                await ask()
