"""A long history is read in pages: whole, in order, and others are served between two of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import ExecutionId, Instant
from rescind_server.gateway.history_pages import EVENTS_AT_ONCE, history_pages, last_sequence

E = ExecutionId("e")


class Kept:
    """A host with one history of so many events; it tells how it is read."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.looks = 0
        self.largest = 0

    def history(self, _: ExecutionId, after: int, limit: int) -> list[HistoryEvent]:
        self.looks += 1
        known = range(after + 1, min(self.length, after + limit) + 1)
        self.largest = max(self.largest, len(known))
        return [HistoryEvent(number, Instant(0), EventType.TASK_STARTED) for number in known]


async def read(host: Any, after: int) -> list[int]:
    return [event.sequence async for page in history_pages(host, E, after) for event in page]


@pytest.mark.parametrize("length", [0, 1, EVENTS_AT_ONCE, EVENTS_AT_ONCE + 1, 3 * EVENTS_AT_ONCE + 7])
@pytest.mark.parametrize("after", [0, 1, EVENTS_AT_ONCE])
def test_pages_hold_all_that_is_behind_a_number_once_and_in_order(length: int, after: int) -> None:
    host = Kept(length)
    assert asyncio.run(read(host, after)) == list(range(after + 1, length + 1))
    assert host.largest <= EVENTS_AT_ONCE


def test_others_are_served_between_two_pages() -> None:
    async def main() -> None:
        served = 0
        pages = 0

        async def other() -> None:
            nonlocal served
            while True:
                served += 1
                await asyncio.sleep(0)

        others = asyncio.create_task(other())
        async for _ in history_pages(Kept(10 * EVENTS_AT_ONCE), E, 0):  # type: ignore[arg-type]
            assert served >= pages
            pages += 1
        others.cancel()
        assert pages == 10

    asyncio.run(main())


def test_what_happens_while_the_pages_are_read_is_left_to_those_who_follow() -> None:
    async def main() -> None:
        host: Any = Kept(EVENTS_AT_ONCE + 1)
        read: list[int] = []
        async for page in history_pages(host, E, 0):
            host.length += 10
            read += [event.sequence for event in page]
        assert read[-1] == EVENTS_AT_ONCE + 1

    asyncio.run(main())


def test_a_history_that_is_removed_meanwhile_ends_there() -> None:
    async def main() -> None:
        host: Any = Kept(2 * EVENTS_AT_ONCE)
        pages = 0
        async for _ in history_pages(host, E, 0):
            host.length = 0
            pages += 1
        assert pages == 1

    asyncio.run(main())


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 8, 9, 1_000, 100_000])
def test_the_newest_event_is_found_with_few_looks(length: int) -> None:
    host: Any = Kept(length)
    assert last_sequence(host, E) == length
    assert host.looks < 40
