"""Real input and output beside virtual time: what holds the clock, and what does not."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import socket
import sys
import threading
from collections.abc import Awaitable
from pathlib import Path

import pytest

from rescind.testing.virtual_time import run, virtual_loop


async def elapsed(awaitable: Awaitable[object]) -> float:
    """How much virtual time `awaitable` takes."""
    begun = virtual_loop().time()
    await awaitable
    return virtual_loop().time() - begun


async def echo_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    line = await reader.readline()
    await asyncio.sleep(60)
    writer.write(line)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"hello\n")
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return answer


def test_a_server_and_its_client_in_one_loop_talk_and_still_sleep_virtually() -> None:
    async def main() -> tuple[bytes, float]:
        server = await asyncio.start_server(echo_later, "127.0.0.1", 0)
        async with server:
            answer = await ask(*await asyncio.open_connection(*server.sockets[0].getsockname()))
        return answer, virtual_loop().time()

    assert run(main()) == (b"hello\n", 60.0)


def test_a_unix_server_and_its_client_in_one_loop_talk_and_still_sleep_virtually(tmp_path: Path) -> None:
    async def main() -> tuple[bytes, float]:
        server = await asyncio.start_unix_server(echo_later, tmp_path / "socket")
        async with server:
            answer = await ask(*await asyncio.open_unix_connection(tmp_path / "socket"))
        return answer, virtual_loop().time()

    assert run(main()) == (b"hello\n", 60.0)


def test_a_socket_that_listens_does_not_hold_the_clock() -> None:
    async def main() -> float:
        async with await asyncio.start_server(echo_later, "127.0.0.1", 0):
            return await elapsed(asyncio.sleep(5))

    assert run(main()) == 5.0


def read_when_written(ours: int, gate: threading.Event) -> None:
    gate.wait(10)
    os.write(ours, b"!")


@pytest.mark.parametrize(("wait_for_io", "first"), [(True, "input"), (False, "timer")])
def test_open_input_holds_the_clock_unless_told_otherwise(wait_for_io: bool, first: str) -> None:
    async def main() -> str:
        loop, gate = virtual_loop(), threading.Event()
        winner: asyncio.Future[str] = loop.create_future()
        readable, writable = os.pipe()

        def settle(name: str) -> None:
            if not winner.done():
                winner.set_result(name)
            if name == "input":
                loop.remove_reader(readable)

        loop.add_reader(readable, settle, "input")
        loop.call_later(1, settle, "timer")
        writer = threading.Thread(target=read_when_written, args=(writable, gate))
        writer.start()
        if wait_for_io:
            gate.set()
        result = await winner
        gate.set()
        writer.join()
        loop.remove_reader(readable)
        os.close(readable)
        os.close(writable)
        return result

    assert run(main(), wait_for_io=wait_for_io) == first


def test_socket_calls_of_the_loop_work_between_two_sockets_of_its_own() -> None:
    async def main() -> tuple[bytes, float]:
        loop = virtual_loop()
        with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as client:
            listening.setblocking(False)
            client.setblocking(False)
            accepting = asyncio.create_task(loop.sock_accept(listening))
            await loop.sock_connect(client, listening.getsockname())
            connection, _ = await accepting
            with connection:
                receiving = asyncio.create_task(loop.sock_recv(client, 10))
                await asyncio.sleep(30)
                await loop.sock_sendall(connection, b"late")
                return await receiving, loop.time()

    assert run(main()) == (b"late", 30.0)


def test_a_subprocess_holds_the_clock_and_is_read_to_its_end() -> None:
    async def main() -> tuple[bytes, int | None, float]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print(input())", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        asyncio.get_running_loop().call_later(1, process.kill)
        output, _ = await process.communicate(b"to and fro\n")
        return output, process.returncode, virtual_loop().time()

    assert run(main()) == (b"to and fro\n", 0, 0.0)


def test_a_subprocess_without_pipes_holds_the_clock_too() -> None:
    async def main() -> tuple[int, float]:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        virtual_loop().call_later(1, process.kill)
        return await process.wait(), virtual_loop().time()

    assert run(main()) == (0, 0.0)


def test_names_are_looked_up_in_no_virtual_time() -> None:
    async def main() -> float:
        return await elapsed(virtual_loop().getaddrinfo("127.0.0.1", 80))

    assert run(main()) == 0.0


def test_a_function_in_another_process_holds_the_clock() -> None:
    class Elsewhere(concurrent.futures.Executor):
        """Stands for any executor that is no thread pool."""

        def submit(self, function, /, *arguments, **named):  # type: ignore[no-untyped-def]
            future: concurrent.futures.Future[object] = concurrent.futures.Future()
            threading.Timer(0.01, future.set_result, ["done"]).start()
            return future

    async def main() -> tuple[object, float]:
        virtual_loop().call_later(1, pytest.fail, "the clock moved")
        return await virtual_loop().run_in_executor(Elsewhere(), print), virtual_loop().time()

    assert run(main()) == ("done", 0.0)
