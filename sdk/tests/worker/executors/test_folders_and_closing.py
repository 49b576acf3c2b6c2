"""What a task holds is let go of when it ends: its folder, and the streams that it reads."""

from __future__ import annotations

import asyncio
import gc
import http.client
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rescind import CancelMode, InvalidInput, TaskContext, task
from rescind.executors import shell
from rescind.testing import MockTaskContext
from sdk.tests.worker.executors.observed import in_real_time, observed, until

# --- folders ---------------------------------------------------------------------------------------------------------


def folder_seen_by(definition: Any) -> tuple[str, str]:
    """How a task ended, and the folder that it said it had."""
    found: list[str] = []

    @in_real_time
    async def main() -> None:
        async with observed(definition) as seen:
            await seen.until(lambda: bool(seen.events))
            if definition.kind == "cancelled":
                await seen.cancel()
            record = await seen.over()
            found.extend([record.status.value, seen.events[0].value["data"]])

    main()
    return found[0], found[1]


@pytest.mark.parametrize("end", ["returning", "failing", "cancelled"])
def test_a_folder_is_gone_when_the_attempt_has_ended_however_it_ended(end: str) -> None:
    @task(end, max_retries=0)
    async def holding(ctx: TaskContext) -> None:
        (ctx.folder / "sub").mkdir(mode=0o500)
        (ctx.folder / "file").write_text("kept for now")
        assert ctx.folder.exists()
        ctx.stream_data_value(str(ctx.folder))
        if end == "failing":
            raise ValueError
        if end == "cancelled":
            await asyncio.sleep(3_600)

    status, folder = folder_seen_by(holding)
    assert status == {"returning": "COMPLETED", "failing": "FAILED", "cancelled": "CANCELLED"}[end]
    assert not Path(folder).exists()


def test_a_mock_has_a_folder_too() -> None:
    ctx = MockTaskContext()
    folder = ctx.folder
    assert folder.is_dir()
    assert folder == ctx.folder
    del ctx
    gc.collect()
    assert not folder.exists()


@in_real_time
async def test_a_long_output_lies_in_the_folder_and_is_gone_with_it(tmp_path: Path) -> None:
    command = f"seq 50000; echo done >&2; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done"
    async with observed(shell("long", command)) as seen:
        await seen.said("done", "stderr")
        (worker, _) = seen.env._workers[0]
        (attempt,) = worker._attempts.values()
        folder = attempt._context.folder
        await until(lambda: (folder / "stdout.log").stat().st_size == 288_894)
        (tmp_path / "go").touch()
        await seen.over()
    assert not folder.exists()


# --- closing ---------------------------------------------------------------------------------------------------------


class EndlessServer:
    """Answers each request over HTTP with a stream that never ends.

    Attributes:
        closed: set when a client has closed its socket.
    """

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.closed = threading.Event()
        self.port: int = self.listening.getsockname()[1]
        self._serving = threading.Thread(target=self._serve)
        self._serving.start()

    def _serve(self) -> None:
        client, _ = self.listening.accept()
        with client:
            client.recv(65_536)
            client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            while client.recv(65_536):
                pass
        self.closed.set()

    def end(self) -> None:
        self._serving.join(30)
        self.listening.close()


@contextmanager
def endless_server() -> Iterator[EndlessServer]:
    server = EndlessServer()
    try:
        yield server
    finally:
        server.end()


def by_http_client(port: int) -> tuple[Any, Callable[[], bytes]]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/")
    response = connection.getresponse()
    return response, lambda: response.read(5)


def by_urllib(port: int) -> tuple[Any, Callable[[], bytes]]:
    response = urllib.request.urlopen(f"http://127.0.0.1:{port}/")
    return response, lambda: bytes(response.read(5))


def by_httpx(port: int) -> tuple[Any, Callable[[], bytes]]:
    client = httpx.Client(timeout=None)
    response = client.send(client.build_request("GET", f"http://127.0.0.1:{port}/"), stream=True)
    pieces = response.iter_raw()
    return response, lambda: next(pieces)


class Holding:
    """Keeps what it reads from, and closes it."""

    def __init__(self, name: str, response: Any) -> None:
        setattr(self, name, response)
        self.close = response.close


def as_requests_does(port: int) -> tuple[Any, Callable[[], bytes]]:
    """Its response keeps the one that it reads from as `raw`."""
    response, read = by_http_client(port)
    return Holding("raw", response), read


def as_language_models_clients_do(port: int) -> tuple[Any, Callable[[], bytes]]:
    """Their streams keep the response of httpx, and are closed through it."""
    response, read = by_httpx(port)
    return Holding("response", response), read


@pytest.mark.parametrize(
    "open_stream", [by_http_client, by_urllib, by_httpx, as_requests_does, as_language_models_clients_do]
)
@pytest.mark.parametrize("mode", [CancelMode.TRY, CancelMode.WAIT])
def test_a_thread_that_reads_an_endless_stream_stops_and_its_socket_is_closed(
    open_stream: Callable[[int], tuple[Any, Callable[[], bytes]]], mode: CancelMode
) -> None:
    @in_real_time
    async def main() -> None:
        with endless_server() as server:

            @task("reading")
            def reading(ctx: TaskContext) -> str:
                stream, read = open_stream(server.port)
                with ctx.closing(stream):
                    ctx.stream_data_value(read().decode())
                    read()
                return "an end that never comes"

            async with observed(reading) as seen:
                await seen.until(lambda: bool(seen.events))
                await seen.cancel(mode)
                record = await seen.over()
            assert record.status == "CANCELLED"
            assert await asyncio.to_thread(server.closed.wait, 30)

    main()


@in_real_time
async def test_async_code_that_reads_an_endless_stream_stops_and_its_socket_is_closed() -> None:
    with endless_server() as server:

        @task("reading")
        async def reading(ctx: TaskContext) -> None:
            async with httpx.AsyncClient(timeout=None) as client:
                request = client.build_request("GET", f"http://127.0.0.1:{server.port}/")
                async with ctx.closing(await client.send(request, stream=True)) as response:
                    async for piece in response.aiter_raw():
                        ctx.stream_data_value(piece.decode())

        async with observed(reading) as seen:
            await seen.until(lambda: bool(seen.events))
            await seen.cancel()
            record = await seen.over()
        assert record.stop_state == "STOPPED"
        assert await asyncio.to_thread(server.closed.wait, 30)


class Closable:
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_what_is_left_in_order_is_closed_once() -> None:
    ctx, resource = MockTaskContext(), Closable()
    with ctx.closing(resource) as same:
        assert same is resource
    ctx.cancel()
    assert resource.closed == 1


def test_what_is_entered_too_late_is_closed_at_once() -> None:
    ctx, resource = MockTaskContext(cancelled=True), Closable()
    with pytest.raises(asyncio.CancelledError), ctx.closing(resource):
        pytest.fail("it ran")
    assert resource.closed == 1


def test_an_error_of_the_block_passes_if_nobody_cancelled() -> None:
    ctx = MockTaskContext()
    with pytest.raises(LookupError), ctx.closing(Closable()):
        raise LookupError


def test_what_cannot_be_closed_is_refused() -> None:
    with pytest.raises(InvalidInput, match="neither `aclose` nor `close`"):
        MockTaskContext().closing(3)


def test_what_is_closed_asynchronously_needs_an_async_block() -> None:
    class Asynchronous:
        async def aclose(self) -> None: ...

    with pytest.raises(InvalidInput, match="use `async with"), MockTaskContext().closing(Asynchronous()):
        pass
