"""What tests ask of flovyn's HTTP interface again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from rescind.model.ids import Instant
from rescind_server.access.token_file import TokenFile
from rescind_server.access.tokens import Role
from rescind_server.app import Server
from rescind_server.gateway.limits import Limits

LONGEST = 10.0
"""How long a test waits for what must happen, in seconds."""
HERE = "/api/orgs/default"
AGENTS = f"{HERE}/agent-executions"
WORKFLOWS = f"{HERE}/workflow-executions"
TASKS = f"{HERE}/task-executions"
STRANGE = "00000000-0000-4000-8000-000000000000"
"""An id of nothing."""


class Sent(NamedTuple):
    """One server-sent event: its name, and its data as text."""

    name: str
    data: str


class Guarded:
    """A server that asks for tokens, and callers of each role and organisation."""

    def __init__(self, server: Server, file: TokenFile, stack: AsyncExitStack) -> None:
        self.server = server
        self._file = file
        self._stack = stack

    def token(self, role: Role, name: str, organisation: str = "default") -> str:
        """The text of a new token."""
        at = Instant(time.time_ns() // 1_000)
        return self._file.create(name, role, at, organisation=organisation)[1]

    def revoke(self, token: str) -> None:
        """From now on this token is none."""
        self._file.revoke(token.split("_")[1], Instant(time.time_ns() // 1_000))

    async def caller(self, role: Role, name: str = "somebody", organisation: str = "default") -> httpx.AsyncClient:
        """Somebody with a new token."""
        headers = {"authorization": f"Bearer {self.token(role, name, organisation)}"}
        return await self._stack.enter_async_context(http_client(self.server, headers))


def http_client(server: Server, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """A client of a server."""
    return httpx.AsyncClient(base_url=f"http://{server.http_address}", headers=headers, timeout=LONGEST)


@asynccontextmanager
async def guarded_server(folder: Path, limits: Limits | None = None) -> AsyncIterator[Guarded]:
    """A server that asks for tokens, for as long as the block lasts."""
    file = TokenFile(folder / "store.db.tokens")
    file.create("first", Role.OPERATOR, Instant(time.time_ns() // 1_000))
    async with (
        Server(folder / "store.db", "127.0.0.1:0", http_address="127.0.0.1:0", limits=limits) as server,
        AsyncExitStack() as stack,
    ):
        yield Guarded(server, file, stack)


async def create_agent(http: httpx.AsyncClient, kind: str, given: Any = None) -> str:
    """Start an agent; returns its id."""
    answer = await http.post(AGENTS, json={"kind": kind, "input": given})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def ended(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """An execution, when it has ended."""
    return await reached(http, path, "COMPLETED", "FAILED", "CANCELLED")


async def reached(http: httpx.AsyncClient, path: str, *statuses: str) -> dict[str, Any]:
    """An execution, when it stands so."""
    async with asyncio.timeout(LONGEST):
        while True:
            found: dict[str, Any] = (await http.get(path)).json()
            if found["status"] in statuses:
                return found
            await asyncio.sleep(0.01)


@asynccontextmanager
async def stream(http: httpx.AsyncClient, path: str, **query: str) -> AsyncIterator[AsyncIterator[Sent]]:
    """The events of a stream from now on; inside the block, nothing passes unnoticed any more."""
    async with http.stream("GET", path, params=query) as answer:
        assert answer.status_code == 200, await answer.aread()
        lines = answer.aiter_lines()
        assert (await anext(lines)).startswith(":")
        yield _events(lines)


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[Sent]:
    name, data = "", list[str]()
    async for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data.append(line.removeprefix("data: "))
        elif not line and name:
            yield Sent(name, "\n".join(data))
            name, data = "", []
