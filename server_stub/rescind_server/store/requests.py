"""Requests in the file: those that come too late are added to their history, and all are found by their time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from rescind.model.events import REQUESTS, HistoryEvent
from rescind.model.ids import ExecutionId, Instant
from rescind_server.engine.state import Decision
from rescind_server.store.port import FoundRequest, RequestPlace
from rescind_server.store.records import record_of_execution

_encode = msgspec.msgpack.Encoder().encode
_event = msgspec.msgpack.Decoder(HistoryEvent).decode

_PUT: Final = "insert into requests (at, execution, sequence) values (?, ?, ?)"
# Between the look at a closed execution and this commit it may have been removed.
_PUT_IF_KEPT: Final = (
    "insert into {table} select ?, ?, ? where exists (select 1 from executions where ordinal = ? and closed = 1)"
)
_FIND: Final = (
    "select at, execution, sequence, execution_id, organisation, event from "
    "(select at, execution, sequence from requests where at >= ? and (at, execution, sequence) < (?, ?, ?) "
    "order by at desc, execution desc, sequence desc limit ?) "
    "join executions on executions.ordinal = execution join events using (execution, sequence) "
    "order by at desc, execution desc, sequence desc"
)
_FIND_OF: Final = (
    "select execution, sequence, organisation, event from events "
    "join executions on executions.ordinal = execution "
    "where execution = (select ordinal from executions where execution_id = ?) and sequence < ? "
    "order by sequence desc limit ?"
)


def put_requests(connection: sqlite3.Connection, decisions: Iterable[Decision]) -> None:
    """Write down where the requests of these decisions are recorded."""
    connection.executemany(
        _PUT,
        [
            (event.at, decision.executions[execution_id].order, event.sequence)
            for decision in decisions
            for execution_id, event in decision.events
            if event.type in REQUESTS and execution_id in decision.executions
        ],
    )


def put_annotations(connection: sqlite3.Connection, decisions: Iterable[Decision]) -> None:
    """Go on with the histories of executions that have left memory; nothing else of them changes."""
    for decision in decisions:
        for execution_id, event in decision.events:
            execution = decision.annotated.get(execution_id)
            if execution is None:
                continue
            order = execution.order
            of_event, of_request = (order, event.sequence, _encode(event)), (event.at, order, event.sequence)
            connection.execute(_PUT_IF_KEPT.format(table="events"), (*of_event, order))
            connection.execute(_PUT_IF_KEPT.format(table="requests"), (*of_request, order))
        for execution in decision.annotated.values():
            record = _encode(record_of_execution(execution))
            connection.execute("update executions set record = ? where ordinal = ?", (record, execution.order))


def find_requests(
    connection: sqlite3.Connection, since: Instant, before: RequestPlace, limit: int
) -> Sequence[FoundRequest]:
    """Requests from a time on and before a place, the last first."""
    rows = connection.execute(_FIND, (since, *before, limit)).fetchall()
    return [
        FoundRequest(RequestPlace(at, order, sequence), ExecutionId(execution_id), organisation, _event(event))
        for at, order, sequence, execution_id, organisation, event in rows
    ]


def find_events(
    connection: sqlite3.Connection, execution_id: ExecutionId, before: int, limit: int
) -> Sequence[FoundRequest]:
    """Events of one execution before a number, requests and others, the last first."""
    rows = connection.execute(_FIND_OF, (execution_id, before, limit)).fetchall()
    found: list[FoundRequest] = []
    for order, sequence, organisation, encoded in rows:
        event = _event(encoded)
        found.append(FoundRequest(RequestPlace(event.at, order, sequence), execution_id, organisation, event))
    return found


def forget_requests(connection: sqlite3.Connection, order: int, most: int) -> None:
    """Forget where the requests among the first events of an execution are recorded: those events are about to go."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "select sequence, event from events where execution = ? order by sequence limit ?", (order, max(0, most))
    ).fetchall()
    events = [(sequence, _event(event)) for sequence, event in rows]
    connection.executemany(
        "delete from requests where at = ? and execution = ? and sequence = ?",
        [(event.at, order, sequence) for sequence, event in events if event.type in REQUESTS],
    )
