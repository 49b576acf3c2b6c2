"""Signals, side effects, entries, checkpoints and streams of agents on a cluster."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, StreamEvent, TaskContext, agent, task
from rescind.errors import AlreadyExists, ExecutionEnded, NotFound, StepFailed
from rescind.model.events import EventType, HistoryEvent

from .world import nap, world

pytestmark = pytest.mark.asyncio
CALLS: list[str] = []


@task("streams")
async def streams(ctx: TaskContext, words: list[str]) -> None:
    for word in words:
        ctx.stream_token(word)
        await asyncio.sleep(0.15)


@agent("listens")
async def listens(ctx: AgentContext) -> list[Any]:
    first = await ctx.wait_for_signal_raw("order")
    return [first, *await ctx.wait_for_signal_by_pattern("note-*")]


@agent("makes-side-effects")
async def makes_side_effects(ctx: AgentContext) -> list[Any]:
    def call() -> str:
        CALLS.append(ctx.execution_id)
        return "plain"

    plain = await ctx.run(call)

    async def coroutine() -> str:
        await asyncio.sleep(0.01)
        return "coroutine"

    def broken() -> None:
        raise ValueError("broken")

    try:
        await ctx.run(broken)
    except StepFailed as error:
        return [plain, await ctx.run(coroutine), error.error_type, error.error]
    return []


@agent("converses")
async def converses(ctx: AgentContext) -> None:
    await ctx.append_entry("user", "hello")
    await ctx.append_entry("assistant", {"text": "good day"})
    await ctx.checkpoint({"said": 2})


@agent("streams-itself")
async def streams_itself(ctx: AgentContext) -> None:
    await ctx.stream(StreamEvent.token("from the agent"))
    await ctx.schedule(streams, ["one", "two", "three"])


@agent("waits-a-little")
async def waits_a_little(ctx: AgentContext, seconds: float) -> None:
    await ctx.schedule(nap, seconds)


async def test_signals_arrive_by_name_and_by_glob(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [listens]) as here:
        handle = await here.start(listens)
        await handle.signal("note-7", {"text": "first"})
        await handle.signal("order", 1)
        assert await handle.result() == [1, "note-7", {"text": "first"}]


async def test_a_signal_of_temporals_own_client_is_a_signal(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [listens]) as here:
        handle = await here.start(listens)
        workflow = here.client.port.client.get_workflow_handle(handle.id)
        await workflow.signal("order", "by hand")
        await workflow.signal("note-1")
        assert await handle.result() == ["by hand", "note-1", None]


async def test_a_signal_that_comes_too_late_is_refused(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [converses]) as here:
        handle = await here.start(converses)
        await handle.result()
        await here.client.port.client.get_workflow_handle(handle.id).result()
        with pytest.raises(ExecutionEnded, match="is COMPLETED"):
            await handle.signal("order")
        with pytest.raises(NotFound):
            await here.client.handle("nobody").signal("order")


async def test_a_side_effect_happens_once_and_its_failure_is_recorded(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [makes_side_effects]) as here:
        handle = await here.start(makes_side_effects)
        assert await handle.result() == ["plain", "coroutine", "ValueError", "broken"]
    assert CALLS.count(handle.id) == 1


async def test_entries_and_checkpoints_are_read_while_they_are_there(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [converses]) as here:
        handle = await here.start(converses)
        await handle.result()
        entries, checkpoints = await handle.entries(), await handle.checkpoints()
    assert [(each.role, each.content) for each in entries] == [("user", "hello"), ("assistant", {"text": "good day"})]
    assert [each.state.data for each in checkpoints] == [b'{"said":2}']


async def test_a_follower_sees_every_event_once_and_what_is_streamed(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [streams_itself], [streams]) as here:
        handle = await here.start(streams_itself)
        seen = [each async for each in handle.follow(output=True)]
        history = await handle.history()
    events = [each for each in seen if isinstance(each, HistoryEvent)]
    tokens = [each.value for each in seen if not isinstance(each, HistoryEvent)]
    assert events == list(history)[: len(events)]
    assert events[-1].type is EventType.EXECUTION_COMPLETED
    assert [each["text"] if isinstance(each, dict) else each for each in tokens] == [
        "from the agent",
        "one",
        "two",
        "three",
    ]


async def test_a_repeated_start_is_the_same_execution_and_another_one_is_refused(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [waits_a_little, converses]) as here:
        own = f"own-{here.queue}"
        handles = [await here.start(waits_a_little, 0.0, id=own) for _ in range(2)]
        assert [each.id for each in handles] == [own, own]
        with pytest.raises(AlreadyExists, match="with other input"):
            await here.start(waits_a_little, 1.0, id=own)
        with pytest.raises(AlreadyExists, match="of kind 'waits-a-little'"):
            await here.start(converses, id=own)
