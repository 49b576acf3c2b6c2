"""How to meet each error of a workflow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from rescind import AuthoringError, ExecutionCancelled, WorkflowContext, workflow
from rescind.testing import Environment, replay_workflow, run
from sdk.tests.docs.provoking import Provocation

Body = Callable[[WorkflowContext], Awaitable[object]]


@workflow("refund")
async def refund(ctx: WorkflowContext, amount: int) -> object:
    if amount > 100:
        raise ValueError("too much")
    await ctx.sleep(600)
    return None


async def _cancelled_timer(ctx: WorkflowContext) -> object:
    timer = ctx.sleep(60)
    timer.cancel()
    await timer
    return None


async def _rejected(ctx: WorkflowContext) -> object:
    return await ctx.promise_raw("approval")


async def _late(ctx: WorkflowContext) -> object:
    return await ctx.promise_raw("signature", 60)


async def _failing_child(ctx: WorkflowContext) -> object:
    return await ctx.schedule_workflow("first", refund, 500)


async def _cancelled_child(ctx: WorkflowContext) -> object:
    child = ctx.schedule_workflow("second", refund, 5)
    await ctx.sleep(1)
    child.cancel("paid by hand")
    return await child


def _met_in(body: Body) -> Provocation:
    def provoke(_: Path) -> BaseException:
        raised: list[BaseException] = []

        @workflow("order")
        async def order(ctx: WorkflowContext) -> None:
            try:
                await body(ctx)
            except ExecutionCancelled:
                raise
            except Exception as error:
                raised.append(error)

        async def main() -> None:
            async with Environment(workflows=[order, refund]) as env:
                handle = await env.start(order, id="q-1")
                await asyncio.sleep(1)
                if body is _rejected:
                    await env.client.reject_promise("q-1", "approval", "no budget")
                await handle.result()

        run(main())
        return raised[0]

    return provoke


def _diverged(_: Path) -> BaseException:
    @workflow("order")
    async def before(ctx: WorkflowContext) -> None:
        await ctx.schedule_raw("ship")

    @workflow("order")
    async def after(ctx: WorkflowContext) -> None:
        await ctx.schedule_raw("bill")

    async def main() -> Any:
        async with Environment(workflows=[before]) as env:
            handle = await env.start(before, id="q-1")
            await asyncio.sleep(1)
            log = await env.client.workflow_events("q-1")
            await handle.cancel()
            return log

    try:
        replay_workflow(after, run(main()))
    except AuthoringError as error:
        return error
    raise AssertionError("it does not follow its log")


met: Final[dict[str, Provocation]] = {
    "TimerCancelled": _met_in(_cancelled_timer),
    "PromiseRejected": _met_in(_rejected),
    "PromiseTimeout": _met_in(_late),
    "ChildWorkflowFailed": _met_in(_failing_child),
    "ChildWorkflowCancelled": _met_in(_cancelled_child),
    "DeterminismViolation": _diverged,
}
