"""A server on a file and a free port, in this process; callers and workers reach it over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from rescind.client.connecting import Client
from rescind_server.app import Server
from rescind_server.gateway.limits import Limits


@pytest.fixture
def limits() -> Limits:
    """The server's limits; a test may ask for others by parametrising this."""
    return Limits()


@pytest_asyncio.fixture
async def server(tmp_path: Path, limits: Limits) -> AsyncIterator[Server]:
    async with Server(tmp_path / "store.db", "127.0.0.1:0", limits=limits) as opened:
        yield opened


@pytest_asyncio.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with Client(server.address, by="client:test", timeout=10.0, patience=10.0) as connected:
        yield connected
