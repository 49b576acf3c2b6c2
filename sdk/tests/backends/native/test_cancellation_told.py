"""How an agent's code hears of its cancel: cancellation.md, section 7 and invariant 9."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from rescind.backends.native.cancellation_delivery import TELLINGS_PER_STEP
from rescind.errors import ExecutionCancelled

from .agents import CAUSE, OTHER, Run, cause_of

# -- being told --


def test_the_agent_hears_of_its_cancel_at_the_await_where_it_stands(run: Run) -> None:
    task = run.start(run.never())
    run.cancel()
    assert run.heard == [ExecutionCancelled]
    assert task.cancelled()
    assert cause_of(task) is CAUSE


def test_the_request_takes_effect_in_the_next_step(run: Run) -> None:
    task = run.start(run.never())
    run.delivery.request(CAUSE)
    assert (run.delivery.requested, run.heard, task.done()) == (True, [], False)


def test_the_first_cause_is_kept_and_told_once(run: Run) -> None:
    async def main() -> None:
        try:
            await run.never()
        finally:
            async with run.shield():
                await run.never()

    run.start(main())
    run.cancel()
    run.cancel(OTHER)
    assert run.delivery.cause is CAUSE
    assert run.heard == [ExecutionCancelled]


def test_an_agent_cancelled_before_its_first_line_never_runs(run: Run) -> None:
    task = run.loop.create_task(run.never())
    run.cancel()
    assert run.heard == []
    assert cause_of(task) is CAUSE


def test_an_agent_that_ends_without_a_further_await_keeps_its_result(run: Run) -> None:
    async def main() -> str:
        async with run.shield():
            await asyncio.sleep(1)
        return "done"

    task = run.start(main())
    run.cancel()
    run.fire(1)
    assert task.result() == "done"


def test_an_agent_that_cancels_itself_is_told_at_its_next_await(run: Run) -> None:
    async def main() -> None:
        run.delivery.request(CAUSE)
        run.heard.append("still here")
        await run.never()

    task = run.start(main())
    assert run.heard == ["still here", ExecutionCancelled]
    assert cause_of(task) is CAUSE


def test_except_exception_does_not_catch_it(run: Run) -> None:
    async def main() -> None:
        with contextlib.suppress(Exception):
            await run.never()
        run.heard.append("lost")

    run.start(main())
    run.cancel()
    assert run.heard == [ExecutionCancelled]


def test_swallowing_it_only_delays_it(run: Run) -> None:
    async def main() -> None:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await run.never()
        await run.never()

    task = run.start(main())
    run.cancel()
    assert run.heard == [ExecutionCancelled] * 4
    assert cause_of(task) is CAUSE


@pytest.mark.parametrize("wait", ["future", "yield", "timer", "operation"])
def test_code_that_swallows_it_for_ever_does_not_hold_the_worker(run: Run, wait: str) -> None:
    waits: dict[str, Callable[[], Any]] = {
        "future": run.loop.create_future,
        "yield": lambda: asyncio.sleep(0),
        "timer": lambda: asyncio.sleep(1),
        "operation": run.delivery.tell_here,
    }

    async def main() -> None:
        while True:
            try:
                await (waits[wait]() if run.delivery.requested else run.loop.create_future())
            except BaseException as error:
                run.heard.append(type(error))

    run.start(main())
    run.cancel()
    assert run.heard == [ExecutionCancelled] * (TELLINGS_PER_STEP + 1)
    assert run.delivery.wants_step
    run.loop.step(0)
    assert len(run.heard) == 2 * (TELLINGS_PER_STEP + 1)


def test_a_task_cancelled_by_the_agents_own_code_hears_a_plain_cancel(run: Run) -> None:
    async def main() -> None:
        child = asyncio.create_task(run.never())
        await asyncio.sleep(0)
        child.cancel()
        await asyncio.wait([child])
        await run.never()

    run.start(main())
    assert run.heard == [asyncio.CancelledError]
    run.cancel()
    assert run.heard == [asyncio.CancelledError, ExecutionCancelled]


# -- branches --


def start_child(run: Run) -> Any:
    async def main() -> None:
        child = asyncio.create_task(run.never())
        await child

    return main()


def gather_children(run: Run) -> Any:
    async def main() -> None:
        await asyncio.gather(run.never(), run.never())

    return main()


def group_children(run: Run) -> Any:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(run.never())
            group.create_task(run.never())

    return main()


def group_with_busy_body(run: Run) -> Any:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(run.never())
            await run.never()

    return main()


def wait_for_child(run: Run) -> Any:
    async def main() -> None:
        await asyncio.wait_for(run.never(), 9)

    return main()


def time_out(run: Run) -> Any:
    async def main() -> None:
        async with asyncio.timeout(9):
            await run.never()

    return main()


def shield_child(run: Run) -> Any:
    async def main() -> None:
        await asyncio.shield(run.never())

    return main()


@pytest.mark.parametrize(
    "body",
    [start_child, gather_children, group_children, group_with_busy_body, wait_for_child, time_out, shield_child],
)
def test_every_branch_and_the_agent_itself_hear_the_executions_cancel(run: Run, body: Any) -> None:
    task = run.start(body(run))
    run.cancel()
    assert set(run.heard) == {ExecutionCancelled}
    assert cause_of(task) is CAUSE
    assert run.loop.tasks == {}


def test_tasks_that_nobody_awaits_are_told_in_the_order_of_their_creation(run: Run) -> None:
    async def branch(number: int) -> None:
        try:
            await run.loop.create_future()
        finally:
            run.heard.append(number)

    async def main() -> None:
        tasks = [asyncio.create_task(branch(number)) for number in range(40)]
        await branch(len(tasks))

    run.start(main())
    run.cancel()
    assert run.heard == [40, *range(40)]


def test_a_task_started_after_the_request_is_told_at_its_first_await(run: Run) -> None:
    async def late() -> None:
        run.heard.append("started")
        await run.never()

    async def main() -> None:
        try:
            await run.never()
        finally:
            asyncio.create_task(late())  # noqa: RUF006 - nobody holds it, and that is the case

    run.start(main())
    run.cancel()
    assert run.heard == [ExecutionCancelled, "started", ExecutionCancelled]


# -- operations --


def test_operations_raise_only_when_requested_and_unshielded(run: Run) -> None:
    async def main() -> None:
        run.delivery.raise_if_cancelled()
        await run.delivery.tell_here()
        run.delivery.request(CAUSE)
        async with run.shield():
            run.delivery.raise_if_cancelled()
            await run.delivery.tell_here()
        run.heard.append("told")
        with pytest.raises(ExecutionCancelled):
            run.delivery.raise_if_cancelled()
        await run.delivery.tell_here()
        run.heard.append("lost")

    task = run.start(main())
    assert run.heard == ["told"]
    assert cause_of(task) is CAUSE


def test_a_discarded_agent_is_told_nothing(run: Run) -> None:
    run.start(run.never())
    run.loop.discard()
    run.delivery.request(CAUSE)
    assert run.heard == [GeneratorExit]
