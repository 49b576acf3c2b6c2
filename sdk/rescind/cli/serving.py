"""A server that says where it serves. Imported only by those who have gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Self

from rescind.cli.access import Access, Serving
from rescind.interpreter import settle
from rescind_server.access.certificates import Certificates, certificates_of
from rescind_server.app import Server, serve, stop_on_signals
from rescind_server.store.sqlite import Durability


class _TellingServer(Server):
    def __init__(
        self,
        store: Path | None,
        address: str,
        durability: Durability,
        retention: timedelta | None,
        access: Access,
        certificates: Certificates | None,
        tell: Callable[[Serving], None],
    ) -> None:
        super().__init__(
            store,
            address,
            durability=durability,
            retention=retention,
            http_address=access.http_address,
            tokens=access.tokens,
            certificates=certificates,
            webhooks_to_private_addresses=access.webhooks_to_private_addresses,
            page=access.page,
            http_names=access.http_names,
        )
        self._is_encrypted = certificates is not None
        self._tell = tell

    async def __aenter__(self) -> Self:
        opened = await super().__aenter__()
        self._tell(Serving(self.address, self.http_address, self.asks_for_tokens, self._is_encrypted))
        return opened


async def serve_until_told(
    store: Path | None,
    address: str,
    durability: Durability,
    retention: timedelta | None,
    access: Access,
    tell: Callable[[Serving], None],
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        store: the file in which everything is kept; None keeps it in memory.
        address: where to serve.
        durability: how much a commit waits for.
        retention: how long executions are kept after their end; None keeps them for ever.
        access: who may reach it, and how.
        tell: called with where it serves, with the ports that it got, as soon as it does.

    Raises:
        InvalidInput: it would be open to other machines without tokens, or the files of TLS do not fit.
        StoreError: the file cannot be used, or did not take a commit.
        AddressUnavailable: the address cannot be served at.
        ServerUnavailable: the engine failed.
    """
    certificates = certificates_of(access.certificate, access.key, access.client_authority)
    stop = asyncio.Event()
    stop_on_signals(stop)
    settle()
    await serve(_TellingServer(store, address, durability, retention, access, certificates, tell), stop)
