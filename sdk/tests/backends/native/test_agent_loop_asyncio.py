"""The agent's own event loop: what asyncio gives works in it, in the same order in every run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rescind.backends.native.agent_loop import AgentLoop
from rescind.errors import NotDurableError

from .agents import START, Timers, fire, nap, run

# -- asyncio's primitives --


def test_gather_keeps_the_order_of_its_arguments(loop: AgentLoop, timers: Timers) -> None:
    async def main() -> Any:
        return await asyncio.gather(nap(2, "slow"), nap(1, "quick"))

    task = loop.create_task(main())
    loop.step(START)
    fire(loop, timers, 2)
    fire(loop, timers, 1)
    assert task.result() == ["slow", "quick"]


def test_a_timeout_raises_in_durable_time(loop: AgentLoop, timers: Timers) -> None:
    async def main() -> None:
        async with asyncio.timeout(1):
            await nap(10)

    task = loop.create_task(main())
    loop.step(START)
    fire(loop, timers, 1)
    assert isinstance(task.exception(), TimeoutError)
    assert timers.cancelled == [2]


def test_wait_for_times_out_and_cancels(loop: AgentLoop, timers: Timers) -> None:
    async def main() -> None:
        await asyncio.wait_for(nap(10), 1)

    task = loop.create_task(main())
    loop.step(START)
    due = timers.delays().index(1_000_000) + 1
    fire(loop, timers, due)
    assert isinstance(task.exception(), TimeoutError)


def test_a_task_group_cancels_the_rest_when_one_fails(loop: AgentLoop, timers: Timers) -> None:
    async def fail() -> None:
        raise LookupError("gone")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(nap(10))
            group.create_task(fail())

    task = loop.create_task(main())
    loop.step(START)
    error = task.exception()
    assert isinstance(error, ExceptionGroup)
    assert [type(one) for one in error.exceptions] == [LookupError]
    assert timers.cancelled == [1]


def test_queues_events_locks_semaphores_and_conditions_work(loop: AgentLoop) -> None:
    async def main() -> list[str]:
        heard: list[str] = []
        queue: asyncio.Queue[str] = asyncio.Queue(1)
        event, lock, gate, condition = asyncio.Event(), asyncio.Lock(), asyncio.Semaphore(1), asyncio.Condition()

        async def consume() -> None:
            async with lock, gate, condition:
                condition.notify_all()
                heard.append(await queue.get())
                event.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(consume())
            group.create_task(queue.put("letter"))
            await event.wait()
        return heard

    assert run(loop, main()) == ["letter"]


def test_shield_keeps_a_task_going(loop: AgentLoop, timers: Timers) -> None:
    async def main() -> str:
        inner = asyncio.create_task(nap(2, "kept"))
        try:
            async with asyncio.timeout(1):
                await asyncio.shield(inner)
        except TimeoutError:
            return str(await inner)
        return "never"

    task = loop.create_task(main())
    loop.step(START)
    fire(loop, timers, timers.delays().index(1_000_000) + 1)
    fire(loop, timers, timers.delays().index(2_000_000) + 1)
    assert task.result() == "kept"


def test_wait_gives_what_is_done_and_what_is_not(loop: AgentLoop, timers: Timers) -> None:
    async def main() -> tuple[int, int]:
        tasks = [asyncio.create_task(nap(1)), asyncio.create_task(nap(2))]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks.index(done.pop()), tasks.index(pending.pop())

    task = loop.create_task(main())
    loop.step(START)
    fire(loop, timers, 1)
    assert task.result() == (0, 1)


def test_sets_of_tasks_iterate_alike_in_every_run() -> None:
    agents = [run(AgentLoop(Timers(), START), _order_of_a_set()) for _ in range(5)]
    assert all(order == agents[0] for order in agents)


async def _order_of_a_set() -> list[int]:
    tasks = [asyncio.create_task(nap(0)) for _ in range(300)]
    done, _ = await asyncio.wait(tasks)
    return [tasks.index(task) for task in done]


class Order:
    """An awaitable of its own kind, as a scheduled task is."""

    def __init__(self, started: list[int], number: int) -> None:
        self.started, self.number = started, number

    def __await__(self) -> Any:
        self.started.append(self.number)
        return asyncio.sleep(0, self.number).__await__()


@pytest.mark.parametrize("kind", ["coroutines", "awaitables"])
def test_as_completed_starts_in_the_order_given(loop: AgentLoop, kind: str) -> None:
    started: list[int] = []

    async def begin(number: int) -> int:
        started.append(number)
        return number

    async def main() -> list[int]:
        given: list[Any] = [begin(n) if kind == "coroutines" else Order(started, n) for n in range(50)]
        return [await one for one in asyncio.as_completed(given)]

    assert run(loop, main()) == started == list(range(50))
    assert loop.tasks == {}


def test_as_completed_twice_at_once_starts_in_the_order_given(loop: AgentLoop) -> None:
    async def main() -> list[int]:
        started: list[int] = []
        first = asyncio.as_completed([Order(started, n) for n in range(20)])
        second = asyncio.as_completed([Order(started, n) for n in range(20, 40)])
        heads = [await next(iter(first)), await next(iter(second))]
        assert heads == [0, 20]
        await nap(0)
        return started

    assert run(loop, main()) == list(range(40))


def test_as_completed_of_a_generator_is_refused_since_it_has_no_order(loop: AgentLoop) -> None:
    async def main() -> None:
        for one in asyncio.as_completed(iter([Order([], 1), Order([], 2)])):
            await one

    with pytest.raises(NotDurableError, match="give it a list"):
        run(loop, main())


def test_an_asynchronous_generator_left_early_is_closed_by_a_task(loop: AgentLoop) -> None:
    heard: list[str] = []

    async def count() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            heard.append("closed")

    async def main() -> None:
        async for _ in count():
            break

    run(loop, main())
    assert heard == ["closed"]
