"""One attempt over real sockets: what is sent, and what each sort of answer means."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme
from msgspec.structs import replace

from rescind.model.ids import Instant
from rescind_server.host.clock import WallClock
from rescind_server.store.outbox import Delivery, Secret, Webhook
from rescind_server.webhooks import sending
from rescind_server.webhooks.attempts import Answer
from rescind_server.webhooks.sending import HttpSender
from rescind_server.webhooks.signing import new_secret

from .receiver import Receiver, receiver

pytestmark = pytest.mark.asyncio

BODY = b'{"type":"execution.completed"}'


@pytest_asyncio.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as opened:
        yield opened


@pytest_asyncio.fixture
async def sender() -> AsyncIterator[HttpSender]:
    made = HttpSender()
    yield made
    await made.close()


def to(url: str, *secrets: str) -> Webhook:
    kept = tuple(Secret(each) for each in secrets or (new_secret(),))
    return Webhook("wh_1", "default", url, ("a",), "ops", Instant(1), kept)


async def attempt(sender: HttpSender, webhook: Webhook) -> Answer:
    now = WallClock().now()
    return await sender.send(webhook, Delivery("msg_1", "wh_1", "a", "x", now, BODY, now), now)


async def test_what_is_sent_is_a_post_that_its_receiver_can_verify(sender: HttpSender, there: Receiver) -> None:
    new, old = new_secret(), new_secret()
    assert await attempt(sender, to(there.url, new, old)) == Answer()
    (got,) = there.received
    assert (got.target, got.body, got.id) == ("/hook?key=k-1", BODY, "msg_1")
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] in there.url
    assert got.is_signed_with(new)
    assert got.is_signed_with(old)
    assert not got.is_signed_with(new_secret())


@pytest.mark.parametrize(
    ("answered", "answer"),
    [
        ("204 No Content", Answer()),
        ("500 Internal Server Error", Answer("it answered 500")),
        ("404 Not Found", Answer("it answered 404")),
        ("410 Gone", Answer("it answered 410 Gone", is_gone=True)),
        ("503 Busy\r\nretry-after: 120", Answer("it answered 503", wait_s=120.0)),
        ("429 Slow\r\nretry-after: soon", Answer("it answered 429")),
        ("302 Found\r\nlocation: /elsewhere", Answer("it answered 302, and redirects are not followed")),
    ],
)
async def test_what_an_answer_means(sender: HttpSender, there: Receiver, answered: str, answer: Answer) -> None:
    there.answers = [answered]
    there.body = b""
    assert await attempt(sender, to(there.url)) == answer
    assert len(there.received) == 1


async def test_a_date_to_come_back_at_is_understood(sender: HttpSender, there: Receiver) -> None:
    there.answers = ["503 Busy\r\nretry-after: Wed, 01 Jan 2110 00:00:00 GMT"]
    answer = await attempt(sender, to(there.url))
    assert answer.wait_s is not None
    assert answer.wait_s > 1e9


async def test_a_receiver_that_does_not_answer_is_not_waited_for(
    sender: HttpSender, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LONGEST_S", 0.05)
    there.answers = [None]
    assert await attempt(sender, to(there.url)) == Answer("no answer within 0.05 s")


async def test_a_receiver_that_is_not_there_is_told_as_such(sender: HttpSender) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        answer = await attempt(sender, to(f"http://127.0.0.1:{taken.getsockname()[1]}/"))
    assert answer.problem.startswith("ConnectError")


async def test_what_is_no_http_is_told_as_such(sender: HttpSender) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example.com ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        answer = await attempt(sender, to(f"http://127.0.0.1:{port}/"))
    assert answer.problem.startswith("RemoteProtocolError")


async def test_an_endless_answer_is_not_read(sender: HttpSender, there: Receiver) -> None:
    there.body = b"x" * 50_000_000
    assert await attempt(sender, to(there.url)) == Answer()


async def test_a_name_that_leads_to_the_clouds_own_address_is_refused(
    sender: HttpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    answer = await attempt(sender, replace(to("http://metadata.example.com/"), allow_http=True))
    assert answer == Answer("its name leads to the link-local address 169.254.169.254")


@pytest.mark.parametrize("name", ["localhost", "elsewhere.example"])
async def test_a_certificate_must_be_of_the_name_that_the_webhook_leads_to(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    sender = HttpSender()
    async with receiver(tls=context) as there:
        answer = await attempt(sender, to(there.url))
    await sender.close()
    assert there.url.startswith("https://localhost:")
    assert (answer == Answer()) == (name == "localhost")
    assert len(there.received) == (name == "localhost")


async def test_where_a_name_leads_to_several_addresses_the_next_is_tried(
    sender: HttpSender, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(_: str, port: int, **__: Any) -> list[Any]:
        # At the first one nobody listens.
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    assert await attempt(sender, to(there.url)) == Answer()


async def test_what_may_be_secret_is_not_logged(
    sender: HttpSender, there: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    secret = new_secret()
    with caplog.at_level(logging.INFO):
        await attempt(sender, to(there.url, secret))
    assert "k-1" not in caplog.text
    assert secret not in caplog.text


async def test_proxies_of_the_environment_are_not_used(there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    sender = HttpSender()
    assert await attempt(sender, to(there.url)) == Answer()
    await sender.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "::1", "fd00::1"])
async def test_where_private_addresses_are_refused_a_name_that_leads_to_one_is_too(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    sender = HttpSender(allow_private=False)
    answer = await attempt(sender, to("https://intranet.example.com/"))
    assert answer == Answer(f"its name leads to {address}, which is not public, as this server asks for")
    await sender.close()


async def test_connections_are_kept_to_the_hosts_that_were_sent_to_last(there: Receiver) -> None:
    sender = HttpSender(most_idle=2)
    port = there.url.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "127.0.0.1", "127.1.localhost"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio.get_running_loop(), "getaddrinfo", leads_to_this_machine)
            await attempt(sender, to(f"http://{host}:{port}"))
    assert [each.partition("//")[2].partition(":")[0] for each in sender.hosts] == ["127.0.0.1", "127.1.localhost"]
    await sender.close()


async def leads_to_this_machine(_: str, port: int, **__: Any) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


async def test_a_connection_in_use_is_not_closed_however_many_there_are(there: Receiver) -> None:
    sender = HttpSender(most_idle=0)
    async with sender._transport("http://busy"):
        assert await attempt(sender, to(there.url)) == Answer()
        assert list(sender.hosts) == ["http://busy"]
    assert list(sender.hosts) == []
    await sender.close()
