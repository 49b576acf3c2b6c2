"""Who follows what programs write goes on where it was, also behind a restart, and is told what is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from rescind.model.commands import Started, StartExecution
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.payload import Payload
from rescind_server.app import Server
from rescind_server.engine.state import Decision
from rescind_server.gateway.http.frames import Place
from rescind_server.store.outputs import KEPT_OUTPUT

from .calls import Event, events_of, until
from .work import LONGEST

pytestmark = pytest.mark.asyncio

ONE = ExecutionId("one")


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    """A server over the store of the test, with an execution in it."""
    async with (
        Server(folder / "store.db", "127.0.0.1:0", http_address="127.0.0.1:0") as server,
        httpx.AsyncClient(base_url=f"http://{server.http_address}", timeout=LONGEST) as http,
    ):
        assert isinstance(await server.host.ask(StartExecution("patient", execution_id=ONE)), Started)
        yield server, http


def write(server: Server, text: str, task: str = "t") -> None:
    """Let a program write."""
    piece = Payload(msgspec.json.encode({"stream": "stdout", "text": text}))
    decision = Decision(streamed=[(ONE, StreamedEvent("output", piece, TaskId(task)))])
    server.host.output.take([decision])
    server.host.watchers.tell([decision])


def texts(events: list[Event]) -> list[str]:
    return [event.data["value"]["text"] for event in events if event.name == "output"]


async def seen(events: AsyncIterator[Event], count: int) -> list[Event]:
    return [await anext(events) for _ in range(count)]


async def test_behind_a_restart_each_piece_comes_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, http):
        write(server, "a")
        async with events_of(http, ONE, output=True) as events:
            await until(events, "EXECUTION_STARTED")
            write(server, "b", "other")
            *_, last = await seen(events, 1)
        write(server, "c")
    async with serving(tmp_path) as (server, http):
        write(server, "d", "other")
        async with events_of(http, ONE, {"last-event-id": last.event_id or ""}, output=True) as events:
            found = await seen(events, 3)
            write(server, "e")
            found += await seen(events, 1)
    assert sorted(texts(found[:2])) == ["c", "d"]
    assert (found[2].name, found[2].data) == ("missed", {"streamed": None, "output": 0})
    assert texts(found[3:]) == ["e"]


async def test_who_was_cut_off_behind_an_event_of_the_history_goes_on_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, http):
        write(server, "a")
        async with events_of(http, ONE, output=True) as events:
            last = (await until(events, "EXECUTION_STARTED"))[-1]
        write(server, "b")
    assert Place.parse(last.event_id or "").output == 1
    async with (
        serving(tmp_path) as (_, http),
        events_of(http, ONE, {"last-event-id": last.event_id or ""}, output=True) as events,
    ):
        assert texts(await seen(events, 1)) == ["b"]


async def test_who_stays_away_for_too_long_is_told_how_much_is_gone(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, http), events_of(http, ONE, output=True) as events:
        await until(events, "EXECUTION_STARTED")
        write(server, "first")
        (last,) = await seen(events, 1)
    size = 2 * KEPT_OUTPUT
    async with serving(tmp_path) as (server, _):
        write(server, "x" * size)
    async with (
        serving(tmp_path) as (_, http),
        events_of(http, ONE, {"last-event-id": last.event_id or ""}, output=True) as events,
    ):
        found = await until_missed(events)
    kept = sum(map(len, texts(found)))
    assert found[-1].data == {"streamed": None, "output": size - kept}
    assert KEPT_OUTPUT <= kept < size


async def until_missed(events: AsyncIterator[Event]) -> list[Event]:
    found = [await anext(events)]
    while found[-1].name != "missed":
        found.append(await anext(events))
    return found


@pytest.mark.parametrize(
    "place", [Place(7), Place(7, 0, "9f2ab81c", 3), Place(7, 2, "9f2ab81c"), Place(7, 2, "9f2ab81c", 3)]
)
async def test_an_id_names_its_place(place: Place) -> None:
    assert Place.parse(str(place)) == place
