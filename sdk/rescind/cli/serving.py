"""A server that says where it serves. Imported only by those who have gRPC."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Self

from rescind_server.app import Server, serve
from rescind_server.store.sqlite import Durability


class _TellingServer(Server):
    def __init__(
        self, store: Path | None, address: str, durability: Durability, tell_address: Callable[[str], None]
    ) -> None:
        super().__init__(store, address, durability=durability)
        self._tell_address = tell_address

    async def __aenter__(self) -> Self:
        opened = await super().__aenter__()
        self._tell_address(self.address)
        return opened


async def serve_until_told(
    store: Path | None, address: str, durability: Durability, tell_address: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        store: the file in which everything is kept; None keeps it in memory.
        address: where to serve.
        durability: how much a commit waits for.
        tell_address: called with the address, with the port that it got, as soon as it serves.

    Raises:
        StoreError: the file cannot be used, or did not take a commit.
        ServerUnavailable: the address cannot be served at, or the engine failed.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(_TellingServer(store, address, durability, tell_address), stop)
