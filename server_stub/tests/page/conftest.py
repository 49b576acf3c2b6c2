"""Servers with the page, in this process: one that is open, and one that asks for tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from rescind.worker.connecting import Worker
from rescind_server.app import Server
from server_stub.tests.http.guarded import Guarded, guarded_server
from server_stub.tests.http.work import AGENTS, LONGEST, TASKS, WATCHED


@pytest.fixture(autouse=True)
def nothing_happened_yet() -> None:
    """What one test has seen is no news to the next, which may wait for an event of the same name."""
    WATCHED.clear()


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
    async with httpx.AsyncClient(base_url=f"http://{server.http_address}", timeout=LONGEST) as client:
        yield client


@pytest_asyncio.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded_server(tmp_path) as made:
        yield made
