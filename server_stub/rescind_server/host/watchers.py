"""Who follows an execution: told of each event when it is durable, and of what its code streams."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId
from rescind.model.messages import StreamedEvent
from rescind_server.engine.state import Decision

Seen = HistoryEvent | StreamedEvent


class Watchers:
    """The open subscriptions, by execution. One that nobody follows costs nothing."""

    def __init__(self) -> None:
        self._queues: dict[ExecutionId, list[asyncio.Queue[Seen]]] = defaultdict(list)

    @asynccontextmanager
    async def subscribe(self, execution_id: ExecutionId) -> AsyncIterator[asyncio.Queue[Seen]]:
        """Everything that happens to an execution from now on. Left by any door, the subscription is gone."""
        queue: asyncio.Queue[Seen] = asyncio.Queue()
        self._queues[execution_id].append(queue)
        try:
            yield queue
        finally:
            self._queues[execution_id].remove(queue)
            if not self._queues[execution_id]:
                del self._queues[execution_id]

    def tell(self, decisions: Sequence[Decision]) -> None:
        """Pass on what has become durable, and what was streamed with it."""
        if not self._queues:
            return
        for decision in decisions:
            seen: list[tuple[ExecutionId, Seen]] = [*decision.events, *decision.streamed]
            for execution_id, event in seen:
                for queue in self._queues.get(execution_id, ()):
                    queue.put_nowait(event)
