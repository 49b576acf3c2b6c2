"""A whole server in this process; callers reach it over HTTP and gRPC on the loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio

from rescind.worker.connecting import Worker
from rescind_server.app import Server

from .rest import Guarded, guarded_server, http_client
from .work import AGENTS, TASKS
from .workflow_calls import Wire, connected


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(None, "127.0.0.1:0", http_address="127.0.0.1:0") as opened:
        yield opened


@pytest_asyncio.fixture
async def worker(server: Server) -> AsyncIterator[Worker]:
    async with Worker(server.address, agents=AGENTS, tasks=TASKS, worker_id="w-1") as joined:
        yield joined


@pytest_asyncio.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(server) as client:
        yield client


@pytest_asyncio.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded_server(tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def calls(server: Server) -> AsyncIterator[Wire]:
    """The calls about workflows, over a channel to the server."""
    async with connected(server) as made:
        yield made
