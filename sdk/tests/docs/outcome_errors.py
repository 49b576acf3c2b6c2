"""How to meet each error of work that ended otherwise than with a result."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

import rescind
from rescind import AgentContext, Budget, BudgetExceeded, agent
from rescind.testing import Environment, MockAgentContext, run
from sdk.tests.docs.provoking import Provocations, charge, ended_with, nap, quote

met: Final = Provocations()


@met.in_agent("TaskFailed")
async def unknown_carrier(ctx: AgentContext) -> object:
    return await ctx.schedule(quote, "post")


@met.directly("TaskTimedOut")
def slow_carrier(_: Path) -> BaseException:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> str:
        return await ctx.schedule(quote, "ship", start_to_close=60)

    return ended_with(rescind.TaskTimedOut, quotes)


@met.in_agent("TaskCancelled")
async def cancelled_carrier(ctx: AgentContext) -> object:
    future = ctx.schedule(quote, "ship")
    await future.cancel("too slow")
    return await future


@met.directly("AllTasksFailed")
def race_without_winner(_: Path) -> BaseException:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> str:
        slow = ctx.schedule(quote, "post"), ctx.schedule(quote, "ship", start_to_close=60)
        return (await ctx.select_ok(slow))[0]

    return ended_with(rescind.AllTasksFailed, quotes)


@met.in_agent("StepFailed")
async def failing_step(ctx: AgentContext) -> object:
    def read_rate() -> float:
        raise KeyError("EUR")

    return await ctx.run(read_rate)


@met.in_agent("ChildFailed")
async def failing_child(ctx: AgentContext) -> object:
    return await (await ctx.spawn_agent("prices", 0))


@met.in_agent("ChildBudgetExceeded")
async def spending_child(ctx: AgentContext) -> object:
    return await (await ctx.spawn_agent("prices", 1_200, budget=Budget(max_tokens=1_000)))


@met.in_agent("ChildCancelled")
async def cancelled_child(ctx: AgentContext) -> object:
    child = await ctx.spawn_agent("prices", 0)
    await child.cancel()
    return await child


@met.directly("BudgetExceeded")
def budget_is_used_up(_: Path) -> BaseException:
    async def spends(ctx: AgentContext) -> None:
        await ctx.report_usage(1_200)

    with pytest.raises(BudgetExceeded) as caught:
        run(spends(MockAgentContext(budget=Budget(max_tokens=1_000))))
    return caught.value


@met.directly("DeadlineExceeded")
def block_takes_too_long(_: Path) -> BaseException:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> None:
        async with ctx.fail_after(5):
            await ctx.schedule(quote, "ship")

    return ended_with(rescind.DeadlineExceeded, quotes)


@met.directly("ExecutionFailed")
def agent_raises(_: Path) -> BaseException:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> None:
        raise RuntimeError("no carrier is left")

    return ended_with(rescind.ExecutionFailed, quotes)


@met.outside("ExecutionWasCancelled")
async def cancelled_by_its_caller() -> None:
    async with Environment(agents=[nap]) as env:
        handle = await env.start(nap, 60, id="q-1")
        await handle.cancel("the customer hung up")
        await handle.result()


@met.in_agent("NonRetryable")
async def expired_card(ctx: AgentContext) -> None:
    await ctx.schedule(charge)


@met.in_agent("ExecutionCancelled")
async def cancelled_agent(ctx: AgentContext) -> None:
    await ctx.sleep(60)
