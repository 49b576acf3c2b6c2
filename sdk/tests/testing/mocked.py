"""What the tests of the mock run: small agents and tasks, and short ways to say what a task gives."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from rescind.authoring.agent import agent
from rescind.authoring.task import task
from rescind.runtime.agent_context import AgentContext
from rescind.runtime.task_context import TaskContext
from rescind.testing import MockTask

Runner = Callable[[Coroutine[Any, Any, Any]], Any]


@dataclass
class Request:
    carriers: list[str]


@dataclass
class Quote:
    carrier: str
    price: float


@task("quote")
async def quote(ctx: TaskContext, carrier: str) -> Quote:
    raise AssertionError("a mocked task does not run")


@agent("cheapest-quote")
async def cheapest(ctx: AgentContext, request: Request) -> Quote:
    offers = [ctx.schedule(quote, carrier, queue=carrier) for carrier in request.carriers]
    winner, cancelled = await ctx.select_ok_with_cancel(offers)
    await ctx.checkpoint({"cancelled": [str(task_id) for task_id in cancelled]})
    return winner


REQUEST = Request(["ant", "bee", "cat"])
DELAYS = {"ant": 3.0, "bee": 1.0, "cat": 2.0}


def slow(**delays: float) -> dict[str, MockTask]:
    """Tasks that give their own kind after so many seconds."""
    return {kind: MockTask(kind, delay=delay) for kind, delay in delays.items()}


def ids(*futures: Any) -> list[UUID]:
    return [future.task_id for future in futures]


async def one(ctx: AgentContext, task_input: Any = None) -> Any:
    return await ctx.schedule_raw("work", task_input)


async def tidy(ctx: AgentContext) -> None:
    try:
        await ctx.schedule_raw("work")
    finally:
        async with ctx.shield():
            await ctx.append_entry("assistant", {"cause": str(ctx.cancel_cause())})
            await ctx.schedule_raw("release")
