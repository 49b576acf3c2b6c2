"""One event to many readers: written once, in order, to each that takes it; the others are woken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx
import pytest

from rescind.worker.connecting import Worker
from rescind_server.app import Server
from rescind_server.gateway.http.fan_out import FanOut, Follower
from rescind_server.gateway.http.frames import Frame, chunk

from .calls import EXECUTIONS, events_of, start, until

pytestmark = pytest.mark.asyncio


class Words:
    """Frames of one letter each."""

    def __init__(self) -> None:
        self.first = 0
        self.is_over = False
        self._frames: list[Frame] = []

    @property
    def end(self) -> int:
        return self.first + len(self._frames)

    def frames(self, number: int) -> Sequence[Frame]:
        return self._frames[number - self.first :][:3]

    def say(self, words: str) -> None:
        self._frames += [Frame(0, 0, word.encode()) for word in words]

    def forget(self, count: int) -> None:
        self.first += count
        del self._frames[:count]


class Taken:
    """A connection that takes so many writes."""

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.writes: list[bytes] = []

    def put(self, data: bytes) -> bool:
        if len(self.writes) == self.room:
            return False
        self.writes.append(data)
        return True

    @property
    def words(self) -> str:
        return "".join(write.split(b"\r\n")[1].decode() for write in self.writes)


def following(fan_out: FanOut, follower: Follower) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(fan_out.serve(follower))


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_many_get_alike_is_made_once() -> None:
    source = Words()
    fan_out, outlets = FanOut(source), [Taken() for _ in range(120)]
    served = [following(fan_out, Follower(0, 0, each)) for each in outlets]
    await settled()
    source.say("ab")
    fan_out.tell()
    await settled()
    assert {id(each.writes[0]) for each in outlets} == {id(outlets[0].writes[0])}
    assert outlets[0].writes == [chunk(b"ab")]
    for each in served:
        each.cancel()


async def test_each_gets_every_frame_once_and_in_order_wherever_it_stands() -> None:
    source = Words()
    fan_out, early, late = FanOut(source), Taken(), Taken()
    serving = [following(fan_out, Follower(0, 0, early))]
    source.say("abcdefgh")
    fan_out.tell()
    serving.append(following(fan_out, Follower(5, 0, late)))
    await settled()
    source.say("ij")
    fan_out.tell()
    await settled()
    assert (early.words, late.words) == ("abcdefghij", "fghij")
    for each in serving:
        each.cancel()


async def test_a_full_connection_wakes_its_reader_and_holds_nobody_up() -> None:
    source = Words()
    fan_out, quick, full = FanOut(source), Taken(), Taken(room=1)
    stuck = Follower(0, 0, full)
    serving, waking = following(fan_out, Follower(0, 0, quick)), following(fan_out, stuck)
    for word in "abc":
        await settled()
        source.say(word)
        fan_out.tell()
    await settled()
    assert (quick.words, full.words) == ("abc", "a")
    assert waking.done()
    assert stuck.number == 1
    serving.cancel()


async def test_who_has_fallen_behind_what_is_kept_or_is_at_the_end_is_woken() -> None:
    source = Words()
    source.say("abc")
    source.forget(2)
    fan_out, outlet = FanOut(source), Taken()
    await fan_out.serve(Follower(1, 0, outlet))
    assert outlet.words == ""
    source.is_over = True
    await fan_out.serve(Follower(2, 0, outlet))
    assert outlet.words == "c"


async def test_who_leaves_gets_nothing_more() -> None:
    source = Words()
    fan_out, outlet = FanOut(source), Taken()
    serving = following(fan_out, Follower(0, 0, outlet))
    await settled()
    serving.cancel()
    await asyncio.wait([serving])
    source.say("a")
    fan_out.tell()
    await settled()
    assert outlet.writes == []


async def test_many_readers_see_the_same_events(server: Server, http: httpx.AsyncClient, worker: Worker) -> None:
    execution_id = await start(http, "speaking", ["a", "b", "c"])

    async def seen() -> list[tuple[str, str | None]]:
        async with events_of(http, execution_id) as events:
            begun = await until(events, "EXECUTION_STARTED")
            return [(each.type, each.event_id) for each in [*begun, *[each async for each in events]]]

    readers = [asyncio.create_task(seen()) for _ in range(20)]
    async with events_of(http, execution_id) as events:
        await until(events, "WAIT_STARTED")
        await http.post(f"{EXECUTIONS}/{execution_id}/signal", json={"name": "go"})
        await until(events, "EXECUTION_COMPLETED")
    every = [[each for each in await reader if each[0] != "token"] for reader in readers]
    assert all(each == every[0] for each in every)
    assert [event_id for _, event_id in every[0]] == [str(number) for number in range(1, len(every[0]) + 1)]


async def test_only_the_head_is_asked_of_a_stream_and_only_that_is_sent(http: httpx.AsyncClient) -> None:
    execution_id = await start(http, "patient")
    answer = await http.head(f"{EXECUTIONS}/{execution_id}/events")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_where_to_begin_is_said_by_the_header_if_the_query_says_it_too(http: httpx.AsyncClient) -> None:
    """An event source that was opened with `after` comes back like that."""
    execution_id = await start(http, "patient")
    await http.post(f"{EXECUTIONS}/{execution_id}/cancel", json={})
    async with events_of(http, execution_id, {"last-event-id": "2"}, after=1) as events:
        assert (await anext(events)).event_id == "3"
