"""All that is asked of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from rescind.model.events import HistoryEvent
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.status import ExecutionStatus
from rescind.model.views import ExecutionView
from rescind.model.workflow_events import LoggedEvent
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import Decision
from rescind_server.engine.subscriptions import QueueKey
from rescind_server.engine.workflow_entities import KeyName, KeyOwner
from rescind_server.store.outbox import Outbox
from rescind_server.store.outputs import AttemptOutput, Outputs
from rescind_server.store.registrations import KeptRegistrations


class Loaded(NamedTuple):
    """What an engine goes on from.

    Attributes:
        executions: those that are not closed and ran before, in the order of their start, each with the end of its
            clean-up; behind them children of theirs that never ran, since their parents' cancels must find them.
        lease: the highest lease that was ever given out.
        order: the highest place that was ever given out, in the order of starting and scheduling.
        resting: how many never ran and have not ended, by queue and kind; `Store.resting` gives them.
        keys: what idempotency keys belong to.
    """

    executions: list[tuple[Execution, Instant | None]]
    lease: Lease
    order: int
    resting: Mapping[QueueKey, int]
    keys: Mapping[KeyName, KeyOwner] = {}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to go on with."""
        return not self.executions and not self.resting


class Found(NamedTuple):
    """One execution of a list.

    Attributes:
        ordinal: its place in the order of starting; the next page begins before the last one's.
        view: the execution as it stands.
    """

    ordinal: int
    view: ExecutionView


class RequestPlace(NamedTuple):
    """The place of an event in the order of time.

    Attributes:
        at: when it was decided.
        execution: the ordinal of its execution.
        sequence: its number there.
    """

    at: int
    execution: int
    sequence: int


class FoundRequest(NamedTuple):
    """An event, and whose it is.

    Attributes:
        place: its place; the next page begins before the last one's.
        execution_id: its execution.
        organisation: whose that is.
        event: what is recorded.
    """

    place: RequestPlace
    execution_id: ExecutionId
    organisation: str
    event: HistoryEvent


class Store(Protocol):
    """Keeps decisions. One writer; everything of one commit becomes durable, or nothing does."""

    @property
    def outbox(self) -> Outbox:
        """Webhooks, and what they are still to be told; a commit may add to that."""

    @property
    def registrations(self) -> KeptRegistrations:
        """The workers that have registered to poll."""

    async def commit(self, decisions: Sequence[Decision]) -> None:
        """Make the events and the changed rows of these decisions durable, as one transaction.

        Raises:
            StoreError: nothing of it is durable. What is committed next must follow from what `load` gives anew.
        """

    def load(self) -> Loaded:
        """Everything that an engine must remember; called before the first commit, and after one that failed."""

    async def ensure_writable(self) -> None:
        """Return if the store takes commits of some size.

        Raises:
            StoreError: it does not.
        """

    def close(self) -> None:
        """Let go of what the store holds. What was committed stays."""

    def history(self, execution_id: ExecutionId, after: int = 0, limit: int | None = None) -> Sequence[HistoryEvent]:
        """The events of an execution whose number is larger than `after`, in order; empty if there are none.

        Args:
            execution_id: the execution.
            after: the number behind which to begin.
            limit: how many at most; None is all.
        """

    def workflow_log(
        self, execution_id: ExecutionId, after: int = 0, limit: int | None = None
    ) -> Sequence[LoggedEvent]:
        """The log of a workflow as it is committed, behind event number `after`, or the first `limit` of that."""

    async def keep_outputs(self, outputs: Outputs) -> None:
        """Keep what the programs of tasks wrote, and of each task's output the last `KEPT_OUTPUT` bytes at the least.

        What an execution wrote that is not kept any more is not kept either.

        Raises:
            StoreError: nothing of it is kept.
        """

    def output(self, execution_id: ExecutionId, behind: int = 0) -> Sequence[StreamedEvent]:
        """What is kept of the output of an execution's tasks, as it was streamed, one task after the other.

        Where something of it went meanwhile, the first events of a task say how much; not so if `behind` is given.

        Args:
            execution_id: the execution.
            behind: how many of the bytes that its programs wrote, in the order in which they came, are left away.
        """

    def output_size(self, execution_id: ExecutionId) -> int:
        """How many bytes the programs of an execution have written, kept or not, as far as the store was told."""

    def attempt_output(self, execution_id: ExecutionId, task_id: TaskId) -> AttemptOutput:
        """How far the attempt has come that wrote last of a task, as far as the store was told."""

    async def execution_of_task(self, task_id: TaskId) -> ExecutionId | None:
        """The execution, open or closed, that a task belongs to; None if there is no such task."""

    async def owner_of_task(self, task_id: TaskId) -> ExecutionId | None:
        """The same, found at once, of the tasks that calls name by their id alone; None for every other task."""

    def owner_of_promise(self, promise_id: str) -> ExecutionId | None:
        """The workflow, open or closed, that has made a promise of this id; None if none has."""

    def committed(self, execution_id: ExecutionId) -> Execution | None:
        """An execution as it was committed last: in the engine's memory, resting or closed; None if there is no such.

        The engine may take up one that rests, and change it.
        """

    def committed_among(self, execution_ids: Sequence[ExecutionId]) -> Mapping[ExecutionId, Execution]:
        """Those of these executions that were committed; see `committed`."""

    def resting(self, key: QueueKey, beyond: int, limit: int) -> Sequence[Execution]:
        """Executions that never ran and have not ended, in the order of their start.

        Args:
            key: their queue and kind.
            beyond: only those whose order is larger.
            limit: how many at most.
        """

    async def find_executions(self, selection: ExecutionFilter, before: int | None, limit: int) -> Sequence[Found]:
        """The executions, open and closed, that a filter selects and that were started before that ordinal.

        Args:
            selection: which.
            before: the ordinal of the last of the page before; None begins with the newest.
            limit: how many at most, newest first.
        """

    async def find_ids(
        self, selection: ExecutionFilter, before: int | None, limit: int
    ) -> Sequence[tuple[int, ExecutionId]]:
        """The ordinals and ids of what `find_executions` finds."""

    async def count_executions(self, selection: ExecutionFilter) -> Mapping[ExecutionStatus, int]:
        """How many executions of each status a filter selects; those of none are left out."""

    async def find_requests(self, since: Instant, before: RequestPlace, limit: int) -> Sequence[FoundRequest]:
        """The requests (`REQUESTS`) that were decided from a time on and before a place, the last first.

        Args:
            since: the earliest time.
            before: the place of the last of the page before.
            limit: how many at most.
        """

    async def find_events(self, execution_id: ExecutionId, before: int, limit: int) -> Sequence[FoundRequest]:
        """The events of one execution before a number, requests and others, the last first; none if it is not kept."""

    def execution_ids(self) -> Sequence[ExecutionId]:
        """All executions that were committed, in the order of their start."""

    async def remove_closed(self, ended_before: Instant, most_rows: int) -> bool:
        """Remove executions that have left the engine's memory, with all that is kept of them, in one transaction.

        Args:
            ended_before: only those that ended before that, and those first that ended first.
            most_rows: how much to remove at most: an execution with more is taken apart in several calls, the execution
                itself in the last.

        Returns:
            Whether there is more to remove.

        Raises:
            StoreError: nothing was removed.
        """

    async def oldest_end(self) -> Instant | None:
        """When that execution ended which is the first to be removed; None if there is none."""
