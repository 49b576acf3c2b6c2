"""What cannot be meant is refused where it is said, by an error with its own type."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import UUID

import pytest

from rescind import (
    AgentContext,
    AlreadyExists,
    ContextNotActive,
    DuplicateKind,
    ExecutionFailed,
    ForeignFuture,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    StepFailed,
    TaskContext,
    TaskFailed,
    UnknownKind,
    agent,
    task,
)
from rescind.testing import Environment
from sdk.tests.agents.work import EXECUTION, TASKS, begin, echo, ended, hang, nap, play, result_of


@agent("typed")
async def typed(ctx: AgentContext, number: int) -> int:
    return number


async def test_an_unknown_agent_is_refused_at_the_start_with_the_known_ones(rescind_env: Environment) -> None:
    rescind_env.register(typed)
    with pytest.raises(UnknownKind, match="typed"):
        await rescind_env.start("type")


async def test_two_of_one_kind_are_refused(rescind_env: Environment) -> None:
    rescind_env.register(typed, typed)
    with pytest.raises(DuplicateKind, match="'typed'"):
        rescind_env.register(agent("typed")(typed.run))


@pytest.mark.parametrize("value", [object(), {1, 2, object()}, float("nan"), {1: "one"}, "a\ud800"])
async def test_input_that_is_not_json_is_refused_wherever_it_is_given(rescind_env: Environment, value: Any) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput):
            ctx.schedule_raw("echo", value)
        with pytest.raises(InvalidInput):
            await ctx.append_entry("user", value)
        with pytest.raises(InvalidInput):
            await ctx.checkpoint(value)
        with pytest.raises(InvalidInput):
            await ctx.stream_data_value(value)
        return "refused"

    handle = await play(rescind_env, body)
    assert await handle.result() == "refused"
    assert await handle.tasks() == []
    for refused in (rescind_env.start("played", value), handle.signal("x", value)):
        with pytest.raises(InvalidInput):
            await refused


async def test_an_agents_input_that_fails_its_type_is_refused_at_the_start(rescind_env: Environment) -> None:
    rescind_env.register(typed)
    with pytest.raises(InvalidInput, match="typed"):
        await rescind_env.start(typed, "seven")  # type: ignore[misc]


async def test_an_agents_input_by_kind_that_fails_its_type_fails_the_execution(rescind_env: Environment) -> None:
    rescind_env.register(typed)
    handle = await rescind_env.start("typed", "seven")
    with pytest.raises(ExecutionFailed, match="InvalidInput: input of agent 'typed'"):
        await handle.result()


async def test_an_agents_output_that_is_not_json_fails_the_execution(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        return object()

    with pytest.raises(ExecutionFailed, match="InvalidInput"):
        await result_of(rescind_env, body)


async def test_a_tasks_input_that_fails_its_type_is_refused_where_it_is_scheduled(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput, match="'nap'"):
            ctx.schedule(nap, "long")  # type: ignore[misc]
        return "refused"

    handle = await play(rescind_env, body)
    assert (await handle.result(), await handle.tasks()) == ("refused", [])


async def test_what_is_no_task_no_future_and_no_kind_is_refused(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput, match="decorated with @task"):
            ctx.schedule(nap.run, 1.0)  # type: ignore[call-overload]
        with pytest.raises(InvalidInput, match="not empty"):
            ctx.schedule_raw("")
        with pytest.raises(InvalidInput, match="no option speed"):
            ctx.schedule(nap, 1.0, speed=2)  # type: ignore[call-overload]
        with pytest.raises(InvalidInput, match="is no task future"):
            await ctx.join_all([1])  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="is no entry"):
            await ctx.append_entry("narrator", "x")
        with pytest.raises(InvalidInput, match="Give it a function"):
            await ctx.run(7)  # type: ignore[call-overload]
        return "refused"

    handle = await play(rescind_env, body)
    assert (await handle.result(), await handle.tasks()) == ("refused", [])


@pytest.mark.parametrize(
    "option", ["timeout", "schedule_to_start", "start_to_close", "heartbeat", "idle", "grace", "max_retries"]
)
async def test_negative_times_are_refused_where_a_task_is_scheduled(rescind_env: Environment, option: str) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput, match=option):
            ctx.schedule(hang, **{option: -1})  # type: ignore[call-overload]
        return "refused"

    assert await result_of(rescind_env, body) == "refused"


async def test_a_task_of_a_kind_that_no_worker_knows_waits_for_one(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        with pytest.raises(TaskFailed, match=r"timed out after 5000 ms \(schedule_to_start\)"):
            await ctx.schedule_raw("unheard-of", schedule_to_start=5)
        return ctx.now().second

    handle = await play(rescind_env, body)
    assert await handle.result() == 5
    assert [each.attempts for each in await handle.tasks()] == [0]


async def test_a_future_of_another_agent_is_refused_by_name(rescind_env: Environment) -> None:
    held: list[Any] = []

    @agent("owner")
    async def owner(ctx: AgentContext) -> None:
        held.append(ctx.schedule(hang))
        await ctx.sleep(100)

    @agent("thief")
    async def thief(ctx: AgentContext) -> str:
        mine = ctx.schedule(nap, 1.0)
        for attempt in (
            ctx.join_all([mine, *held]),
            ctx.join_all_settled(held),
            ctx.select_ok(held),
            ctx.select_ok_with_cancel(held),
            ctx.select_n_ok(held, 1),
            ctx.replace(held[0], "echo", 1),
        ):
            with pytest.raises(ForeignFuture, match="scheduled by agent 'owner-1', not by 'a-1'"):
                await attempt
        for attempt in (held[0].cancel(), _await(held[0])):
            with pytest.raises(ContextNotActive, match="'owner-1'"):
                await attempt
        return "refused"

    rescind_env.register(owner, thief, *TASKS)
    await rescind_env.start(owner, id="owner-1")
    await asyncio.sleep(1)
    assert await (await rescind_env.start(thief, id=EXECUTION)).result() == "refused"


async def _await(future: Any) -> Any:
    return await future


# --- contexts --------------------------------------------------------------------------------------------------------


async def _use_everything(ctx: AgentContext) -> int:
    refused = 0
    for use in (
        lambda: ctx.schedule_raw("echo", 1),
        lambda: ctx.random(),
        lambda: ctx.uuid4(),
        lambda: ctx.now(),
    ):
        with pytest.raises(ContextNotActive, match="'a-1'"):
            use()
        refused += 1
    for wait in (
        lambda: ctx.sleep(1),
        lambda: ctx.cancel_task(ctx.agent_execution_id),
        lambda: ctx.append_entry("user", 1),
        lambda: ctx.checkpoint(1),
        lambda: ctx.flush_pending(),
        lambda: ctx.wait_for_signal_raw("x"),
        lambda: ctx.has_signal("x"),
        lambda: ctx.drain_signals_raw("x"),
        lambda: ctx.run(len, "x"),
        lambda: ctx.stream_token("x"),
        lambda: ctx.check_cancellation(),
        lambda: ctx.wait_stopped([ctx.agent_execution_id]),
        lambda: ctx.hedge("echo", [1], 1),
        lambda: ctx.scope().__aenter__(),
        lambda: ctx.shield().__aenter__(),
    ):
        with pytest.raises(ContextNotActive, match="'a-1'"):
            await wait()
        refused += 1
    return refused


async def _kept_context(env: Environment, *, ends: bool) -> AgentContext:
    kept: list[AgentContext] = []

    @agent("keeping")
    async def keeping(ctx: AgentContext) -> None:
        kept.append(ctx)
        if not ends:
            await ctx.sleep(1_000)

    handle = await begin(env, keeping)
    if ends:
        await ended(handle)
    else:
        await asyncio.sleep(1)
    return kept[0]


@pytest.mark.parametrize("ends", [False, True], ids=["while it waits", "after its end"])
async def test_a_context_that_was_stored_is_refused_outside_its_agent(rescind_env: Environment, ends: bool) -> None:
    assert await _use_everything(await _kept_context(rescind_env, ends=ends)) == 19


async def test_a_context_is_refused_in_another_agent(rescind_env: Environment) -> None:
    kept: list[AgentContext] = []

    @agent("lending")
    async def lending(ctx: AgentContext) -> None:
        kept.append(ctx)
        await ctx.sleep(1_000)

    @agent("borrowing")
    async def borrowing(ctx: AgentContext) -> int:
        return await _use_everything(kept[0])

    rescind_env.register(lending, borrowing)
    await rescind_env.start(lending, id=EXECUTION)
    await asyncio.sleep(1)
    assert await (await rescind_env.start(borrowing)).result() == 19


async def test_a_context_is_refused_in_a_task_and_in_a_step(rescind_env: Environment) -> None:
    kept: list[AgentContext] = []

    @task("using", max_retries=0)
    async def using(ctx: TaskContext) -> int:
        return await _use_everything(kept[0])

    async def body(ctx: AgentContext) -> Any:
        kept.append(ctx)
        with pytest.raises(StepFailed, match="ContextNotActive"):
            await ctx.run(lambda: ctx.random())
        return await ctx.schedule(using)

    rescind_env.register(using)
    assert await result_of(rescind_env, body) == 19


async def test_a_context_is_refused_in_a_thread(rescind_env: Environment) -> None:
    ctx = await _kept_context(rescind_env, ends=False)
    caught: list[type[BaseException]] = []

    def use() -> None:
        try:
            ctx.schedule_raw("echo", 1)
        except ContextNotActive as error:
            caught.append(type(error))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert caught == [ContextNotActive]


# --- payloads --------------------------------------------------------------------------------------------------------

LIMIT = 1_000
FITS = "x" * (LIMIT - 2)
TOO_LARGE = FITS + "x"
limited = pytest.mark.rescind(payload_limit=LIMIT)


@limited
async def test_the_limit_holds_at_the_start_and_for_signals(rescind_env: Environment) -> None:
    @agent("taking")
    async def taking(ctx: AgentContext, text: str) -> int:
        return len(text) + len(await ctx.wait_for_signal_raw("x"))

    rescind_env.register(taking)
    handle = await rescind_env.start(taking, FITS)
    with pytest.raises(PayloadTooLarge, match="the limit is 1,000"):
        await rescind_env.start(taking, TOO_LARGE)
    with pytest.raises(PayloadTooLarge, match="signal 'x'"):
        await handle.signal("x", TOO_LARGE)
    await rescind_env.handle(handle.id).signal("x", FITS)
    assert await handle.result() == 2 * len(FITS)


@limited
async def test_the_limit_holds_for_all_that_an_agent_says(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> int:
        refused = 0
        with pytest.raises(PayloadTooLarge):
            ctx.schedule(echo, TOO_LARGE)
        for say in (ctx.checkpoint, lambda text: ctx.append_entry("user", text)):
            await say(FITS)
            with pytest.raises(PayloadTooLarge):
                await say(TOO_LARGE)
            refused += 1
        with pytest.raises(StepFailed, match="PayloadTooLarge"):
            await ctx.run(lambda: TOO_LARGE)
        return refused + len(await ctx.schedule(echo, FITS))

    handle = await play(rescind_env, body)
    assert await handle.result() == 2 + len(FITS)
    assert len(await handle.tasks()) == 1
    assert len(await handle.entries()) == 1


@limited
async def test_the_limit_holds_for_outputs(rescind_env: Environment) -> None:
    async def grow(ctx: TaskContext, by: int) -> str:
        return FITS + "x" * by

    async def body(ctx: AgentContext) -> str:
        growing = task("grows")(grow)
        assert await ctx.schedule(growing, 0) == FITS
        with pytest.raises(TaskFailed, match="output of task 'grows' is 1,001 bytes") as caught:
            await ctx.schedule(growing, 1)
        assert (caught.value.failure_kind, caught.value.attempts) == ("REJECTED", 1)
        return TOO_LARGE

    rescind_env.register(task("grows")(grow))
    with pytest.raises(ExecutionFailed, match="PayloadTooLarge: output of agent"):
        await result_of(rescind_env, body)


async def test_four_mebibytes_pass_and_one_byte_more_does_not(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> int:
        most = "x" * (4 * 1024 * 1024 - 2)
        with pytest.raises(PayloadTooLarge, match="4,194,305 bytes as JSON; the limit is 4,194,304"):
            ctx.schedule(echo, most + "x")
        return len(await ctx.schedule(echo, most))

    assert await result_of(rescind_env, body) == 4 * 1024 * 1024 - 2


# --- executions ------------------------------------------------------------------------------------------------------


async def test_the_same_id_kind_and_input_are_the_same_execution(rescind_env: Environment) -> None:
    rescind_env.register(typed)
    first, again = await rescind_env.start(typed, 7, id="same"), await rescind_env.start(typed, 7, id="same")
    assert [await first.result(), await again.result()] == [7, 7]
    assert (await first.history()).types().count("EXECUTION_STARTED") == 1  # type: ignore[arg-type]
    with pytest.raises(AlreadyExists, match="'same'"):
        await rescind_env.start(typed, 8, id="same")


async def test_what_does_not_exist_is_not_found(rescind_env: Environment) -> None:
    handle = rescind_env.handle("nobody")
    for ask in (handle.result(), handle.status(), handle.tasks(), handle.history(), anext(aiter(handle.follow()))):
        with pytest.raises(NotFound, match="'nobody'"):
            await ask
    assert await handle.cancel_task(UUID(int=7)) == "NOT_FOUND"


@pytest.mark.parametrize("execution_id", ["", 7])
async def test_an_id_that_is_none_is_refused(rescind_env: Environment, execution_id: Any) -> None:
    rescind_env.register(typed)
    with pytest.raises(InvalidInput, match="not empty"):
        await rescind_env.start(typed, 7, id=execution_id)
