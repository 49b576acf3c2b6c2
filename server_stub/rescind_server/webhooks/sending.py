"""One attempt: a POST to where a webhook leads. Imported only where there is something to send."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import httpx

from rescind.model.ids import Instant
from rescind.model.version import VERSION
from rescind_server.store.outbox import Delivery, Webhook
from rescind_server.webhooks.addresses import Address, literal, refused
from rescind_server.webhooks.attempts import Answer
from rescind_server.webhooks.signing import headers_of

LONGEST_S: Final = 15.0
"""How long an attempt may take, in seconds."""
_MOST_OF_ANSWER: Final = 64 * 1024
"""How much of an answer is read, so that the connection can be used again; a longer one ends it."""
_MICROSECONDS: Final = 1_000_000


MOST_IDLE: Final = 100
"""To how many hosts connections are kept that nothing is sent over."""


@dataclass(slots=True)
class _Transport:
    http: httpx.AsyncHTTPTransport
    in_use: int = 0


class HttpSender:
    """Sends deliveries over HTTP. Redirects are not followed, and no proxy is used."""

    def __init__(self, *, allow_private: bool = True, most_idle: int = MOST_IDLE) -> None:
        """Open nothing yet.

        Args:
            allow_private: whether webhooks may lead to the server's own machine and network.
            most_idle: to how many hosts connections are kept that nothing is sent over.
        """
        self._context = ssl.create_default_context()
        self._allow_private = allow_private
        self._most_idle = most_idle
        # One for each host: a connection is known by its address, and two hosts may have the same. Not a client, which
        # would write URLs into the log, with what may be secret in them.
        self._transports: OrderedDict[str, _Transport] = OrderedDict()

    async def close(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.http.aclose()

    @property
    def hosts(self) -> Sequence[str]:
        """To whom connections are kept, who was sent to last at the end."""
        return tuple(self._transports)

    async def send(self, webhook: Webhook, delivery: Delivery, now: Instant) -> Answer:
        """See `Send`."""
        try:
            async with asyncio.timeout(LONGEST_S):
                return await self._post(webhook, delivery, now)
        except TimeoutError:
            return Answer(f"no answer within {LONGEST_S:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return Answer(_in_words(error))

    async def _post(self, webhook: Webhook, delivery: Delivery, now: Instant) -> Answer:
        url = httpx.URL(webhook.url)
        addresses = await _addresses_of(url)
        for address in addresses:
            if why := refused(address, allow_private=self._allow_private):
                return Answer(f"its name leads to {why}")
        *others, last = addresses
        for address in others:
            with suppress(httpx.ConnectError):
                return await self._post_to(address, url, webhook, delivery, now)
        return await self._post_to(last, url, webhook, delivery, now)

    async def _post_to(
        self, address: Address, url: httpx.URL, webhook: Webhook, delivery: Delivery, now: Instant
    ) -> Answer:
        """Send it to an address that was looked at: asked anew, its name could lead elsewhere."""
        host = url.netloc.decode("ascii")
        headers = {
            **headers_of(delivery.delivery_id, delivery.body, webhook.secrets, now),
            "content-type": "application/json",
            "user-agent": f"rescind/{VERSION}",
            "host": host,
        }
        request = httpx.Request(
            "POST",
            url.copy_with(host=str(address)),
            content=delivery.body,
            headers=headers,
            extensions={"sni_hostname": url.host, "timeout": httpx.Timeout(LONGEST_S).as_dict()},
        )
        async with self._transport(f"{url.scheme}://{host}") as transport:
            response = await transport.handle_async_request(request)
            try:
                await _read_some(response)
            finally:
                await response.aclose()
        return _answer(response, now)

    @asynccontextmanager
    async def _transport(self, host: str) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """What sends to a host. Those that sent last stay open; of the others, those that send nothing are closed."""
        transport = self._transports.get(host)
        if transport is None:
            http = httpx.AsyncHTTPTransport(verify=self._context, trust_env=False)
            transport = self._transports[host] = _Transport(http)
        self._transports.move_to_end(host)
        transport.in_use += 1
        try:
            yield transport.http
        finally:
            transport.in_use -= 1
            await self._close_idle()

    async def _close_idle(self) -> None:
        idle = [host for host, transport in self._transports.items() if not transport.in_use]
        # Taken out first: while one is closed, another delivery may come for its host.
        closed = [self._transports.pop(host) for host in idle[: max(0, len(idle) - self._most_idle)]]
        for transport in closed:
            await transport.http.aclose()


async def _addresses_of(url: httpx.URL) -> Sequence[Address]:
    """Where a URL leads to, the best first."""
    given = literal(url.host)
    if given is not None:
        return [given]
    port = url.port or (443 if url.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    addresses = (literal(str(each[4][0])) for each in found)
    return list(dict.fromkeys(each for each in addresses if each is not None))


async def _read_some(response: httpx.Response) -> None:
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > _MOST_OF_ANSWER:
            return


def _answer(response: httpx.Response, now: Instant) -> Answer:
    status = response.status_code
    if response.is_success:
        return Answer()
    if status == HTTPStatus.GONE:
        return Answer("it answered 410 Gone", is_gone=True)
    words = ", and redirects are not followed" if response.is_redirect else ""
    return Answer(f"it answered {status}{words}", wait_s=_wait(response.headers.get("retry-after", ""), now))


def _wait(given: str, now: Instant) -> float | None:
    """What ``Retry-After`` asks for: seconds, or a date."""
    if given.isascii() and given.isdigit() and len(given) < 10:
        return float(given)
    try:
        return parsedate_to_datetime(given).timestamp() - now / _MICROSECONDS
    except (ValueError, TypeError, OverflowError):
        return None


def _in_words(error: Exception) -> str:
    told = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {told}" if told else type(error).__name__
