"""Long histories, read in pages: others are served between two of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId
from rescind_server.host.driver import Host

EVENTS_AT_ONCE: Final = 500
"""How many events are read at once, and are sent in one message."""


async def history_pages(host: Host, execution_id: ExecutionId, after: int) -> AsyncIterator[Sequence[HistoryEvent]]:
    """The events that are durable when the first page is read, in order; none of the pages is empty.

    What becomes durable meanwhile is not among them, and reaches whoever had subscribed before.

    Args:
        host: where the history is.
        execution_id: whose history, by the engine's name.
        after: the number behind which to begin.
    """
    last = last_sequence(host, execution_id)
    while after < last:
        events = host.history(execution_id, after, min(EVENTS_AT_ONCE, last - after))
        if not events:
            return  # it was removed meanwhile
        yield events
        after = events[-1].sequence
        await asyncio.sleep(0)


def last_sequence(host: Host, execution_id: ExecutionId) -> int:
    """The number of the newest durable event; 0 if there is none. Found with a few looks, however long the history."""
    known, beyond = 0, 1
    while host.history(execution_id, beyond - 1, 1):
        known, beyond = beyond, beyond * 2
    while beyond - known > 1:
        middle = (known + beyond) // 2
        if host.history(execution_id, middle - 1, 1):
            known = middle
        else:
            beyond = middle
    return known
