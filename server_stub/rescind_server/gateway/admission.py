"""Decides, before anything is served, who is let in: holders of tokens, or everybody on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from rescind.errors import InvalidInput
from rescind.model.ids import Instant
from rescind_server.access.addresses import is_loopback
from rescind_server.access.rates import Rates
from rescind_server.access.token_file import KnownTokens, TokenFile, beside
from rescind_server.gateway.identity import Identify, TokenIdentity, take_everybody
from rescind_server.gateway.limits import Limits


def token_file_of(tokens: Path | None, store: Path | None) -> Path | None:
    """The file of a server's tokens: the one that was named, or the one beside its store if there is one.

    Raises:
        InvalidInput: the named file is not there. A server that then let everybody in would do the opposite of what was
            meant.
    """
    if tokens is not None:
        if not tokens.is_file():
            raise InvalidInput(f"there are no tokens in {tokens}. Make one: rescind token create --tokens {tokens}")
        return tokens
    kept = beside(store) if store is not None else None
    return kept if kept is not None and kept.is_file() else None


def admission(tokens: Path | None, addresses: Iterable[str], limits: Limits, now: Callable[[], Instant]) -> Identify:
    """Who is let in.

    Args:
        tokens: the file of the tokens; None if there is none.
        addresses: where will be served.
        limits: how often each token may ask.
        now: the time.

    Raises:
        InvalidInput: an address can be reached from other machines, and there are no tokens.
        StoreError: the file cannot be read.
    """
    if tokens is not None:
        rates = Rates(limits.calls_per_second, limits.calls_at_once)
        return TokenIdentity(KnownTokens(TokenFile(tokens)), rates, now)
    for address in addresses:
        if not is_loopback(address):
            raise InvalidInput(
                f"{address} can be reached from other machines, and there are no tokens: everybody could do anything. "
                "Make a token with `rescind token create`, or serve at 127.0.0.1."
            )
    return take_everybody
