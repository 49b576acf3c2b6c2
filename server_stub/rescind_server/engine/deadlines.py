"""Everything that waits for a time, in one heap. Idle things cost nothing: no timer per task, no scan."""

from __future__ import annotations

import heapq
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rescind.model.ids import Instant
    from rescind_server.engine.entities import Attempt, Execution, OpenOperation, Task, Worker
    from rescind_server.engine.polls import Poll
    from rescind_server.engine.workflow_entities import Due, PollingWorker, WorkflowPoll

    Subject: TypeAlias = Task | Attempt | Execution | OpenOperation | Worker | Poll | Due | WorkflowPoll | PollingWorker


class DeadlineKind(Enum):
    """What is to happen when the time has come."""

    SCHEDULE_TO_START = auto()
    SCHEDULE_TO_CLOSE = auto()
    START_TO_CLOSE = auto()
    HEARTBEAT = auto()
    IDLE = auto()
    REDELIVERY = auto()
    RETRY = auto()
    OPERATION = auto()
    CLEAN_UP = auto()
    WORKER_LEASE = auto()
    WORKER_SILENCE = auto()
    EVICTION = auto()
    POLL = auto()
    WORKFLOW_TIMER = auto()
    WORKFLOW_TIMEOUT = auto()
    WORKFLOW_POLL = auto()
    PROMISE = auto()
    CLAIM_LEASE = auto()
    CLAIM_END = auto()
    RESTART_GRACE = auto()


class Deadline:
    """One thing that is to happen at a time, unless it is cancelled first."""

    __slots__ = ("due", "kind", "subject")

    def __init__(self, due: Instant, kind: DeadlineKind, subject: Subject) -> None:
        self.due = due
        self.kind = kind
        # None once it is cancelled or has come: a cancelled deadline never fires, also not in its own tick.
        self.subject: Subject | None = subject


class Deadlines:
    """The deadlines that are still to come, earliest first; equal ones in the order they were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[Instant, int, Deadline]] = []
        self._order = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def set(self, due: Instant, kind: DeadlineKind, subject: Subject) -> Deadline:
        """Let `kind` happen to `subject` at `due`."""
        deadline = Deadline(due, kind, subject)
        self._order += 1
        heapq.heappush(self._heap, (due, self._order, deadline))
        return deadline

    def cancel(self, deadline: Deadline) -> None:
        """Forget a deadline; harmless if it has come already."""
        if deadline.subject is None:
            return
        deadline.subject = None
        self._cancelled += 1
        # Far deadlines of tasks that ended long ago would otherwise pile up until their time comes.
        if self._cancelled > 1_000 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].subject is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def next_due(self) -> Instant | None:
        """When the earliest comes; None if there is none."""
        heap = self._heap
        while heap and heap[0][2].subject is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def pop_due(self, now: Instant) -> Deadline | None:
        """Take out the earliest one whose time has come; None if there is none."""
        due = self.next_due()
        if due is None or due > now:
            return None
        return heapq.heappop(self._heap)[2]
