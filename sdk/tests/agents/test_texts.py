"""Texts and times that cannot be kept: refused where users give them, made fit where broken code says them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from rescind import (
    AgentContext,
    CancelCause,
    CancelSource,
    ExecutionFailed,
    InvalidInput,
    NonRetryable,
    RetryPolicy,
    StepFailed,
    StreamEvent,
    TaskCancelled,
    TaskContext,
    TaskFailed,
    agent,
    task,
)
from rescind.model.texts import LONGEST_NAME, LONGEST_TEXT, checked_text, recordable
from rescind.testing import Environment
from sdk.tests.agents.work import begin, hang, play, result_of

HALF: Final = "a\ud800"
NO_NAMES: Final = [HALF, 5, "", b"a", "x" * (LONGEST_NAME + 1)]
NO_REASONS: Final = [HALF, 5, b"a", "x" * (LONGEST_TEXT + 1)]
NO_LABELS: Final = [
    {"a": HALF},
    {HALF: "a"},
    {1: 2},
    {"a": 2},
    {"": "a"},
    {"x" * (LONGEST_NAME + 1): "a"},
    {"a": "x" * (LONGEST_TEXT + 1)},
    ["a"],
]
TOO_LONG: Final = 101 * 366 * 86_400

pytestmark = pytest.mark.rescind


@pytest.fixture
async def env(tmp_path: Path) -> AsyncIterator[Environment]:
    """An environment that writes to a file, which takes less than memory does."""
    async with Environment(store=tmp_path / "texts.db") as environment:
        yield environment


@pytest.mark.parametrize("name", NO_NAMES)
async def test_what_names_nothing_is_refused_in_an_agent(env: Environment, name: Any) -> None:
    async def body(ctx: AgentContext) -> str:
        for schedule in (
            lambda: ctx.schedule_raw(name, 1),
            lambda: ctx.schedule_raw("echo", 1, queue=name),
            lambda: ctx.schedule_raw("echo", 1, idempotency_key=name),
            lambda: ctx.set_turn_id(name),
        ):
            with pytest.raises(InvalidInput):
                schedule()
        for wait in (lambda: ctx.wait_for_signal_raw(name), lambda: ctx.wait_for_signal_by_pattern(name)):
            with pytest.raises(InvalidInput):
                await wait()
        if name:  # no name is the function's
            with pytest.raises(InvalidInput):
                await ctx.run(len, "x", name=name)
        await ctx.flush_pending()
        return "refused"

    handle = await play(env, body)
    assert (await handle.result(), await handle.tasks()) == ("refused", [])


@pytest.mark.parametrize("name", NO_NAMES)
async def test_what_names_nothing_is_refused_from_outside(env: Environment, name: Any) -> None:
    async def body(ctx: AgentContext) -> Any:
        return await ctx.wait_for_signal_raw("go")

    handle = await begin(env, agent("played")(body))
    for start in (
        lambda: env.client.start(name),
        lambda: env.client.start("played", id=name),
        lambda: env.client.start("played", queue=name),
        lambda: handle.signal(name),
        lambda: handle.cancel_task(name),
        lambda: handle.cancel_task(UUID(int=7), mode=name),
    ):
        with pytest.raises(InvalidInput):
            await start()
    with pytest.raises(InvalidInput):
        env.handle(name)
    for decorate in (agent, task):
        with pytest.raises(InvalidInput):
            decorate(name)
    await handle.signal("go", 1)
    assert await handle.result() == 1


@pytest.mark.parametrize("name", NO_NAMES)
async def test_a_streamed_event_of_no_kind_is_refused(env: Environment, name: Any) -> None:
    @task("streams", max_retries=0)
    async def streams(ctx: TaskContext) -> None:
        with pytest.raises(InvalidInput):
            ctx.stream(StreamEvent(name, 1))
        with pytest.raises(InvalidInput):
            ctx.report_progress(0.5, b"half")  # type: ignore[arg-type]

    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput):
            await ctx.stream(StreamEvent(name, 1))
        await ctx.schedule(streams)
        return "refused"

    env.register(streams)
    assert await result_of(env, body) == "refused"


@pytest.mark.parametrize("labels", NO_LABELS)
async def test_labels_that_cannot_be_kept_are_refused(env: Environment, labels: Any) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput):
            ctx.schedule(hang, labels=labels)
        return "refused"

    with pytest.raises(InvalidInput):
        await env.client.start("played", labels=labels)
    assert await result_of(env, body) == "refused"


@pytest.mark.parametrize("reason", NO_REASONS)
async def test_a_reason_that_cannot_be_kept_is_refused_and_cancels_nothing(env: Environment, reason: Any) -> None:
    async def body(ctx: AgentContext) -> Any:
        future = ctx.schedule(hang)
        await ctx.flush_pending()
        with pytest.raises(InvalidInput):
            await future.cancel(reason)
        outcome = await future.outcome()
        await ctx.wait_for_signal_raw("go")
        return outcome.status or "open"

    handle = await begin(env, agent("played")(body))
    with pytest.raises(InvalidInput):
        await handle.cancel(reason)
    with pytest.raises(InvalidInput):
        await handle.cancel_task(UUID(int=7), reason)
    await handle.signal("go")
    assert await handle.result() == "open"


async def test_the_longest_texts_pass(env: Environment) -> None:
    @agent("k" * LONGEST_NAME)
    async def longest(ctx: AgentContext) -> Any:
        ctx.set_turn_id("é" * LONGEST_NAME)
        await ctx.append_entry("user", "x")
        future = ctx.schedule(hang, idempotency_key="i" * LONGEST_NAME, labels={"n" * LONGEST_NAME: "t" * LONGEST_TEXT})
        return await future.cancel("r" * LONGEST_TEXT)

    assert await (await begin(env, longest)).result() == "CANCELLED"


@pytest.mark.parametrize("error_class", [NonRetryable, ValueError])
async def test_an_error_whose_text_has_no_utf8_is_recorded_escaped(env: Environment, error_class: Any) -> None:
    @task("says-half", max_retries=0)
    async def says_half(ctx: TaskContext) -> None:
        raise error_class(HALF)

    def half() -> None:
        raise error_class(HALF)

    async def body(ctx: AgentContext) -> None:
        with pytest.raises(TaskFailed, match=r"a\\ud800"):
            await ctx.schedule(says_half)
        with pytest.raises(StepFailed, match=r"a\\ud800"):
            await ctx.run(half)
        raise error_class(HALF)

    env.register(says_half)
    with pytest.raises(ExecutionFailed, match=r"a\\ud800"):
        await result_of(env, body)


@pytest.mark.parametrize(
    "error",
    [
        StepFailed(HALF, "E\ud800", HALF),
        TaskFailed(UUID(int=7), HALF, HALF),
        TaskCancelled(UUID(int=7), HALF, CancelCause(CancelSource.REQUEST, HALF, HALF)),
    ],
)
async def test_an_unhandled_outcome_error_with_such_a_text_is_recorded_escaped(env: Environment, error: Any) -> None:
    async def body(ctx: AgentContext) -> None:
        raise error

    with pytest.raises(type(error), match=r"a\\+ud800"):
        await result_of(env, body)


async def test_an_error_whose_text_and_class_are_huge_is_recorded_cut(env: Environment) -> None:
    async def body(ctx: AgentContext) -> None:
        raise type("Odd" * 100_000, (Exception,), {})("x" * 20_971_520)

    with pytest.raises(ExecutionFailed) as caught:
        await result_of(env, body)
    assert str(caught.value).endswith("x… (20,971,520 characters)")
    assert "… (300,000 characters): x" in str(caught.value)
    assert len(str(caught.value)) < 2 * LONGEST_TEXT + 200


class Mute(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


async def test_an_error_that_cannot_say_its_text_is_recorded_by_its_class(env: Environment) -> None:
    @task("mute", max_retries=0)
    async def mute(ctx: TaskContext) -> None:
        raise Mute

    async def body(ctx: AgentContext) -> None:
        with pytest.raises(TaskFailed, match="__str__ raised ValueError"):
            await ctx.schedule(mute)
        raise Mute

    env.register(mute)
    with pytest.raises(ExecutionFailed, match="Mute"):
        await result_of(env, body)


class Shouting(str):
    """A text of a class of its own."""

    def __str__(self) -> str:
        return self.upper()


def test_a_text_of_a_class_of_its_own_is_taken_as_a_plain_one() -> None:
    for taken in (checked_text(Shouting("a"), "a name"), recordable(Shouting("a"))):
        assert (type(taken), taken) == (str, "a")


# --- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", [TOO_LONG, 10**400, 1e300, timedelta.max])
async def test_more_than_a_hundred_years_is_refused(env: Environment, time: Any) -> None:
    milliseconds = time if isinstance(time, int) and time > TOO_LONG else TOO_LONG * 1_000

    async def body(ctx: AgentContext) -> str:
        for option in ("timeout", "schedule_to_start", "start_to_close", "heartbeat", "idle", "grace"):
            with pytest.raises(InvalidInput, match="leave it out for no limit"):
                ctx.schedule(hang, **{option: time})
        with pytest.raises(InvalidInput, match="100 years"):
            await ctx.sleep(time)
        with pytest.raises(InvalidInput, match="100 years"):
            ctx.shield(milliseconds)
        with pytest.raises(InvalidInput, match="100 years"):
            await ctx.join_all_with_timeout([], milliseconds)
        return "refused"

    assert await result_of(env, body) == "refused"


async def test_a_hundred_years_pass(env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        century = timedelta(days=36_500)
        future = ctx.schedule(hang, timeout=century, heartbeat=century, grace=century)
        await ctx.join_all_with_timeout([future], 99 * 365 * 86_400_000)
        return ctx.now().year

    assert await result_of(env, body) == 2026 + 98


@pytest.mark.parametrize(
    "policy",
    [
        {"max_attempts": 1_000_002},
        {"max_attempts": 2.5},
        {"max_attempts": True},
        {"initial_interval_ms": TOO_LONG * 1_000},
        {"maximum_interval_ms": TOO_LONG * 1_000},
        {"backoff": float("inf")},
        {"backoff": "2"},
        {"non_retryable": (ValueError,)},
        {"non_retryable": (HALF,)},
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        RetryPolicy(**policy)


async def test_more_than_a_million_retries_are_refused(env: Environment) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput, match="1,000,000"):
            ctx.schedule(hang, max_retries=1_000_001)
        ctx.schedule(hang, max_retries=1_000_000)
        await ctx.flush_pending()
        return "refused"

    assert await result_of(env, body) == "refused"
