"""Events as they happen: whole, in order, resumable; a slow reader is bounded and told what it missed."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from rescind import errors
from rescind.model.commands import Started, StartExecution
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.payload import Payload
from rescind.worker.connecting import Worker
from rescind_server.app import Server
from rescind_server.engine.state import Decision
from rescind_server.gateway.http.feeds import Feed, Feeds, OutputSoFar
from rescind_server.gateway.http.frames import Place
from rescind_server.gateway.http.readers import Reader
from rescind_server.gateway.limits import Limits
from rescind_server.host.driver import Host

from .calls import EXECUTIONS, Event, events_of, parsed, start, status_of, until
from .work import LONGEST, happens

pytestmark = pytest.mark.asyncio


async def signal(http: httpx.AsyncClient, execution_id: str) -> None:
    await http.post(f"{EXECUTIONS}/{execution_id}/signal", json={"name": "go"})


async def test_all_that_happens_is_sent_in_order_and_the_end_is_the_last(
    http: httpx.AsyncClient, worker: Worker
) -> None:
    execution_id = await start(http, "speaking", ["a", "b"])
    async with events_of(http, execution_id) as events:
        seen = await until(events, "WAIT_STARTED")
        await signal(http, execution_id)
        seen += [event async for event in events]
    kept = [event for event in seen if event.data.get("sequence")]
    assert [event.data["sequence"] for event in kept] == list(range(1, len(kept) + 1))
    assert [event.event_id for event in kept] == [str(number) for number in range(1, len(kept) + 1)]
    assert (seen[0].name, seen[0].type) == ("status", "EXECUTION_STARTED")
    assert (seen[-1].name, seen[-1].type) == ("status", "EXECUTION_COMPLETED")
    again = [event.data["value"]["text"] for event in seen if event.name == "token"][-2:]
    assert again == ["a", "b"]


async def test_cancellation_events_tell_how_the_work_stops(http: httpx.AsyncClient, worker: Worker) -> None:
    execution_id = await start(http, "hanging", "events-1")
    await happens("events-1 runs")
    async with events_of(http, execution_id) as events:
        await http.post(f"{EXECUTIONS}/{execution_id}/cancel", json={"reason": "enough"})
        seen = [event async for event in events]
    cancellation = [event.type for event in seen if event.name == "cancellation"]
    assert cancellation[:3] == ["EXECUTION_CANCEL_REQUESTED", "TASK_CANCEL_REQUESTED", "STOP_REQUESTED"]
    assert seen[-1].type == "EXECUTION_CANCELLED"


async def test_a_reader_that_comes_back_loses_nothing_and_sees_nothing_twice(
    http: httpx.AsyncClient, worker: Worker
) -> None:
    """It leaves behind every single event, those that are streamed included."""
    execution_id = await start(http, "speaking", ["a", "b", "c"])
    async with events_of(http, execution_id) as whole:
        first = await until(whole, "WAIT_STARTED")
        await signal(http, execution_id)
        every = first + [event async for event in whole]
        behind = every[0].event_id
        assert behind is not None
        collected = every[:1]
        while collected[-1].type != "EXECUTION_COMPLETED":
            headers = {"last-event-id": behind}
            async with events_of(http, execution_id, headers, attach=False) as events:
                collected.append(await anext(events))
                behind = collected[-1].event_id or behind
    assert without_ids(collected) == without_ids(every)


def without_ids(events: list[Event]) -> list[tuple[str, Any]]:
    return [(event.name, event.data) for event in events]


async def test_a_stream_that_has_ended_tells_its_reader_not_to_come_back(http: httpx.AsyncClient) -> None:
    execution_id = await start(http, "patient")
    await http.post(f"{EXECUTIONS}/{execution_id}/cancel", json={})
    async with events_of(http, execution_id) as events:
        last = [event async for event in events][-1]
    url = f"{EXECUTIONS}/{execution_id}/events"
    assert (await http.get(url, headers={"last-event-id": last.event_id or ""})).status_code == 204
    async with events_of(http, execution_id, after=1) as events:
        assert [event.data["sequence"] async for event in events] == list(range(2, last.data["sequence"] + 1))


@pytest.mark.parametrize(
    "event_id",
    ["-1", "one", "1.2", "1.2.3.4", "٣", "9" * 30, "", "1.x.00000000", "99", "null"],
)
async def test_an_event_id_that_is_none_of_ours_is_refused(http: httpx.AsyncClient, event_id: str) -> None:
    execution_id = await start(http, "patient")
    headers = [(b"last-event-id", event_id.encode())]
    answer = await http.get(f"{EXECUTIONS}/{execution_id}/events", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidInput")


@pytest.mark.parametrize("limits", [Limits(heartbeat_s=0.01)])
async def test_a_quiet_stream_is_kept_alive_by_comments(http: httpx.AsyncClient) -> None:
    execution_id = await start(http, "patient")
    async with http.stream("GET", f"{EXECUTIONS}/{execution_id}/events") as answer:
        lines = answer.aiter_lines()
        async with asyncio.timeout(LONGEST):
            while await anext(lines) != ": heartbeat":
                pass


async def test_a_server_that_stops_sends_its_readers_away_and_cancels_nothing(tmp_path: Any) -> None:
    async with Server(tmp_path / "store.db", "127.0.0.1:0", http_address="127.0.0.1:0") as server:
        http = httpx.AsyncClient(base_url=f"http://{server.http_address}", timeout=LONGEST)
        request = http.build_request("POST", f"{EXECUTIONS}/stream", json={"kind": "patient", "execution_id": "p"})
        answer = await http.send(request, stream=True)
        events = parsed(answer)
        await until(events, "EXECUTION_STARTED")
    assert [event.name async for event in events] == ["closing"]
    await answer.aclose()
    await http.aclose()
    async with (
        Server(tmp_path / "store.db", "127.0.0.1:0", http_address="127.0.0.1:0") as server,
        httpx.AsyncClient(base_url=f"http://{server.http_address}", timeout=LONGEST) as http,
    ):
        assert await status_of(http, "p") == "PENDING"


# ── the feed itself ────────────────────────────────────────────────────────────────────────────────────────────────


class Told:
    """An execution of a host, to which a test tells what it streams."""

    def __init__(self, host: Host, execution_id: ExecutionId) -> None:
        self.host = host
        self.execution_id = execution_id

    async def stream(self, *words: str) -> None:
        streamed = [
            (self.execution_id, StreamedEvent("token", Payload(f'"{word}"'.encode()), TaskId("t"))) for word in words
        ]
        self.host.watchers.tell([Decision(streamed=streamed)])
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def write(self, *texts: str) -> None:
        """Tell what a program writes."""
        for text in texts:
            piece = Payload(msgspec.json.encode({"stream": "stdout", "text": text}))
            decision = Decision(streamed=[(self.execution_id, StreamedEvent("output", piece, TaskId("t")))])
            self.host.output.take([decision])
            self.host.watchers.tell([decision])


@pytest_asyncio.fixture
async def told(server: Server) -> Told:
    started = await server.host.ask(StartExecution("patient"))
    assert isinstance(started, Started)
    return Told(server.host, started.execution_id)


async def read_all(reader: Reader, feed: Feed) -> list[str]:
    """What a reader gets without waiting, as the ids or else the names of the events."""
    found: list[str] = []
    try:
        async with asyncio.timeout(0.05):
            while (data := await reader.read()) is not None:
                for block in data.decode().strip().split("\n\n"):
                    fields = dict(line.split(": ", 1) for line in block.split("\n"))
                    found.append(fields.get("id", f"{fields['event']} {fields['data']}").replace(feed.name, "f"))
    except TimeoutError:
        pass
    return found


async def test_a_reader_that_falls_behind_is_told_how_much_it_missed(told: Told) -> None:
    feeds = Feeds(told.host, frames=4)
    feed = await feeds.enter(told.execution_id)
    reader = Reader(told.host, feed, None)
    assert await read_all(reader, feed) == ["1"]
    await told.stream(*"abcdefghij")
    assert await read_all(reader, feed) == ['missed {"streamed":6}', "1.7.f", "1.8.f", "1.9.f", "1.10.f"]
    await feeds.close(errors.ServerUnavailable("over"))


async def test_who_comes_late_can_have_what_programs_wrote_so_far_and_gets_each_piece_once(
    http: httpx.AsyncClient, told: Told
) -> None:
    await told.write("a")
    async with events_of(http, told.execution_id) as early:
        await anext(early)
        await told.write("b", "c")
        async with events_of(http, told.execution_id, output=True) as late:
            seen = await until(late, "EXECUTION_STARTED")
            await told.write("d")
            seen.append(await anext(late))
        pieces = [await anext(early) for _ in range(3)]
    assert [(each.data["value"]["text"], each.event_id) for each in seen[:3]] == [("a", None), ("b", None), ("c", None)]
    assert [each.data["value"]["text"] for each in pieces] == ["b", "c", "d"]
    assert seen[4] == pieces[2]
    async with events_of(http, told.execution_id, {"last-event-id": pieces[1].event_id or ""}, output=True) as back:
        assert await anext(back) == pieces[2]


async def test_who_begins_with_what_programs_wrote_and_is_slow_is_told_that_it_missed_some(told: Told) -> None:
    feeds = Feeds(told.host, frames=4)
    feed = await feeds.enter(told.execution_id)
    prompt, slow = (Reader(told.host, feed, None, output=OutputSoFar(b"", feed.catch_up(), 0)) for _ in range(2))
    assert await read_all(prompt, feed) == ["1"]
    await told.stream(*"abcdefghij")
    assert (await read_all(slow, feed))[:3] == ["1", 'missed {"streamed":null}', "1.7.f"]
    await feeds.close(errors.ServerUnavailable("over"))


async def test_readers_that_begin_together_share_what_programs_wrote_so_far(
    http: httpx.AsyncClient, told: Told
) -> None:
    wrote = "x" * 200_000
    await told.write(wrote)
    for more in ("b", "c", "d"):
        shown = ""
        async with events_of(http, told.execution_id, output=True) as events:
            await told.write(more)
            wrote += more
            async for each in events:
                shown += each.data["value"]["text"] if each.name == "output" else ""
                if shown.endswith(more):
                    break
        assert shown == wrote


async def test_a_connection_that_nobody_reads_fills_up_and_tells_later_what_was_missed(
    server: Server, told: Told
) -> None:
    """So much fits into its buffers, and so much is kept for it: the rest is not held for it anywhere."""
    assert server.http_address is not None
    name, _, port = server.http_address.rpartition(":")
    reader, writer = await asyncio.open_connection(name, int(port), limit=4_096)
    writer.write(f"GET {EXECUTIONS}/{told.execution_id}/events HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    await reader.readuntil(b"EXECUTION_STARTED")
    for _ in range(100):
        await told.stream("x" * 40_000)
    read = bytearray()
    async with asyncio.timeout(LONGEST):
        while b"event: missed" not in read:
            read += await reader.read(64 * 1024)
    writer.close()


async def test_what_is_kept_is_bounded_however_many_read_nothing(told: Told) -> None:
    feeds = Feeds(told.host, frames=10, size=2_000)
    feed = await feeds.enter(told.execution_id)
    for _ in range(100):
        await told.stream("x" * 100)
    assert len(feed._frames) <= 10
    assert feed._bytes <= 2_500
    await feeds.close(errors.ServerUnavailable("over"))


async def test_a_reader_goes_on_within_what_is_streamed_and_is_told_when_it_cannot(told: Told) -> None:
    feeds = Feeds(told.host, frames=4)
    feed = await feeds.enter(told.execution_id)
    await told.stream("a", "b", "c")
    assert await read_all(Reader(told.host, feed, Place(1, 2, feed.name)), feed) == ["1.3.f"]
    assert await read_all(Reader(told.host, feed, Place(1)), feed) == ["1.1.f", "1.2.f", "1.3.f"]
    unknown = ['missed {"streamed":null}', "1.1.f", "1.2.f", "1.3.f"]
    assert await read_all(Reader(told.host, feed, Place(1, 2, "another0")), feed) == unknown
    await feeds.close(errors.ServerUnavailable("over"))


async def test_a_feed_waits_a_while_for_its_readers_and_not_many_do(told: Told) -> None:
    feeds = Feeds(told.host, most_idle=1)
    feed = await feeds.enter(told.execution_id)
    feeds.leave(feed)
    assert await feeds.enter(told.execution_id) is feed
    feeds.leave(feed)
    other = await feeds.enter(ExecutionId("other"))
    feeds.leave(other)
    assert await feeds.enter(told.execution_id) is not feed
    await feeds.close(errors.ServerUnavailable("over"))
