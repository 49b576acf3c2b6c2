"""A server on a file and a free port, in this process; workers of flovyn.v1 reach it over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest_asyncio

from rescind_server.app import Server

from .wire import Wire


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with Server(tmp_path / "store.db", "127.0.0.1:0") as opened:
        yield opened


@pytest_asyncio.fixture
async def wire(server: Server) -> AsyncIterator[Wire]:
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield Wire(server, channel)
