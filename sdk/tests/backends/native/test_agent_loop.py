"""The rules of the agent's own event loop."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from rescind.backends.native.agent_loop import AbandonRun, AgentLoop, SpinningRun
from rescind.errors import NotDurableError

START = 1_700_000_000_000_000


class Timers:
    """Timers that the test fires; ids count from 1."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.cancelled: list[int] = []

    def start_timer(self, due: int) -> int:
        self.started.append(due)
        return len(self.started)

    def cancel_timer(self, timer: int) -> None:
        self.cancelled.append(timer)

    def delays(self) -> list[int]:
        return [due - START for due in self.started]


@pytest.fixture
def timers() -> Timers:
    return Timers()


@pytest.fixture
def loop(timers: Timers) -> Any:
    loop = AgentLoop(timers, START)
    yield loop
    loop.close()


def run(loop: AgentLoop, coroutine: Coroutine[Any, Any, Any]) -> Any:
    task = loop.create_task(coroutine)
    loop.step(loop.now)
    return task.result()


def fire(loop: AgentLoop, timers: Timers, timer: int) -> None:
    loop.fire_timer(timer)
    loop.step(timers.started[timer - 1])


# -- time --


def test_time_is_what_the_owner_says_exact_to_the_microsecond(loop: AgentLoop) -> None:
    loop.step(START + 1)
    assert loop.now == START + 1
    assert loop.time() == (START + 1) / 1_000_000


def test_the_clock_never_goes_back(loop: AgentLoop) -> None:
    loop.step(START + 5)
    loop.step(START + 3)
    assert loop.now == START + 5


def test_sleep_is_a_durable_timer(loop: AgentLoop, timers: Timers) -> None:
    task = loop.create_task(asyncio.sleep(1.5, "rested"))
    loop.step(START)
    assert timers.delays() == [1_500_000]
    assert not task.done()
    fire(loop, timers, 1)
    assert task.result() == "rested"


@pytest.mark.parametrize("delay", [0, -1])
def test_sleep_of_nothing_starts_no_timer(loop: AgentLoop, timers: Timers, delay: float) -> None:
    assert run(loop, asyncio.sleep(delay, "on")) == "on"
    assert timers.started == []


@pytest.mark.parametrize(
    ("delay", "micros"), [(0.1, 100_000), (0.0000001, 1), (1e-6, 1), (86400 * 365, 31536000000000)]
)
def test_a_delay_is_rounded_up_to_the_microsecond(loop: AgentLoop, timers: Timers, delay: float, micros: int) -> None:
    loop.call_later(delay, print)
    assert timers.delays() == [micros]


@pytest.mark.parametrize("micros", [1, 2, 3, 99_999, 100_000, 1_000_001, 60_000_000])
def test_the_noise_of_floats_is_not_a_later_instant(loop: AgentLoop, timers: Timers, micros: int) -> None:
    loop.call_at(loop.time() + micros / 1_000_000, print)
    assert timers.delays() == [micros]


def test_an_instant_between_microseconds_is_rounded_up(loop: AgentLoop, timers: Timers) -> None:
    loop.call_at(START / 1_000_000 + 0.0000015, print)
    assert timers.delays() == [2]


def test_for_ever_needs_no_timer(loop: AgentLoop, timers: Timers) -> None:
    handle = loop.call_later(float("inf"), print)
    handle.cancel()
    assert timers.started == timers.cancelled == []


def test_beyond_a_hundred_years_is_for_ever(loop: AgentLoop, timers: Timers) -> None:
    loop.call_later(1e300, print)
    loop.call_at(loop.time() + 1e300, print)
    assert timers.started == []


def test_each_handle_has_a_timer_of_its_own(loop: AgentLoop, timers: Timers) -> None:
    loop.call_later(1, print)
    loop.call_later(1, print)
    assert timers.delays() == [1_000_000, 1_000_000]


def test_callbacks_of_timers_run_in_the_order_in_which_they_fired(loop: AgentLoop) -> None:
    heard: list[str] = []
    loop.call_later(1, heard.append, "first")
    loop.call_later(1, heard.append, "second")
    loop.fire_timer(2)
    loop.fire_timer(1)
    loop.step(START + 1_000_000)
    assert heard == ["second", "first"]


def test_a_cancelled_handle_cancels_its_timer_once(loop: AgentLoop, timers: Timers) -> None:
    handle = loop.call_later(1, print)
    handle.cancel()
    handle.cancel()
    assert timers.cancelled == [1]


def test_a_fired_timer_is_not_cancelled_but_its_callback_is(loop: AgentLoop, timers: Timers) -> None:
    heard: list[int] = []
    handle = loop.call_later(1, heard.append, 1)
    loop.fire_timer(1)
    handle.cancel()
    loop.step(START + 1_000_000)
    assert (heard, timers.cancelled) == ([], [])


def test_unknown_timers_are_ignored(loop: AgentLoop) -> None:
    loop.call_later(1, print).cancel()
    loop.fire_timer(1)
    loop.fire_timer(77)
    loop.step(START)


# -- asyncio's primitives --


async def nap(seconds: float, result: Any = None) -> Any:
    return await asyncio.sleep(seconds, result)


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
    with pytest.raises(SpinningRun, match=r"spins at .*test_agent_loop\.py:\d+ without waiting"):
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
            asyncio.create_task(nap(7))  # noqa: RUF006

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
            try:  # noqa: SIM105
                await nap(1)
            except BaseException:
                pass

    async def restless() -> None:
        while True:
            try:  # noqa: SIM105
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
