"""Tasks, workflows and worlds that several tests of workflows share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from rescind import TaskContext, WorkflowContext, WorkflowDefinition, task, workflow
from rescind.testing import Environment

Body = Callable[[WorkflowContext], Awaitable[Any]]


@task("nap")
async def nap(_: TaskContext, seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@task("fails", max_retries=0)
async def fails(_: TaskContext) -> None:
    raise ValueError("no luck")


@workflow("doubled")
async def doubled(ctx: WorkflowContext, number: int) -> int:
    await ctx.sleep(1)
    return number * 2


@workflow("broken")
async def broken(_: WorkflowContext) -> None:
    raise ValueError("broken child")


def of(body: Body) -> WorkflowDefinition[None, Any]:
    @workflow("tested")
    async def tested(ctx: WorkflowContext) -> Any:
        return await body(ctx)

    return tested


def world(body: Body) -> tuple[Environment, WorkflowDefinition[None, Any]]:
    tested = of(body)
    return Environment(tasks=[nap, fails], workflows=[tested, doubled, broken]), tested


async def result_of(body: Body) -> Any:
    env, tested = world(body)
    async with env:
        return await (await env.start(tested)).result()
