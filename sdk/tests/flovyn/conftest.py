"""A real server in this process, on the loopback; workers reach it over flovyn.v1, and callers over the native one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from rescind.client.connecting import Client
from rescind_server.app import Server


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with Server(tmp_path / "store.db", "127.0.0.1:0") as opened:
        yield opened


@pytest_asyncio.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with Client(server.address) as made:
        yield made
