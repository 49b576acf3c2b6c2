"""What is known of registered workers: kept in the file, and forgotten when nobody has seen them for long."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from rescind.errors import StoreError
from rescind.model.ids import Instant
from rescind_server.gateway.flovyn.registrations import LONGEST_ABSENCE, Capability, Process, Registrations
from rescind_server.gateway.identity import Caller
from rescind_server.store.registrations import MemoryRegistrations, Registration
from rescind_server.store.sqlite import SqliteStore

pytestmark = pytest.mark.asyncio

START = Instant(1_000_000)
PLACE = ("here", "1")


def later(*times: timedelta) -> Instant:
    return Instant(START + sum(times, timedelta()) // timedelta(microseconds=1))


def process(at: Instant = START) -> Process:
    schema = Capability("work", "Work", "what it does", 5, False, ("a",), None, b"{}", b"[]")
    return Process("UNIFIED", "1.0", at, (Capability("flow", version="2"),), (schema,), metadata=b"{}")


async def test_a_registration_is_read_back_as_it_was(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    registrations = Registrations(store.registrations, START)
    caller = Caller("acme")
    first = await registrations.register(caller, "worker", PLACE, process())
    second = await registrations.register(caller, "worker", ("there", "2"), process())
    store.close()
    store = SqliteStore(tmp_path / "store.db")
    known = Registrations(store.registrations, START).known(caller, "worker")
    store.close()
    assert known is not None
    assert known == second
    assert (second.worker_id, list(second.processes)) == (first.worker_id, [PLACE, ("there", "2")])
    assert Registrations(store_of(known), START).known(Caller(), "worker") is None


async def test_a_sign_of_life_is_written_once_an_hour(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    registrations = Registrations(store.registrations, START)
    worker = await registrations.register(Caller(), "worker", PLACE, process())
    kept = []
    for minutes in (59, 60, 61):
        await registrations.note_seen(worker, later(timedelta(minutes=minutes)))
        kept += [each.seen_at for each in store.registrations.load()]
    store.close()
    assert kept == [START, later(timedelta(minutes=60)), later(timedelta(minutes=60))]


async def test_a_worker_that_nobody_has_seen_for_long_is_forgotten(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    registrations = Registrations(store.registrations, START)
    await registrations.register(Caller(), "gone", PLACE, process())
    late = later(LONGEST_ABSENCE, timedelta(seconds=1))
    assert Registrations(store.registrations, late).known(Caller(), "gone") is None
    await registrations.register(Caller(), "here", PLACE, process(late))
    kept = [each.name for each in store.registrations.load()]
    store.close()
    assert registrations.known(Caller(), "gone") is None
    assert kept == ["here"]


async def test_what_the_store_does_not_take_has_not_happened() -> None:
    kept = Refusing()
    registrations = Registrations(kept, START)
    with pytest.raises(StoreError):
        await registrations.register(Caller(), "worker", PLACE, process())
    assert registrations.known(Caller(), "worker") is None
    kept.refuses = False
    worker = await registrations.register(Caller(), "worker", PLACE, process())
    kept.refuses = True
    with pytest.raises(StoreError):
        await registrations.register(Caller(), "worker", ("there", "2"), process())
    assert registrations.known(Caller(), "worker") == msgspec.structs.replace(worker)


class Refusing(MemoryRegistrations):
    """Takes nothing while it refuses."""

    refuses = True

    async def put(self, registration: Registration) -> None:
        if self.refuses:
            raise StoreError("the disk is full.")


def store_of(*registrations: Registration) -> MemoryRegistrations:
    """One in which these are kept."""

    class Holding(MemoryRegistrations):
        def load(self) -> tuple[Registration, ...]:
            return registrations

    return Holding()
