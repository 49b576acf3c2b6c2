"""Tasks that the agents of these tests schedule, and how a test plays an agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from rescind import AgentContext, AgentDefinition, ExecutionHandle, NonRetryable, TaskContext, agent, task
from rescind.model.ids import task_id_from_key
from rescind.testing import Environment

EXECUTION = "a-1"


@task("nap")
async def nap(ctx: TaskContext, seconds: float) -> float:
    """Give its time back after that time."""
    await asyncio.sleep(seconds)
    return seconds


@task("breaks", max_retries=0)
async def breaks(ctx: TaskContext, seconds: float) -> None:
    """Fail after a time, for good."""
    await asyncio.sleep(seconds)
    raise ValueError(f"broken after {seconds} s")


@task("nap-or-break")
async def nap_or_break(ctx: TaskContext, seconds: float) -> float:
    """Give its time back after that time; a negative one fails after as long."""
    await asyncio.sleep(abs(seconds))
    if seconds < 0:
        raise NonRetryable(f"broken after {-seconds} s")
    return seconds


@task("hang")
async def hang(ctx: TaskContext) -> None:
    """Never end by itself."""
    await asyncio.Event().wait()


@task("lingers")
async def lingers(ctx: TaskContext, seconds: float) -> None:
    """Never end by itself; when cancelled, take this long to stop."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(seconds)


@task("lingers-or-naps")
async def lingers_or_naps(ctx: TaskContext, stays: bool) -> str:
    """Wake after a second; or never end by itself, and take two seconds to stop."""
    if not stays:
        await asyncio.sleep(1)
        return "woke"
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(2)
    return "never"


@task("echo")
async def echo(ctx: TaskContext, value: Any) -> Any:
    """Give back what it is given."""
    return value


TASKS = (nap, breaks, nap_or_break, hang, lingers, lingers_or_naps, echo)


async def begin(env: Environment, definition: AgentDefinition[Any, Any], given: Any = None) -> ExecutionHandle[Any]:
    """Register an agent with the tasks of this module, and start it under the id `EXECUTION`."""
    env.register(definition, *TASKS)
    return await env.start(definition, given, id=EXECUTION)


async def play(
    env: Environment, body: Callable[[AgentContext], Coroutine[Any, Any, Any]], **options: Any
) -> ExecutionHandle[Any]:
    """Make an agent of a function, start it, and let it end, however."""
    handle = await begin(env, agent("played", **options)(body))
    await ended(handle)
    return handle


async def result_of(env: Environment, body: Callable[[AgentContext], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    """What an agent returns that is made of a function."""
    return await (await begin(env, agent("played", **options)(body))).result()


async def ended(handle: ExecutionHandle[Any]) -> None:
    """Wait for an execution's end, however it ends."""
    async for _ in handle.follow():
        pass


def task_id(position: int) -> UUID:
    """The id of the task that the agent under test scheduled at a position of its journal."""
    return UUID(task_id_from_key(f"{EXECUTION}:{position}"))
