"""Which workers have registered to poll, and what they run; kept, since they do not register again after a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from rescind.errors import StoreError
from rescind.model.ids import Instant

ResultT = TypeVar("ResultT")


class Capability(msgspec.Struct, frozen=True, omit_defaults=True):
    """A kind that a worker runs, and what it says of it. Schemas are JSON in bytes, empty if there is none."""

    kind: str
    name: str = ""
    description: str = ""
    timeout_seconds: int | None = None
    cancellable: bool = True
    tags: tuple[str, ...] = ()
    version: str | None = None
    input_schema: bytes = b""
    output_schema: bytes = b""


class Process(msgspec.Struct, frozen=True, omit_defaults=True):
    """One process of a worker, as it has registered."""

    worker_type: str
    version: str
    registered_at: Instant
    workflows: tuple[Capability, ...] = ()
    tasks: tuple[Capability, ...] = ()
    agents: tuple[Capability, ...] = ()
    metadata: bytes = b""


class Registration(msgspec.Struct):
    """A worker, by its name.

    Attributes:
        organisation: whose it is.
        name: what it calls itself.
        worker_id: the UUID that it was given.
        first_at: when it registered first.
        seen_at: when it last registered, sent a heartbeat or polled.
        processes: its processes, by host and process id, the one that registered last behind the others. Several may
            share a name.
    """

    organisation: str
    name: str
    worker_id: str
    first_at: Instant
    seen_at: Instant
    processes: dict[tuple[str, str], Process] = {}

    @property
    def task_kinds(self) -> frozenset[str]:
        """The kinds of task that some process of it runs."""
        return frozenset(each.kind for process in self.processes.values() for each in process.tasks)

    @property
    def workflow_kinds(self) -> frozenset[str]:
        """The kinds of workflow that some process of it runs."""
        return frozenset(each.kind for process in self.processes.values() for each in process.workflows)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Registration).decode


class KeptRegistrations(Protocol):
    """Keeps registrations. What changes them is durable when it returns, or raises StoreError."""

    def load(self) -> Sequence[Registration]:
        """All that are kept, those first that registered first."""

    async def put(self, registration: Registration) -> None:
        """Keep a registration, new or changed."""

    async def forget(self, seen_before: Instant) -> None:
        """Remove those of workers that nobody has seen since a time."""


class MemoryRegistrations:
    """See `KeptRegistrations`: a new process remembers nothing."""

    def load(self) -> Sequence[Registration]:
        """See `KeptRegistrations.load`."""
        return ()

    async def put(self, registration: Registration) -> None:
        """See `KeptRegistrations.put`: they are in the memory of whoever asks."""

    async def forget(self, seen_before: Instant) -> None:
        """See `KeptRegistrations.forget`."""


class Writes(Protocol):
    """Carries out a change in one transaction."""

    def __call__(self, change: Callable[[sqlite3.Connection], ResultT], /) -> Awaitable[ResultT]: ...


class SqliteRegistrations:
    """See `KeptRegistrations`: kept in the store's file."""

    def __init__(self, connection: sqlite3.Connection, write: Writes) -> None:
        """Make one.

        Args:
            connection: to the file, for what is read before the first commit.
            write: carries out a change in one transaction.
        """
        self._connection = connection
        self._write = write

    def load(self) -> Sequence[Registration]:
        """See `KeptRegistrations.load`."""
        try:
            rows = self._connection.execute("select record from registrations").fetchall()
        except sqlite3.Error as error:
            raise StoreError(
                f"registered workers in the store cannot be read: {error}. Mend the file or its disk, and try again."
            ) from error
        return sorted((_decode(record) for (record,) in rows), key=lambda each: (each.first_at, each.name))

    async def put(self, registration: Registration) -> None:
        """See `KeptRegistrations.put`."""
        row = registration.organisation, registration.worker_id, registration.seen_at, _encode(registration)
        await self._write(
            lambda connection: connection.execute(
                "insert or replace into registrations (organisation, worker_id, seen_at, record) values (?, ?, ?, ?)",
                row,
            )
        )

    async def forget(self, seen_before: Instant) -> None:
        """See `KeptRegistrations.forget`."""
        await self._write(
            lambda connection: connection.execute("delete from registrations where seen_at < ?", (seen_before,))
        )
