"""Executions that wait for a worker. However many they are, only the first of them are in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rescind_server.engine.entities import Phase
from rescind_server.engine.naming import has_uuid

if TYPE_CHECKING:
    from rescind_server.engine.entities import Execution

Turn = tuple[int, int]
"""Whose turn it is among several backlogs: the smallest."""


class AgentBacklog:
    """The executions of one queue and kind that wait for a worker.

    Those that ran before go first. Then come those that never ran, in the order of their start. Of these, all that were
    started behind a certain one rest: they stand in the store alone, and are in memory only while a turn of the host is
    about them. When those in memory have been handed out, the store is asked for the next page (`Decision.wanted`).

    Attributes:
        returning: those that ran before. Some may have ended meanwhile: they are passed over when their turn comes.
        fresh: those in memory that never ran, likewise.
        fresh_uuids: those of `fresh` whose ids are UUIDs: polls take no others.
        rests_beyond: what never ran and has a larger order rests; None if nothing rests.
        resting: how many rest.
    """

    __slots__ = ("fresh", "fresh_uuids", "resting", "rests_beyond", "returning")

    def __init__(self, rests_beyond: int | None = None, resting: int = 0) -> None:
        self.returning: deque[Execution] = deque()
        self.fresh: deque[Execution] = deque()
        self.fresh_uuids: deque[Execution] = deque()
        self.rests_beyond = rests_beyond
        self.resting = resting

    def __len__(self) -> int:
        """How many wait; those that ended meanwhile may be among them."""
        return len(self.returning) + len(self.fresh) + self.resting

    def __iter__(self) -> Iterator[Execution]:
        """Those in memory."""
        yield from self.returning
        yield from self.fresh

    def add(self, execution: Execution, limit: int) -> bool:
        """Put an execution behind the others of its sort; returns whether it rests.

        Args:
            execution: one that has just been started, or is to run on.
            limit: how many that never ran are in memory at most.
        """
        if execution.run:
            self.returning.append(execution)
            return False
        if self.rests_beyond is None and len(self.fresh) < limit:
            self._append(execution)
            return False
        if self.rests_beyond is None:
            self.rests_beyond = execution.order - 1
        self.resting += 1
        return True

    def holds_back(self, execution: Execution) -> bool:
        """Whether an execution of this backlog is one of those that rest."""
        return not execution.run and self.rests_beyond is not None and execution.order > self.rests_beyond

    def head(self) -> Execution | None:
        """Whose turn it is among those in memory; None if nobody waits there."""
        while self.returning and self.returning[0].phase is not Phase.QUEUED:
            self.returning.popleft()
        self._pop_those_that_ended()
        for waiting in (self.returning, self.fresh):
            if waiting:
                return waiting[0]
        return None

    def fresh_turn(self) -> int | None:
        """The order of the first that never ran and whose id is a UUID; None if there is none.

        Behind those in memory with other ids none is looked for: memory would have to hold all that rest.
        """
        self._pop_those_that_ended()
        while self.fresh_uuids and self.fresh_uuids[0].phase is not Phase.QUEUED:
            self._remove(self.fresh_uuids[0])
        if self.fresh_uuids:
            return self.fresh_uuids[0].order
        return self.rests_beyond + 1 if self.rests_beyond is not None and not self.fresh else None

    def pop_uuid(self) -> Execution | None:
        """Take out the first in memory that never ran and whose id is a UUID; None if there is none."""
        if not self.fresh_uuids:
            return None
        taken = self.fresh_uuids[0]
        self._remove(taken)
        return taken

    def turn(self) -> Turn | None:
        """The turn of the first that waits, in memory or not; None if nobody waits."""
        head = self.head()
        if head is not None:
            return (1 if not head.run else 0), head.order
        return (1, self.rests_beyond + 1) if self.rests_beyond is not None else None

    def pop(self) -> None:
        """Take the head out."""
        if self.returning:
            self.returning.popleft()
        else:
            self._pop_fresh()

    def take_page(self, page: Iterable[Execution], upto: int, *, is_last: bool) -> list[Execution]:
        """Put the next of those that rest into memory; returns them in order.

        Args:
            page: those that wait, in whatever order.
            upto: the order up to which these are all.
            is_last: whether nobody rests behind them.
        """
        taken = sorted(page, key=lambda execution: execution.order)
        for execution in taken:
            self._append(execution)
        self.resting = 0 if is_last else self.resting - len(taken)
        self.rests_beyond = None if is_last else upto
        return taken

    def _append(self, execution: Execution) -> None:
        self.fresh.append(execution)
        if has_uuid(execution.execution_id):
            self.fresh_uuids.append(execution)

    def _pop_those_that_ended(self) -> None:
        while self.fresh and self.fresh[0].phase is not Phase.QUEUED:
            self._pop_fresh()

    def _pop_fresh(self) -> None:
        first = self.fresh.popleft()
        if self.fresh_uuids and self.fresh_uuids[0] is first:
            self.fresh_uuids.popleft()

    def _remove(self, execution: Execution) -> None:
        """Take out the first of `fresh_uuids`; those that stand before it in `fresh` wait on."""
        if self.fresh[0] is execution:
            self.fresh.popleft()
        else:
            self.fresh.remove(execution)
        self.fresh_uuids.popleft()
