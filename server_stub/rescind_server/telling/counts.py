"""Counts what has become durable: outcomes, cancels, how long stopping takes, how much goes into one commit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import Instant, TaskId
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import Decision
from rescind_server.telling.histogram import Histogram

MOST_NAMES: Final = 1_000
"""Of how many kinds, and how many queues, per organisation each has figures of its own: callers may invent new ones."""
OTHER: Final = "other"
"""What the figures of all others are told under."""
EXECUTORS: Final = frozenset({"", "async", "thread", "process", "shell", "container"})
STOP_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
COMMIT_BOUNDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 5_000.0)

_ENDS_OF_EXECUTIONS: Final[Mapping[EventType, str]] = {
    EventType.EXECUTION_COMPLETED: "COMPLETED",
    EventType.EXECUTION_FAILED: "FAILED",
    EventType.EXECUTION_CANCELLED: "CANCELLED",
}
_ENDS_OF_TASKS: Final[Mapping[EventType, str]] = {
    EventType.TASK_COMPLETED: "COMPLETED",
    EventType.TASK_FAILED: "FAILED",
    EventType.TASK_CANCELLED: "CANCELLED",
}
_MICROSECONDS: Final = 1_000_000


class ByKind(NamedTuple):
    """What ended, and how.

    Attributes:
        organisation: whose it was.
        kind: of which agent or task.
        status: ``COMPLETED``, ``FAILED`` or ``CANCELLED``.
        failure: the kind of the failure, of a task that FAILED; else empty.
    """

    organisation: str
    kind: str
    status: str
    failure: str = ""


class CancelRequest(NamedTuple):
    """A request to cancel.

    Attributes:
        organisation: whose.
        target: ``execution`` or ``task``.
        source: what brought it about.
        result: what it was answered; ``ASKED`` where the work was left to decide.
    """

    organisation: str
    target: str
    source: str
    result: str


class StopStage(NamedTuple):
    """How far the stopping of an attempt came.

    Attributes:
        organisation: whose.
        executor: what ran it; empty if its worker did not say, or was lost.
        stage: ``delivered``, ``stopped``, ``killed`` or ``lost``.
    """

    organisation: str
    executor: str
    stage: str


class _Stopping(NamedTuple):
    requested_at: Instant
    delivered_at: Instant | None = None


class Counts:
    """Figures since the server began. Each change costs a fixed time, and what does not change costs nothing.

    Attributes:
        started: executions that were started, by organisation and kind.
        ended_executions: executions that ended.
        ended_tasks: tasks that ended.
        cancel_requests: requests to cancel, also those that came too late.
        stops: seconds from the order to stop to each stage.
        commits: decisions per commit.
        events: how many events were recorded.
    """

    def __init__(self) -> None:
        self.started: Counter[tuple[str, str]] = Counter()
        self.ended_executions: Counter[ByKind] = Counter()
        self.ended_tasks: Counter[ByKind] = Counter()
        self.cancel_requests: Counter[CancelRequest] = Counter()
        self.stops: defaultdict[StopStage, Histogram] = defaultdict(lambda: Histogram(STOP_BOUNDS))
        self.commits = Histogram(COMMIT_BOUNDS)
        self.events = 0
        # The stops that are under way; each of them ends.
        self._stopping: dict[tuple[TaskId | None, int], _Stopping] = {}
        self._kinds: defaultdict[str, set[str]] = defaultdict(set)
        self._queues: defaultdict[str, set[str]] = defaultdict(set)

    def note(self, decisions: Sequence[Decision]) -> None:
        """Count what one commit has made durable."""
        deciding = 0
        for decision in decisions:
            if decision.events:
                deciding += 1
                self.events += len(decision.events)
                self._note_events(decision)
        if deciding:
            self.commits.note(deciding)

    def _note_events(self, decision: Decision) -> None:
        for execution_id, event in decision.events:
            rule = _RULES.get(event.type)
            if rule is not None:
                execution = decision.executions.get(execution_id) or decision.annotated[execution_id]
                rule(self, decision, execution, event)

    def kind(self, organisation: str, kind: str) -> str:
        """The kind under which figures of an organisation's kind are told: its own, or ``other``."""
        return _told_as(kind, self._kinds[organisation])

    def queue(self, organisation: str, queue: str) -> str:
        """As `kind`, of a queue."""
        return _told_as(queue, self._queues[organisation])

    def _note_start(self, decision: Decision, execution: Execution, event: HistoryEvent) -> None:
        self.started[execution.organisation, self.kind(execution.organisation, execution.kind)] += 1

    def _note_end(self, decision: Decision, execution: Execution, event: HistoryEvent) -> None:
        kind = self.kind(execution.organisation, execution.kind)
        self.ended_executions[ByKind(execution.organisation, kind, _ENDS_OF_EXECUTIONS[event.type])] += 1

    def _note_end_of_task(self, decision: Decision, execution: Execution, event: HistoryEvent) -> None:
        assert event.task_id is not None
        task = decision.tasks[event.task_id]
        status = _ENDS_OF_TASKS[event.type]
        failure = (event.details or {}).get("kind", "") if event.type is EventType.TASK_FAILED else ""
        kind = self.kind(execution.organisation, task.kind)
        self.ended_tasks[ByKind(execution.organisation, kind, status, failure)] += 1

    def _note_cancel(self, decision: Decision, execution: Execution, event: HistoryEvent) -> None:
        details = event.details or {}
        target = "task" if event.type is EventType.TASK_CANCEL_REQUESTED else "execution"
        self.cancel_requests[CancelRequest(execution.organisation, target, details["source"], details["result"])] += 1

    def _note_order(self, decision: Decision, execution: Execution, event: HistoryEvent) -> None:
        self._stopping[event.task_id, event.attempt] = _Stopping(event.at)

    def _note_delivery(self, decision: Decision, execution: Execution, event: HistoryEvent) -> None:
        stopping = self._stopping.get((event.task_id, event.attempt))
        if stopping is not None:
            self._stopping[event.task_id, event.attempt] = stopping._replace(delivered_at=event.at)

    def _note_stop(self, decision: Decision, execution: Execution, event: HistoryEvent) -> None:
        # All stages at the end, when it is known what ran the code; one that does not end is counted as stuck.
        stopping = self._stopping.pop((event.task_id, event.attempt), None)
        if stopping is None:
            return  # it was ordered before this server began
        details = event.details or {}
        # Its worker says what it is, and could say anything.
        executor = said if (said := details.get("executor", "")) in EXECUTORS else OTHER
        stages = {"delivered": stopping.delivered_at, details["state"].lower(): event.at}
        for stage, at in stages.items():
            if at is not None:
                seconds = (at - stopping.requested_at) / _MICROSECONDS
                self.stops[StopStage(execution.organisation, executor, stage)].note(seconds)


def _told_as(name: str, known: set[str]) -> str:
    if name in known:
        return name
    if len(known) >= MOST_NAMES:
        return OTHER
    known.add(name)
    return name


_RULES: Final[Mapping[EventType, Callable[[Counts, Decision, Execution, HistoryEvent], None]]] = {
    EventType.EXECUTION_STARTED: Counts._note_start,
    **dict.fromkeys(_ENDS_OF_EXECUTIONS, Counts._note_end),
    **dict.fromkeys(_ENDS_OF_TASKS, Counts._note_end_of_task),
    EventType.EXECUTION_CANCEL_REQUESTED: Counts._note_cancel,
    EventType.TASK_CANCEL_REQUESTED: Counts._note_cancel,
    EventType.STOP_REQUESTED: Counts._note_order,
    EventType.STOP_DELIVERED: Counts._note_delivery,
    EventType.STOP_ENDED: Counts._note_stop,
}
