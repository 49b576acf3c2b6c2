"""What tests ask of the server again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import msgspec

EXECUTIONS = "/api/v1/executions"
TASKS = "/api/v1/tasks"


class Event(NamedTuple):
    """One server-sent event."""

    name: str
    data: Any
    event_id: str | None

    @property
    def type(self) -> str:
        """What happened, if it is of the history; else the event's name."""
        return str(self.data.get("type", self.name))


async def start(http: httpx.AsyncClient, kind: str, given: Any = None, execution_id: str | None = None) -> str:
    """Start an agent; returns its id."""
    answer = await http.post(EXECUTIONS, json={"kind": kind, "input": given, "execution_id": execution_id})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["execution_id"])


async def status_of(http: httpx.AsyncClient, execution_id: str) -> str:
    """Where an execution stands."""
    return str((await http.get(f"{EXECUTIONS}/{execution_id}")).json()["status"])


async def tasks_of(http: httpx.AsyncClient, execution_id: str) -> list[dict[str, Any]]:
    """The tasks of an execution."""
    found: list[dict[str, Any]] = (await http.get(TASKS, params={"execution_id": execution_id})).json()["tasks"]
    return found


async def cause_of(http: httpx.AsyncClient, execution_id: str) -> Any:
    """Why an execution was cancelled."""
    return (await http.get(f"{EXECUTIONS}/{execution_id}")).json()["cause"]


@asynccontextmanager
async def events_of(
    http: httpx.AsyncClient, execution_id: str, headers: Mapping[str, str] | None = None, **query: Any
) -> AsyncIterator[AsyncIterator[Event]]:
    """Follow an execution; left, the client has gone away."""
    url = f"{EXECUTIONS}/{execution_id}/events"
    async with http.stream("GET", url, headers=headers, params=query) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield parsed(answer)


@asynccontextmanager
async def started_stream(http: httpx.AsyncClient, **body: Any) -> AsyncIterator[AsyncIterator[Event]]:
    """Start an agent and follow it; left, the client has gone away."""
    async with http.stream("POST", f"{EXECUTIONS}/stream", json=body) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield parsed(answer)


async def parsed(answer: httpx.Response) -> AsyncIterator[Event]:
    """The events of an answer; comments are passed over."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        elif "data" in fields:
            yield Event(fields["event"], msgspec.json.decode(fields["data"]), fields.get("id"))
            fields = {}
        else:
            fields = {}


async def until(events: AsyncIterator[Event], wanted: str) -> list[Event]:
    """Read to the first event of a name or a type; returns what was read."""
    read: list[Event] = []
    async for event in events:
        read.append(event)
        if wanted in (event.name, event.type):
            return read
    raise AssertionError(f"there was no {wanted}: {[event.type for event in read]}")
