"""A task that reads a stream without end stops when it is cancelled, and the server sees its connection closed."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest
import trustme

from rescind import CancelMode, TaskContext, TaskDefinition, task
from sdk.tests.worker.executors.observed import in_real_time, observed
from sdk.tests.worker.streams.endless_server import EndlessServer, Pace, endless_server
from sdk.tests.worker.streams.readers import IN_ASYNC_CODE, ON_THREADS, OVER_TLS, WAITING, AsyncReader, Reader

paces = pytest.mark.parametrize("pace", list(Pace))


async def cancelled_while_reading(reading: TaskDefinition[None, None], server: EndlessServer) -> None:
    """Cancel a task when it has read the first piece; the server must hear of it."""
    async with observed(reading) as seen:
        await seen.until(lambda: bool(seen.events))
        await seen.cancel()
        record = await seen.over()
        assert (record.status, record.stop_state) == ("CANCELLED", "STOPPED")
        await server.closed.acquire()


@paces
@pytest.mark.parametrize("read", ON_THREADS, ids=lambda read: read.__name__)
def test_a_thread_that_reads_a_stream_stops_and_its_connection_is_closed(read: Reader, pace: Pace) -> None:
    @in_real_time
    async def main() -> None:
        async with endless_server(pace) as server:

            @task("reading")
            def reading(ctx: TaskContext) -> None:
                read(ctx, server.url)

            await cancelled_while_reading(reading, server)

    main()


@paces
@pytest.mark.parametrize("read", IN_ASYNC_CODE, ids=lambda read: read.__name__)
def test_async_code_that_reads_a_stream_stops_and_its_connection_is_closed(read: AsyncReader, pace: Pace) -> None:
    @in_real_time
    async def main() -> None:
        async with endless_server(pace) as server:

            @task("reading")
            async def reading(ctx: TaskContext) -> None:
                await read(ctx, server.url)

            await cancelled_while_reading(reading, server)

    main()


@paces
@pytest.mark.parametrize("read", OVER_TLS, ids=lambda read: read.__name__)
def test_a_thread_that_reads_an_encrypted_stream_stops_too(
    read: Callable[[TaskContext, str, ssl.SSLContext], None], pace: Pace
) -> None:
    authority = trustme.CA()
    own, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(own)
    authority.configure_trust(trusted)

    @in_real_time
    async def main() -> None:
        async with endless_server(pace, own) as server:

            @task("reading")
            def reading(ctx: TaskContext) -> None:
                read(ctx, server.url, trusted)

            await cancelled_while_reading(reading, server)

    main()


@pytest.mark.parametrize("wait", WAITING, ids=lambda wait: wait.__name__)
def test_a_tied_client_is_cut_also_while_it_waits_for_an_answer_to_begin(wait: Reader) -> None:
    @in_real_time
    async def main() -> None:
        async with endless_server() as server:

            @task("waiting")
            def waiting(ctx: TaskContext) -> None:
                wait(ctx, server.url)

            async with observed(waiting) as seen:
                await server.asked.acquire()
                await seen.cancel()
                record = await seen.over()
                assert (record.status, record.stop_state) == ("CANCELLED", "STOPPED")
                await server.closed.acquire()

    main()


@in_real_time
async def test_a_tied_client_that_tries_again_is_cut_again() -> None:
    attempts = 3
    async with endless_server() as server:

        @task("stubborn")
        def stubborn(ctx: TaskContext) -> None:
            with ctx.closing(httpx.Client(timeout=None)) as client:
                for _ in range(attempts):
                    with suppress(httpx.TransportError):
                        client.get(f"{server.url}/silent")

        async with observed(stubborn) as seen:
            await server.asked.acquire()
            await seen.cancel()
            assert (await seen.over()).stop_state == "STOPPED"
            for _ in range(attempts):
                await server.closed.acquire()


@in_real_time
async def test_a_thread_that_async_code_has_begun_is_not_left_reading() -> None:
    async with endless_server() as server:
        ended = asyncio.Event()

        def read_all(response: http.client.HTTPResponse) -> None:
            with suppress(http.client.HTTPException, OSError):
                response.read()

        @task("reading")
        async def reading(ctx: TaskContext) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            await asyncio.to_thread(connection.request, "GET", "/lines")
            with ctx.closing(await asyncio.to_thread(connection.getresponse)) as response:
                ctx.stream_token("begun")
                thread = asyncio.ensure_future(asyncio.to_thread(read_all, response))
                thread.add_done_callback(lambda _: ended.set())
                await asyncio.shield(thread)

        await cancelled_while_reading(reading, server)
        await ended.wait()


@pytest.mark.parametrize("read", [ON_THREADS[0]], ids=lambda read: read.__name__)
def test_work_that_must_be_waited_for_ends_as_cancelled_whatever_the_library_made_of_the_cut(read: Reader) -> None:
    @in_real_time
    async def main() -> None:
        async with endless_server() as server:

            @task("reading")
            def reading(ctx: TaskContext) -> None:
                read(ctx, server.url)

            async with observed(reading) as seen:
                await seen.until(lambda: bool(seen.events))
                await seen.cancel(CancelMode.WAIT)
                assert (await seen.over()).status == "CANCELLED"

    main()
