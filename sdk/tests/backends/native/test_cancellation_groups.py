"""How a cancel leaves time-outs and task groups: as what it is, on every Python."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from rescind.errors import ExecutionCancelled

from .agents import CAUSE, Run, cause_of


def test_a_timeout_that_meets_the_cancel_does_not_hide_it(run: Run) -> None:
    async def main() -> None:
        async with asyncio.timeout(1):
            await run.never()

    task = run.start(main())
    run.loop.fire_timer(1)
    run.delivery.request(CAUSE)
    run.loop.step(1_000_000)
    assert cause_of(task) is CAUSE


def test_a_timeout_before_any_cancel_is_a_timeout(run: Run) -> None:
    async def main() -> None:
        async with asyncio.timeout(1):
            await run.never()

    task = run.start(main())
    run.fire(1)
    assert isinstance(task.exception(), TimeoutError)
    assert run.heard == [asyncio.CancelledError]


def with_a_name(run: Run) -> Any:
    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            await run.never()
            group.create_task(run.never())

    return body()


def without_a_name(run: Run) -> Any:
    async def body() -> None:
        async with asyncio.TaskGroup():
            await run.never()

    return body()


def one_in_another(run: Run) -> Any:
    async def body() -> None:
        async with asyncio.TaskGroup(), asyncio.TaskGroup():
            await without_a_name(run)

    return body()


def in_an_exit_stack(run: Run) -> Any:
    async def body() -> None:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(asyncio.TaskGroup())
            await run.never()

    return body()


def in_a_context_of_its_own(run: Run) -> Any:
    @contextlib.asynccontextmanager
    async def branches() -> AsyncIterator[None]:
        async with asyncio.TaskGroup():
            yield

    async def body() -> None:
        async with branches():
            await run.never()

    return body()


def in_a_generator(run: Run) -> Any:
    async def numbers() -> AsyncGenerator[int, None]:
        async with asyncio.TaskGroup():
            await run.never()
            yield 1

    async def body() -> None:
        async with contextlib.aclosing(numbers()) as stream:
            async for _ in stream:
                pass

    return body()


def by_an_operation_that_cannot_wait(run: Run) -> Any:
    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            async with run.shield():
                await asyncio.sleep(0)
                run.delivery.request(CAUSE)
            run.heard.append(ExecutionCancelled)
            run.delivery.raise_if_cancelled()
            group.create_task(run.never())

    return body()


@pytest.mark.parametrize(
    "body",
    [
        *(with_a_name, without_a_name, one_in_another, in_an_exit_stack, in_a_context_of_its_own, in_a_generator),
        by_an_operation_that_cannot_wait,
    ],
)
def test_execution_cancelled_leaves_a_task_group_bare(run: Run, body: Any) -> None:
    async def main() -> str:
        try:
            await body(run)
        except ExecutionCancelled as error:
            return "bare" if error.cause is CAUSE else "another"
        return "never"

    task = run.start(main())
    run.cancel()
    assert task.result() == "bare"
    assert run.heard == [ExecutionCancelled]


def test_errors_of_a_groups_clean_up_are_raised_without_the_cancel(run: Run) -> None:
    async def clumsy() -> None:
        try:
            await run.never()
        finally:
            raise LookupError

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(clumsy())
            await run.never()

    task = run.start(main())
    run.cancel()
    error = task.exception()
    assert isinstance(error, ExceptionGroup)
    assert [type(one) for one in error.exceptions] == [LookupError]


def test_a_group_of_nothing_but_the_cancel_loses_its_wrapping_where_the_task_ends(run: Run) -> None:
    async def main() -> None:
        try:
            await run.never()
        except ExecutionCancelled as error:
            raise BaseExceptionGroup("twice", [error, BaseExceptionGroup("deep", [error])]) from None

    task = run.start(main())
    run.cancel()
    assert cause_of(task) is CAUSE
