"""The audit trail: requests as the histories record them, changes of tokens and of webhooks, in one order of time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rescind.errors import InvalidInput
from rescind.model.audit import AuditAction, AuditFilter, AuditRecord
from rescind.model.events import REQUESTS, EventType
from rescind.model.ids import Instant
from rescind.model.status import CancelMode
from rescind_server.access.token_file import TokenFile
from rescind_server.access.tokens import Token
from rescind_server.store.outbox import Change, ChangePlace
from rescind_server.store.port import FoundRequest, RequestPlace, Store

STEP: Final = 500
"""How many requests are looked at before others are served."""

_LATEST: Final = RequestPlace(2**62, 2**62, 2**62)
# Executions are counted from 1: what is about none stands before them.
_NO_EXECUTION: Final = 0
# Changes of tokens are counted from 0, however many there are: those of webhooks come behind them.
_BEHIND_TOKENS: Final = 10**15
_LONGEST_NUMBER: Final = 19
_UNKNOWN: Final = "unknown"
_ACTIONS: Final[Mapping[EventType, AuditAction]] = {
    EventType.EXECUTION_STARTED: AuditAction.START,
    EventType.SIGNAL_RECEIVED: AuditAction.SIGNAL,
    EventType.SIGNAL_REFUSED: AuditAction.SIGNAL,
    EventType.EXECUTION_CANCEL_REQUESTED: AuditAction.CANCEL,
    EventType.TASK_CANCEL_REQUESTED: AuditAction.CANCEL_TASK,
    EventType.EXECUTION_RETRIED: AuditAction.RETRY,
}
# Of a cancel, its event tells.
_RESULTS: Final[Mapping[EventType, str]] = {
    EventType.EXECUTION_STARTED: "CREATED",
    EventType.SIGNAL_RECEIVED: "ACCEPTED",
    EventType.SIGNAL_REFUSED: "REFUSED",
    EventType.EXECUTION_RETRIED: "ACCEPTED",
}
_CHANGED: Final[Mapping[AuditAction, str]] = {
    AuditAction.ADD_WEBHOOK: "ADDED",
    AuditAction.REMOVE_WEBHOOK: "REMOVED",
    AuditAction.ENABLE_WEBHOOK: "ENABLED",
    AuditAction.ROTATE_WEBHOOK_SECRET: "ROTATED",
}

_Placed = tuple[RequestPlace, AuditRecord]


class AuditTrail:
    """Tells who asked for what, as far back as executions are kept. Everything told is durable."""

    def __init__(self, store: Store, tokens: TokenFile | None = None) -> None:
        """Make one.

        Args:
            store: where executions and their histories are kept.
            tokens: where tokens are kept; None leaves them out.
        """
        self._store = store
        self._tokens = tokens

    async def page(
        self, organisation: str, selection: AuditFilter, page_size: int, page_token: str
    ) -> tuple[Sequence[AuditRecord], str]:
        """A page of what a filter selects, the last request first, and the token of the next page; "" ends.

        Args:
            organisation: whose requests.
            selection: which; its execution is named as the engine knows it.
            page_size: how many at most.
            page_token: what came with the page before; "" begins.

        Raises:
            InvalidInput: the token is not one of ours.
            StoreError: the store, or the file of the tokens, cannot be read.
        """
        before = _place(page_token) if page_token else _LATEST
        wanted = page_size + 1
        found = await self._requests(organisation, selection, before, wanted)
        if selection.execution_id is None:
            found += await self._webhook_changes(organisation, selection, before, wanted)
            if self._tokens is not None:
                changes = await asyncio.to_thread(_token_changes, self._tokens, organisation)
                found += [each for each in changes if each[0] < before and _selects(selection, each[1])]
            found.sort(key=lambda each: each[0], reverse=True)
        page = found[:page_size]
        token = ".".join(map(str, page[-1][0])) if len(found) >= wanted else ""
        return [record for _, record in page], token

    async def _requests(
        self, organisation: str, selection: AuditFilter, before: RequestPlace, wanted: int
    ) -> list[_Placed]:
        found: list[_Placed] = []
        while len(found) < wanted:
            step = await self._step(selection, before)
            for each in step:
                if each.organisation != organisation or each.event.type not in REQUESTS:
                    continue
                record = _record(each)
                if _selects(selection, record):
                    found.append((each.place, record))
            if len(step) < STEP or (selection.since is not None and step[-1].event.at < selection.since):
                break
            before = step[-1].place
            # Others are served between two steps.
            await asyncio.sleep(0)
        return found

    async def _webhook_changes(
        self, organisation: str, selection: AuditFilter, before: RequestPlace, wanted: int
    ) -> list[_Placed]:
        found: list[_Placed] = []
        # Of one time, all of them come before what is about an execution.
        number = before.sequence - _BEHIND_TOKENS if before.execution == _NO_EXECUTION else _LATEST.sequence
        place = ChangePlace(before.at, number)
        while len(found) < wanted:
            step = await self._store.outbox.changes(organisation, selection.since or Instant(0), place, STEP)
            found += [_changed(each) for each in step if selection.selects_who(each.who)]
            if len(step) < STEP:
                break
            place = ChangePlace(step[-1].at, step[-1].number)
        return found

    async def _step(self, selection: AuditFilter, before: RequestPlace) -> Sequence[FoundRequest]:
        if selection.execution_id is not None:
            return await self._store.find_events(selection.execution_id, before.sequence, STEP)
        return await self._store.find_requests(selection.since or Instant(0), before, STEP)


def _selects(selection: AuditFilter, record: AuditRecord) -> bool:
    return (selection.since is None or record.at >= selection.since) and selection.selects_who(record.who)


def _record(found: FoundRequest) -> AuditRecord:
    event = found.event
    details: Mapping[str, Any] = event.details or {}
    return AuditRecord(
        event.at,
        details.get("by", _UNKNOWN),
        _ACTIONS[event.type],
        _RESULTS.get(event.type) or details["result"],
        details.get("kind") or details.get("name") or "",
        found.execution_id,
        event.task_id,
        event.sequence,
        details.get("source"),
        details.get("reason"),
        bool(details.get("hard")) or details.get("mode") == CancelMode.FORCE,
    )


def _changed(change: Change) -> _Placed:
    place = RequestPlace(change.at, _NO_EXECUTION, _BEHIND_TOKENS + change.number)
    return place, AuditRecord(change.at, change.who, change.action, _CHANGED[change.action], change.subject)


def _token_changes(file: TokenFile, organisation: str) -> list[_Placed]:
    return [
        each
        for number, token in enumerate(file.read())
        if token.organisation == organisation
        for each in _changes_of(number, token)
    ]


def _changes_of(number: int, token: Token) -> Iterator[_Placed]:
    subject = f"{token.token_id} {token.principal}"
    created = RequestPlace(token.created_at, _NO_EXECUTION, 2 * number)
    yield (
        created,
        AuditRecord(token.created_at, token.created_by or _UNKNOWN, AuditAction.CREATE_TOKEN, "CREATED", subject),
    )
    if token.revoked_at is not None:
        revoked = RequestPlace(token.revoked_at, _NO_EXECUTION, 2 * number + 1)
        yield (
            revoked,
            AuditRecord(token.revoked_at, token.revoked_by or _UNKNOWN, AuditAction.REVOKE_TOKEN, "REVOKED", subject),
        )


def _place(page_token: str) -> RequestPlace:
    parts = page_token.split(".")
    if len(parts) != len(RequestPlace._fields) or not all(map(_is_number, parts)):
        raise InvalidInput(f"{page_token[:100]!r} is no page token. Give the one that came with the page before.")
    return RequestPlace(*map(int, parts))


def _is_number(text: str) -> bool:
    # No longer than what a place holds: SQLite takes 64 bits.
    return text.isascii() and text.isdigit() and len(text) < _LONGEST_NUMBER
