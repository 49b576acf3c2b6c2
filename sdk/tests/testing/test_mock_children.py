"""The unit test of an agent with children: what they give is set, what was done with them is told."""

from __future__ import annotations

from typing import Any

import pytest

from rescind import (
    AgentContext,
    Budget,
    BudgetExceeded,
    CancellationMode,
    ChildBudgetExceeded,
    ChildCancelled,
    ChildCompleted,
    ChildFailed,
    ChildFailedEvent,
    ChildSignalled,
    NotMocked,
    ParentClosePolicy,
    agent,
)
from rescind.model.cause import CancelSource
from rescind.testing import Calls, MockAgentContext, MockTask, run


@agent("research")
async def research(ctx: AgentContext, topic: str) -> int:
    return len(topic)


def mocked(**options: Any) -> MockAgentContext:
    return MockAgentContext(**options)


def test_a_child_gives_what_the_test_has_set() -> None:
    async def body(ctx: AgentContext) -> list[int]:
        typed = await ctx.spawn_agent(research, "bees")
        by_kind = await ctx.spawn_agent("research", "ants", queue="q", labels={"a": "b"})
        return [await typed, await by_kind]

    ctx = mocked(child_results={research: lambda topic: len(topic) * 2})
    assert run(body(ctx)) == [8, 8]
    one, two = ctx.spawned_children
    assert (one.kind, one.input, one.options.queue, one.status) == ("research", "bees", "default", "COMPLETED")
    assert (two.options.queue, two.options.labels) == ("q", {"a": "b"})


def test_a_child_that_fails_raises_what_the_real_one_raises() -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(ChildFailed) as caught:
            await (await ctx.spawn_agent(research, "bees"))
        return f"{caught.value.error_type}: {caught.value.error}"

    assert run(body(mocked(child_results={"research": LookupError("no bees")}))) == "LookupError: no bees"


def test_a_child_over_its_budget_raises_so() -> None:
    async def body(ctx: AgentContext) -> None:
        with pytest.raises(ChildBudgetExceeded):
            await (await ctx.spawn_agent(research, "bees"))

    run(body(mocked(child_results={"research": BudgetExceeded("max_tokens", 5, 6)})))


def test_a_child_without_a_set_result_is_named() -> None:
    async def body(ctx: AgentContext) -> None:
        await (await ctx.spawn_agent(research, "bees"))

    with pytest.raises(NotMocked, match=r"child 'research' \(input 'bees'\) was awaited"):
        run(body(mocked()))


def test_joining_waits_in_the_mocks_time_and_keeps_the_order_of_the_handles() -> None:
    async def body(ctx: AgentContext) -> list[Any]:
        children = [await ctx.spawn_agent(research, "bees"), await ctx.spawn_agent(research, "ants")]
        return await ctx.join_children(children)

    ctx = mocked(child_results={"research": Calls([MockTask(1, delay=5), ValueError("no ants")])})
    first, second = run(body(ctx))
    assert isinstance(first, ChildCompleted)
    assert isinstance(second, ChildFailedEvent)
    assert ctx.elapsed == 5


def test_selecting_tells_a_signal_of_a_child_once() -> None:
    async def body(ctx: MockAgentContext) -> list[Any]:
        child = await ctx.spawn_agent(research, "bees")
        ctx.add_signal("news", 1, after=2, child=ctx.spawned_children[0])
        seen = [await ctx.select_child([child]), await ctx.wait_for_signal_raw("news")]
        return [*seen, await ctx.poll_child_events([child]), await ctx.select_child([child])]

    ctx = mocked(child_results={"research": MockTask(4, delay=5)})
    signal, value, polled, end = run(body(ctx))
    child_id = ctx.spawned_children[0].child_id
    assert signal == ChildSignalled(child_id, "news", 1)
    assert (value, polled, end) == (1, [], ChildCompleted(child_id, 4))


def test_signals_to_children_and_to_the_parent_are_told() -> None:
    async def body(ctx: AgentContext) -> list[bool]:
        child = await ctx.spawn_agent(research, "bees")
        sent = [await ctx.signal_child(child, "faster", 2)]
        await child
        return [*sent, await child.signal("late"), await ctx.signal_parent("done", 3)]

    ctx = mocked(child_results={"research": MockTask(4, delay=1)}, parent_execution_id="p")
    assert run(body(ctx)) == [True, False, True]
    assert ctx.spawned_children[0].signals == [("faster", 2)]
    assert ctx.parent_signals == [("done", 3)]


def test_cancels_of_children_are_told_with_what_they_met() -> None:
    async def body(ctx: AgentContext) -> list[str]:
        child = await ctx.spawn_agent(research, "bees")
        answers = [await child.cancel(CancellationMode.HARD, "enough"), await child.cancel()]
        with pytest.raises(ChildCancelled, match="was cancelled"):
            await child
        return [answer.value for answer in answers]

    ctx = mocked(child_results={"research": MockTask(never=True)})
    assert run(body(ctx)) == ["CANCELLED", "ALREADY_CANCELLED"]
    assert ctx.cancelled_children == [ctx.spawned_children[0].child_id]
    assert [(one.hard, one.reason) for one in ctx.child_cancel_requests] == [(True, "enough"), (False, None)]


def test_leaving_a_scope_cancels_the_children_spawned_in_it() -> None:
    async def body(ctx: AgentContext) -> None:
        async with ctx.scope():
            await ctx.spawn_agent(research, "bees", parent_close=ParentClosePolicy.ABANDON)

    ctx = mocked(child_results={"research": MockTask(never=True)})
    run(body(ctx))
    assert [one.source for one in ctx.child_cancel_requests] == [CancelSource.SCOPE_LEFT]


def test_an_agent_under_test_has_the_budget_that_is_set() -> None:
    async def body(ctx: AgentContext) -> None:
        await ctx.report_usage(3)
        assert ctx.remaining_budget() == Budget(max_tokens=2)
        await ctx.report_usage(3)

    with pytest.raises(BudgetExceeded, match="max_tokens is 5, and 6 was used"):
        run(body(mocked(budget=Budget(max_tokens=5))))


def test_handing_off_gives_what_the_other_agent_gives() -> None:
    async def body(ctx: AgentContext) -> Any:
        return await ctx.handoff_to_agent(research, "bees")

    assert run(body(mocked(child_results={"research": 4}))) == 4
