"""A whole server in this process, with a worker; callers reach it over HTTP on the loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from rescind.worker.connecting import Worker
from rescind_server.app import Server
from rescind_server.gateway.limits import Limits
from rescind_server.store.port import Store

from .guarded import Guarded, guarded_server
from .work import AGENTS, LONGEST, TASKS, WATCHED


@pytest.fixture(autouse=True)
def nothing_happened_yet() -> None:
    """What one test has seen is no news to the next, which may wait for an event of the same name."""
    WATCHED.clear()


@pytest.fixture
def limits() -> Limits:
    """The server's limits; a test may ask for others by parametrising this."""
    return Limits()


@pytest.fixture
def store() -> Store | None:
    """The server's store: memory, unless a test says otherwise."""
    return None


@pytest_asyncio.fixture
async def server(limits: Limits, store: Store | None) -> AsyncIterator[Server]:
    async with Server(store, "127.0.0.1:0", limits=limits, http_address="127.0.0.1:0") as opened:
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
