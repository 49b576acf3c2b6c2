"""Plain functions in threads, under virtual time."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import socket
import subprocess
import sys
import threading
import time
from time import sleep as sleep_by_name
from typing import Any

import pytest

from rescind.backends.native.durability_guard import install_guard
from rescind.testing.virtual_time import Deadlock, VirtualTimeLoop, run, virtual_loop


def test_a_thread_that_sleeps_takes_virtual_time() -> None:
    async def main() -> float:
        await asyncio.to_thread(time.sleep, 3600)
        return virtual_loop().time()

    assert run(main()) == 3600.0


def test_sleep_imported_by_name_takes_virtual_time_too() -> None:
    async def main() -> float:
        await asyncio.to_thread(lambda: sleep_by_name(3600))
        return virtual_loop().time()

    assert run(main()) == 3600.0


def test_threads_run_one_at_a_time_in_the_order_they_were_started() -> None:
    async def main() -> list[str]:
        seen: list[str] = []

        def work(name: str) -> None:
            seen.append(f"{name} begins")
            sum(range(20_000))
            seen.append(f"{name} ends")

        await asyncio.gather(*(asyncio.to_thread(work, name) for name in "abc"))
        return seen

    assert run(main()) == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


def test_threads_that_wake_at_one_instant_go_on_in_the_order_they_fell_asleep() -> None:
    async def main() -> list[int]:
        woken: list[int] = []

        def work(number: int) -> None:
            time.sleep(1)
            woken.append(number)

        await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(20)))
        return woken

    assert run(main()) == list(range(20))


def test_the_loop_runs_nothing_while_a_thread_computes() -> None:
    async def main() -> int:
        ticks = 0

        def tick() -> None:
            nonlocal ticks
            ticks += 1
            virtual_loop().call_soon(tick)

        def compute() -> int:
            before = ticks
            end = time.monotonic() + 0.1
            while time.monotonic() < end:
                pass
            return ticks - before

        virtual_loop().call_soon(tick)
        return await asyncio.to_thread(compute)

    assert run(main()) == 0


def test_a_thread_that_waits_for_an_event_holds_neither_loop_nor_clock() -> None:
    async def main() -> tuple[bool, float]:
        event = threading.Event()
        virtual_loop().call_later(30, event.set)
        return await asyncio.to_thread(event.wait), virtual_loop().time()

    assert run(main()) == (True, 30.0)


def test_the_time_limit_of_a_wait_is_virtual() -> None:
    async def main() -> tuple[bool, float]:
        return await asyncio.to_thread(threading.Event().wait, 600), virtual_loop().time()

    assert run(main()) == (False, 600.0)


def test_a_wait_that_came_true_is_not_ended_again_by_its_time_limit() -> None:
    async def main() -> list[float]:
        event = threading.Event()
        virtual_loop().call_later(1, event.set)
        loop, times = virtual_loop(), []

        def work() -> None:
            assert event.wait(5)
            times.append(loop.time())
            time.sleep(100)
            times.append(loop.time())

        await asyncio.to_thread(work)
        return times

    assert run(main()) == [1.0, 101.0]


def test_threads_hand_things_to_each_other_through_a_queue() -> None:
    async def main() -> tuple[list[int], float]:
        things: queue.Queue[int] = queue.Queue(maxsize=1)

        def produce() -> None:
            for number in range(3):
                time.sleep(10)
                things.put(number)

        _, consumed = await asyncio.gather(
            asyncio.to_thread(produce), asyncio.to_thread(lambda: [things.get(timeout=15) for _ in range(3)])
        )
        return consumed, virtual_loop().time()

    assert run(main()) == ([0, 1, 2], 30.0)


def test_a_thread_may_wait_for_a_coroutine_of_its_loop() -> None:
    async def main() -> tuple[str, float]:
        loop = virtual_loop()
        answer = await asyncio.to_thread(
            lambda: asyncio.run_coroutine_threadsafe(asyncio.sleep(20, "awake"), loop).result(timeout=30)
        )
        return answer, loop.time()

    assert run(main()) == ("awake", 20.0)


def test_a_thread_that_waits_for_a_plain_lock_lets_its_holder_sleep_on() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells in which call a thread hangs")

    async def main() -> float:
        lock = threading.Lock()

        def work() -> None:
            with lock:
                time.sleep(1)

        await asyncio.gather(asyncio.to_thread(work), asyncio.to_thread(work))
        return virtual_loop().time()

    assert run(main()) == 2.0


def test_a_thread_may_ask_a_server_of_its_own_loop() -> None:
    async def main() -> tuple[bytes, float]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        def ask(address: Any) -> bytes:
            with socket.create_connection(address, timeout=10) as connection:
                connection.sendall(b"ping\n")
                return connection.recv(10)

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            virtual_loop().call_later(1, pytest.fail, "the clock moved")
            return await asyncio.to_thread(ask, server.sockets[0].getsockname()), virtual_loop().time()

    assert run(main()) == (b"ping\n", 0.0)


def test_a_thread_that_waits_for_a_real_process_holds_the_clock() -> None:
    async def main() -> tuple[int, float]:
        done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", ""], timeout=30)
        return done.returncode, virtual_loop().time()

    assert run(main()) == (0, 0.0)


def test_a_thread_of_a_thread_starts_without_moving_the_clock() -> None:
    async def main() -> tuple[list[str], float]:
        seen: list[str] = []

        def work() -> None:
            inner = threading.Thread(target=seen.append, args=["inner"])
            inner.start()
            inner.join()

        virtual_loop().call_later(1, pytest.fail, "the clock moved")
        await asyncio.to_thread(work)
        return seen, virtual_loop().time()

    assert run(main()) == (["inner"], 0.0)


def test_call_soon_threadsafe_keeps_the_order_of_its_calls() -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        loop = virtual_loop()

        def work(name: str) -> None:
            for number in range(2):
                loop.call_soon_threadsafe(seen.append, f"{name}{number}")
                time.sleep(1)

        await asyncio.gather(asyncio.to_thread(work, "a"), asyncio.to_thread(work, "b"))
        return seen

    assert run(main()) == ["a0", "b0", "a1", "b1"]


def test_what_a_function_raises_reaches_its_awaiter() -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await asyncio.to_thread(next, iter(()))

    run(main())


def test_a_function_whose_awaiter_was_cancelled_before_it_began_never_runs() -> None:
    async def main() -> None:
        virtual_loop().run_in_executor(None, pytest.fail, "it ran").cancel()
        await virtual_loop().settled()

    run(main())


def test_a_function_goes_on_when_its_awaiter_is_cancelled() -> None:
    async def main() -> list[float]:
        loop, woken = virtual_loop(), []

        def work() -> None:
            time.sleep(10)
            woken.append(loop.time())

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.to_thread(work)
        await asyncio.sleep(20)
        return woken

    assert run(main()) == [10.0]


def test_a_pool_runs_no_more_functions_at_once_than_it_has_threads() -> None:
    async def main() -> list[float]:
        loop = virtual_loop()

        def work() -> float:
            time.sleep(1)
            return loop.time()

        with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
            return await asyncio.gather(*(loop.run_in_executor(pool, work) for _ in range(5)))

    assert run(main()) == [1.0, 1.0, 2.0, 2.0, 3.0]


def test_a_pool_prepares_each_thread_with_its_initializer() -> None:
    async def main() -> list[str]:
        local = threading.local()
        with concurrent.futures.ThreadPoolExecutor(1, initializer=setattr, initargs=(local, "name", "ready")) as pool:
            return [await virtual_loop().run_in_executor(pool, getattr, local, "name") for _ in range(2)]

    assert run(main()) == ["ready", "ready"]


def test_a_pool_that_was_shut_down_takes_no_function() -> None:
    async def main() -> None:
        pool = concurrent.futures.ThreadPoolExecutor(1)
        pool.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            virtual_loop().run_in_executor(pool, print)

    run(main())


def test_no_thread_outlives_its_loop() -> None:
    before = set(threading.enumerate())
    unwound: list[str] = []

    def work(wait: Any) -> None:
        try:
            wait()
        finally:
            unwound.append("end")

    async def main() -> None:
        for wait in (lambda: time.sleep(1000), threading.Event().wait, lambda: None):
            virtual_loop().run_in_executor(None, work, wait)
        await asyncio.sleep(1)

    run(main())
    assert unwound == ["end"] * 3
    assert set(threading.enumerate()) <= before


def test_a_thread_that_never_ends_does_not_keep_the_interpreter_alive() -> None:
    program = """
import asyncio, threading
from rescind.testing.virtual_time import Deadlock, run
lock = threading.Lock()
lock.acquire()
async def main():
    asyncio.get_running_loop().run_in_executor(None, lock.acquire)
    await asyncio.sleep(1)
run(main())
print("over")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("over\n", "", 0)


def test_other_threads_sleep_and_wait_in_real_time() -> None:
    async def main() -> tuple[float, float]:
        took: list[float] = []

        def real() -> None:
            begun = time.monotonic()
            time.sleep(0.01)
            threading.Event().wait(0.01)
            took.append(time.monotonic() - begun)

        thread = threading.Thread(target=real)
        thread.start()
        thread.join()
        return took[0], virtual_loop().time()

    real_time, virtual_time = run(main())
    assert real_time >= 0.02
    assert virtual_time == 0.0


def test_sleep_is_the_real_one_when_no_virtual_loop_runs() -> None:
    real, by_name = time.sleep, sleep_by_name
    seen: list[object] = []

    async def main() -> None:
        seen.extend((time.sleep, sleep_by_name))

    run(main())
    assert real not in seen
    assert time.sleep is real
    assert sleep_by_name is by_name


def test_a_sleep_that_the_test_has_replaced_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    monkeypatch.setattr(time, "sleep", calls.append)

    async def main() -> None:
        await asyncio.to_thread(lambda: time.sleep(5))

    run(main())
    assert calls == [5]


def test_loops_in_two_threads_keep_their_own_time() -> None:
    def course(step: float) -> list[float]:
        async def main() -> list[float]:
            loop = virtual_loop()
            times = []
            for _ in range(20):
                await asyncio.to_thread(time.sleep, step)
                times.append(loop.time())
            return times

        return run(main())

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(course, (1, 10))) == [[n * step for n in range(1, 21)] for step in (1, 10)]


def test_a_thread_unwound_at_a_deadlock_leaves_a_closed_loop() -> None:
    loop = VirtualTimeLoop()

    async def main() -> None:
        await asyncio.to_thread(threading.Semaphore(0).acquire)

    with pytest.raises(Deadlock), asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
    assert loop.is_closed()


def test_a_thread_that_sleeps_takes_virtual_time_after_agents_have_run() -> None:
    install_guard()  # what the first agent of the process does

    async def main() -> float:
        await asyncio.to_thread(time.sleep, 3600)
        return asyncio.get_running_loop().time()

    assert run(main()) == 3600.0
