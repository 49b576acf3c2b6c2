"""A lost worker changes nothing of what an agent gives: the journal answers (agents.md, Running and recovering)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from rescind import AgentContext, AgentDefinition, EntryRole, StepFailed, StreamEvent, agent
from rescind.model.events import EventType, HistoryEvent
from rescind.testing import Environment
from sdk.tests.agents.recovery import stories_with_a_loss_at_every_event, story_of
from sdk.tests.agents.work import begin, echo, ended, hang, nap, nap_or_break


@agent("joins")
async def joins(ctx: AgentContext) -> Any:
    values = await ctx.join_all([ctx.schedule(nap, 2.0), ctx.schedule(nap, 1.0)])
    settled = await ctx.join_all_settled([ctx.schedule(nap_or_break, -1.0), ctx.schedule(nap_or_break, 1.0)])
    timed = await ctx.join_all_with_timeout([ctx.schedule(hang), ctx.schedule(echo, "in time")], 60_000)
    return [values, settled.completed, settled.failed, timed.completed, timed.cancelled, timed.timed_out]


@agent("selects")
async def selects(ctx: AgentContext) -> Any:
    value, remaining = await ctx.select_ok([ctx.schedule(nap, 300.0), ctx.schedule(nap, 1.0)])
    best, cancelled = await ctx.select_ok_with_cancel([ctx.schedule(nap, 2.0), *remaining])
    both = await ctx.select_n_ok([ctx.schedule(nap, 500.0), ctx.schedule(nap, 1.0), ctx.schedule(nap, 100.0)], 2)
    return [value, best, [str(each) for each in cancelled], [given for _, given in both]]


@agent("cancels")
async def cancels(ctx: AgentContext) -> Any:
    first, second = ctx.schedule(hang), ctx.schedule(hang)
    results = [await first.cancel("early"), await first.cancel("again")]
    await ctx.sleep(1)
    new = await ctx.replace(second, echo, "new")
    stopped = await ctx.wait_stopped([first, second], 60_000)
    return [results, await new, len(stopped), await ctx.cancel_task(new.task_id)]


@agent("keeps")
async def keeps(ctx: AgentContext) -> Any:
    await ctx.append_entry(EntryRole.USER, "question")
    await ctx.sleep(1)
    ctx.set_turn_id("t-1")
    await ctx.append_tool_call("search", {"for": "answer"})
    await ctx.append_tool_result("search", {"found": 42})
    await ctx.checkpoint({"asked": 1})
    await ctx.append_entry(EntryRole.ASSISTANT, "answer")
    await ctx.flush_pending()
    await ctx.checkpoint({"asked": 2})
    return [ctx.state(), ctx.checkpoint_sequence, [each.content for each in ctx.load_messages()]]


@agent("listens")
async def listens(ctx: AgentContext) -> Any:
    first = await ctx.wait_for_signal_raw("order")
    has_more = await ctx.has_signal("order")
    await ctx.sleep(1)
    rest = await ctx.drain_signals_by_pattern("*")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await ctx.wait_for_signal_raw("never")
    return [first, has_more, rest, await ctx.has_signal("order")]


@agent("waits")
async def waits(ctx: AgentContext) -> Any:
    async with asyncio.timeout(100):
        await asyncio.sleep(0.5)
    done: list[int] = []

    async def branch(number: int) -> None:
        await ctx.sleep(number)
        done.append(number)

    async with asyncio.TaskGroup() as group:
        for number in (3, 1, 2):
            group.create_task(branch(number))
    queue: asyncio.Queue[int] = asyncio.Queue()
    producer = asyncio.create_task(queue.put(7))
    got = await queue.get()
    await producer
    return [done, got]


@agent("guesses")
async def guesses(ctx: AgentContext) -> Any:
    seen: list[Any] = [ctx.random(), str(ctx.uuid4()), ctx.now().isoformat(), ctx.random_source.randint(1, 9)]
    await ctx.append_entry(EntryRole.USER, [str(each) for each in seen])
    value = await ctx.schedule(echo, {"drawn": ctx.random(), "id": str(ctx.uuid4())})
    await ctx.sleep(1)
    await ctx.append_entry(EntryRole.USER, [value, ctx.random()])
    return ctx.load_messages()[0].content[:2]


@agent("scopes")
async def scopes(ctx: AgentContext) -> Any:
    async with ctx.scope():
        ctx.schedule(hang)
        await ctx.schedule(echo, 1)
    async with ctx.move_on_after(100) as scope:
        await ctx.schedule(nap, 1.0)
    async with ctx.move_on_after(1) as expired:
        await ctx.schedule(hang)
    return [scope.expired, expired.expired]


@agent("hedges")
async def hedges(ctx: AgentContext) -> Any:
    return await ctx.hedge(nap_or_break, [-0.5, 400.0, 1.0], 2_000)


@agent("gathers")
async def gathers(ctx: AgentContext) -> Any:
    gathered = await asyncio.gather(*(ctx.schedule(nap, seconds) for seconds in (2.0, 1.0)), ctx.sleep(1))
    ordered = [await each for each in asyncio.as_completed([ctx.schedule(nap, 50.0), ctx.schedule(nap, 1.0)])]
    done, pending = await asyncio.wait(
        {asyncio.create_task(ctx.sleep(seconds), name=str(seconds)) for seconds in (1, 500, 2)}, timeout=50
    )
    return [gathered, ordered, sorted(each.get_name() for each in done), [each.get_name() for each in pending]]


AGENTS = (joins, selects, cancels, keeps, listens, waits, guesses, scopes, hedges, gathers)
SIGNALS = (("order", 1), ("order", 2), ("note", "x"))


@pytest.mark.parametrize("definition", AGENTS, ids=lambda definition: definition.kind)
def test_losing_the_worker_at_any_event_gives_the_same_output_tasks_and_entries(
    definition: AgentDefinition[Any, Any],
) -> None:
    undisturbed, disturbed = stories_with_a_loss_at_every_event(definition, signals=SIGNALS)
    assert len(disturbed) > 5
    for place, story in enumerate(disturbed, start=1):
        lost_at = f"lost at {undisturbed.history[place - 1]}"
        if definition is not guesses:  # its times differ: what nobody had seen yet is drawn at a later time
            assert (story.output, story.entries) == (undisturbed.output, undisturbed.entries), lost_at
        assert [task_id for task_id, _, _ in story.tasks] == [task_id for task_id, _, _ in undisturbed.tasks], lost_at
        assert EventType.EXECUTION_PARKED not in story.history.types(), lost_at


def test_random_numbers_are_the_same_after_a_recovery() -> None:
    undisturbed, disturbed = stories_with_a_loss_at_every_event(guesses)
    assert all(story.output == undisturbed.output for story in disturbed)
    assert all(len(story.entries) == 2 for story in disturbed)


def test_a_side_effect_that_was_recorded_is_never_made_again() -> None:
    made: list[str] = []

    def make(name: str) -> int:
        made.append(name)
        return len(name)

    async def make_later(name: str) -> int:
        await asyncio.sleep(1)
        return make(name)

    @agent("effects")
    async def effects(ctx: AgentContext) -> Any:
        plain = await ctx.run(make, "plain")
        later = await ctx.run(make_later, "later", name="make later")
        with pytest.raises(StepFailed, match="Step 'fails' raised ValueError: no"):
            await ctx.run(_raise, name="fails")
        return [plain, later, await ctx.schedule(nap, 1.0)]

    undisturbed = story_of(effects)
    recorded = [event.sequence for event in undisturbed.history if event.type is EventType.STEP_RECORDED]
    for event in undisturbed.history[:-1]:
        made.clear()
        story = story_of(effects, lost_at=event.sequence)
        assert story.output == [5, 5, 1.0]
        assert story.history.types().count(EventType.STEP_RECORDED) == 3
        for name, at in zip(("plain", "later"), recorded, strict=False):
            if event.sequence >= at:
                assert made.count(name) == 1, f"{name} was made again after a loss at {event}"


def _raise() -> None:
    raise ValueError("no")


async def test_what_was_streamed_is_not_streamed_again_in_a_recovery(rescind_env: Environment) -> None:
    @agent("streaming")
    async def streaming(ctx: AgentContext) -> None:
        await ctx.stream_token("one")
        await ctx.sleep(5)
        await ctx.stream(StreamEvent.data({"two": 2}))

    handle = await begin(rescind_env, streaming)
    seen: list[Any] = []

    async def watch() -> None:
        seen.extend([each async for each in handle.follow()])

    watching = asyncio.create_task(watch())
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    await watching
    streamed = [(each.kind, each.value) for each in seen if not isinstance(each, HistoryEvent)]
    assert streamed == [("token", {"text": "one"}), ("data", {"data": {"two": 2}})]


async def test_an_agent_is_recovered_as_often_as_its_worker_is_lost(rescind_env: Environment) -> None:
    handle = await begin(rescind_env, joins)
    for _ in range(20):
        await asyncio.sleep(0.3)
        await rescind_env.kill_worker()
        rescind_env.start_worker()
    await ended(handle)
    assert await handle.status() == "COMPLETED"


async def test_a_recovered_agent_waits_on_as_long_as_it_had_to(rescind_env: Environment) -> None:
    @agent("sleeping")
    async def sleeping(ctx: AgentContext) -> float:
        await ctx.sleep(100)
        return ctx.now().timestamp()

    handle = await begin(rescind_env, sleeping)
    await asyncio.sleep(40)
    await rescind_env.kill_worker()
    await asyncio.sleep(40)
    rescind_env.start_worker()
    await handle.result()
    assert rescind_env.elapsed() == timedelta(seconds=100)


async def test_the_same_idempotency_key_is_the_same_task_in_every_state_and_run(rescind_env: Environment) -> None:
    @agent("keyed")
    async def keyed(ctx: AgentContext) -> Any:
        first = ctx.schedule(echo, 1, idempotency_key="k")
        value = await first
        await ctx.sleep(5)
        again, other = ctx.schedule(echo, 2, idempotency_key="k"), ctx.schedule(echo, 3, idempotency_key="l")
        return [value, await again, await other, again.task_id == first.task_id]

    handle = await begin(rescind_env, keyed)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    assert await handle.result() == [1, 1, 3, True]
    assert len(await handle.tasks()) == 2


async def test_an_agent_whose_answers_are_on_their_way_when_its_worker_is_lost_gets_them_again(
    rescind_env: Environment,
) -> None:
    handle = await begin(rescind_env, cancels)
    for _ in range(3):
        await rescind_env.kill_worker()
        rescind_env.start_worker()
    results, new, stopped, late = await handle.result()
    assert (results, new, stopped, late) == (["CANCELLED", "ALREADY_CANCELLED"], "new", 2, "ALREADY_COMPLETED")
