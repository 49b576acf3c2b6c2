"""Agents and tasks for the tests of the gateways. What is awaited here is an event, never a length of time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from rescind import AgentContext, TaskContext, agent, task
from rescind.authoring.agent import AgentDefinition
from rescind.authoring.task import TaskDefinition

WATCHED: dict[str, asyncio.Event] = {}
"""Events that tests wait for, by name; a test puts its own in."""


@task("echo")
async def echo(ctx: TaskContext, given: Any) -> Any:
    return given


@task("hang")
async def hang(ctx: TaskContext, name: str) -> None:
    """Tell that it runs, and run until it is cancelled; tell that, too."""
    WATCHED[f"{name} runs"].set()
    try:
        await asyncio.Event().wait()
    finally:
        WATCHED[f"{name} stopped"].set()


@agent("race")
async def race(ctx: AgentContext, name: str) -> list[Any]:
    """One racer that wins, and two that hang until they have lost."""
    hanging = [ctx.schedule(hang, f"{name}-{number}") for number in (1, 2)]
    go = await ctx.wait_for_signal_raw("go")
    winner, cancelled = await ctx.select_ok_with_cancel([*hanging, ctx.schedule(echo, go)])
    return [winner, len(cancelled)]


@agent("gather")
async def gather(ctx: AgentContext, count: int) -> int:
    return sum(await ctx.join_all([ctx.schedule(echo, number) for number in range(count)]))


@agent("patient")
async def patient(ctx: AgentContext) -> Any:
    return await ctx.wait_for_signal_raw("go")


@task("grow")
async def grow(ctx: TaskContext, size: int) -> str:
    return "x" * size


@agent("growing")
async def growing(ctx: AgentContext, where: str) -> Any:
    """Makes a value of 2,000 bytes: as its task's result, as its task's input, or as its own output."""
    match where:
        case "result":
            return await ctx.schedule(grow, 2_000)
        case "input":
            return await ctx.schedule(echo, "x" * 2_000)
        case _:
            return "x" * 2_000


AGENTS: Sequence[AgentDefinition[Any, Any]] = (race, gather, patient, growing)
TASKS: Sequence[TaskDefinition[Any, Any]] = (echo, hang, grow)
LONGEST = 10.0
"""How long a test waits for what must happen, in seconds."""


async def eventually(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for what nobody tells of."""
    async with asyncio.timeout(LONGEST):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.01)


def watch(*names: str) -> list[asyncio.Event]:
    """Events for the tasks of these names: that each runs, then that each has stopped."""
    return [WATCHED.setdefault(f"{name} {what}", asyncio.Event()) for what in ("runs", "stopped") for name in names]
