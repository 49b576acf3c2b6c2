"""Long polls: held by the engine, without a loop; what reaches nobody goes back."""

from __future__ import annotations

import asyncio
from typing import Final

from rescind.errors import ServerUnavailable
from rescind.model.commands import CallAnswer, Reply
from rescind_server.engine.calls import (
    AgentClaimed,
    GiveBackAgent,
    GiveBackTask,
    NothingFound,
    PollCall,
    TaskClaimed,
    WithdrawPoll,
)
from rescind_server.host.driver import Host

LONGEST_WAIT_MS: Final = 60_000
"""How long a poll is held at most."""


def wait_ms(timeout_seconds: int) -> int:
    """How long a poll is to be held, of what it asks for."""
    return min(LONGEST_WAIT_MS, max(0, timeout_seconds) * 1_000)


class Polling:
    """Holds polls. A poller that has hung up is given no work."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._held: set[asyncio.Future[Reply]] = set()
        self._is_stopping = False

    def stop(self) -> None:
        """End all polls: the pollers come back when a server is there again."""
        self._is_stopping = True
        for asking in self._held:
            asking.cancel()

    async def poll(self, command: PollCall) -> CallAnswer:
        """Wait for work.

        Raises:
            ServerUnavailable: the server is stopping, or cannot go on.
            StoreError: the store takes no commits.
        """
        if self._is_stopping:
            raise _stopping()
        asking = self._host.asked(command)
        self._held.add(asking)
        try:
            reply = await asyncio.shield(asking)
        except asyncio.CancelledError:
            if asking.cancelled():
                raise _stopping() from None
            self._host.tell(WithdrawPoll(poll_id=command.poll_id))
            asking.add_done_callback(self._hung_up)
            raise
        finally:
            self._held.discard(asking)
        assert isinstance(reply, CallAnswer)
        return reply

    def give_back(self, claimed: CallAnswer) -> None:
        """What was claimed did not reach whoever polled."""
        match claimed:
            case AgentClaimed():
                self._host.tell(GiveBackAgent(execution_id=claimed.execution_id, run=claimed.run))
            case TaskClaimed():
                self._host.tell(GiveBackTask(lease=claimed.lease))
            case _:
                pass

    def _hung_up(self, asking: asyncio.Future[Reply]) -> None:
        if asking.cancelled() or asking.exception() is not None:
            return
        reply = asking.result()
        if isinstance(reply, CallAnswer) and not isinstance(reply, NothingFound):
            self.give_back(reply)


def _stopping() -> ServerUnavailable:
    return ServerUnavailable("the server is stopping.")
