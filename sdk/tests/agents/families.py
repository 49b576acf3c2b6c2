"""Agents that the tests of children spawn, and how a test plays their parent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rescind import (
    AgentContext,
    ExecutionHandle,
    agent,
)
from rescind.testing import Environment
from sdk.tests.agents.work import EXECUTION, hang, nap

Body = Callable[[AgentContext], Awaitable[Any]]


@agent("doubles")
async def doubles(ctx: AgentContext, number: int) -> int:
    await ctx.sleep(number)
    return 2 * number


@agent("fails")
async def fails(ctx: AgentContext) -> None:
    raise LookupError("nothing there")


@agent("waits")
async def waits(ctx: AgentContext) -> Any:
    return await ctx.wait_for_signal_raw("go")


@agent("cleans-up")
async def cleans_up(ctx: AgentContext, seconds: float) -> None:
    try:
        await ctx.wait_for_signal_raw("never")
    finally:
        async with ctx.shield():
            await ctx.sleep(seconds)


@agent("greets")
async def greets(ctx: AgentContext, name: str) -> None:
    await ctx.signal_parent("hello", name)
    await ctx.wait_for_signal_raw("bye")


@agent("spends")
async def spends(ctx: AgentContext, calls: list[int]) -> int:
    for tokens in calls:
        await ctx.report_usage(tokens, 0.25)
    return ctx.usage.tokens


@agent("grows")
async def grows(ctx: AgentContext, depth: int) -> None:
    """A chain of agents, each with a task; the last one waits for ever."""
    ctx.schedule(hang)
    if depth:
        await (await ctx.spawn_agent(grows, depth - 1))
    await ctx.wait_for_signal_raw("never")


AGENTS = (doubles, fails, waits, cleans_up, greets, spends, grows)


async def played(env: Environment, body: Body) -> Any:
    """What an agent with this body gives."""

    @agent("parent")
    async def parent(ctx: AgentContext) -> Any:
        return await body(ctx)

    handle = await started(env, parent)
    return await handle.result()


async def started(env: Environment, parent: Any) -> ExecutionHandle[Any]:
    env.register(parent, *AGENTS, hang, nap)
    return await env.start(parent, id=EXECUTION)


async def children_of(env: Environment, execution_id: str = EXECUTION) -> list[ExecutionHandle[Any]]:
    return [env.handle(child.execution_id) for child in await env.handle(execution_id).children()]
