"""How soon a stream is over: from the call that cancels its reader to the server's seeing its connection closed."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from bench.figures import Figure, figure
from bench.measuring import Measurement, Setting
from rescind import AgentContext, TaskContext, TaskDefinition, agent, embedded, task
from rescind.embedding import Embedded

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
_TOKEN: Final = b'data: {"choices": [{"index": 0, "delta": {"content": "hello "}}]}\n\n'


@dataclass(frozen=True)
class Source:
    """What to read, and with which task."""

    kind: str
    port: int
    path: str


class Streaming:
    """A server whose answers never end: ``/quiet`` says one thing, ``/quick`` goes on as fast as it is read."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.closed: asyncio.Queue[int] = asyncio.Queue()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; when it is closed, `closed` is told when that was."""
        with suppress(ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(_HEAD + _TOKEN)
            while head.startswith(b"GET /quick"):
                writer.write(_TOKEN)
                await writer.drain()
                await asyncio.sleep(0)  # `drain` lets nobody else run while there is room
            while await reader.read(65_536):
                pass
        self.closed.put_nowait(time.perf_counter_ns())
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def streaming() -> AsyncIterator[Streaming]:
    """Have one for as long as the block lasts."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serving.answer(reader, writer)

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as listening:
        serving = Streaming(listening.sockets[0].getsockname()[1])
        yield serving


@task("on-a-thread")
def on_a_thread(ctx: TaskContext, source: Source) -> None:
    """Reads, blocked or without a pause."""
    connection = http.client.HTTPConnection("127.0.0.1", source.port)
    connection.request("GET", source.path)
    with ctx.closing(connection.getresponse()) as response:
        ctx.stream_token(response.readline().decode())
        while response.readline():
            pass


@task("in-async-code")
async def in_async_code(ctx: TaskContext, source: Source) -> None:
    """The same, on the event loop."""
    reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
    async with ctx.closing(writer):
        writer.write(f"GET {source.path} HTTP/1.1\r\n\r\n".encode())
        ctx.stream_token((await reader.readuntil(_TOKEN)).decode())
        while await reader.readline():
            pass


TASKS: Final[dict[str, TaskDefinition[Any, Any]]] = {each.kind: each for each in (on_a_thread, in_async_code)}


@agent("streaming")
async def reading(ctx: AgentContext, source: Source) -> None:
    """Waits for one reader to be cancelled, and to have stopped."""
    await ctx.wait_for_signal_raw("go")
    future = ctx.schedule(TASKS[source.kind], source)
    await ctx.join_all_settled([future])
    await ctx.wait_stopped([future.task_id], 60_000)


async def one_stop(environment: Embedded, serving: Streaming, source: Source) -> float:
    """From the call that cancels to the server's seeing the end, in ms."""
    handle = await environment.start(reading, source)
    events = handle.follow()
    await anext(events)
    await handle.signal("go")
    async for event in events:
        if getattr(event, "kind", None) == "token":
            break
    await events.aclose()
    (record,) = await handle.tasks()
    begun = time.perf_counter_ns()
    await handle.cancel_task(record.task_id)
    closed = await serving.closed.get()
    await handle.result()
    return (closed - begun) / 1e6


async def stop(setting: Setting) -> Sequence[Figure]:
    """Readers that are blocked, and readers that always have something to read; on threads and in async code."""
    count = setting.pick(20, 200, 1_000)
    figures = []
    async with streaming() as serving, embedded([reading], TASKS.values()) as environment:
        for kind in TASKS:
            for path in ("/quiet", "/quick"):
                source = Source(kind, serving.port, path)
                await one_stop(environment, serving, source)
                measured = [await one_stop(environment, serving, source) for _ in range(count)]
                what = f"stream read {kind.replace('-', ' ')}, {path[1:]} server: cancel to its connection closed"
                figures.append(figure(what, measured, "ms", statistic="p99", reach="< 1000"))
    return figures


MEASUREMENTS: Final = (Measurement("streams.stop", "from a cancel to the closed connection of a stream", stop),)
