"""An agent spawns others, waits for them, talks with them and hands off to them."""

from __future__ import annotations

from typing import Any

import pytest

from rescind import (
    AgentContext,
    Budget,
    BudgetExceeded,
    CancelTaskResult,
    ChildBudgetExceeded,
    ChildBudgetExceededEvent,
    ChildCancelledEvent,
    ChildCompleted,
    ChildFailed,
    ChildFailedEvent,
    ChildHandle,
    ChildSignalled,
    ForeignFuture,
    HandoffCompletion,
    HandoffOptions,
    InvalidInput,
    SpawnOptions,
    TokenUsage,
    Usage,
    agent,
)
from rescind.testing import Environment
from sdk.tests.agents.families import children_of, doubles, fails, greets, played, spends, started, waits
from sdk.tests.agents.work import EXECUTION


@pytest.mark.rescind
async def test_awaiting_a_child_gives_its_result(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        typed: ChildHandle[int] = await ctx.spawn_agent(doubles, 2)
        by_kind = await ctx.spawn_agent("doubles", 1)
        return [await typed, await by_kind]

    assert await played(rescind_env, body) == [4, 2]
    assert rescind_env.elapsed().total_seconds() == 2


@pytest.mark.rescind
async def test_awaiting_a_child_that_failed_names_it_and_what_it_raised(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        child = await ctx.spawn_agent(fails)
        with pytest.raises(ChildFailed) as caught:
            await child
        assert caught.value.child_id == child.child_id
        return [caught.value.kind, caught.value.error_type, caught.value.error]

    assert await played(rescind_env, body) == ["fails", "LookupError", "nothing there"]


@pytest.mark.rescind
async def test_the_error_of_a_child_reaches_the_caller_whole(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> None:
        await (await ctx.spawn_agent(fails))

    with pytest.raises(ChildFailed) as caught:
        await played(rescind_env, body)
    assert (caught.value.kind, caught.value.error) == ("fails", "nothing there")


@pytest.mark.rescind
async def test_joining_children_tells_how_each_ended_in_the_order_of_the_handles(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        slow, broken, left = [
            await ctx.spawn_agent(doubles, 5),
            await ctx.spawn_agent(fails),
            await ctx.spawn_agent(waits),
        ]
        await left.cancel()
        one, two, three = await ctx.join_children([slow, broken, left])
        assert one == ChildCompleted(slow.child_id, 10)
        assert isinstance(two, ChildFailedEvent)
        assert isinstance(three, ChildCancelledEvent)
        assert await ctx.join_children([]) == []

    await played(rescind_env, body)


@pytest.mark.rescind
async def test_selecting_a_child_tells_the_first_thing_that_one_of_them_tells(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        children = [await ctx.spawn_agent(doubles, 3), await ctx.spawn_agent(greets, "Ada")]
        hello = await ctx.select_child(children)
        assert hello == ChildSignalled(children[1].child_id, "hello", "Ada")
        assert await ctx.wait_for_signal_raw("hello") == "Ada"
        done = await ctx.select_child(children)
        assert done == ChildCompleted(children[0].child_id, 6)
        assert await ctx.select_child(children) == done
        with pytest.raises(InvalidInput, match="no children"):
            await ctx.select_child([])

    await played(rescind_env, body)


@pytest.mark.rescind
async def test_polling_children_does_not_wait_and_tells_in_the_order_of_time(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        children = [await ctx.spawn_agent(doubles, 1), await ctx.spawn_agent(greets, "Ada")]
        assert await ctx.poll_child_events(children) == []
        await ctx.sleep(2)
        first, second = await ctx.poll_child_events(children)
        assert isinstance(first, ChildSignalled)
        assert second == ChildCompleted(children[0].child_id, 2)
        assert await ctx.poll_child_events(children) == [second]
        assert await ctx.poll_child_events([]) == []

    await played(rescind_env, body)


@pytest.mark.rescind
async def test_signals_go_down_and_up_and_tell_whether_they_arrived(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        child = await ctx.spawn_agent(waits)
        assert await ctx.signal_child(child, "go", [1, 2])
        value = await child
        assert not await child.signal("go")
        return value

    assert await played(rescind_env, body) == [1, 2]


@pytest.mark.rescind
async def test_an_agent_without_a_parent_cannot_signal_it(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        assert not ctx.has_parent
        assert ctx.parent_execution_id is None
        with pytest.raises(InvalidInput, match="has no parent"):
            await ctx.signal_parent("hello")

    await played(rescind_env, body)


@pytest.mark.rescind
async def test_a_child_knows_its_parent(rescind_env: Environment) -> None:
    @agent("asks")
    async def asks(ctx: AgentContext) -> Any:
        return [ctx.has_parent, ctx.parent_execution_id]

    async def body(ctx: AgentContext) -> Any:
        return await (await ctx.spawn_agent(asks))

    rescind_env.register(asks)
    assert await played(rescind_env, body) == [True, EXECUTION]


@pytest.mark.rescind
async def test_handing_off_gives_what_the_other_agent_gives(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        with pytest.raises(ChildFailed):
            await ctx.handoff_to_agent(fails)
        return await ctx.handoff_to_agent(doubles, 4)

    assert await played(rescind_env, body) == 8


@pytest.mark.rescind
async def test_handing_off_at_once_leaves_the_other_agent_to_itself(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        options = HandoffOptions(completion=HandoffCompletion.IMMEDIATE)
        return await ctx.handoff_to_agent(doubles, 4, options)

    assert await played(rescind_env, body) is None
    (other,) = await children_of(rescind_env)
    assert await other.result() == 8


@pytest.mark.rescind
async def test_the_same_key_is_the_same_child(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        one = await ctx.spawn_agent(doubles, 1, idempotency_key="once")
        two = await ctx.spawn_agent(doubles, 1, SpawnOptions(idempotency_key="once"))
        other = await ctx.spawn_agent(doubles, 1)
        return [one.child_id == two.child_id, one.child_id == other.child_id]

    assert await played(rescind_env, body) == [True, False]


@pytest.mark.rescind
async def test_a_child_is_put_on_its_own_queue_with_its_own_labels(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> None:
        await ctx.spawn_agent(waits, None, SpawnOptions(queue="elsewhere", labels={"team": "a"}))
        await ctx.flush_pending()

    await played(rescind_env, body)
    (child,) = await children_of(rescind_env)
    view = await child.describe()
    assert (view.queue, view.labels, view.parent_id) == ("elsewhere", {"team": "a"}, EXECUTION)
    assert view.created_by == "client:local"


@pytest.mark.rescind
async def test_a_child_of_a_kind_that_nobody_runs_waits_and_ends_with_its_cancel(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        child = await ctx.spawn_agent("nobody-runs-this")
        await ctx.sleep(10)
        return await child.cancel()

    assert await played(rescind_env, body) == CancelTaskResult.CANCELLED
    (child,) = await children_of(rescind_env)
    assert await child.status() == "CANCELLED"


@pytest.mark.rescind
async def test_a_budget_is_carried_and_what_was_used_is_told(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        child = await ctx.spawn_agent(spends, [3, 4], budget=Budget(max_tokens=7))
        (event,) = await ctx.join_children([child])
        assert event == ChildCompleted(child.child_id, 7, Usage(7, 0.5))

    await played(rescind_env, body)
    (child,) = await children_of(rescind_env)
    view = await child.describe()
    assert (view.budget, view.usage) == (Budget(max_tokens=7), Usage(7, 0.5))


@pytest.mark.rescind
@pytest.mark.parametrize(
    "budget", [Budget(max_tokens=9), Budget(max_cost_usd=0.3), Budget(max_tokens_per_call=6)], ids=str
)
async def test_using_up_more_than_the_budget_fails_the_child_with_a_type_of_its_own(
    rescind_env: Environment, budget: Budget
) -> None:
    async def body(ctx: AgentContext) -> None:
        child = await ctx.spawn_agent(spends, [3, 7], budget=budget)
        (event,) = await ctx.join_children([child])
        assert isinstance(event, ChildBudgetExceededEvent)
        with pytest.raises(ChildBudgetExceeded, match="the budget is used up"):
            await child

    await played(rescind_env, body)


@pytest.mark.rescind
async def test_what_is_left_of_a_budget_is_known_to_the_child(rescind_env: Environment) -> None:
    @agent("thrifty")
    async def thrifty(ctx: AgentContext) -> Any:
        await ctx.report_usage(TokenUsage(2, 3))
        left = ctx.remaining_budget()
        assert left == Budget(max_tokens=5)
        with pytest.raises(BudgetExceeded):
            await ctx.report_usage(6)
        assert ctx.remaining_budget() == Budget(max_tokens=0)

    async def body(ctx: AgentContext) -> None:
        assert ctx.remaining_budget() is None
        await (await ctx.spawn_agent(thrifty, None, budget=Budget(max_tokens=10)))

    rescind_env.register(thrifty)
    await played(rescind_env, body)


@pytest.mark.rescind
async def test_a_handle_of_another_agent_is_refused(rescind_env: Environment) -> None:
    kept: list[ChildHandle[Any]] = []

    @agent("keeps")
    async def keeps(ctx: AgentContext) -> None:
        kept.append(await ctx.spawn_agent(waits))
        await ctx.wait_for_signal_raw("never")

    async def body(ctx: AgentContext) -> None:
        await ctx.sleep(1)
        for use in (ctx.join_children, ctx.select_child, ctx.poll_child_events):
            with pytest.raises(ForeignFuture, match="was spawned by agent"):
                await use(kept)
        with pytest.raises(ForeignFuture):
            await ctx.cancel_child(kept[0])

    rescind_env.register(keeps)

    @agent("starts-last")
    async def starts_last(ctx: AgentContext) -> None:
        await body(ctx)

    handle = await started(rescind_env, starts_last)
    await rescind_env.start(keeps, id="other")
    await handle.result()


@pytest.mark.rescind
@pytest.mark.parametrize(
    ("spawn", "said"),
    [
        (lambda ctx: ctx.spawn_agent(""), "kind"),
        (lambda ctx: ctx.spawn_agent(7), "kind"),
        (lambda ctx: ctx.spawn_agent(doubles, "two"), "input"),
        (lambda ctx: ctx.spawn_agent("doubles", object()), "input"),
        (lambda ctx: ctx.spawn_agent("doubles", 1, colour="red"), "no option colour"),
        (lambda ctx: ctx.spawn_agent("doubles", 1, budget=7), "budget"),
        (lambda ctx: ctx.spawn_agent("doubles", 1, queue=""), "queue"),
        (lambda ctx: ctx.spawn_agent("doubles", 1, parent_close="LEAVE"), "parent_close"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anything_happens(
    rescind_env: Environment, spawn: Any, said: str
) -> None:
    async def body(ctx: AgentContext) -> None:
        with pytest.raises(InvalidInput, match=said):
            await spawn(ctx)

    await played(rescind_env, body)
    assert await children_of(rescind_env) == []
