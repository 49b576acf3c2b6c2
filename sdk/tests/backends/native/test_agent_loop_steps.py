"""The agent's own event loop: a step, what it runs, and what becomes of errors in it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rescind.backends.native.agent_loop import AbandonRun, AgentLoop, SpinningRun

from .agents import START, Timers, nap, run

# -- stepping --


def test_a_step_runs_what_its_callbacks_add_in_order(loop: AgentLoop) -> None:
    heard: list[str] = []

    def first() -> None:
        heard.append("a")
        loop.call_soon(heard.append, "c")

    loop.call_soon(first)
    loop.call_soon(heard.append, "b")
    loop.step(START)
    assert heard == ["a", "b", "c"]


def test_the_loop_and_task_of_the_agent_are_the_running_ones_only_within_a_step(loop: AgentLoop) -> None:
    async def main() -> tuple[Any, Any]:
        return asyncio.get_running_loop(), asyncio.current_task()

    async def worker() -> None:
        outer, me = asyncio.get_running_loop(), asyncio.current_task()
        task = loop.create_task(main())
        loop.step(START)
        assert task.result() == (loop, task)
        assert (asyncio.get_running_loop(), asyncio.current_task()) == (outer, me)
        await asyncio.sleep(0)

    asyncio.run(worker())
    assert asyncio._get_running_loop() is None


def test_the_worker_is_restored_when_a_step_raises(loop: AgentLoop) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    async def worker() -> None:
        me = asyncio.current_task()
        loop.call_soon(interrupt)
        with pytest.raises(KeyboardInterrupt):
            loop.step(START)
        assert asyncio.current_task() is me

    asyncio.run(worker())


def test_what_was_ready_behind_an_interrupt_stays_ready(loop: AgentLoop) -> None:
    heard: list[int] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    loop.call_soon(interrupt)
    loop.call_soon(heard.append, 1)
    with pytest.raises(KeyboardInterrupt):
        loop.step(START)
    loop.step(START)
    assert heard == [1]


def test_generators_of_the_worker_are_none_of_the_agents_business(loop: AgentLoop) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def main() -> list[int]:
        return [number async for number in numbers()]

    async def worker() -> None:
        assert run(loop, main()) == [1, 2]
        assert [number async for number in numbers()] == [1, 2]

    asyncio.run(worker())


def test_callbacks_run_in_their_context(loop: AgentLoop) -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="none")
    heard: list[str] = []
    context = contextvars.copy_context()
    context.run(name.set, "agent")
    loop.call_soon(lambda: heard.append(name.get()), context=context)
    loop.call_soon(lambda: heard.append(name.get()))
    loop.step(START)
    assert heard == ["agent", "none"]


def test_steps_of_one_loop_do_not_nest(loop: AgentLoop) -> None:
    errors: list[Any] = []
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    loop.call_soon(loop.step, START)
    loop.step(START)
    assert [type(error) for error in errors] == [RuntimeError]


def test_one_agent_may_step_another(loop: AgentLoop) -> None:
    inner = AgentLoop(Timers(), START)

    async def main() -> Any:
        result = run(inner, nap(0, "inner"))
        assert asyncio.get_running_loop() is loop
        await nap(0)
        return result

    assert run(loop, main()) == "inner"
    inner.close()


def test_a_step_that_would_never_end_is_stopped_and_its_line_named(loop: AgentLoop) -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110 - the mistake that is met
            await asyncio.sleep(0)

    loop.create_task(main())
    with pytest.raises(SpinningRun, match=r"spins at .*test_agent_loop_steps\.py:\d+ without waiting"):
        loop.step(START)


# -- errors --


def test_an_error_of_a_callback_is_logged_and_the_step_goes_on(
    loop: AgentLoop, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[int] = []

    def fail() -> None:
        raise LookupError("no such thing")

    loop.call_soon(fail)
    loop.call_soon(heard.append, 1)
    loop.step(START)
    assert heard == [1]
    [record] = caplog.records
    assert (record.name, record.levelno) == ("rescind.agent", logging.ERROR)
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


def test_a_handler_of_errors_that_fails_itself_is_logged(loop: AgentLoop, caplog: pytest.LogCaptureFixture) -> None:
    loop.set_exception_handler(lambda *_: 1 / 0)
    loop.call_exception_handler({"message": "lost letter"})
    assert "lost letter" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("way", ["raises", "swallows", "waits"])
def test_abandoning_a_run_stops_the_step_at_once(loop: AgentLoop, way: str) -> None:
    heard: list[str] = []
    reason = AbandonRun("other path than the journal")

    async def main() -> None:
        if way == "raises":
            raise reason
        if way == "swallows":
            loop.abandon(reason)
            return
        try:
            await loop.abandon_here(reason)
        finally:
            heard.append("clean-up")

    loop.create_task(main())
    loop.call_soon(heard.append, "later")
    with pytest.raises(AbandonRun, match="other path"):
        loop.step(START)
    assert heard == []
    with pytest.raises(RuntimeError, match="abandoned"):
        loop.step(START)


def test_a_task_that_raises_abandon_run_reaches_nobody_but_the_owner(loop: AgentLoop) -> None:
    heard: list[Any] = []

    async def abandon() -> None:
        raise AbandonRun("over")

    async def main() -> None:
        try:
            await asyncio.gather(abandon(), nap(1))
        except BaseException as error:
            heard.append(error)
            raise

    loop.create_task(main())
    with pytest.raises(AbandonRun):
        loop.step(START)
    assert heard == []


def test_a_callback_may_abandon_the_run(loop: AgentLoop) -> None:
    def abandon() -> None:
        raise AbandonRun("over")

    loop.call_soon(abandon)
    with pytest.raises(AbandonRun):
        loop.step(START)
