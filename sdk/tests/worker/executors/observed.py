"""One task under observation: begun in real time on a real engine, heard, cancelled, and looked at when it is over."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ParamSpec

import rescind
from rescind import AgentContext, CancelMode, CancelTaskResult, ExecutionHandle, StreamEvent, TaskDefinition, agent
from rescind.client.records import TaskRecord
from rescind.embedding import Embedded
from rescind.worker.executors import process_table

Parameters = ParamSpec("Parameters")
NOTHING: Any = object()


def in_real_time(test: Callable[Parameters, Awaitable[None]]) -> Callable[Parameters, None]:
    """Run an async test on an ordinary event loop: real processes know no virtual time."""

    @functools.wraps(test)
    def running(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        async def main() -> None:
            async with asyncio.timeout(60):  # a test that hangs fails, and leaves nothing behind
                await test(*args, **kwargs)

        asyncio.run(main())

    return running


def alive_with(sign: str) -> list[str]:
    """The command lines of the living processes that bear a sign."""
    found = []
    for row in process_table.processes():
        try:
            line = Path(f"/proc/{row.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if sign in line and row.state != "Z":
            found.append(line)
    return found


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; the test's own limit of time ends a wait in vain."""
    while not condition():  # noqa: ASYNC110 - the process table and the disk tell nobody when they change
        await asyncio.sleep(0.002)


class Observed:
    """A task in the hands of its test."""

    def __init__(self, env: Embedded, handle: ExecutionHandle[Any]) -> None:
        self.env = env
        self.handle = handle
        self.events: list[StreamEvent] = []
        self._news = asyncio.Condition()
        self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async for event in self.handle.follow():
            async with self._news:
                if isinstance(event, StreamEvent):
                    self.events.append(event)
                self._news.notify_all()

    def output(self, stream: str = "stdout") -> str:
        """What it has written so far, as far as it was streamed."""
        said = [event.value for event in self.events if event.kind == "output"]
        return "".join(value["text"] for value in said if value["stream"] == stream)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so; it is looked at with each event."""
        async with self._news:
            await self._news.wait_for(condition)

    async def said(self, text: str, stream: str = "stdout") -> None:
        """Wait until it has written something."""
        await self.until(lambda: text in self.output(stream))

    async def record(self) -> TaskRecord:
        """The task as it stands."""
        (record,) = await self.handle.tasks()
        return record

    async def running(self, turns: int) -> None:
        """Wait until its worker has been given it, and so many turns of the event loop longer."""
        while not await self.handle.tasks() or (await self.record()).status == "PENDING":  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)

    async def cancel(self, mode: CancelMode = CancelMode.TRY) -> CancelTaskResult:
        """Cancel it."""
        return await self.handle.cancel_task((await self.record()).task_id, "enough", mode=mode)

    async def over(self) -> TaskRecord:
        """Wait until it has ended, and nothing of it is at work any more."""
        await self.handle.result()
        await self._following
        return await self.record()

    async def stop(self) -> None:
        """Forget it."""
        self._following.cancel()
        await asyncio.wait([self._following])


@asynccontextmanager
async def observed(definition: TaskDefinition[Any, Any], task_input: Any = NOTHING) -> AsyncIterator[Observed]:
    """Start an agent that schedules this one task, and lives until nothing of it is at work."""

    @agent("observing")
    async def observing(ctx: AgentContext) -> None:
        await ctx.wait_for_signal_raw("go")
        future = ctx.schedule(definition) if task_input is NOTHING else ctx.schedule(definition, task_input)
        await ctx.join_all_settled([future])
        await ctx.wait_stopped([future.task_id], 3_600_000)

    async with rescind.embedded([observing], [definition]) as env:
        seen = Observed(env, await env.start(observing))
        await seen.handle.signal("go")
        try:
            yield seen
        finally:
            await seen.stop()
