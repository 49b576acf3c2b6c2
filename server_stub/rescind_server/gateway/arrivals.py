"""What a watcher has not read yet: handed over in batches, and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from rescind.errors import RescindError, ServerUnavailable
from rescind_server.host.watchers import Seen, Subscription

MOST_UNSEEN: Final = 10_000
"""How many events may wait for one watcher to read them."""


class Arrivals:
    """Takes in what a subscription gives as fast as it comes, so that it is known how much waits for its reader."""

    def __init__(self, subscription: Subscription, most: int = MOST_UNSEEN) -> None:
        self._subscription = subscription
        self._most = most
        self._waiting: list[Seen] = []
        self._failure: RescindError | None = None
        self._has_news = asyncio.Event()
        self._taking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._taking = asyncio.get_running_loop().create_task(self._take_in(), name="rescind watch")
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._taking is not None
        self._taking.cancel()
        await asyncio.wait([self._taking])

    async def take(self) -> Sequence[Seen]:
        """All that waits; waits for something. Raises ServerUnavailable: nothing comes any more, or it was too much."""
        await self._has_news.wait()
        # After a failure there is always news: it is told again, behind what came before it.
        if self._failure is None:
            self._has_news.clear()
        waiting, self._waiting = self._waiting, []
        if waiting:
            return waiting
        assert self._failure is not None
        raise self._failure

    async def _take_in(self) -> None:
        try:
            while len(self._waiting) < self._most:
                seen = await self._subscription.get()
                # Not in one line: the list of before the wait may have been taken meanwhile.
                self._waiting.append(seen)
                self._has_news.set()
            self._waiting.clear()
            self._failure = ServerUnavailable(
                f"this execution's events were read too slowly: more than {self._most} wait. Go on from the last one."
            )
        except RescindError as error:
            self._failure = error
        self._has_news.set()
