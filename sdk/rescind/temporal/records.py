"""What workflows, workers and clients tell each other through the cluster, as plain records."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec
from temporalio.api.common.v1 import Payload as TemporalPayload
from temporalio.common import RawValue

from rescind.errors import InvalidInput
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.children import NOTHING_USED, Spawned, Usage
from rescind.model.commands import DEFAULT_ORGANISATION
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId
from rescind.model.messages import EntryRecord, StopReported, StreamedEvent, TaskActivation, TaskReported
from rescind.model.outcome import Failure, Outcome
from rescind.model.overviews import AttemptView
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelMode, CancelTaskResult
from rescind.model.views import CheckpointView, ChildView, ExecutionView, TaskView
from rescind.model.workflow_events import LoggedEvent
from rescind.temporal.payloads import record_from_temporal

_REASON: Final = re.compile(
    # So Temporal's SDK begins the reason of a cancel that another workflow asks for.
    r"(?:Cancel requested by workflow with run id \S+ with reason: )?"
    r"(?:(?P<reason>.*) )?\(by (?P<by>.+?)(?P<hard>, hard)?"
    r"(?:, for (?P<source>[a-z_]+))?(?:, within (?P<within>\d+) ms)?(?:, answer (?P<position>\d+))?"
    r", request (?P<request_id>[0-9a-f-]{36})"
    r"(?:, trace (?P<trace>[0-9a-f-]{55}))?\)",
    re.DOTALL,
)
Limit = Literal["start_to_close", "heartbeat", "idle"]


class StartMemo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client says of a start, beside the agent's input. A workflow that was started otherwise has none.

    Attributes:
        by: who started it.
        labels: free text by name.
        organisation: whose it is.
        input_digest: the SHA-256 of the input, by which a repeated start is known.
        trace_parent: the span that started it, as W3C Trace Context writes it; None if nobody traced it.
        spawned: what it knows of its parent; None if it is no child.
        tells_end: whether it is to tell its parent's workflow of its end: that continues as new, and would not hear.
        created_at: when its first run was started, if this is a later one.
        version: the version of a workflow's code.
        timeout_ms: a workflow's longest time in all; None is no limit.
        is_workflow: whether it is a workflow, and no agent.
        is_by_kind: whether its client has named a kind alone: its worker shows whether it is a workflow.
    """

    by: str = "temporal"
    labels: dict[str, str] = {}
    organisation: str = DEFAULT_ORGANISATION
    input_digest: str = ""
    trace_parent: str | None = None
    spawned: Spawned | None = None
    tells_end: bool = False
    created_at: Instant | None = None
    version: str | None = None
    timeout_ms: int | None = None
    is_workflow: bool = False
    is_by_kind: bool = False

    @classmethod
    def of_workflow(cls, memo: TemporalPayload | None) -> StartMemo:
        """What the memo of a workflow says; of one that is somebody else's, nothing that its agent depends on."""
        if memo is None:
            return cls()
        try:
            return record_from_temporal(RawValue(memo), cls)
        except InvalidInput:
            return cls()


class AttemptOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of an attempt but its input, which is the activity's first argument.

    Attributes:
        task_id: the task.
        lease: the attempt.
        attempt: its number.
        grace_ms: how long cancelled work may clean up.
        queue: the task's queue.
        labels: free text by name.
        start_to_close_ms: longest time of the attempt, from its start on its worker; None is no limit.
        heartbeat_ms: longest silence of its code.
        idle_ms: longest time without progress, output or streamed events.
        trace_parent: the span that its agent was started in.
    """

    task_id: TaskId
    lease: Lease
    attempt: int
    grace_ms: int
    queue: str
    labels: dict[str, str] = {}
    start_to_close_ms: int | None = None
    heartbeat_ms: int | None = None
    idle_ms: int | None = None
    trace_parent: str | None = None

    def activation(self, execution_id: str, kind: str, task_input: Payload) -> TaskActivation:
        """The attempt as a worker runs it."""
        return TaskActivation(
            self.task_id,
            self.lease,
            ExecutionId(execution_id),
            kind,
            task_input,
            self.attempt,
            self.grace_ms,
            self.queue,
            self.heartbeat_ms,
            self.labels,
            self.trace_parent,
        )


class AttemptReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an attempt ended, as its activity tells it: by itself, or stopped.

    Attributes:
        reported: its own end.
        delivered: that its code was told to stop, if it was.
        stopped: that it has stopped, if it was ordered to.
    """

    reported: TaskReported | None = None
    delivered: StopReported | None = None
    stopped: StopReported | None = None


class AttemptAlive(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a running attempt has to tell since it told something last.

    Attributes:
        task_id: the task.
        lease: the attempt.
        progress: the last progress, between 0 and 1, if there was one.
        message: words about it.
        streamed: events for those who watch.
    """

    task_id: TaskId
    lease: Lease
    progress: float | None = None
    message: str | None = None
    streamed: tuple[StreamedEvent, ...] = ()


class AttemptOverrun(msgspec.Struct, frozen=True):
    """A running attempt has reached one of its limits."""

    lease: Lease
    limit: Limit


class StepReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a side effect gave: a value, or a failure."""

    value: Payload | None = None
    failure: Failure | None = None


class CancelRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A caller cancels an agent. It comes twice: by Temporal's own cancel, which lasts; by an update, for the answer.

    Attributes:
        by: who asks.
        reason: why, in words.
        hard: whether to end it at once, without its clean-up.
        request_id: by which the two are known to be one.
        trace_parent: the span that asks, as W3C Trace Context writes it; None if nobody traces it.
        source: what brought it about.
        within_ms: the longest time of the clean-up, if it is shorter than the agent's own.
        position: where its parent waits for the answer, if that asks.
    """

    by: str
    reason: str | None = None
    hard: bool = False
    request_id: str = ""
    trace_parent: str | None = None
    source: CancelSource = CancelSource.REQUEST
    within_ms: int | None = None
    position: int | None = None

    def as_reason(self) -> str:
        """The request as the reason of Temporal's own cancel: words that people read there."""
        how = ", hard" if self.hard else ""
        how += f", for {self.source.value}" if self.source is not CancelSource.REQUEST else ""
        how += f", within {self.within_ms} ms" if self.within_ms is not None else ""
        how += f", answer {self.position}" if self.position is not None else ""
        words = f"{self.reason} " if self.reason is not None else ""
        trace = f", trace {self.trace_parent}" if self.trace_parent is not None else ""
        return f"{words}(by {self.by}{how}, request {self.request_id}{trace})"

    @classmethod
    def from_reason(cls, text: str) -> CancelRequest | None:
        """The request in a reason of Temporal's own cancel; None if somebody else asked for that."""
        found = _REASON.fullmatch(text)
        if found is None:
            return None
        return cls(
            found["by"],
            found["reason"],
            found["hard"] is not None,
            found["request_id"],
            found["trace"],
            CancelSource(found["source"] or CancelSource.REQUEST),
            int(found["within"]) if found["within"] else None,
            int(found["position"]) if found["position"] else None,
        )

    @classmethod
    def of_temporal(cls, text: str) -> CancelRequest:
        """The request that Temporal's own cancel stands for: one of ours, or of somebody who used Temporal alone."""
        return cls.from_reason(text) or cls("temporal", text or None)

    def cause(self) -> CancelCause:
        """The request as the cause of what it brings about."""
        return CancelCause(self.source, self.by, self.reason, self.trace_parent)


class ToldByChild(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a child tells its parent.

    Attributes:
        child_id: the child.
        position: where the parent waits for what its cancel met.
        result: what that is.
        outcome: how the child has ended, where its workflow does not tell it in time, or not all of it.
        usage: what it had used up then.
    """

    child_id: ExecutionId
    position: int | None = None
    result: CancelTaskResult | None = None
    outcome: Outcome | None = None
    usage: Usage = NOTHING_USED


class CancelTaskRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A caller cancels one task."""

    task_id: TaskId
    by: str
    reason: str | None = None
    mode: CancelMode = CancelMode.TRY
    trace_parent: str | None = None

    def cause(self) -> CancelCause:
        """The request as the cause of what it brings about."""
        return CancelCause(CancelSource.REQUEST, self.by, self.reason, self.trace_parent)


class PromiseRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A caller resolves or rejects a promise of a workflow.

    Attributes:
        name: the promise's name.
        by: who asks.
        value: its value, unless it is rejected.
        error: why it is rejected; None if it is not.
    """

    name: str
    by: str
    value: Payload = NULL_PAYLOAD
    error: str | None = None


class PageRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A caller asks for what comes behind the first `after`.

    Attributes:
        after: how many are known already.
        offset: how many bytes of the answer are known already, which is too large for one.
    """

    after: int = 0
    offset: int = 0


class Described(msgspec.Struct, frozen=True):
    """An execution, and how much there is of what belongs to it: each is asked for in pages.

    Attributes:
        execution: the execution.
        tasks: how many tasks it has.
        entries: how many entries.
        checkpoints: how many checkpoints.
        events: the number of its last event.
        streamed: the number of the last event that was streamed.
        children: how many agents it spawned.
        missing: why nobody knows how much there is; None if these are the numbers.
    """

    execution: ExecutionView
    tasks: int = 0
    entries: int = 0
    checkpoints: int = 0
    events: int = 0
    streamed: int = 0
    children: int = 0
    missing: str | None = None


class TasksPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some tasks, in the order of scheduling, and whether that is all.

    Attributes:
        items: the tasks.
        is_last: whether that is all.
        at_work: of each of them the attempts that may still be running.
    """

    items: tuple[TaskView, ...]
    is_last: bool
    at_work: tuple[tuple[AttemptView, ...], ...] = ()


class EntriesPage(msgspec.Struct, frozen=True):
    """Some entries, oldest first, and whether that is all."""

    items: tuple[EntryRecord, ...]
    is_last: bool


class CheckpointsPage(msgspec.Struct, frozen=True):
    """Some checkpoints, oldest first, and whether that is all."""

    items: tuple[CheckpointView, ...]
    is_last: bool


class ChildrenPage(msgspec.Struct, frozen=True):
    """Some of the agents that it spawned, in order, and whether that is all."""

    items: tuple[ChildView, ...]
    is_last: bool


class HistoryPage(msgspec.Struct, frozen=True):
    """Some events of a history, and whether that is all so far.

    Attributes:
        items: the events.
        is_last: whether that is all so far.
        first_event: the number of the event before the first that this run of the workflow knows.
        previous_run: the run that knows of those before; empty if there is none.
    """

    items: tuple[HistoryEvent, ...]
    is_last: bool
    first_event: int = 0
    previous_run: str = ""


class LogPage(msgspec.Struct, frozen=True):
    """Some events of a workflow's log, the first first, and whether that is all so far."""

    items: tuple[LoggedEvent, ...]
    is_last: bool


class StreamedPage(msgspec.Struct, frozen=True):
    """Some streamed events, the number of the last one, and whether that is all so far.

    Of those that nobody asked for in time, the oldest are forgotten: then `last` grows by more than what is here.
    """

    items: tuple[StreamedEvent, ...]
    last: int
    is_last: bool
