"""Questions about many executions, and requests to many: in pages and steps, so that others are served meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec

from rescind.errors import InvalidInput
from rescind.model.cause import CancelCause
from rescind.model.commands import CancelAnswered, CancelExecution, CancelTaskFromOutside, FromClient
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.status import TERMINAL_EXECUTION, CancelTaskResult, ExecutionStatus
from rescind.model.views import ExecutionView
from rescind_server.engine.finding import find_tasks
from rescind_server.engine.machine import Engine
from rescind_server.host.driver import Host
from rescind_server.store.port import Store

STEP: Final = 500
"""How many are cancelled in one turn of the host."""

_OPEN: Final = tuple(status for status in ExecutionStatus if status not in TERMINAL_EXECUTION)


class Queries:
    """Lists executions, and cancels many of them or of their tasks."""

    def __init__(self, host: Host, engine: Engine, store: Store) -> None:
        self._host = host
        self._engine = engine
        self._store = store

    async def list_executions(
        self, selection: ExecutionFilter, page_size: int, page_token: str
    ) -> tuple[Sequence[ExecutionView], str]:
        """A page of what a filter selects, the newest first, and the token of the next page; "" ends.

        Raises:
            InvalidInput: the token is not one of ours.
        """
        before = _before(page_token)
        found = await self._store.find_executions(selection, before, page_size + 1)
        page = found[:page_size]
        return [each.view for each in page], str(page[-1].ordinal) if len(found) > page_size else ""

    async def cancel_executions(
        self, selection: ExecutionFilter, cause: CancelCause, *, hard: bool
    ) -> AsyncIterator[Mapping[CancelTaskResult, int]]:
        """Cancel what a filter selects; without a status, what is open. Yields the counts so far, after each step."""
        if not selection.statuses:
            selection = msgspec.structs.replace(selection, statuses=_OPEN)
        counts: Counter[CancelTaskResult] = Counter()
        before: int | None = None
        while found := await self._store.find_executions(selection, before, STEP):
            before = found[-1].ordinal
            await self._cancel([CancelExecution(each.view.execution_id, cause, hard) for each in found], counts)
            yield counts

    async def cancel_tasks(
        self, selection: TaskFilter, cause: CancelCause
    ) -> AsyncIterator[Mapping[CancelTaskResult, int]]:
        """Cancel the open tasks that a filter selects. Yields the counts so far, after each step."""
        counts: Counter[CancelTaskResult] = Counter()
        for found in find_tasks(self._engine, selection, STEP):
            await self._cancel([CancelTaskFromOutside(*each, cause) for each in found], counts)
            yield counts

    async def _cancel(self, commands: Sequence[FromClient], counts: Counter[CancelTaskResult]) -> None:
        # Asked in one turn of the event loop: one turn of the host, and one commit.
        for reply in await asyncio.gather(*(self._host.ask(command) for command in commands)):
            if isinstance(reply, CancelAnswered):
                counts[reply.result] += 1
        # Also where nothing was found: others are served between two steps.
        await asyncio.sleep(0)


def _before(page_token: str) -> int | None:
    if not page_token:
        return None
    if not page_token.isascii() or not page_token.isdigit() or len(page_token) > 18:
        raise InvalidInput(f"{page_token[:100]!r} is no page token. Give the one that came with the page before.")
    return int(page_token)
