"""``@agent(kind, recovery="checkpoint")``: an agent that goes on from its last state (agents.md)."""

from __future__ import annotations

import asyncio
from typing import Any

from rescind import AgentContext, EntryRole, TaskFailed, agent
from rescind.testing import Environment
from sdk.tests.agents.recovery import stories_with_a_loss_at_every_event
from sdk.tests.agents.work import EXECUTION, begin, echo, nap, task_id


@agent("counting", recovery="checkpoint")
async def counting(ctx: AgentContext) -> Any:
    """Count to five; one task, one entry, one pause and, at its end, one checkpoint per round."""
    count = ctx.state() or 0
    while count < 5:
        value = await ctx.schedule(echo, count + 1)
        await ctx.append_entry(EntryRole.ASSISTANT, value)
        await ctx.sleep(1)
        count = value
        await ctx.checkpoint(count)
    return [count, ctx.checkpoint_sequence, [each.content for each in ctx.load_messages()]]


def test_losing_the_worker_at_any_event_doubles_nothing_and_loses_nothing() -> None:
    undisturbed, disturbed = stories_with_a_loss_at_every_event(counting)
    assert undisturbed.output == [5, 5, [1, 2, 3, 4, 5]]
    for place, story in enumerate(disturbed, start=1):
        lost_at = f"lost at {undisturbed.history[place - 1]}"
        assert story.output == undisturbed.output, lost_at
        assert [content for _, _, content in story.entries] == ["1", "2", "3", "4", "5"], lost_at
        assert len(story.tasks) == 5, lost_at


async def test_the_run_after_a_loss_begins_with_the_state_and_the_entries_of_the_checkpoint(
    rescind_env: Environment,
) -> None:
    seen: list[Any] = []

    @agent("resuming", recovery="checkpoint")
    async def resuming(ctx: AgentContext) -> str:
        seen.append([ctx.state(), ctx.checkpoint_sequence, [each.content for each in ctx.load_messages()]])
        if ctx.state() is None:
            await ctx.append_entry(EntryRole.USER, "before")
            await ctx.checkpoint({"phase": 2})
        await ctx.append_entry(EntryRole.USER, "behind")
        await ctx.sleep(5)
        return "done"

    handle = await begin(rescind_env, resuming)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    assert await handle.result() == "done"
    assert seen == [[None, -1, []], [{"phase": 2}, 1, ["before"]]]
    assert [each.content for each in await handle.entries()] == ["before", "behind"]


async def test_a_task_from_before_the_checkpoint_is_found_again_by_its_id(rescind_env: Environment) -> None:
    @agent("handing-over", recovery="checkpoint")
    async def handing_over(ctx: AgentContext) -> Any:
        if ctx.state() is None:
            await ctx.checkpoint(str(ctx.schedule(nap, 3.0).task_id))
        future = ctx.task_future(ctx.state(), "nap", float)
        return [await future, str(future.task_id), future.kind]

    handle = await begin(rescind_env, handing_over)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    assert await handle.result() == [3.0, str(task_id(1)), "nap"]
    assert len(await handle.tasks()) == 1


async def test_an_id_that_the_agent_has_no_task_for_is_told_when_it_is_waited_for(rescind_env: Environment) -> None:
    @agent("mistaken")
    async def mistaken(ctx: AgentContext) -> Any:
        try:
            await ctx.task_future(ctx.uuid4(), "nap")
        except TaskFailed as failed:
            return [failed.failure_kind, failed.error]

    assert await (await begin(rescind_env, mistaken)).result() == ["REJECTED", "this agent has no such task"]


async def test_positions_go_on_behind_the_checkpoint_so_no_task_id_comes_twice(rescind_env: Environment) -> None:
    handle = await begin(rescind_env, counting)
    for _ in range(4):
        await asyncio.sleep(1)
        await rescind_env.kill_worker()
        rescind_env.start_worker()
    await handle.result()
    assert len({each.task_id for each in await handle.tasks()}) == 5


async def test_a_checkpoint_where_the_code_does_not_go_on_as_it_begins_parks_the_agent(
    rescind_env: Environment,
) -> None:
    @agent("misplaced", recovery="checkpoint")
    async def misplaced(ctx: AgentContext) -> None:
        while True:
            await ctx.schedule(echo, 1)
            await ctx.checkpoint("in the middle of a round")
            await ctx.sleep(5)

    handle = await begin(rescind_env, misplaced)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    await asyncio.sleep(5)
    parked = (await handle.describe()).parked
    assert parked is not None
    assert "recorded StartTimer, now ScheduleTask 'echo'" in parked


async def test_random_numbers_behind_the_checkpoint_are_drawn_again_as_they_were(rescind_env: Environment) -> None:
    drawn: list[list[Any]] = []

    @agent("drawing", recovery="checkpoint")
    async def drawing(ctx: AgentContext) -> float:
        source = ctx.random_source
        if ctx.state() is None:
            ctx.random()
            await ctx.checkpoint({"at": 1})
        drawn.append([ctx.random(), str(ctx.uuid4()), source.randint(1, 1_000_000)])
        await ctx.sleep(5)
        return ctx.random()

    undisturbed = await begin(rescind_env, drawing)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    await undisturbed.result()
    assert drawn[0] == drawn[1]


async def test_different_checkpoints_and_executions_draw_different_numbers(rescind_env: Environment) -> None:
    @agent("drawing")
    async def drawing(ctx: AgentContext) -> list[float]:
        numbers = [ctx.random()]
        for place in range(3):
            await ctx.checkpoint(place)
            numbers.append(ctx.random())
        return numbers

    rescind_env.register(drawing)
    one, other = await rescind_env.start(drawing, id="one"), await rescind_env.start(drawing, id="other")
    assert len({*await one.result(), *await other.result()}) == 8


async def test_a_thousand_checkpoints_keep_the_journal_small(rescind_env: Environment) -> None:
    @agent("for-months", recovery="checkpoint")
    async def for_months(ctx: AgentContext) -> int:
        count = ctx.state() or 0
        while count < 1_000:
            await ctx.sleep(3_600)
            count += 1
            await ctx.checkpoint(count)
        await ctx.wait_for_signal_raw("end")
        return int(count)

    handle = await begin(rescind_env, for_months)
    while (await handle.describe()).checkpoint < 1_000:
        await asyncio.sleep(86_400)
        await rescind_env.kill_worker()
        rescind_env.start_worker()
    execution = rescind_env.host._engine._state.executions[handle.id]
    assert len(execution.journal) < 5
    assert len(execution.open) < 5
    await handle.signal("end")
    assert await handle.result() == 1_000


async def test_with_replay_a_checkpoint_is_for_people_and_the_journal_answers(rescind_env: Environment) -> None:
    seen: list[Any] = []

    @agent("replaying")
    async def replaying(ctx: AgentContext) -> Any:
        seen.append(ctx.state())
        await ctx.checkpoint({"phase": 1})
        await ctx.sleep(5)
        return [ctx.state(), ctx.checkpoint_sequence]

    handle = await begin(rescind_env, replaying)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    assert await handle.result() == [{"phase": 1}, 1]
    assert seen == [None, None]
    assert [each.sequence for each in await handle.checkpoints()] == [1]
    assert handle.id == EXECUTION
