"""What the engine remembers of workflows, beyond what it does of any execution.

What the log tells is a fold over it (`workflow_fold`): it is worked out anew after a restart, and never written down
twice.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from rescind.model.ids import ExecutionId, Instant, TaskId, WorkerId
from rescind.model.payload import Payload
from rescind.model.workflow_events import LoggedEvent

if TYPE_CHECKING:
    from rescind_server.engine.deadlines import Deadline
    from rescind_server.engine.entities import Execution

KeyName = tuple[str, str]
"""An organisation, and an idempotency key in it: workflows, tasks and promises share the keys."""


class KeyOwner(NamedTuple):
    """What an idempotency key belongs to: an execution, or a promise or task of it.

    Attributes:
        execution_id: the execution.
        expires_at: until when the key counts.
        promise_id: its promise, if it is one's key.
        task_id: its task, if it is one's key.
    """

    execution_id: ExecutionId
    expires_at: Instant
    promise_id: str | None = None
    task_id: TaskId | None = None

    @property
    def is_workflow(self) -> bool:
        """Whether it is the key of the execution itself."""
        return self.promise_id is None and self.task_id is None


class WorkflowTimer(msgspec.Struct, eq=False):
    """A timer of a workflow. `is_over` once it fired or was cancelled."""

    timer_id: str
    due: Instant
    is_over: bool = False
    deadline: Deadline | None = None


class Promise(msgspec.Struct, eq=False):
    """A promise of a workflow. `due` is when it times out; `is_settled` once it was resolved or rejected, or did."""

    promise_id: str
    name: str
    due: Instant | None
    is_settled: bool = False
    deadline: Deadline | None = None


class ChildWorkflow(msgspec.Struct, eq=False):
    """A child as its parent knows it.

    Attributes:
        name: its name.
        execution_id: its id.
        is_over: whether the parent's log tells its end.
        is_abandoned: whether it goes on when its parent is cancelled; said of one that lives elsewhere alone.
    """

    name: str
    execution_id: ExecutionId
    is_over: bool = False
    is_abandoned: bool = False


class Workflow(msgspec.Struct, eq=False):
    """What a workflow has beyond any execution.

    Of an execution's own fields, `run` counts the claims, and `number` is the last claim whose pass was taken in.

    Attributes:
        log: all its events.
        version: the version of its code.
        priority_ms: by how much it is older than it is, where the oldest goes first.
        timeout_at: when it fails as timed out.
        parent_id: its parent.
        child_name: its name within that.
        is_told: whether its end is told to its parent's log.
        is_abandoned: whether it goes on when its parent is cancelled.
        key: its idempotency key.
        worker_id: who has claimed it; None if nobody has.
        lease_ms: how long the claim lasts without a sign of life; None is without an end.
        poll: the poll that it was claimed by, as long as that may be withdrawn.
        claimed_at: how long its log was at the claim.
        has_news: whether others have written to its log since then.
        timers: by their id, also those that are over.
        promises: by their id, also those that are settled.
        promise_ids: the same by their names.
        children: by their id.
        child_names: the names of those that its code has started.
        state: the values that its code has set.
        ended_tasks: the tasks whose end its log tells.
        signals: how many it was sent.
        retries: how often it was let go on by hand.
        timeout: the deadline at `timeout_at`.
    """

    log: list[LoggedEvent] = []
    version: str | None = None
    priority_ms: int = 0
    timeout_at: Instant | None = None
    parent_id: ExecutionId | None = None
    child_name: str = ""
    is_told: bool = False
    is_abandoned: bool = False
    key: str | None = None
    worker_id: WorkerId | None = None
    lease_ms: int | None = None
    poll: str | None = None
    claimed_at: int = 0
    has_news: bool = False
    timers: dict[str, WorkflowTimer] = {}
    promises: dict[str, Promise] = {}
    promise_ids: dict[str, str] = {}
    children: dict[ExecutionId, ChildWorkflow] = {}
    child_names: set[str] = set()
    state: dict[str, Payload] = {}
    ended_tasks: set[TaskId] = set()
    signals: int = 0
    retries: int = 0
    timeout: Deadline | None = None


class WorkflowPoll(msgspec.Struct, eq=False):
    """Somebody waits for a workflow to run. `number` is that of the open request (`Deferred`)."""

    name: str
    number: int
    worker_id: WorkerId
    organisation: str | None
    queue: str
    kinds: tuple[str, ...]
    lease_ms: int | None
    brings_log: bool
    only_uuids: bool
    pass_ms: int | None
    cleanup_budgets_ms: dict[str, int]
    deadline: Deadline | None = None


class PollingWorker(msgspec.Struct, eq=False):
    """A worker that has claimed workflows.

    Attributes:
        worker_id: who.
        last_seen: when it last gave a sign of life.
        claims: what it has claimed.
        lease: when to look whether it has.
    """

    worker_id: WorkerId
    last_seen: Instant
    claims: dict[ExecutionId, Execution] = {}
    lease: Deadline | None = None


class Due(msgspec.Struct, eq=False):
    """What a deadline of a workflow is about, where the deadline's kind alone does not tell."""

    execution: Execution
    subject: WorkflowTimer | Promise | None = None


PollKey = tuple[str | None, str, str | None, bool]
"""An organisation, a queue and a kind, of which None is any; and whether only ids that are UUIDs are wanted."""

BacklogKey = tuple[str, str, bool]
"""An organisation, a kind, and whether the ids are UUIDs."""

Turn = tuple[int, int, int]
"""Whose turn it is: the one that is older, its priority counted; of equal ones the one that was started first."""


class Workflows:
    """Who waits for what.

    Attributes:
        offered: workflows that became claimable in this decision.
        backlog: those that nobody waits for, by queue, then by organisation and kind; a heap each. Some may have ended
            meanwhile: they are passed over.
        put_back: how often something was put there.
        polls: who waits, by the polls' names.
        waiting: the same by what they wait for, those first that wait for longest.
        claimed_by: what a poll was given, until that is submitted.
        workers: who has claimed something.
        promises: whose promise it is, by the promises' ids; those of workflows in memory.
        tasks: whose task it is, likewise.
        keys: what idempotency keys belong to.
        expiries: when they expire; a heap.
    """

    def __init__(self) -> None:
        self.offered: list[Execution] = []
        self.backlog: dict[str, dict[BacklogKey, list[tuple[Turn, Execution]]]] = {}
        self.put_back = 0
        self.polls: dict[str, WorkflowPoll] = {}
        self.waiting: dict[PollKey, OrderedDict[str, WorkflowPoll]] = {}
        self.claimed_by: dict[str, Execution] = {}
        self.workers: dict[WorkerId, PollingWorker] = {}
        self.promises: dict[str, Execution] = {}
        self.tasks: dict[TaskId, Execution] = {}
        self.keys: dict[KeyName, KeyOwner] = {}
        self.expiries: list[tuple[Instant, KeyName]] = []


def workflow_of(execution: Execution) -> Workflow:
    """The workflow that an execution is. Only asked of those that are one."""
    workflow: Workflow | None = execution.workflow
    assert workflow is not None
    return workflow
