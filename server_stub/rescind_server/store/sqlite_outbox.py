"""The outbox in the store's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec

from rescind.errors import StoreError
from rescind.model.audit import AuditAction
from rescind.model.ids import Instant
from rescind_server.engine.state import Decision
from rescind_server.store.outbox import Change, ChangePlace, DeadPlace, Delivery, Depth, Settled, Told, Webhook

ResultT = TypeVar("ResultT")

_encode = msgspec.msgpack.Encoder().encode
_webhook = msgspec.msgpack.Decoder(Webhook).decode

_COLUMNS: Final = (
    "number, delivery_id, webhook_id, event, execution_id, created_at, attempts, due, dead_at, problem, body"
)
_PUT: Final = (
    "insert into deliveries (delivery_id, webhook_id, event, execution_id, created_at, attempts, due, dead_at, "
    "problem, body) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Reads(Protocol):
    """Carries out a query between two commits."""

    def __call__(self, query: Callable[[sqlite3.Connection], ResultT], /) -> Awaitable[ResultT]: ...


class SqliteOutbox:
    """See `Outbox`."""

    def __init__(self, connection: sqlite3.Connection, read: Reads, write: Reads) -> None:
        """Make one.

        Args:
            connection: to the file, for what is read before the first commit.
            read: carries out a query between two commits.
            write: carries out a change in one transaction.
        """
        self.told: Told | None = None
        self._connection = connection
        self._read = read
        self._write = write

    def put_told(self, decisions: Sequence[Decision]) -> None:
        """Write what webhooks are to be told of these decisions; inside the transaction of their commit."""
        if self.told is not None:
            self._connection.executemany(_PUT, map(_row, self.told(decisions)))

    def webhooks(self) -> Sequence[Webhook]:
        """See `Outbox.webhooks`."""
        try:
            rows = self._connection.execute("select record from webhooks").fetchall()
        except sqlite3.Error as error:
            raise StoreError(
                f"the webhooks in the store cannot be read: {error}. Mend the file or its disk, and try again."
            ) from error
        return sorted((_webhook(record) for (record,) in rows), key=lambda each: each.created_at)

    async def put_webhook(self, webhook: Webhook, change: Change | None = None) -> None:
        """See `Outbox.put_webhook`."""
        row = (webhook.webhook_id, webhook.organisation, _encode(webhook))

        def put(connection: sqlite3.Connection) -> None:
            connection.execute(
                "insert or replace into webhooks (webhook_id, organisation, record) values (?, ?, ?)", row
            )
            _note(connection, change)

        await self._write(put)

    async def remove_webhook(self, webhook_id: str, change: Change | None = None) -> None:
        """See `Outbox.remove_webhook`."""

        def remove(connection: sqlite3.Connection) -> None:
            connection.execute("delete from deliveries where webhook_id = ?", (webhook_id,))
            connection.execute("delete from webhooks where webhook_id = ?", (webhook_id,))
            _note(connection, change)

        await self._write(remove)

    async def changes(self, organisation: str, since: Instant, before: ChangePlace, limit: int) -> Sequence[Change]:
        """See `Outbox.changes`."""
        query = (
            "select at, organisation, who, action, subject, number from webhook_changes where organisation = ? "
            "and at >= ? and (at, number) < (?, ?) order by at desc, number desc limit ?"
        )
        values = (organisation, since, *before, limit)
        rows = await self._read(lambda connection: connection.execute(query, values).fetchall())
        return [Change(at, whose, who, AuditAction(action), *rest) for at, whose, who, action, *rest in rows]

    async def add(self, delivery: Delivery) -> None:
        """See `Outbox.add`."""
        await self._change(_PUT, _row(delivery))

    async def waiting(self, webhook_id: str, limit: int) -> Sequence[Delivery]:
        """See `Outbox.waiting`."""
        return await self._deliveries(
            "webhook_id = ? and due is not null order by due, number limit ?", (webhook_id, limit)
        )

    async def settle(self, settled: Sequence[Settled]) -> None:
        """See `Outbox.settle`."""

        def settle(connection: sqlite3.Connection) -> None:
            delivered = ((each.delivery_id,) for each in settled if each.is_delivered)
            connection.executemany("delete from deliveries where delivery_id = ?", delivered)
            connection.executemany(
                "update deliveries set attempts = ?, due = ?, dead_at = ?, problem = ? where delivery_id = ?",
                [
                    (each.attempts, each.due, each.dead_at, each.problem, each.delivery_id)
                    for each in settled
                    if not each.is_delivered
                ],
            )

        await self._write(settle)

    async def bury(self, webhook_id: str, now: Instant, problem: str) -> None:
        """See `Outbox.bury`."""
        await self._change(
            "update deliveries set due = null, dead_at = ?, problem = ? where webhook_id = ? and due is not null",
            (now, problem, webhook_id),
        )

    async def dead(self, webhook_ids: Collection[str], before: DeadPlace, limit: int) -> Sequence[Delivery]:
        """See `Outbox.dead`."""
        return await self._deliveries(
            f"dead_at is not null and (dead_at, number) < (?, ?) and webhook_id in ({_places(webhook_ids)}) "
            "order by dead_at desc, number desc limit ?",
            (*before, *webhook_ids, limit),
        )

    async def dead_letter(self, delivery_id: str) -> Delivery | None:
        """See `Outbox.dead_letter`."""
        found = await self._deliveries("delivery_id = ? and dead_at is not null", (delivery_id,))
        return found[0] if found else None

    async def revive(self, webhook_ids: Collection[str], delivery_id: str | None, due: Instant) -> int:
        """See `Outbox.revive`."""
        one = "" if delivery_id is None else " and delivery_id = ?"
        return await self._change(
            "update deliveries set due = ?, dead_at = null, attempts = 0 where dead_at is not null "
            f"and webhook_id in ({_places(webhook_ids)}){one}",
            (due, *webhook_ids, *(() if delivery_id is None else (delivery_id,))),
        )

    async def depths(self) -> Mapping[str, Depth]:
        """See `Outbox.depths`."""
        query = "select webhook_id, count(due), count(*) - count(due) from deliveries group by webhook_id"
        rows = await self._read(lambda connection: connection.execute(query).fetchall())
        return {webhook_id: Depth(waiting, dead) for webhook_id, waiting, dead in rows}

    async def _deliveries(self, condition: str, values: tuple[Any, ...]) -> Sequence[Delivery]:
        query = f"select {_COLUMNS} from deliveries where {condition}"
        rows = await self._read(lambda connection: connection.execute(query, values).fetchall())
        names = _COLUMNS.split(", ")
        return [Delivery(**dict(zip(names, row, strict=True))) for row in rows]

    async def _change(self, statement: str, values: tuple[Any, ...]) -> int:
        return await self._write(lambda connection: connection.execute(statement, values).rowcount)


def forget_changes(connection: sqlite3.Connection, made_before: Instant, most_rows: int) -> int:
    """Remove what was done with webhooks before a time; returns how much."""
    return connection.execute(
        "delete from webhook_changes where number in "
        "(select number from webhook_changes where at < ? order by at, number limit ?)",
        (made_before, most_rows),
    ).rowcount


def forget_dead_letters(connection: sqlite3.Connection, given_up_before: Instant, most_rows: int) -> int:
    """Remove dead letters that were given up before a time; returns how many."""
    return connection.execute(
        "delete from deliveries where number in "
        "(select number from deliveries where dead_at < ? order by dead_at, number limit ?)",
        (given_up_before, most_rows),
    ).rowcount


def _note(connection: sqlite3.Connection, change: Change | None) -> None:
    if change is not None:
        connection.execute(
            "insert into webhook_changes (organisation, at, who, action, subject) values (?, ?, ?, ?, ?)",
            (change.organisation, change.at, change.who, change.action.value, change.subject),
        )


def _row(delivery: Delivery) -> tuple[Any, ...]:
    return (
        delivery.delivery_id,
        delivery.webhook_id,
        delivery.event,
        delivery.execution_id,
        delivery.created_at,
        delivery.attempts,
        delivery.due,
        delivery.dead_at,
        delivery.problem,
        delivery.body,
    )


def _places(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))
