"""Tokens: shown once, kept as hashes, valid until they expire or are revoked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rescind.errors import InvalidInput, NotAuthenticated, NotFound, RateLimited, StoreError
from rescind.model.ids import Instant
from rescind_server.access.addresses import is_loopback, next_port
from rescind_server.access.rates import Rates
from rescind_server.access.token_file import KnownTokens, TokenFile, beside
from rescind_server.access.tokens import Role, new_token, parts_of

NOW = Instant(1_700_000_000_000_000)
LATER = Instant(NOW + 1_000_000)


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "store.db.tokens")


def test_a_token_is_known_by_its_text_and_by_no_other(file: TokenFile) -> None:
    made, text = file.create("web", Role.CLIENT, NOW, organisation="acme")
    known = KnownTokens(file)
    assert known.token_of(text, NOW) == made
    assert (made.principal, made.organisation) == ("client:web", "acme")
    forged = text[:-1] + ("A" if text[-1] != "A" else "B")
    for wrong in (forged, "", "Bearer", text[:-1], text.upper(), "rescind_000000000000_" + "x" * 43):
        with pytest.raises(NotAuthenticated):
            known.token_of(wrong, NOW)


def test_the_secret_is_kept_nowhere(file: TokenFile) -> None:
    _, text = file.create("web", Role.CLIENT, NOW)
    _, secret = parts_of(text)
    assert secret not in file.path.read_text()
    assert file.path.stat().st_mode & 0o077 == 0, "its owner alone reads it"


def test_a_text_that_is_refused_is_not_repeated(file: TokenFile) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        KnownTokens(file).token_of("my-password", NOW)
    assert "my-password" not in str(refused.value)


def test_a_token_expires(file: TokenFile) -> None:
    _, text = file.create("web", Role.CLIENT, NOW, expires_at=LATER)
    known = KnownTokens(file)
    known.token_of(text, Instant(LATER - 1))
    with pytest.raises(NotAuthenticated, match="is expired"):
        known.token_of(text, LATER)


def test_what_changes_in_the_file_holds_at_once(file: TokenFile) -> None:
    known = KnownTokens(file)
    made, text = file.create("web", Role.CLIENT, NOW)
    known.token_of(text, NOW)
    file.revoke(made.token_id, LATER)
    with pytest.raises(NotAuthenticated, match="is revoked"):
        known.token_of(text, LATER)
    assert file.revoke(made.token_id, Instant(LATER + 1)).revoked_at == LATER, "the first time is kept"


def test_a_file_that_is_gone_lets_nobody_in(file: TokenFile) -> None:
    _, text = file.create("web", Role.CLIENT, NOW)
    known = KnownTokens(file)
    file.path.unlink()
    with pytest.raises(NotAuthenticated):
        known.token_of(text, NOW)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"version": 99, "tokens": []}'])
def test_a_file_that_is_no_file_of_tokens_is_refused(file: TokenFile, content: bytes) -> None:
    file.path.write_bytes(content)
    with pytest.raises(StoreError, match=r"is no file of tokens|written by a newer Rescind"):
        KnownTokens(file)


def test_a_token_that_is_not_there_cannot_be_revoked(file: TokenFile) -> None:
    with pytest.raises(NotFound, match="no token '000000000000'"):
        file.revoke("000000000000", NOW)


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "-a"},
        {"name": "a" * 65},
        {"organisation": "a/b"},
        {"organisation": "a\u25b8b"},
        {"expires_at": NOW},
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        new_token(**{"name": "web", "role": Role.CLIENT, "now": NOW, **given})


def test_tokens_made_at_the_same_time_are_all_kept(file: TokenFile) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: file.create(f"web-{number}", Role.CLIENT, NOW)[0], range(40)))
    assert {token.token_id for token in file.read()} == {token.token_id for token in made}


def test_tokens_stand_beside_the_store() -> None:
    assert beside(Path("/srv/rescind.db")) == Path("/srv/rescind.db.tokens")


def test_a_caller_may_ask_so_often_and_again_after_a_while() -> None:
    time = [0.0]
    rates = Rates(per_second=10, burst=3, clock=lambda: time[0])
    for _ in range(3):
        rates.count("a")
    with pytest.raises(RateLimited, match="more than 10 calls per second"):
        rates.count("a")
    rates.count("b")
    time[0] = 0.1
    rates.count("a")
    with pytest.raises(RateLimited):
        rates.count("a")
    time[0] = 100.0
    for _ in range(3):
        rates.count("a")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("0.0.0.0:1", False),
        ("server.example:1", False),
    ],
)
def test_only_the_loopback_is_closed_to_other_machines(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


@pytest.mark.parametrize(("address", "expected"), [("h:7233", "h:7234"), ("h:0", "h:0"), ("[::1]:65535", "[::1]:0")])
def test_the_next_port_is_free_where_this_one_is(address: str, expected: str) -> None:
    assert next_port(address) == expected
