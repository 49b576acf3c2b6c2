"""Code that takes another path than its journal: parked, told, and mended by a deployment (agents.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from rescind import AgentContext, ExecutionHandle, agent
from rescind.testing import Environment
from sdk.tests.agents.work import EXECUTION, TASKS, begin, echo, ended, hang, nap

Body = Callable[[AgentContext], Coroutine[Any, Any, Any]]


async def recorded(ctx: AgentContext) -> Any:
    """What ran when the journal was written."""
    first = await ctx.schedule(echo, 1)
    await ctx.sleep(10)
    return [first, await ctx.schedule(echo, 2)]


async def another_kind(ctx: AgentContext) -> Any:
    return await ctx.schedule(nap, 1.0)


async def another_operation(ctx: AgentContext) -> Any:
    return await ctx.wait_for_signal_raw("x")


async def one_more(ctx: AgentContext) -> Any:
    ctx.schedule(hang)
    ctx.schedule(hang)
    return await recorded(ctx)


async def one_more_at_the_end(ctx: AgentContext) -> Any:
    await ctx.schedule(echo, 1)
    extra = asyncio.create_task(ctx.wait_for_signal_raw("x"))
    await ctx.sleep(10)
    return await extra


async def one_less(ctx: AgentContext) -> Any:
    await ctx.schedule(echo, 1)
    return await asyncio.Event().wait()


async def ends_early(ctx: AgentContext) -> Any:
    return await ctx.schedule(echo, 1)


async def ends_early_though_it_asks_for_the_same(ctx: AgentContext) -> Any:
    first = await ctx.schedule(echo, 1)
    left_behind = asyncio.create_task(asyncio.sleep(10))
    await asyncio.sleep(0)
    return [first, left_behind.done()]


async def raises_early(ctx: AgentContext) -> Any:
    await ctx.schedule(echo, 1)
    raise ValueError("new code, new errors")


async def redeploy(env: Environment, body: Body) -> None:
    """Lose the worker, and start one whose agent of the same kind has other code."""
    await env.kill_worker()
    env.agents = type(env.agents)(type(agent("deployed")(body)))
    env.register(agent("deployed")(body))
    env.start_worker()
    # An agent is taken into memory when it has something to do: here, when its sleep is over.
    await asyncio.sleep(10)


async def begin_recorded(env: Environment) -> ExecutionHandle[Any]:
    handle = await begin(env, agent("deployed")(recorded))
    await asyncio.sleep(1)
    return handle


@pytest.mark.parametrize(
    ("body", "was", "now"),
    [
        (another_kind, "ScheduleTask 'echo'", "ScheduleTask 'nap'"),
        (another_operation, "ScheduleTask 'echo'", "AwaitSignal 'x'"),
        (one_more, "ScheduleTask 'echo'", "ScheduleTask 'hang'"),
        (one_more_at_the_end, "nothing", "AwaitSignal 'x'"),
        (one_less, "StartTimer", "nothing"),
        (ends_early, "StartTimer", "nothing"),
        (raises_early, "StartTimer", "nothing"),
    ],
)
async def test_another_path_parks_the_execution_and_names_both_operations(
    rescind_env: Environment, body: Body, was: str, now: str
) -> None:
    handle = await begin_recorded(rescind_env)
    await redeploy(rescind_env, body)
    execution = await handle.describe()
    assert execution.status == "WAITING"
    assert execution.parked is not None
    assert f"recorded {was}, now {now}" in execution.parked
    assert f"agent '{EXECUTION}'" in execution.parked


async def test_the_message_names_the_line_that_asked_for_something_else(rescind_env: Environment) -> None:
    handle = await begin_recorded(rescind_env)
    await redeploy(rescind_env, another_kind)
    parked = (await handle.describe()).parked
    assert parked is not None
    line = another_kind.__code__.co_firstlineno + 1
    assert f"{__file__}:{line}" in parked


async def test_code_that_ends_where_the_journal_goes_on_is_parked_and_does_not_complete(
    rescind_env: Environment,
) -> None:
    handle = await begin_recorded(rescind_env)
    await redeploy(rescind_env, ends_early_though_it_asks_for_the_same)
    await asyncio.sleep(100)
    execution = await handle.describe()
    assert (execution.status, execution.output) == ("WAITING", None)
    assert execution.parked is not None
    assert "ends now where its journal goes on" in execution.parked


async def test_a_fixed_deployment_goes_on_where_the_journal_ends(rescind_env: Environment) -> None:
    handle = await begin_recorded(rescind_env)
    await redeploy(rescind_env, another_kind)
    await redeploy(rescind_env, recorded)
    assert await handle.result() == [1, 2]
    assert (await handle.describe()).parked is None
    assert (await handle.history()).types().count("EXECUTION_PARKED") == 1  # type: ignore[arg-type]


async def test_what_a_parked_agent_waits_for_goes_on_meanwhile(rescind_env: Environment) -> None:
    handle = await begin_recorded(rescind_env)
    await redeploy(rescind_env, another_operation)
    await handle.signal("x", "for later")
    await asyncio.sleep(100)
    await redeploy(rescind_env, recorded)
    assert await handle.result() == [1, 2]


async def test_code_that_does_more_only_behind_its_journal_goes_on(rescind_env: Environment) -> None:
    async def longer(ctx: AgentContext) -> Any:
        return [*await recorded(ctx), await ctx.schedule(echo, 3)]

    handle = await begin_recorded(rescind_env)
    await redeploy(rescind_env, longer)
    assert await handle.result() == [1, 2, 3]


async def test_a_parked_agent_can_be_cancelled(rescind_env: Environment) -> None:
    handle = await begin_recorded(rescind_env)
    await redeploy(rescind_env, another_kind)
    assert await handle.cancel() == "CANCELLED"
    await ended(handle)
    assert await handle.status() == "CANCELLED"


async def test_other_agents_of_the_worker_are_not_disturbed(rescind_env: Environment) -> None:
    rescind_env.register(agent("neighbour")(recorded), *TASKS)
    handle = await begin_recorded(rescind_env)
    neighbour = await rescind_env.start("neighbour")
    await asyncio.sleep(1)
    agents = list(rescind_env.agents)
    await redeploy(rescind_env, another_kind)
    rescind_env.register(*(each for each in agents if each.kind == "neighbour"))
    rescind_env.start_worker()
    assert await neighbour.result() == [1, 2]
    assert (await handle.describe()).parked is not None
