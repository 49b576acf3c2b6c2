"""The virtual loop: its clock, its timers, its order, and how it begins and ends."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rescind.errors import WrongEventLoop
from rescind.testing.virtual_time import DEFAULT_START, Deadlock, VirtualTimeLoop, run, virtual_loop


async def elapsed(awaitable: Awaitable[object]) -> float:
    """How much virtual time `awaitable` takes."""
    begun = virtual_loop().time()
    await awaitable
    return virtual_loop().time() - begun


def run_on(loop: VirtualTimeLoop, main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` on this very loop, and close it."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:

        async def call() -> None:
            await main()

        runner.run(call())


def test_the_clock_jumps_to_the_next_timer_when_nothing_can_run() -> None:
    begun = time.monotonic()
    assert run(elapsed(asyncio.sleep(7 * 24 * 3600))) == 7 * 24 * 3600
    assert time.monotonic() - begun < 60


def test_the_clock_begins_at_zero_and_stands_still_while_anything_can_run() -> None:
    async def main() -> tuple[float, float, int]:
        loop = virtual_loop()
        first = loop.time()
        for _ in range(100):
            await asyncio.sleep(0)
        return first, loop.time(), loop.microseconds()

    assert run(main()) == (0.0, 0.0, 0)


def test_now_is_the_start_plus_the_time_that_passed() -> None:
    start = datetime(2030, 5, 1, 12, tzinfo=UTC)

    async def main() -> datetime:
        await asyncio.sleep(90)
        assert virtual_loop().start == start
        return virtual_loop().now()

    assert run(main(), start=start) == start + timedelta(seconds=90)


def test_the_clock_begins_on_the_first_of_january_2026_unless_told_otherwise() -> None:
    async def main() -> datetime:
        return virtual_loop().now()

    assert run(main()) == DEFAULT_START == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_start_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        VirtualTimeLoop(start=datetime(2026, 1, 1))


def test_sums_of_floats_fall_on_whole_microseconds() -> None:
    async def main() -> int:
        for _ in range(3):
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1 + 0.2)
        return virtual_loop().microseconds()

    assert run(main()) == 600_000


def test_a_deadline_between_two_microseconds_is_rounded_up() -> None:
    async def main() -> int:
        await asyncio.sleep(0.000_001_5)
        return virtual_loop().microseconds()

    assert run(main()) == 2


def test_timers_of_one_instant_fire_in_the_order_they_were_set() -> None:
    async def main() -> list[int]:
        fired: list[int] = []
        for number in range(50):
            virtual_loop().call_at(10, fired.append, number)
        await asyncio.sleep(20)
        return fired

    assert run(main()) == list(range(50))


def test_a_cancelled_timer_neither_fires_nor_moves_the_clock() -> None:
    async def main() -> float:
        loop = virtual_loop()
        timers = [loop.call_later(delay, pytest.fail, "cancelled") for delay in range(1, 300)]
        for timer in timers:
            timer.cancel()
        return await elapsed(loop.settled()) + await elapsed(asyncio.sleep(0.5))

    assert run(main()) == 0.5


def test_tie_break_picks_the_order_of_timers_that_are_due_together() -> None:
    fired: list[str] = []
    asked: list[int] = []

    def last(count: int) -> int:
        asked.append(count)
        return count - 1

    async def main() -> None:
        for name in "abc":
            virtual_loop().call_at(5, fired.append, name)
        virtual_loop().call_at(4, fired.append, "alone")
        await asyncio.sleep(10)

    run_on(VirtualTimeLoop(tie_break=last), main)
    assert fired == ["alone", "c", "b", "a"]
    assert asked == [3, 2]


def test_two_runs_of_one_program_take_the_same_course() -> None:
    async def main() -> list[tuple[float, int]]:
        course: list[tuple[float, int]] = []

        def step(number: int) -> None:
            time.sleep(number % 3)
            course.append((virtual_loop_time(), number))

        loop = virtual_loop()
        virtual_loop_time = loop.time

        async def worker(number: int) -> None:
            await asyncio.sleep(number % 4)
            course.append((loop.time(), -number))
            await asyncio.to_thread(step, number)

        await asyncio.gather(*(worker(number) for number in range(1, 20)))
        return course

    assert run(main()) == run(main())


def test_settled_returns_when_all_that_can_run_at_this_instant_has_run() -> None:
    async def main() -> list[str]:
        seen: list[str] = []

        async def chain(length: int) -> None:
            for _ in range(length):
                await asyncio.sleep(0)
            seen.append("chain")

        virtual_loop().call_later(1, seen.append, "timer")
        chained = asyncio.create_task(chain(50))
        await virtual_loop().settled()
        assert virtual_loop().time() == 0
        await chained
        return seen

    assert run(main()) == ["chain"]


def test_waiters_for_settled_go_on_one_by_one_each_with_all_its_consequences() -> None:
    async def main() -> list[str]:
        seen: list[str] = []

        async def consequence(name: str) -> None:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen.append(f"after {name}")

        async def waiter(name: str) -> None:
            await virtual_loop().settled()
            seen.append(name)
            await asyncio.create_task(consequence(name))

        await asyncio.gather(waiter("first"), waiter("second"))
        return seen

    assert run(main()) == ["first", "after first", "second", "after second"]


def test_settled_waits_for_a_thread_that_runs_but_not_for_one_that_sleeps() -> None:
    async def main() -> list[str]:
        seen: list[str] = []

        def work() -> None:
            seen.append("ran")
            time.sleep(1)
            seen.append("slept")

        thread = asyncio.ensure_future(asyncio.to_thread(work))
        await virtual_loop().settled()
        at_rest = list(seen)
        await thread
        return at_rest

    assert run(main()) == ["ran"]


def test_a_deadlock_is_an_error_that_names_who_waits_and_where() -> None:
    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(wait_for_ever(), name="the-consumer")
        await task

    line = wait_for_ever.__code__.co_firstlineno + 1
    with pytest.raises(Deadlock) as failure:
        run(main())
    assert "'the-consumer'" in str(failure.value)
    assert f"{Path(__file__).name}:{line}, in" in str(failure.value)


def test_a_deadlock_names_the_functions_whose_threads_wait() -> None:
    async def main() -> None:
        await asyncio.to_thread(threading.Event().wait)

    with pytest.raises(Deadlock, match=r"thread of Event\.wait"):
        run(main())


def test_a_timer_at_infinity_is_no_way_out_of_a_deadlock() -> None:
    async def main() -> None:
        virtual_loop().call_at(float("inf"), pytest.fail, "infinity has come")
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run(main())


def test_a_thread_that_the_program_started_by_itself_may_still_end_the_wait() -> None:
    async def main() -> str:
        answer: asyncio.Future[str] = virtual_loop().create_future()
        loop, gate = virtual_loop(), threading.Event()

        def call() -> None:
            gate.wait(10)
            loop.call_soon_threadsafe(answer.set_result, "called")

        thread = threading.Thread(target=call)
        thread.start()
        gate.set()
        result = await answer
        thread.join()
        return result

    assert run(main()) == "called"


def test_time_sleep_on_the_loop_moves_the_clock_and_runs_nothing() -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        virtual_loop().call_later(1, seen.append, "timer")
        asyncio.get_running_loop().call_soon(seen.append, "ready")
        time.sleep(2)  # noqa: ASYNC251 - that is the point
        assert (seen, virtual_loop().time()) == ([], 2.0)
        await asyncio.sleep(0)
        return seen

    assert sorted(run(main())) == ["ready", "timer"]


def test_run_cancels_what_is_left_and_closes_everything() -> None:
    ended: list[str] = []

    async def leftover() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("task")

    async def main() -> weakref.ref[VirtualTimeLoop]:
        task = asyncio.create_task(leftover())
        await asyncio.sleep(1)
        assert not task.done()
        return weakref.ref(virtual_loop())

    loop = run(main())
    assert ended == ["task"]
    gc.collect()
    assert loop() is None


def test_run_gives_what_main_raises() -> None:
    async def main() -> None:
        raise LookupError("from main")

    with pytest.raises(LookupError, match="from main"):
        run(main())


def test_run_inside_a_running_loop_is_refused_and_says_what_to_do() -> None:
    async def main() -> None:
        with pytest.raises(WrongEventLoop, match=r"Await the coroutine.*plain function"):
            run(asyncio.sleep(1))

    asyncio.run(main())
    run(main())


def test_virtual_loop_on_another_loop_says_how_to_get_one() -> None:
    async def main() -> None:
        virtual_loop()

    with pytest.raises(WrongEventLoop, match=r"opened on _?\w*EventLoop; run the program with rescind\.testing\.run"):
        asyncio.run(main())
    with pytest.raises(WrongEventLoop, match="no running event loop"):
        virtual_loop()


def test_debug_mode_works_in_virtual_time() -> None:
    async def main() -> tuple[bool, float]:
        return virtual_loop().get_debug(), await elapsed(asyncio.sleep(3))

    assert run(main(), debug=True) == (True, 3.0)
