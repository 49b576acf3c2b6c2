"""Agents and tasks of our own for the tests of flovyn's HTTP interface."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from rescind import AgentContext, TaskContext, agent, task
from rescind.authoring.agent import AgentDefinition
from rescind.authoring.task import TaskDefinition


@task("echo")
async def echo(ctx: TaskContext, given: Any) -> Any:
    await ctx.stream_token("a word")
    return given


@task("hang")
async def hang(ctx: TaskContext) -> None:
    """Run until it is cancelled."""
    await asyncio.Event().wait()


@task("broken", max_retries=0)
async def broken(ctx: TaskContext) -> None:
    raise ValueError("no luck")


@agent("echoing")
async def echoing(ctx: AgentContext, given: Any) -> Any:
    """One task, one entry, one checkpoint."""
    answer = await ctx.schedule(echo, given)
    await ctx.append_entry("assistant", f"it said {answer!r}")
    await ctx.checkpoint({"answer": answer})
    return answer


@agent("patient")
async def patient(ctx: AgentContext) -> Any:
    """Wait for the signal `go`, then echo what it brought."""
    return await ctx.schedule(echo, await ctx.wait_for_signal_raw("go"))


@agent("hanging")
async def hanging(ctx: AgentContext) -> None:
    """Run a task that never ends."""
    await ctx.schedule(hang)


@agent("failing")
async def failing(ctx: AgentContext) -> None:
    """Run a task that fails."""
    await ctx.schedule(broken)


@agent("spawning")
async def spawning(ctx: AgentContext) -> Any:
    """Start an agent, and wait for it."""
    child = await ctx.spawn_agent(echoing, "from the parent")
    return await child


AGENTS: Sequence[AgentDefinition[Any, Any]] = (echoing, patient, hanging, failing, spawning)
TASKS: Sequence[TaskDefinition[Any, Any]] = (echo, hang, broken)
