"""What ``@task`` makes of a function, and how options come together."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from rescind.authoring.task import resolve_options, task
from rescind.errors import InvalidInput
from rescind.model.options import DEFAULT_TASK_OPTIONS, RetryPolicy, ScheduleAgentTaskOptions, TaskOptions
from rescind.model.status import ParentClosePolicy


@dataclass
class Request:
    weight: float


async def quote(ctx: object, request: Request) -> float:
    return request.weight


def plain(ctx: object, request: Request) -> float:
    return request.weight


def options(**said: Any) -> ScheduleAgentTaskOptions:
    return ScheduleAgentTaskOptions(**said)


def refusal_of(function: Callable[..., Any], **said: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        task("quote", **said)(function)
    return str(caught.value)


def test_run_is_the_undecorated_function_of_either_sort() -> None:
    assert asyncio.run(task("quote")(quote).run(None, Request(1.0))) == 1.0
    assert task("plain")(plain).run(None, Request(1.0)) == 1.0


def test_async_functions_run_on_the_loop_and_plain_ones_in_threads() -> None:
    assert task("quote")(quote).executor == "async"
    assert task("plain")(plain).executor == "thread"


def test_saying_the_executor_that_fits_changes_nothing() -> None:
    assert task("quote", executor="async")(quote).executor == "async"
    assert task("plain", executor="thread")(plain).executor == "thread"


@pytest.mark.parametrize(
    ("function", "executor", "part"),
    [
        (quote, "thread", "executor 'thread' does not run an `async def` function"),
        (plain, "async", "executor 'async' does not run a plain `def` function"),
    ],
)
def test_an_executor_that_does_not_fit_is_refused(function: Callable[..., Any], executor: str, part: str) -> None:
    assert part in refusal_of(function, executor=executor)


def test_an_unknown_executor_is_refused_and_the_known_ones_are_named() -> None:
    assert "executor is 'moon'. Give one of 'async', 'thread', 'process'." in refusal_of(plain, executor="moon")


def test_a_plain_wrapper_of_an_async_function_must_say_that_it_runs_it() -> None:
    @functools.wraps(quote)
    def wrapper(ctx: object, request: Request) -> float:
        return asyncio.run(quote(ctx, request))

    assert "wrapped by a plain one" in refusal_of(wrapper)
    assert task("quote", executor="thread")(wrapper).input_type is Request


def test_options_of_the_decorator_are_the_defaults() -> None:
    definition = task("quote", queue="air", timeout=3, max_retries=1, labels={"a": "b"})(quote)
    assert definition.defaults == options(queue="air", timeout=3, max_retries=1, labels={"a": "b"})


def test_labels_are_copied() -> None:
    labels = {"a": "b"}
    definition = task("quote", labels=labels)(quote)
    labels["a"] = "changed"
    assert definition.defaults.labels == {"a": "b"}


def test_options_are_checked_when_the_task_is_defined() -> None:
    assert f"task 'quote' ({__file__}:" in refusal_of(quote, heartbeat=-1)
    assert "heartbeat is -1" in refusal_of(quote, heartbeat=-1)


def test_a_definition_is_not_called_itself() -> None:
    with pytest.raises(InvalidInput, match=r"From an agent: `await ctx\.schedule\(quote, …\)`"):
        task("quote")(quote)(None, Request(1.0))


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, options(), options(idempotency_key="k"), options(grace=10, max_retries=3)])
@pytest.mark.parametrize("defaults", [None, options(), options(labels={})])
def test_options_that_deviate_in_nothing_are_the_shared_object(
    given: ScheduleAgentTaskOptions | None, defaults: ScheduleAgentTaskOptions | None
) -> None:
    queue, resolved = resolve_options(given, defaults)
    assert queue is None
    assert resolved is DEFAULT_TASK_OPTIONS


def test_equal_options_are_one_object_whatever_their_idempotency_keys() -> None:
    resolved = [resolve_options(options(timeout=7, idempotency_key=key), None)[1] for key in ("a", "b")]
    assert resolved[0] is resolved[1]


def test_every_option_reaches_the_engine_in_milliseconds() -> None:
    retry = RetryPolicy(max_attempts=9)
    given = options(
        queue="air",
        schedule_to_start=1,
        start_to_close=timedelta(seconds=2),
        schedule_to_close=0.003,
        heartbeat=4,
        idle=5,
        retry=retry,
        grace=6,
        parent_close=ParentClosePolicy.ABANDON,
        labels={"a": "b"},
    )
    expected = TaskOptions(
        retry=retry,
        schedule_to_start_ms=1000,
        start_to_close_ms=2000,
        schedule_to_close_ms=3,
        heartbeat_ms=4000,
        idle_ms=5000,
        grace_ms=6000,
        parent_close=ParentClosePolicy.ABANDON,
        labels={"a": "b"},
    )
    assert resolve_options(given, None) == resolve_options(None, given) == ("air", expected)


def test_what_is_said_when_scheduling_wins_over_the_definition() -> None:
    queue, resolved = resolve_options(
        options(queue="sea", heartbeat=1, labels={"x": "y"}),
        options(queue="air", heartbeat=2, idle=3, labels={"a": "b"}),
    )
    assert (queue, resolved.heartbeat_ms, resolved.idle_ms, resolved.labels) == ("sea", 1000, 3000, {"x": "y"})


def test_timeout_is_another_word_for_schedule_to_close() -> None:
    assert resolve_options(options(timeout=1), options(schedule_to_close=2))[1].schedule_to_close_ms == 1000
    assert resolve_options(options(schedule_to_close=1), options(timeout=2))[1].schedule_to_close_ms == 1000


def test_max_retries_changes_the_number_of_attempts_and_nothing_else() -> None:
    retry = RetryPolicy(max_attempts=9, non_retryable=("ValueError",))
    assert resolve_options(options(max_retries=0), options(retry=retry))[1].retry == RetryPolicy(
        max_attempts=1, non_retryable=("ValueError",)
    )
    assert resolve_options(options(retry=retry), options(max_retries=0))[1].retry == retry


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ({"timeout": 1, "schedule_to_close": 1}, "two words for one thing"),
        ({"retry": RetryPolicy(), "max_retries": 1}, "both retry and max_retries"),
        ({"max_retries": -1}, "max_retries is -1"),
        ({"max_retries": 1.5}, "max_retries is 1.5"),
        ({"retry": 3}, "retry is 3"),
        ({"idle": [1]}, "idle is [1]"),
        ({"timeout": float("nan")}, "timeout is nan"),
        ({"queue": ""}, "queue is ''"),
        ({"parent_close": "explode"}, "parent_close is 'explode'"),
        ({"labels": {"a": 1}}, "the label 'a' is 1"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(said: dict[str, Any], part: str) -> None:
    for given, defaults in ((options(**said), None), (None, options(**said))):
        with pytest.raises(InvalidInput) as caught:
            resolve_options(given, defaults)
        assert part in str(caught.value)
