"""What is told where no worker answers, and what is too large for one answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TypeVar
from uuid import uuid4

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import (
    AgentContext,
    CancelTaskResult,
    ExecutionHandle,
    ExecutionStatus,
    TaskContext,
    TaskStatus,
    agent,
    task,
)
from rescind.errors import NotAllAnswered, ServerUnavailable
from rescind.model.filters import TaskFilter
from rescind.model.payload import Payload
from rescind.model.views import PartialDetails
from rescind.temporal import TemporalClient

from .test_overseeing import has_tasks, naps_thrice, until
from .world import world

pytestmark = pytest.mark.asyncio
FoundT = TypeVar("FoundT")
LARGE = 900_000


@task("gives-it-back")
async def gives_it_back(ctx: TaskContext, text: str) -> str:
    return text


@agent("carries-much")
async def carries_much(ctx: AgentContext, text: str) -> str:
    await ctx.append_entry("user", text)
    await ctx.checkpoint({"text": text})
    return await ctx.schedule(gives_it_back, text)


@agent("ends-soon")
async def ends_soon(ctx: AgentContext) -> str:
    return await ctx.schedule(gives_it_back, "done")


def text_of(payload: Payload | None) -> object:
    return json.loads(payload.data) if payload is not None else None


async def all_until(things: AsyncIterator[FoundT]) -> tuple[list[FoundT], NotAllAnswered]:
    """What is given, and with what that ended."""
    found: list[FoundT] = []
    try:
        async for each in things:
            found.append(each)
    except NotAllAnswered as error:
        return found, error
    raise AssertionError("all answered")


async def test_a_view_that_is_too_large_for_an_answer_comes_in_parts(development_server: DevelopmentServer) -> None:
    text = "ä" * (LARGE // 2)
    async with world(development_server.address, [carries_much], [gives_it_back]) as here:
        handle = await here.start(carries_much, text)
        assert await handle.result() == text
        details = await handle.details()
        (record,) = await handle.tasks()
        (entry,) = await handle.entries()
        (listed,) = [each async for each in here.client.tasks(TaskFilter(execution_id=details.execution.execution_id))]
        assert (await handle.history()).types()[-1] == "EXECUTION_COMPLETED"
    assert (text_of(details.execution.input), text_of(details.execution.output)) == (text, text)
    assert (record.input, record.output, entry.content, len(details.checkpoints)) == (text, text, text, 1)
    assert listed.task == record.view


async def test_of_an_ended_execution_without_a_worker_its_end_is_told_and_what_is_missing(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address) as here:
        async with here.worker([ends_soon], [gives_it_back]):
            handle = await here.start(ends_soon)
            assert await handle.result() == "done"
            (record,) = await handle.tasks()
        details = await handle.details()
        assert details.execution.status is ExecutionStatus.COMPLETED
        assert isinstance(details, PartialDetails)
        assert f"execution {handle.id!r} has ended, and no worker answered" in details.missing
        for ask in (handle.tasks, handle.entries, handle.checkpoints, handle.history):
            with pytest.raises(ServerUnavailable, match="no worker answered"):
                await ask()
        with pytest.raises(ServerUnavailable, match="no worker answered"):
            await handle.cancel_task(record.task_id)
        assert await handle.cancel("late") is CancelTaskResult.ALREADY_COMPLETED


async def test_executions_that_do_not_answer_are_named_behind_what_the_others_told(
    development_server: DevelopmentServer,
) -> None:
    by = str(uuid4())
    async with world(development_server.address, [naps_thrice]) as here, TemporalClient(here.address, by=by) as client:
        silent = await client.start(naps_thrice, queue=f"nobody-{by}")
        handle: ExecutionHandle[None] = await client.start(naps_thrice, queue=here.queue)
        await has_tasks(handle, 3)
        mine = TaskFilter(created_by=by)

        async def counted() -> tuple[tuple[str, ...], int]:
            with pytest.raises(NotAllAnswered) as raised:
                await client.count(mine)
            return raised.value.execution_ids, raised.value.found

        await until(counted, lambda told: told == ((silent.id,), 3))
        found, unanswered = await all_until(client.tasks(mine))
        assert [each.execution_id for each in found] == [handle.id] * 3
        assert f"for the tasks of execution {silent.id!r}" in str(unanswered)
        counts, unanswered = await all_until(client.cancel_where(mine, "enough"))
        assert sum(counts[-1].values()) == 3
        assert (unanswered.execution_ids, unanswered.found) == ((silent.id,), 3)
        assert {each.status for each in await handle.tasks()} == {TaskStatus.CANCELLED}
