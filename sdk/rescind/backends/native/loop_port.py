"""What the ports of agents and of workflows have in common: they belong to an event loop of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from rescind.backends.native.agent_loop import AgentLoop
from rescind.errors import ContextNotActive
from rescind.model.cause import CancelCause
from rescind.model.ids import ExecutionId, Instant


class LoopPort:
    """The part of a `DurablePort` that the execution's event loop answers."""

    __slots__ = ()

    sort: str
    execution_id: ExecutionId
    loop: AgentLoop

    def ensure_active(self) -> None:
        """See `DurablePort`."""
        if asyncio._get_running_loop() is not self.loop:
            raise ContextNotActive(
                f"the context of {self.sort} {self.execution_id!r} was used while its code was not running, or from "
                f"another thread or event loop. Use it only inside the {self.sort}'s own coroutine and its branches."
            )

    def now(self) -> Instant:
        """See `DurablePort`."""
        return Instant(self.loop.now)

    def cancel_cause(self) -> CancelCause | None:
        """See `DurablePort`."""
        return self.loop.delivery.cause

    @contextmanager
    def shield(self) -> Iterator[None]:
        """See `DurablePort`."""
        self.loop.delivery.enter_shield()
        try:
            yield
        finally:
            if not self.loop.is_closed():
                self.loop.delivery.leave_shield()

    async def tell_cancel(self) -> None:
        """See `DurablePort`."""
        self.ensure_active()
        if self.loop.delivery.requested:
            await self.loop.delivery.tell_here()

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """See `DurablePort`."""
        return asyncio.timeout(seconds)
