"""The agent's own event loop: discarding it, and what reaches it from outside."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from rescind.backends.native.agent_loop import AgentLoop
from rescind.errors import NotDurableError

from .agents import START, Timers, nap, run

# -- discarding --


def suspended(loop: AgentLoop, coroutine: Coroutine[Any, Any, Any]) -> None:
    loop.create_task(coroutine)
    loop.step(START)


def test_a_discarded_agent_has_no_effect_any_more(loop: AgentLoop, timers: Timers, caplog: Any) -> None:
    async def main() -> None:
        try:
            async with asyncio.timeout(5), asyncio.TaskGroup() as group:
                group.create_task(nap(1))
                await nap(10)
        finally:
            loop.call_later(1, print)
            loop.call_soon(print)
            asyncio.create_task(nap(7))  # noqa: RUF006 - nobody holds it, and that is the case

    suspended(loop, main())
    started = list(timers.started)
    loop.discard()
    gc.collect()
    assert (timers.started, timers.cancelled, caplog.records) == (started, [], [])
    assert (loop.is_closed(), loop.tasks) == (True, {})


def test_clean_up_that_awaits_or_fails_is_dropped_silently(loop: AgentLoop, caplog: Any) -> None:
    async def stubborn() -> None:
        try:
            await nap(1)
        finally:
            try:
                await nap(2)
            finally:
                await nap(3)

    async def failing() -> None:
        try:
            await nap(1)
        finally:
            raise LookupError

    async def immortal() -> None:
        while True:
            try:  # noqa: SIM105 - as an agent writes it
                await nap(1)
            except BaseException:
                pass

    async def restless() -> None:
        while True:
            try:  # noqa: SIM105 - as an agent writes it
                await asyncio.create_task(nap(1))
            except BaseException:
                pass

    for body in (stubborn, failing, immortal, restless):
        loop.create_task(body())
    loop.step(START)
    loop.discard()
    gc.collect()
    assert caplog.records == []


def test_tasks_that_never_started_are_discarded_without_a_warning(loop: AgentLoop) -> None:
    loop.create_task(nap(1))
    loop.discard()
    gc.collect()


def test_generators_of_a_discarded_agent_are_dropped_without_running(loop: AgentLoop) -> None:
    heard: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await nap(1)
            heard.append("never")

    async def main() -> None:
        async for _ in numbers():
            await nap(1)

    suspended(loop, main())
    loop.discard()
    gc.collect()
    assert heard == []


def test_a_closed_loop_cannot_be_stepped_and_closing_again_does_nothing(loop: AgentLoop) -> None:
    loop.close()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.step(START)


def test_a_discarded_agent_leaves_memory_without_the_garbage_collector(timers: Timers) -> None:
    class Mark:
        pass

    async def child(mark: Mark) -> None:
        await nap(1)

    async def main(mark: Mark) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child(mark))
            await asyncio.gather(child(mark), nap(2))

    gc.collect()
    gc.disable()
    try:
        mark = Mark()
        loop = AgentLoop(timers, START)
        suspended(loop, main(mark))
        marks: list[weakref.ref[Any]] = [weakref.ref(mark), weakref.ref(loop)]
        del mark
        loop.discard()
        del loop
        assert [ref() for ref in marks] == [None, None]
    finally:
        gc.enable()


# -- the outside --


def test_callbacks_from_another_thread_are_refused(loop: AgentLoop) -> None:
    refused: list[Any] = []

    def call() -> None:
        try:
            loop.call_soon_threadsafe(print)
        except NotDurableError as error:
            refused.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert len(refused) == 1


def test_call_soon_threadsafe_works_from_within(loop: AgentLoop) -> None:
    async def main() -> None:
        done = asyncio.Event()
        asyncio.get_running_loop().call_soon_threadsafe(done.set)
        await done.wait()

    run(loop, main())


def test_a_loop_tells_its_state(loop: AgentLoop) -> None:
    loop.create_task(nap(3))
    loop.step(START)
    assert repr(loop) == "<AgentLoop idle at 1700000000.000000 s, 1 tasks, 1 timers>"
