"""A store that lasts as long as its process: for tests, scripts and notebooks."""

from __future__ import annotations

from collections.abc import Sequence

from rescind.model.events import HistoryEvent
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Lease
from rescind.model.views import ExecutionDetails, ExecutionView
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import Decision
from rescind_server.engine.viewing import details_of, execution_view
from rescind_server.store.port import Found, Loaded


class MemoryStore:
    """Keeps histories and closed executions in dictionaries."""

    def __init__(self) -> None:
        self._histories: dict[ExecutionId, list[HistoryEvent]] = {}
        self._closed: dict[ExecutionId, ExecutionDetails] = {}
        # By ordinal, in that order: an execution is committed first in the order of starting.
        self._all: dict[int, Execution] = {}

    async def commit(self, decisions: Sequence[Decision]) -> None:
        """See `Store.commit`."""
        for decision in decisions:
            for execution_id, event in decision.events:
                self._histories.setdefault(execution_id, []).append(event)
            for execution in decision.executions.values():
                self._all[execution.order] = execution
            for execution in decision.closed:
                self._closed[execution.execution_id] = details_of(execution)

    def load(self) -> Loaded:
        """See `Store.load`: a new process remembers nothing."""
        return Loaded([], Lease(0), 0)

    def close(self) -> None:
        """See `Store.close`."""

    def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """See `Store.history`."""
        return tuple(self._histories.get(execution_id, ())[after:])

    def closed(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """See `Store.closed`."""
        return self._closed.get(execution_id)

    async def find_executions(self, selection: ExecutionFilter, before: int | None, limit: int) -> Sequence[Found]:
        """See `Store.find_executions`."""
        found: list[Found] = []
        for ordinal in reversed(self._all):
            if len(found) == limit:
                break
            if before is None or ordinal < before:
                view = execution_view(self._all[ordinal])
                if _selects(selection, view, self._all[ordinal].organisation):
                    found.append(Found(ordinal, view))
        return found

    def closed_ids(self) -> Sequence[ExecutionId]:
        """See `Store.closed_ids`."""
        return tuple(self._closed)


def _selects(selection: ExecutionFilter, view: ExecutionView, organisation: str) -> bool:
    return (
        (not selection.statuses or view.status in selection.statuses)
        and selection.kind in (None, view.kind)
        and selection.queue in (None, view.queue)
        and selection.created_by in (None, view.created_by)
        and selection.organisation in (None, organisation)
        and (selection.created_before is None or view.created_at < selection.created_before)
        and (selection.created_after is None or view.created_at >= selection.created_after)
        and selection.labels.items() <= view.labels.items()
    )
