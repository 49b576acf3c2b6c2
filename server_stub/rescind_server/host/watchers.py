"""Who follows an execution: told of each event when it is durable, and of what its code streams."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from rescind.errors import ServerUnavailable
from rescind.model.events import EXECUTION_ENDS, EventType, HistoryEvent
from rescind.model.ids import ExecutionId
from rescind.model.messages import StreamedEvent
from rescind.model.views import ExecutionView
from rescind_server.engine.state import Decision
from rescind_server.engine.viewing import execution_view, still_stopping, with_stopping

Seen = HistoryEvent | StreamedEvent


class Subscription:
    """What one follower has not read yet.

    Attributes:
        only: the events that it wants to know; None for all.
        ended: how the execution ended, once it has. Who waits for that alone need not look it up in the store, which
            may be in the middle of its next commit.
    """

    __slots__ = ("_arrived", "_failure", "_reader", "ended", "only")

    def __init__(self, only: frozenset[EventType] | None) -> None:
        self.only = only
        self.ended: ExecutionView | None = None
        self._arrived: deque[Seen] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._failure: str | None = None

    async def get(self) -> Seen:
        """The next; waits for it.

        Raises:
            ServerUnavailable: nothing comes any more, since the host was closed or has failed.
        """
        while not self._arrived:
            if self._failure is not None:
                raise ServerUnavailable(self._failure)
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self._arrived.popleft()

    def get_arrived(self) -> Sequence[Seen]:
        """What has arrived and was not read yet, without waiting for more."""
        arrived = tuple(self._arrived)
        self._arrived.clear()
        return arrived

    def put(self, seen: Seen) -> None:
        """Add what has happened, if this follower wants to know it."""
        if self.only is None or (isinstance(seen, HistoryEvent) and seen.type in self.only):
            self._arrived.append(seen)
            self._wake()

    def fail(self, reason: str) -> None:
        """Nothing comes any more."""
        self._failure = reason
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class Watchers:
    """The open subscriptions, by execution. An execution that nobody follows costs nothing."""

    def __init__(self) -> None:
        self._subscriptions: dict[ExecutionId, list[Subscription]] = defaultdict(list)
        self._closed: str | None = None

    @asynccontextmanager
    async def subscribe(
        self, execution_id: ExecutionId, only: frozenset[EventType] | None = None
    ) -> AsyncIterator[Subscription]:
        """Everything that happens to an execution from now on, or events of these types alone.

        Left by any door, the subscription is gone.
        """
        subscription = Subscription(only)
        if self._closed is not None:
            subscription.fail(self._closed)
        self._subscriptions[execution_id].append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[execution_id].remove(subscription)
            if not self._subscriptions[execution_id]:
                del self._subscriptions[execution_id]

    def tell(self, decisions: Sequence[Decision]) -> None:
        """Pass on what has become durable, and what was streamed with it."""
        if not self._subscriptions:
            return
        for decision in decisions:
            # What was streamed in an activation came before what follows from it: its end is the last that is seen.
            seen: list[tuple[ExecutionId, Seen]] = [*decision.streamed, *decision.events]
            for execution_id, event in seen:
                for subscription in self._subscriptions.get(execution_id, ()):
                    if isinstance(event, HistoryEvent) and event.type in EXECUTION_ENDS:
                        execution = decision.executions[execution_id]
                        subscription.ended = with_stopping(execution_view(execution), still_stopping(execution))
                    subscription.put(event)

    def close(self, reason: str) -> None:
        """Nothing happens any more: let every follower know, also those who come later."""
        self._closed = reason
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.fail(reason)
