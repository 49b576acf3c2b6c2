"""A server that asks for tokens, and callers of each kind."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from rescind.client.connecting import Client
from rescind.model.ids import Instant
from rescind.worker.connecting import Worker
from rescind_server.access.token_file import TokenFile
from rescind_server.access.tokens import Role
from rescind_server.app import Server
from rescind_server.gateway.limits import Limits

from .work import AGENTS, LONGEST
from .work import TASKS as WORK


class Guarded:
    """A server that asks for tokens, and callers of each kind."""

    def __init__(self, server: Server, file: TokenFile, stack: AsyncExitStack) -> None:
        self.server = server
        self.file = file
        self._stack = stack

    def token(self, name: str, role: Role, organisation: str = "default") -> str:
        return self.file.create(name, role, now(), organisation=organisation)[1]

    async def http(self, token: str | None) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"} if token is not None else {}
        client = httpx.AsyncClient(base_url=f"http://{self.server.http_address}", headers=headers, timeout=LONGEST)
        return await self._stack.enter_async_context(client)

    async def client(self, name: str, organisation: str = "default") -> httpx.AsyncClient:
        return await self.http(self.token(name, Role.CLIENT, organisation))

    async def operator(self, organisation: str = "default") -> httpx.AsyncClient:
        return await self.http(self.token("ops", Role.OPERATOR, organisation))

    async def grpc(self, token: str | None) -> Client:
        connected = Client(self.server.address, token=token, timeout=LONGEST, patience=1.0)
        return await self._stack.enter_async_context(connected)

    async def worker(self, name: str = "w-1", organisation: str = "default") -> Worker:
        token = self.token(name, Role.WORKER, organisation)
        made = Worker(self.server.address, agents=AGENTS, tasks=WORK, worker_id=name, token=token)
        return await self._stack.enter_async_context(made)


def now() -> Instant:
    """The time."""
    return Instant(time.time_ns() // 1_000)


@asynccontextmanager
async def guarded_server(folder: Path, limits: Limits | None = None) -> AsyncIterator[Guarded]:
    """Such a server, for as long as the block lasts."""
    file = TokenFile(folder / "store.db.tokens")
    file.create("first", Role.OPERATOR, now())
    async with (
        Server(folder / "store.db", "127.0.0.1:0", http_address="127.0.0.1:0", limits=limits) as server,
        AsyncExitStack() as stack,
    ):
        yield Guarded(server, file, stack)
