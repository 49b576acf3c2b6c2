"""A store that lasts as long as its process: for tests, scripts and notebooks."""

from __future__ import annotations

from collections.abc import Sequence

from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId, Lease
from rescind.model.views import ExecutionDetails
from rescind_server.engine.state import Decision
from rescind_server.engine.viewing import details_of
from rescind_server.store.port import Loaded


class MemoryStore:
    """Keeps histories and closed executions in dictionaries."""

    def __init__(self) -> None:
        self._histories: dict[ExecutionId, list[HistoryEvent]] = {}
        self._closed: dict[ExecutionId, ExecutionDetails] = {}

    async def commit(self, decisions: Sequence[Decision]) -> None:
        """See `Store.commit`."""
        for decision in decisions:
            for execution_id, event in decision.events:
                self._histories.setdefault(execution_id, []).append(event)
            for execution in decision.closed:
                self._closed[execution.execution_id] = details_of(execution)

    def load(self) -> Loaded:
        """See `Store.load`: a new process remembers nothing."""
        return Loaded([], Lease(0))

    def close(self) -> None:
        """See `Store.close`."""

    def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """See `Store.history`."""
        return tuple(self._histories.get(execution_id, ())[after:])

    def closed(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """See `Store.closed`."""
        return self._closed.get(execution_id)

    def closed_ids(self) -> Sequence[ExecutionId]:
        """See `Store.closed_ids`."""
        return tuple(self._closed)
