"""Hints that there is work in a queue, for clients that want to be told of it instead of polling."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from rescind.errors import ServerUnavailable
from rescind.model.ids import Instant
from rescind.model.status import ExecutionStatus
from rescind_server.access.tokens import Role
from rescind_server.engine.state import Decision
from rescind_server.gateway import organisations
from rescind_server.gateway.identity import Caller
from rescind_server.host.driver import Host


class WorkHints:
    """Tells whoever follows a queue that executions there wait for a worker. Nobody following costs nothing."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._followers: dict[str, list[_Follower]] = {}
        self._is_closing = False

    def now(self) -> Instant:
        """The time."""
        return self._host.now()

    async def follow(self, caller: Caller, queue: str) -> AsyncIterator[int]:
        """The times, in milliseconds since the Unix epoch, at which work was there. Several at once are one.

        Raises:
            ServerUnavailable: the server stops.
        """
        caller.require(Role.WORKER, Role.OPERATOR)
        if not self._followers:
            self._host.listeners.append(self.note)
        follower = _Follower(asyncio.Event())
        own = self._followers.setdefault(organisations.inner(caller.organisation, queue), [])
        own.append(follower)
        try:
            while not self._is_closing:
                await follower.has_news.wait()
                follower.has_news.clear()
                if not self._is_closing:
                    yield self._host.now() // 1_000
            raise ServerUnavailable("the server is stopping. Subscribe again in a moment.")
        finally:
            own.remove(follower)
            self._followers = {name: left for name, left in self._followers.items() if left}
            if not self._followers and self.note in self._host.listeners:
                self._host.listeners.remove(self.note)

    def note(self, decisions: Sequence[Decision]) -> None:
        """Look for executions that became ready for a worker."""
        for decision in decisions:
            for execution in decision.executions.values():
                if execution.status is ExecutionStatus.PENDING:
                    self._tell(execution.queue)

    def begin_close(self) -> None:
        """The server stops: whoever follows is told so."""
        self._is_closing = True
        for queue in self._followers:
            self._tell(queue)

    def _tell(self, queue: str) -> None:
        for follower in self._followers.get(queue, ()):
            follower.has_news.set()


class _Follower(NamedTuple):
    has_news: asyncio.Event
