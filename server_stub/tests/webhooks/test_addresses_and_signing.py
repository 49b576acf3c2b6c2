"""Where webhooks may lead to, and how a receiver knows who sends."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from rescind.errors import InvalidInput
from rescind.model.ids import Instant
from rescind_server.store.outbox import Secret
from rescind_server.webhooks.addresses import LONGEST_URL, checked_url, shown_url
from rescind_server.webhooks.signing import headers_of, new_secret


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook?key=1",
        "https://10.0.0.7:8443/",
        "https://[2001:db8::1]/",
        "http://localhost:8080/hook",
        "http://127.0.0.1/",
        "http://[::1]:80/",
    ],
)
def test_a_url_that_a_webhook_may_have(url: str) -> None:
    assert checked_url(url, allow_http=False) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", "no address of HTTP"),
        ("file:///etc/passwd", "no address of HTTP"),
        ("example.com", "no address of HTTP"),
        ("https://", "no address of HTTP"),
        ("https://user:secret@example.com/", "credentials"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com/a b", "letters"),
        ("https://exämple.com/", "letters"),
        ("https://example.com/\n", "letters"),
        ("https://example.com:99999/", "cannot be meant"),
        ("https://" + "a" * LONGEST_URL, "letters"),
        ("https://169.254.169.254/latest", "link-local"),
        ("https://[fe80::1%25eth0]/", "link-local"),
        ("https://[::ffff:169.254.169.254]/", "link-local"),
        ("https://224.0.0.1/", "address of many"),
        ("https://0.0.0.0/", "no machine's"),
        ("http://example.com/", "Give https"),
        ("http://localhost.example.com/", "Give https"),
    ],
)
def test_a_url_that_is_refused_says_why_and_not_what_is_secret(url: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        checked_url(url, allow_http=False)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.7",
        "192.168.1.1",
        "172.16.3.4",
        "100.64.0.1",
        "[::1]",
        "[fd00::1]",
        "[::ffff:10.0.0.7]",
        "[64:ff9b::a00:7]",
        "[2002:a00:7::1]",
        "localhost",
        "Hooks.localhost.",
    ],
)
def test_where_private_addresses_are_refused_no_url_leads_there(host: str) -> None:
    url = f"https://{host}/hook"
    assert checked_url(url, allow_http=False) == url
    with pytest.raises(InvalidInput, match="this server"):
        checked_url(url, allow_http=False, allow_private=False)


@pytest.mark.parametrize("url", ["https://example.com/", "https://93.184.216.34/", "https://[2600:1406::1]/"])
def test_where_private_addresses_are_refused_public_ones_are_not(url: str) -> None:
    assert checked_url(url, allow_http=False, allow_private=False) == url


def test_http_to_another_machine_takes_a_word() -> None:
    assert checked_url("http://example.com/", allow_http=True) == "http://example.com/"


def test_what_may_be_secret_in_a_url_is_not_shown() -> None:
    assert shown_url("https://user:pass@example.com/hook?token=abc") == "https://example.com/hook?…"


def verified(secret: str, headers: dict[str, str], body: bytes) -> list[bool]:
    """Which of the signatures are this secret's, worked out as the specification of Standard Webhooks says it."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return [each == f"v1,{expected}" for each in headers["webhook-signature"].split(" ")]


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of the reference implementations.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    headers = headers_of("msg_p5jXN8AQM9LWM0D4loKWxJek", body, (Secret(secret),), Instant(1_614_265_330_000_000))
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_replaced_both_sign() -> None:
    new, old = new_secret(), new_secret()
    kept = (Secret(new), Secret(old, Instant(2_000_000)))
    during = dict(headers_of("msg_1", b"{}", kept, Instant(1_999_999)))
    assert (verified(new, during, b"{}"), verified(old, during, b"{}")) == ([True, False], [False, True])
    after = dict(headers_of("msg_1", b"{}", kept, Instant(2_000_000)))
    assert verified(new, after, b"{}") == [True]


def test_a_secret_is_32_random_bytes_in_base64() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32
