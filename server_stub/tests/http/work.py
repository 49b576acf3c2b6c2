"""Agents and tasks for the tests over HTTP. What is awaited here is an event, never a length of time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from rescind import AgentContext, TaskContext, agent, task
from rescind.authoring.agent import AgentDefinition
from rescind.authoring.task import TaskDefinition

WATCHED: dict[str, asyncio.Event] = {}
"""Events that tests wait for, by name."""
LONGEST = 10.0
"""How long a test waits for what must happen, in seconds."""


def watched(name: str) -> asyncio.Event:
    """The event of a name."""
    return WATCHED.setdefault(name, asyncio.Event())


async def happens(name: str) -> None:
    """Wait for an event."""
    async with asyncio.timeout(LONGEST):
        await watched(name).wait()


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what nobody tells of."""
    async with asyncio.timeout(LONGEST):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)


@task("echo")
async def echo(ctx: TaskContext, given: Any) -> Any:
    return given


@task("hang")
async def hang(ctx: TaskContext, name: str) -> None:
    """Tell that it runs, and run until it is cancelled; tell that, and why, too."""
    watched(f"{name} runs").set()
    try:
        await asyncio.Event().wait()
    finally:
        watched(f"{name} stopped").set()


@task("speak")
async def speak(ctx: TaskContext, words: list[str]) -> None:
    """Stream words, one token each."""
    for word in words:
        await ctx.stream_token(word)


@agent("echoing")
async def echoing(ctx: AgentContext, given: Any) -> Any:
    """One task, one entry, one checkpoint."""
    answer = await ctx.schedule(echo, given)
    await ctx.append_entry("assistant", f"it said {answer!r}")
    await ctx.checkpoint({"answer": answer})
    return answer


@agent("patient")
async def patient(ctx: AgentContext) -> Any:
    """Wait for the signal `go`."""
    return await ctx.wait_for_signal_raw("go")


@agent("hanging")
async def hanging(ctx: AgentContext, name: str) -> None:
    """Run a task that never ends."""
    await ctx.schedule(hang, name)


@agent("failing")
async def failing(ctx: AgentContext) -> None:
    raise ValueError("no luck")


@agent("speaking")
async def speaking(ctx: AgentContext, words: list[str]) -> Any:
    """Say words through a task, then wait for the signal `go`, then say them again."""
    await ctx.schedule(speak, words)
    await ctx.wait_for_signal_raw("go")
    await ctx.schedule(speak, words)
    return len(words)


AGENTS: Sequence[AgentDefinition[Any, Any]] = (echoing, patient, hanging, failing, speaking)
TASKS: Sequence[TaskDefinition[Any, Any]] = (echo, hang, speak)
