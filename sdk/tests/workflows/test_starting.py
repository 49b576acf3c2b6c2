"""How workflows are started and end, and what is refused, on the real engine in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from rescind import (
    AlreadyExists,
    ExecutionFailed,
    ForeignFuture,
    InvalidInput,
    NotSupported,
    Registry,
    UnknownKind,
    WorkflowContext,
    WorkflowDefinition,
)
from rescind.testing import Environment
from sdk.tests.workflows.work import broken, doubled, nap, of, result_of, world

pytestmark = pytest.mark.rescind


async def test_the_context_says_whose_it_is() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        return [ctx.execution_id, str(ctx.workflow_execution_id), ctx.queue, ctx.labels["a"], ctx.version, repr(ctx)]

    env, tested = world(body)
    async with env:
        handle = await env.start(tested, id="order-1", labels={"a": "b"})
        told = await handle.result()
    assert told[:1] + told[2:5] == ["order-1", "default", "b", "1.0.0"]


async def test_an_id_or_a_key_makes_a_start_repeatable() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        await ctx.sleep(1)

    env, tested = world(body)
    async with env:
        first = await env.start(tested, id="one")
        assert (await env.start(tested, id="one")).id == first.id
        with pytest.raises(AlreadyExists):
            await env.start(doubled, 1, id="one")
        keyed = await env.client.start_workflow(tested, idempotency_key="k")
        assert (await env.client.start_workflow(doubled, 3, idempotency_key="k")).id == keyed.id


async def test_signal_with_start_starts_once_and_signals_each_time() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        return [(await ctx.wait_for_signal_raw("x")).value, (await ctx.wait_for_signal_raw("x")).value]

    env, tested = world(body)
    async with env:
        env.start_worker()
        first = await env.client.signal_with_start(tested, None, "x", 1, idempotency_key="k")
        second = await env.client.signal_with_start(tested, None, "x", 2, idempotency_key="k")
        assert first.id == second.id
        assert await first.result() == [1, 2]


async def test_a_workflow_that_raises_has_failed() -> None:
    async def body(_: WorkflowContext) -> Any:
        raise KeyError("lost")

    with pytest.raises(ExecutionFailed, match="KeyError: 'lost'"):
        await result_of(body)


async def test_a_workflow_that_takes_too_long_has_failed() -> None:
    async def body(ctx: WorkflowContext) -> Any:
        await ctx.sleep(1_000)

    env, tested = world(body)
    async with env:
        env.start_worker()
        handle = await env.client.start_workflow(tested, timeout=10)
        with pytest.raises(ExecutionFailed, match="timed out"):
            await handle.result()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (lambda ctx: ctx.select([]), ValueError),
        (lambda ctx: ctx.select(ctx.sleep(1)), InvalidInput),
        (lambda ctx: ctx.join_all([7]), InvalidInput),
        (lambda ctx: ctx.sleep(-1), InvalidInput),
        (lambda ctx: ctx.promise_raw(""), InvalidInput),
        (lambda ctx: ctx.schedule_workflow("kid", nap), InvalidInput),
        (lambda ctx: ctx.schedule_workflow_raw("", "doubled"), InvalidInput),
        (lambda ctx: ctx.set_raw("k", object()), InvalidInput),
        (lambda ctx: ctx.join_n([], "x"), InvalidInput),
        (lambda ctx: ctx.wait_stopped([ctx.schedule(nap, 1.0)]), NotSupported),
    ],
)
async def test_what_cannot_be_meant_is_refused_where_it_is_asked(body: Any, error: type[Exception]) -> None:
    async def refused(ctx: WorkflowContext) -> None:
        with pytest.raises(error):
            await body(ctx)

    await result_of(refused)


async def test_a_future_of_another_workflow_is_refused() -> None:
    kept: list[Any] = []

    async def body(ctx: WorkflowContext) -> Any:
        kept.append(ctx.sleep(1))
        with pytest.raises(ForeignFuture):
            await ctx.select(kept) if len(kept) > 1 else await ctx.sleep(2)
        return None

    env, tested = world(body)
    async with env:
        first, second = await env.start(tested), await env.start(tested)
        await second.result()
        await first.cancel()


async def test_a_kind_that_nobody_here_knows_is_refused_at_the_start() -> None:
    async with Environment(workflows=[doubled]) as env:
        with pytest.raises(UnknownKind):
            await env.start(broken)


async def test_a_code_that_has_diverged_fails_its_execution_and_says_where() -> None:
    other = of(lambda ctx: ctx.promise_raw("other"))
    env, tested = world(lambda ctx: ctx.promise_raw("approval"))
    async with env:
        handle = await env.start(tested, id="it")
        await env.settled()
        await env.kill_worker()
        env.workflows = Registry(WorkflowDefinition)
        env.register(other)
        env.start_worker()
        await handle.signal("wake", None)
        with pytest.raises(ExecutionFailed, match="expected 'approval', got 'other'"):
            await handle.result()
