"""Tasks that read a stream without end, as the manual tells to write them: one for each client."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import urllib.request
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import ExitStack
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import anthropic
import httpx
import openai
import requests
import urllib3

from rescind import TaskContext

Reader = Callable[[TaskContext, str], None]
AsyncReader = Callable[[TaskContext, str], Awaitable[None]]

ASKED: Final = "How are you?"


def each(ctx: TaskContext, pieces: Iterable[object]) -> None:
    """Read to the end that does not come; the first piece is told to the test."""
    iterator = iter(pieces)
    ctx.stream_token(str(next(iterator)))
    for _ in iterator:
        pass


async def each_async(ctx: TaskContext, pieces: AsyncIterable[object]) -> None:
    """As `each`."""
    iterator = aiter(pieces)
    ctx.stream_token(str(await anext(iterator)))
    async for _ in iterator:
        pass


def http_client_response(ctx: TaskContext, url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.request("GET", "/lines")
    with ctx.closing(connection.getresponse()) as response:
        each(ctx, response)
    connection.close()


def urllib_response(ctx: TaskContext, url: str) -> None:
    with ctx.closing(urllib.request.urlopen(f"{url}/lines")) as response:
        each(ctx, response)


def urllib3_response(ctx: TaskContext, url: str) -> None:
    pool = urllib3.PoolManager()
    with ctx.closing(pool.request("GET", f"{url}/lines", preload_content=False)) as response:
        each(ctx, response.stream())
    pool.clear()


def requests_response(ctx: TaskContext, url: str) -> None:
    with requests.Session() as session, ctx.closing(session.get(f"{url}/lines", stream=True)) as response:
        each(ctx, response.iter_lines())


def httpx_response(ctx: TaskContext, url: str) -> None:
    with httpx.Client(timeout=None) as client:
        request = client.build_request("GET", f"{url}/lines")
        with ctx.closing(client.send(request, stream=True)) as response:
            each(ctx, response.iter_lines())


def httpx_stream(ctx: TaskContext, url: str) -> None:
    with httpx.Client(timeout=None) as client, ctx.closing(client.stream("GET", f"{url}/lines")) as response:
        each(ctx, response.iter_lines())


def httpx_client(ctx: TaskContext, url: str) -> None:
    with ctx.closing(httpx.Client(timeout=None)) as client, client.stream("GET", f"{url}/lines") as response:
        each(ctx, response.iter_lines())


def event_loop_of_its_own(ctx: TaskContext, url: str) -> None:
    async def main() -> None:
        async with (
            httpx.AsyncClient(timeout=None) as client,
            ctx.closing(client.stream("GET", f"{url}/lines")) as answer,
        ):
            await each_async(ctx, answer.aiter_lines())

    asyncio.run(main())


def openai_stream(ctx: TaskContext, url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        chat = client.chat.completions
        stream = chat.create(model="m", stream=True, messages=[{"role": "user", "content": ASKED}])
        with ctx.closing(stream):
            each(ctx, stream)


def openai_client(ctx: TaskContext, url: str) -> None:
    with ctx.closing(openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)) as client:
        chat = client.chat.completions
        each(ctx, chat.create(model="m", stream=True, messages=[{"role": "user", "content": ASKED}]))


def anthropic_stream(ctx: TaskContext, url: str) -> None:
    with anthropic.Anthropic(base_url=url, api_key="none") as client:
        messages = client.messages
        with ctx.closing(
            messages.create(model="m", max_tokens=9, stream=True, messages=[{"role": "user", "content": ASKED}])
        ) as stream:
            each(ctx, stream)


def anthropic_message_stream(ctx: TaskContext, url: str) -> None:
    with anthropic.Anthropic(base_url=url, api_key="none") as client:
        messages = client.messages
        with ctx.closing(
            messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": ASKED}])
        ) as stream:
            each(ctx, stream.text_stream)


def anthropic_client(ctx: TaskContext, url: str) -> None:
    with ctx.closing(anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)) as client:
        messages = client.messages
        with messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": ASKED}]) as stream:
            each(ctx, stream.text_stream)


def plain_socket(ctx: TaskContext, url: str) -> None:
    address = urlsplit(url)
    with ctx.closing(socket.create_connection((address.hostname, address.port))) as connection:
        connection.sendall(b"GET /lines HTTP/1.1\r\n\r\n")
        each(ctx, iter(lambda: connection.recv(65_536), b""))


def file_of_a_socket(ctx: TaskContext, url: str) -> None:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"GET /lines HTTP/1.1\r\n\r\n")
        with ctx.closing(connection.makefile("rb")) as lines:
            each(ctx, lines)


ON_THREADS: Final[tuple[Reader, ...]] = (
    http_client_response,
    urllib_response,
    urllib3_response,
    requests_response,
    httpx_response,
    httpx_stream,
    httpx_client,
    event_loop_of_its_own,
    openai_stream,
    openai_client,
    anthropic_stream,
    anthropic_message_stream,
    anthropic_client,
    plain_socket,
    file_of_a_socket,
)


async def async_httpx_response(ctx: TaskContext, url: str) -> None:
    async with httpx.AsyncClient(timeout=None) as client:
        request = client.build_request("GET", f"{url}/lines")
        async with ctx.closing(await client.send(request, stream=True)) as response:
            await each_async(ctx, response.aiter_lines())


async def async_httpx_stream(ctx: TaskContext, url: str) -> None:
    async with httpx.AsyncClient(timeout=None) as client, ctx.closing(client.stream("GET", f"{url}/lines")) as response:
        await each_async(ctx, response.aiter_lines())


async def aiohttp_response(ctx: TaskContext, url: str) -> None:
    async with aiohttp.ClientSession() as session, ctx.closing(await session.get(f"{url}/lines")) as response:
        await each_async(ctx, response.content)


async def aiohttp_request(ctx: TaskContext, url: str) -> None:
    async with aiohttp.ClientSession() as session, ctx.closing(session.get(f"{url}/lines")) as response:
        await each_async(ctx, response.content)


async def async_openai_stream(ctx: TaskContext, url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
        chat = client.chat.completions
        stream = await chat.create(model="m", stream=True, messages=[{"role": "user", "content": ASKED}])
        async with ctx.closing(stream):
            await each_async(ctx, stream)


async def async_anthropic_stream(ctx: TaskContext, url: str) -> None:
    async with anthropic.AsyncAnthropic(base_url=url, api_key="none") as client:
        messages = client.messages
        async with ctx.closing(
            await messages.create(model="m", max_tokens=9, stream=True, messages=[{"role": "user", "content": ASKED}])
        ) as stream:
            await each_async(ctx, stream)


async def async_anthropic_message_stream(ctx: TaskContext, url: str) -> None:
    async with ctx.closing(anthropic.AsyncAnthropic(base_url=url, api_key="none")) as client:
        messages = client.messages
        async with ctx.closing(
            messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": ASKED}])
        ) as stream:
            await each_async(ctx, stream.text_stream)


async def stream_writer(ctx: TaskContext, url: str) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    async with ctx.closing(writer):
        writer.write(b"GET /lines HTTP/1.1\r\n\r\n")
        await each_async(ctx, reader)


IN_ASYNC_CODE: Final[tuple[AsyncReader, ...]] = (
    async_httpx_response,
    async_httpx_stream,
    aiohttp_response,
    aiohttp_request,
    async_openai_stream,
    async_anthropic_stream,
    async_anthropic_message_stream,
    stream_writer,
)


# --- with a client that is tied, also what has not begun to stream is cut -------------------------------------------


def httpx_waiting(ctx: TaskContext, url: str) -> None:
    with ctx.closing(httpx.Client(timeout=None)) as client:
        client.get(f"{url}/silent")


def openai_waiting(ctx: TaskContext, url: str) -> None:
    with ctx.closing(openai.OpenAI(base_url=f"{url}/silent", api_key="none", max_retries=0)) as client:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": ASKED}])


def anthropic_waiting(ctx: TaskContext, url: str) -> None:
    with ctx.closing(anthropic.Anthropic(base_url=f"{url}/silent", api_key="none", max_retries=0)) as client:
        client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": ASKED}])


def http_client_waiting(ctx: TaskContext, url: str) -> None:
    with ctx.closing(http.client.HTTPConnection(urlsplit(url).netloc)) as connection:
        connection.request("GET", "/silent")
        connection.getresponse()


WAITING: Final[tuple[Reader, ...]] = (httpx_waiting, openai_waiting, anthropic_waiting, http_client_waiting)


# --- over TLS --------------------------------------------------------------------------------------------------------


def httpx_over_tls(ctx: TaskContext, url: str, trusted: ssl.SSLContext) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(timeout=None, verify=trusted))
        each(ctx, stack.enter_context(ctx.closing(client.stream("GET", f"{url}/lines"))).iter_lines())


def urllib_over_tls(ctx: TaskContext, url: str, trusted: ssl.SSLContext) -> None:
    with ctx.closing(urllib.request.urlopen(f"{url}/lines", context=trusted)) as response:
        each(ctx, response)


OVER_TLS: Final[tuple[Callable[[TaskContext, str, ssl.SSLContext], None], ...]] = (httpx_over_tls, urllib_over_tls)
