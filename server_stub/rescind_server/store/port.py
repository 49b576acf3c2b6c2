"""All that is asked of a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from rescind.model.events import HistoryEvent
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant, Lease
from rescind.model.views import ExecutionDetails, ExecutionView
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import Decision


class Loaded(NamedTuple):
    """What an engine goes on from.

    Attributes:
        executions: those that are not closed, in the order of their start, each with the end of its clean-up.
        lease: the highest lease that was ever given out.
        order: the highest place that was ever given out, in the order of starting and scheduling.
    """

    executions: list[tuple[Execution, Instant | None]]
    lease: Lease
    order: int


class Found(NamedTuple):
    """One execution of a list.

    Attributes:
        ordinal: its place in the order of starting; the next page begins before the last one's.
        view: the execution as it stands.
    """

    ordinal: int
    view: ExecutionView


class Store(Protocol):
    """Keeps decisions. One writer; everything of one commit becomes durable, or nothing does."""

    async def commit(self, decisions: Sequence[Decision]) -> None:
        """Make the events and the changed rows of these decisions durable, as one transaction."""

    def load(self) -> Loaded:
        """Everything that an engine must remember; called once, before the first commit."""

    def close(self) -> None:
        """Let go of what the store holds. What was committed stays."""

    def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """The events of an execution whose number is larger than `after`, in order; empty if there are none."""

    def closed(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """An execution that has left the engine's memory, as it was then; None if there is no such."""

    async def find_executions(self, selection: ExecutionFilter, before: int | None, limit: int) -> Sequence[Found]:
        """The executions, open and closed, that a filter selects and that were started before that ordinal.

        Args:
            selection: which.
            before: the ordinal of the last of the page before; None begins with the newest.
            limit: how many at most, newest first.
        """

    def closed_ids(self) -> Sequence[ExecutionId]:
        """The executions that have left the engine's memory, in that order."""
