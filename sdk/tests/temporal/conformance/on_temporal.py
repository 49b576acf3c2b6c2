"""A program on a real server of Temporal, in real time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType as TemporalEventType
from temporalio.api.history.v1 import HistoryEvent as TemporalEvent
from temporalio.client import WorkflowFailureError, WorkflowHistory
from temporalio.common import RawValue

from rescind import ExecutionHandle
from rescind.errors import InvalidInput, ServerUnavailable
from rescind.model.events import HistoryEvent
from rescind.model.views import ExecutionDetails, PartialDetails
from rescind.temporal import TemporalClient, TemporalReplayer
from rescind.temporal.payloads import record_from_temporal
from rescind.temporal.records import AttemptReport

from .courses import Course, course_of, parts_of
from .inputs import Name, times_of
from .playing import plays_a_program
from .programs import Program


@dataclass(frozen=True, slots=True)
class TemporallyPlayed:
    """A program that was played on Temporal.

    Attributes:
        course: the course that it took.
        inputs: what came to it, in the order in which Temporal told its workflow.
    """

    course: Course
    inputs: list[Name]


async def temporal_play(
    client: TemporalClient, queue: str, replayer: TemporalReplayer, program: Program
) -> TemporallyPlayed:
    """Play a program, wait until nothing of it is at work any more, and run it again over its history."""
    handle = await client.start(plays_a_program, program, queue=queue)
    workflow = client.port.client.get_workflow_handle(handle.id, result_type=RawValue)
    with suppress(WorkflowFailureError):  # an agent that fails has taken a course as others have
        await workflow.result()
    details, history = await _told(handle)
    events = await workflow.fetch_history()
    await replayer.replay(events)
    return TemporallyPlayed(course_of(details, history), _inputs_of(program, details, history, events))


async def _told(handle: ExecutionHandle[Any]) -> tuple[ExecutionDetails, Sequence[HistoryEvent]]:
    """All that is told of an execution that has ended. Of such a one a client waits for a worker for seconds only, and
    the one that there is may have more to do.
    """
    while True:
        with suppress(ServerUnavailable):
            details, history = await handle.details(), await handle.history()
            if not isinstance(details, PartialDetails):
                return details, history


def _inputs_of(
    program: Program, details: ExecutionDetails, history: Sequence[HistoryEvent], events: WorkflowHistory
) -> list[Name]:
    """What came, by Temporal's own history: ends as they stand there, times by the turn that was the first after them.

    A turn looks at the time before it takes what has ended.
    """
    turns = [event for event in events.events if event.event_type == TemporalEventType.EVENT_TYPE_WORKFLOW_TASK_STARTED]
    begun = [event.event_time.ToMicroseconds() for event in turns]
    found: list[tuple[int, int, int, Name]] = []
    for name, at in times_of(program, details, history).items():
        turn = bisect_left(begun, at)
        if turn < len(turns):
            found.append((turn, 0, at, name))
    numbers = [event.event_id for event in turns]
    for event_id, name in _ends(events.events, parts_of(details)):
        found.append((bisect_left(numbers, event_id), 1, event_id, name))
    return [name for _, _, _, name in sorted(found)]


def _ends(events: Sequence[TemporalEvent], parts: dict[str, int]) -> list[tuple[int, Name]]:
    """The ends of activities, with the numbers of their events."""
    attempts: dict[int, tuple[int, int]] = {}
    ends: list[tuple[int, Name]] = []
    for event in events:
        match event.WhichOneof("attributes"):
            case "activity_task_scheduled_event_attributes":
                task_id, attempt = event.activity_task_scheduled_event_attributes.activity_id.split(":")
                attempts[event.event_id] = parts[task_id], int(attempt)
            case "activity_task_completed_event_attributes":
                completed = event.activity_task_completed_event_attributes
                ends.append((event.event_id, _end(attempts[completed.scheduled_event_id], completed.result)))
            case "activity_task_failed_event_attributes":
                failed = event.activity_task_failed_event_attributes
                details = failed.failure.application_failure_info.details
                ends.append((event.event_id, _end(attempts[failed.scheduled_event_id], details)))
            case "activity_task_canceled_event_attributes":
                cancelled = event.activity_task_canceled_event_attributes
                ends.append((event.event_id, ("stopped", attempts[cancelled.scheduled_event_id][0], 0)))
    return ends


def _end(attempt: tuple[int, int], told: Payloads) -> Name:
    report = _report(told)
    if report.stopped is not None or (report.reported is not None and report.reported.cancelled):
        return "stopped", attempt[0], 0
    return "end", *attempt


def _report(told: Payloads) -> AttemptReport:
    for payload in told.payloads:
        try:
            return record_from_temporal(RawValue(payload), AttemptReport)
        except InvalidInput:
            continue
    raise AssertionError(f"no report in {told}")


def without_stops_by_decision(seen: Sequence[Name], expected: Sequence[Any]) -> list[Name]:
    """What came, without the ends of work that was stopped by a decision: no agent hears of them."""
    awaited = {each.name for each in expected}
    return [name for name in seen if name[0] != "stopped" or name in awaited]
