"""Several executions followed by one reader: an agent or workflow, and if wanted all that comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from rescind.errors import RescindError, ServerUnavailable
from rescind.model.ids import ExecutionId
from rescind.model.workflow_events import LoggedEvent
from rescind_server.engine.state import Decision
from rescind_server.gateway.arrivals import MOST_UNSEEN
from rescind_server.host.driver import Host
from rescind_server.host.watchers import Seen


class Followed(NamedTuple):
    """Something that happened, and in which execution."""

    execution_id: ExecutionId
    seen: Seen | LoggedEvent


class Followers:
    """Takes in what happens in some executions; more can be added on the way.

    What is written into the logs of workflows comes before what the history says of the same moment.
    """

    def __init__(self, host: Host, most: int = MOST_UNSEEN) -> None:
        self._host = host
        self._most = most
        self._waiting: list[Followed] = []
        self._failure: RescindError | None = None
        self._has_news = asyncio.Event()
        self._taking: dict[ExecutionId, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        self._host.listeners.append(self._note)
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._host.listeners.remove(self._note)
        for taking in self._taking.values():
            taking.cancel()
        if self._taking:
            await asyncio.wait(self._taking.values())

    async def add(self, execution_id: ExecutionId) -> None:
        """Follow one more; when this returns, nothing of it passes unnoticed. One that is followed already is left."""
        if execution_id in self._taking:
            return
        begun = asyncio.Event()
        self._taking[execution_id] = asyncio.get_running_loop().create_task(
            self._take_in(execution_id, begun), name="rescind flovyn stream"
        )
        await begun.wait()

    async def take(self) -> Sequence[Followed]:
        """All that waits; waits for something. Raises ServerUnavailable: nothing comes any more, or it was too much."""
        await self._has_news.wait()
        if self._failure is None:
            self._has_news.clear()
        waiting, self._waiting = self._waiting, []
        if not waiting:
            assert self._failure is not None
            raise self._failure
        return waiting

    def _note(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            for execution, logged in decision.logged:
                if execution.execution_id in self._taking and self._failure is None:
                    self._put(Followed(execution.execution_id, logged))

    async def _take_in(self, execution_id: ExecutionId, begun: asyncio.Event) -> None:
        try:
            async with self._host.watchers.subscribe(execution_id) as subscription:
                begun.set()
                while self._failure is None:
                    self._put(Followed(execution_id, await subscription.get()))
        except RescindError as error:
            self._failure = error
            self._has_news.set()
        finally:
            begun.set()

    def _put(self, followed: Followed) -> None:
        if len(self._waiting) < self._most:
            self._waiting.append(followed)
        else:
            self._waiting.clear()
            self._failure = ServerUnavailable(
                f"these events were read too slowly: more than {self._most} wait. Begin anew."
            )
        self._has_news.set()
