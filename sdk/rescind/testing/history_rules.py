"""What every history must obey: the invariants of cancellation.md that a history alone can show."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from rescind.model.events import EXECUTION_ENDS, TASK_ENDS, EventType, HistoryEvent


class BrokenRule(AssertionError):
    """A history breaks a rule.

    Attributes:
        event: the event that shows it.
        history: the events of its execution.
    """

    def __init__(self, rule: str, event: HistoryEvent, history: Sequence[HistoryEvent]) -> None:
        super().__init__(f"{rule}: {event}")
        self.event = event
        self.history = history


def check_history(events: Sequence[HistoryEvent]) -> None:
    """Check one execution's history against every rule here.

    Raises:
        BrokenRule: the first rule that is broken.
    """
    for rule in _RULES:
        rule(events)


def _numbers_have_no_gap(events: Sequence[HistoryEvent]) -> None:
    for expected, event in enumerate(events, start=1):
        if event.sequence != expected:
            raise BrokenRule(f"event {event.sequence} stands where {expected} should", event, events)


def _time_goes_forward(events: Sequence[HistoryEvent]) -> None:
    for before, after in pairwise(events):
        if after.at < before.at:
            raise BrokenRule(f"event {after.sequence} is earlier than the one before", after, events)


def _one_end_per_task(events: Sequence[HistoryEvent]) -> None:
    """Invariant 1, and the first half of 4: no attempt starts or fails behind its task's end."""
    ended: set[str] = set()
    for event in events:
        if event.task_id is None:
            continue
        if event.type in TASK_ENDS:
            if event.task_id in ended:
                raise BrokenRule(f"invariant 1: task {event.task_id} ends a second time", event, events)
            ended.add(event.task_id)
        elif event.task_id in ended and event.type in (EventType.TASK_STARTED, EventType.TASK_ATTEMPT_FAILED):
            raise BrokenRule(f"invariant 4: task {event.task_id} has ended", event, events)


def _one_end_per_execution(events: Sequence[HistoryEvent]) -> None:
    """Invariant 1. Only by hand does an execution go on behind its end, and only if it has failed."""
    code = (EventType.EXECUTION_ACTIVATED, EventType.EXECUTION_SUSPENDED, EventType.TASK_SCHEDULED)
    end: EventType | None = None
    for event in events:
        if event.type is EventType.EXECUTION_RETRIED:
            if end is not EventType.EXECUTION_FAILED:
                raise BrokenRule("an execution that has not failed is let go on by hand", event, events)
            end = None
        elif event.type in EXECUTION_ENDS:
            if end is not None:
                raise BrokenRule("invariant 1: the execution ends a second time", event, events)
            end = event.type
        elif end is not None and event.type in code:
            raise BrokenRule("the execution has ended, and its code goes on", event, events)


def _attempts_are_counted(events: Sequence[HistoryEvent]) -> None:
    """Invariants 4 and 7: each start of a task has a new attempt number, the next one."""
    started: Counter[str] = Counter()
    for event in events:
        if event.type is EventType.TASK_STARTED and event.task_id is not None:
            started[event.task_id] += 1
            if event.attempt != started[event.task_id]:
                raise BrokenRule(f"invariant 4: attempt {started[event.task_id]} was to start", event, events)


def _one_request_cancels(events: Sequence[HistoryEvent]) -> None:
    """Invariant 5: CANCELLED is answered to at most one request that decides, and only of a task that it ended."""
    winners: Counter[str] = Counter()
    for event in events:
        if event.type is EventType.TASK_CANCEL_REQUESTED and (event.details or {}).get("result") == "CANCELLED":
            winners[event.task_id or ""] += 1
            if winners[event.task_id or ""] > 1:
                raise BrokenRule("invariant 5: a second request is answered CANCELLED", event, events)
            follower = events[event.sequence] if event.sequence < len(events) else None
            if follower is None or follower.type is not EventType.TASK_CANCELLED:
                raise BrokenRule("invariant 5: the request is answered CANCELLED, and the task goes on", event, events)


def _stops_go_forward(events: Sequence[HistoryEvent]) -> None:
    """Section 4: requested, perhaps delivered, ended; each at most once per attempt."""
    order = {EventType.STOP_REQUESTED: 1, EventType.STOP_DELIVERED: 2, EventType.STOP_ENDED: 3}
    reached: dict[tuple[str | None, int], int] = defaultdict(int)
    for event in events:
        place = order.get(event.type)
        if place is None:
            continue
        attempt = (event.task_id, event.attempt)
        if place <= reached[attempt] or (place > 1 and not reached[attempt]):
            raise BrokenRule("the stop record goes back", event, events)
        reached[attempt] = place


def _each_answer_is_given_once(events: Sequence[HistoryEvent]) -> None:
    """An operation is answered once, and not behind its withdrawal: a cancelled timer never fires (section 7)."""
    answers = (EventType.WAIT_SETTLED, EventType.TIMER_FIRED, EventType.STEP_RECORDED)
    closed: dict[int | str, EventType] = {}
    for event in events:
        if event.type in answers or event.type is EventType.WITHDRAWN:
            details = event.details or {}
            # An agent's operations have positions; the timers of a workflow have names.
            operation = details["position"] if "position" in details else details["name"]
            if operation in closed and event.type in answers:
                raise BrokenRule(f"operation {operation} is over since {closed[operation].value}", event, events)
            closed[operation] = event.type


def _each_signal_is_taken_once(events: Sequence[HistoryEvent]) -> None:
    """Invariant 7: a signal that was accepted is neither lost nor read twice."""
    queued: set[int] = set()
    for event in events:
        details = event.details or {}
        if event.type in (EventType.SIGNAL_RECEIVED, EventType.SIGNAL_RETURNED):
            queued.add(details["number"])
        elif event.type is EventType.SIGNALS_TAKEN:
            if not queued.issuperset(details["numbers"]):
                raise BrokenRule("invariant 7: a signal is taken that is not in the queue", event, events)
            queued.difference_update(details["numbers"])


def _each_child_ends_once(events: Sequence[HistoryEvent]) -> None:
    """A child is spawned once and its end told once, behind that."""
    open_children: dict[str, bool] = {}
    for event in events:
        if event.type not in (EventType.CHILD_SPAWNED, EventType.CHILD_ENDED):
            continue
        child_id = (event.details or {})["child_id"]
        is_spawned = event.type is EventType.CHILD_SPAWNED
        if is_spawned is (child_id in open_children) or (not is_spawned and not open_children[child_id]):
            raise BrokenRule(f"child {child_id} is spawned, or ends, a second time", event, events)
        open_children[child_id] = is_spawned


def unended_stops(events: Sequence[HistoryEvent]) -> list[HistoryEvent]:
    """The orders to stop that have not reached an end (invariant 6 wants none left for ever)."""
    ended = {(event.task_id, event.attempt) for event in events if event.type is EventType.STOP_ENDED}
    requested = [event for event in events if event.type is EventType.STOP_REQUESTED]
    return [event for event in requested if (event.task_id, event.attempt) not in ended]


_RULES: Final[tuple[Callable[[Sequence[HistoryEvent]], None], ...]] = (
    _numbers_have_no_gap,
    _time_goes_forward,
    _one_end_per_task,
    _one_end_per_execution,
    _attempts_are_counted,
    _one_request_cancels,
    _stops_go_forward,
    _each_answer_is_given_once,
    _each_signal_is_taken_once,
    _each_child_ends_once,
)
