"""All that is asked of a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId
from rescind.model.views import ExecutionDetails
from rescind_server.engine.state import Decision


class Store(Protocol):
    """Keeps decisions. One writer; everything of one commit becomes durable, or nothing does."""

    async def commit(self, decisions: Sequence[Decision]) -> None:
        """Make the events and the changed rows of these decisions durable, as one transaction."""

    def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """The events of an execution whose number is larger than `after`, in order; empty if there are none."""

    def closed(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """An execution that has left the engine's memory, as it was then; None if there is no such."""

    def closed_ids(self) -> Sequence[ExecutionId]:
        """The executions that have left the engine's memory, in that order."""
