"""A worker that speaks flovyn.v1 alone: what agents and tasks see of it, over a real server."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from rescind import (
    AgentContext,
    ExecutionFailed,
    ExecutionHandle,
    ExecutionStatus,
    StopState,
    TaskContext,
    TaskFailed,
    TaskStatus,
    agent,
    task,
)
from rescind.client.connecting import Client
from rescind.model.events import EventType, HistoryEvent
from rescind.worker.connecting import Worker
from rescind_server.app import Server

pytestmark = pytest.mark.asyncio
LONGEST: Final = 30.0


@task("echo")
async def echo(ctx: TaskContext, given: Any) -> Any:
    await ctx.stream_token("a word")
    await ctx.report_progress(0.5, "halfway")
    return given


class Endless:
    """A task that never ends by itself, and tells how it fared."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.stopped = asyncio.Event()
        self.task = task("endless")(self._run)

    async def _run(self, ctx: TaskContext) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()


def worker_of(server: Server, **options: Any) -> Worker:
    return Worker(server.address, protocol="flovyn.v1", **options)


async def test_an_agent_runs_with_its_tasks_entries_and_checkpoints(server: Server, client: Client) -> None:
    @agent("talk")
    async def talk(ctx: AgentContext, given: Any) -> Any:
        answer = await ctx.schedule(echo, given)
        await ctx.append_entry("assistant", {"text": answer})
        await ctx.checkpoint({"answer": answer})
        return [answer, await ctx.run(int, "42")]

    async with worker_of(server, agents=[talk], tasks=[echo]):
        handle = await client.start("talk", "hello")
        assert await asyncio.wait_for(handle.result(), LONGEST) == ["hello", 42]
    assert [entry.content for entry in await handle.entries()] == [{"text": "hello"}]
    assert len(await handle.checkpoints()) == 1
    assert [each.status for each in await handle.tasks()] == [TaskStatus.COMPLETED]


async def test_the_loser_of_a_race_is_cancelled_and_its_code_stops(server: Server, client: Client) -> None:
    endless = Endless()

    @agent("race")
    async def race(ctx: AgentContext) -> Any:
        slow = ctx.schedule(endless.task)
        fast = ctx.schedule(echo, "fast")
        winner, _ = await ctx.select_ok_with_cancel([slow, fast])
        return winner

    async with worker_of(server, agents=[race], tasks=[echo, endless.task]):
        handle = await client.start("race")
        await asyncio.wait_for(handle.result(), LONGEST)
        await asyncio.wait_for(endless.stopped.wait(), LONGEST)
    lost, won = await handle.tasks()
    assert (lost.status, won.status) == (TaskStatus.CANCELLED, TaskStatus.COMPLETED)
    async with asyncio.timeout(LONGEST):
        # It ends with the last that is told of the execution: the code has stopped, and its worker has said so.
        events = [event.type async for event in handle.follow() if isinstance(event, HistoryEvent)]
    assert (await handle.tasks())[0].stop_state is StopState.STOPPED
    assert EventType.RESULT_DISCARDED not in events


async def test_cancelling_answers_what_the_server_decided(server: Server, client: Client) -> None:
    endless = Endless()

    @agent("cancels")
    async def cancels(ctx: AgentContext) -> list[str]:
        ended = ctx.schedule(echo, 1)
        await ended
        open_task = ctx.schedule(endless.task)
        await ctx.checkpoint(None)
        answers = [await ctx.cancel_task(each.task_id) for each in (ended, open_task, open_task)]
        return [each.value for each in answers]

    async with worker_of(server, agents=[cancels], tasks=[echo, endless.task]):
        handle = await client.start("cancels")
        answers = await asyncio.wait_for(handle.result(), LONGEST)
    assert answers == ["ALREADY_COMPLETED", "CANCELLED", "ALREADY_CANCELLED"]


async def test_another_worker_goes_on_with_the_same_tasks_entries_and_checkpoints(
    server: Server, client: Client
) -> None:
    endless = Endless()
    passes: list[str] = []

    @agent("recovers")
    async def recovers(ctx: AgentContext) -> Any:
        passes.append("begun")
        first = ctx.schedule(echo, "one")
        named = ctx.schedule(echo, "two", idempotency_key="mine")
        await ctx.append_entry("assistant", "hello")
        await ctx.checkpoint({"at": 1})
        answers = await ctx.join_all([first, named])
        await ctx.schedule(endless.task)
        return answers

    async with worker_of(server, tasks=[echo, endless.task]):
        first = asyncio.create_task(worker_of(server, agents=[recovers], worker_id="first").run())
        handle = await client.start("recovers")
        await asyncio.wait_for(endless.begun.wait(), LONGEST)
        await _until_waiting(handle)
        first.cancel()
        await asyncio.wait([first])
        async with worker_of(server, agents=[recovers], worker_id="second"):
            waited_for = (await handle.tasks())[-1]
            await handle.cancel_task(waited_for.task_id)
            with pytest.raises(ExecutionFailed):
                await asyncio.wait_for(handle.result(), LONGEST)
    assert passes == ["begun", "begun"]
    assert len(await handle.tasks()) == 3
    assert len(await handle.entries()) == 1
    assert len(await handle.checkpoints()) == 1


async def test_signals_reach_the_agent_in_order_and_none_twice(server: Server, client: Client) -> None:
    @agent("listens")
    async def listens(ctx: AgentContext) -> list[Any]:
        return [await ctx.wait_for_signal_raw("go") for _ in range(3)]

    async with worker_of(server, agents=[listens]):
        handle = await client.start("listens")
        for number in range(3):
            await handle.signal("go", number)
        assert await asyncio.wait_for(handle.result(), LONGEST) == [0, 1, 2]


async def test_a_deadline_wakes_an_agent_that_waits_for_a_task(server: Server, client: Client) -> None:
    endless = Endless()

    @agent("impatient")
    async def impatient(ctx: AgentContext) -> str:
        waiting = ctx.schedule(endless.task)
        try:
            async with asyncio.timeout(0.05):
                await waiting
        except TimeoutError:
            await ctx.sleep(0.01)
            return "gave up"
        return "got it"

    async with worker_of(server, agents=[impatient], tasks=[endless.task]):
        handle = await client.start("impatient")
        assert await asyncio.wait_for(handle.result(), LONGEST) == "gave up"
        await asyncio.wait_for(endless.stopped.wait(), LONGEST)


async def test_a_task_that_fails_is_tried_again_by_the_server(server: Server, client: Client) -> None:
    attempts: list[int] = []

    @task("fails", max_retries=1)
    async def fails(ctx: TaskContext) -> None:
        attempts.append(ctx.attempt)
        raise ValueError("no luck")

    @agent("tries")
    async def tries(ctx: AgentContext) -> str:
        try:
            await ctx.schedule(fails)
        except TaskFailed as error:
            return str(error)
        return "no error"

    async with worker_of(server, agents=[tries], tasks=[fails]):
        handle = await client.start("tries")
        assert "no luck" in await asyncio.wait_for(handle.result(), LONGEST)
    assert attempts == [1, 2]


async def test_an_agent_with_children_fails_with_the_reason(server: Server, client: Client) -> None:
    @agent("parent")
    async def parent(ctx: AgentContext) -> None:
        await ctx.signal_parent("ready", None)

    @agent("spawns")
    async def spawns(ctx: AgentContext) -> Any:
        return await ctx.spawn_agent(parent)

    async with worker_of(server, agents=[parent, spawns]):
        handle = await client.start("spawns")
        with pytest.raises(ExecutionFailed, match=r"agent 'spawns' asks for children.*protocol 'native'"):
            await asyncio.wait_for(handle.result(), LONGEST)


async def test_an_agent_that_asks_for_what_the_server_refuses_fails(server: Server, client: Client) -> None:
    @agent("odd")
    async def odd(ctx: AgentContext) -> None:
        await ctx.schedule(echo, "x" * 5_000_000)

    async with worker_of(server, agents=[odd], payload_limit=8_000_000):
        handle = await client.start("odd")
        with pytest.raises(ExecutionFailed, match="bytes"):
            await asyncio.wait_for(handle.result(), LONGEST)


async def test_more_agents_may_wait_than_there_are_slots(server: Server, client: Client) -> None:
    @agent("waits")
    async def waits(ctx: AgentContext, given: int) -> int:
        await ctx.wait_for_signal_raw("go")
        return given

    async with worker_of(server, agents=[waits], agent_slots=1):
        handles = [await client.start("waits", number) for number in range(3)]
        for handle in handles:
            await _until_waiting(handle)
        for handle in handles:
            await handle.signal("go", None)
        assert [await asyncio.wait_for(each.result(), LONGEST) for each in handles] == [0, 1, 2]


async def test_a_worker_that_stops_hands_its_agents_back(server: Server, client: Client) -> None:
    begun = asyncio.Event()

    @agent("sleeps")
    async def sleeps(ctx: AgentContext) -> str:
        begun.set()
        await ctx.sleep(3_600)
        return "slept"

    @agent("sleeps")
    async def wakes(ctx: AgentContext) -> str:
        return "woke"

    handle = await client.start("sleeps")
    async with worker_of(server, agents=[sleeps]):
        await asyncio.wait_for(begun.wait(), LONGEST)
    async with worker_of(server, agents=[wakes]):
        assert await asyncio.wait_for(handle.result(), LONGEST) == "woke"


async def _until_waiting(handle: ExecutionHandle[Any]) -> None:
    """Return when the agent waits for something."""
    async with asyncio.timeout(LONGEST):
        async for _ in handle.follow():
            if await handle.status() is ExecutionStatus.WAITING:
                return
    raise AssertionError("it ended before")
