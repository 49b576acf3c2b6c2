"""What the engine shows, as the answers' types."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Raw

from rescind.model.audit import AuditRecord
from rescind.model.cause import CancelCause
from rescind.model.events import HistoryEvent, iso_time
from rescind.model.ids import Instant
from rescind.model.messages import EntryRecord
from rescind.model.outcome import Failure
from rescind.model.overviews import STUCK_ADVICE, CancelReach, ListedTask, RunningWork, StillStopping, Stuck, WorkerView
from rescind.model.payload import JSON_ENCODING, Payload
from rescind.model.views import CheckpointView, ExecutionView, StopView
from rescind_server.gateway.http.answers import (
    AuditRecordBody,
    CauseBody,
    CheckpointBody,
    EntryBody,
    EventBody,
    ExecutionBody,
    FailureBody,
    ParkedBody,
    RunningBody,
    StopBody,
    StuckBody,
    StuckTaskBody,
    TaskBody,
    UsageBody,
    WaitingBody,
    WorkerBody,
    encoded,
)
from rescind_server.gateway.http.bodies import NULL
from rescind_server.gateway.http.cancel_bodies import ReachBody
from rescind_server.gateway.http.change_bodies import ChangeBody

_is_json: Final = msgspec.json.Decoder(Raw).decode
_MICROSECONDS: Final = 1_000_000


def value(payload: Payload | None) -> Raw:
    """A payload as JSON. What says that it is JSON and is not is shown as what it is: bytes."""
    if payload is None:
        return NULL
    if payload.encoding != JSON_ENCODING:
        return encoded(payload)
    try:
        _is_json(payload.data)
        payload.data.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return encoded(payload)
    return Raw(payload.data)


def payload_of(given: Raw) -> Payload:
    """A value that was sent, written as the SDK writes it: so the same start is recognised, whatever way it comes."""
    return Payload(msgspec.json.format(bytes(given), indent=-1))


def moment(at: Instant | None) -> str | None:
    """An instant, if there is one."""
    return None if at is None else iso_time(at)


def instant(given: datetime | None) -> Instant | None:
    """A time that was given, if it was."""
    return None if given is None else Instant(round(given.timestamp() * _MICROSECONDS))


def execution_body(view: ExecutionView) -> ExecutionBody:
    """An execution, with what is still being stopped of it."""
    return ExecutionBody(
        execution_id=view.execution_id,
        kind=view.kind,
        queue=view.queue,
        status=view.status,
        input=value(view.input),
        output=value(view.output) if view.output is not None else None,
        failure=_failure(view.failure),
        cause=_cause(view.cause),
        parked=view.parked,
        labels=view.labels,
        created_by=view.created_by,
        created_at=iso_time(view.created_at),
        ended_at=moment(view.ended_at),
        checkpoint=view.checkpoint,
        stopping=view.stopping,
        children_stopping=view.children_stopping,
        parent_id=view.parent_id,
        usage=UsageBody(view.usage.tokens, view.usage.cost_usd),
    )


def change_body(view: ExecutionView, stopping: StillStopping) -> ChangeBody:
    """How an execution stands, and what is still being stopped of it."""
    return ChangeBody(
        execution_id=view.execution_id,
        kind=view.kind,
        queue=view.queue,
        status=view.status,
        cause=_cause(view.cause),
        parked=view.parked,
        labels=view.labels,
        created_by=view.created_by,
        created_at=iso_time(view.created_at),
        ended_at=moment(view.ended_at),
        stopping=stopping.total,
        children_stopping=stopping.children,
    )


def task_body(listed: ListedTask) -> TaskBody:
    """A task."""
    view = listed.task
    return TaskBody(
        task_id=view.task_id,
        execution_id=listed.execution_id,
        agent=listed.agent,
        kind=view.kind,
        queue=view.queue,
        status=view.status,
        stop_state=view.stop_state,
        stops=tuple(_stop(each) for each in view.stops),
        attempts=view.attempts,
        input=value(view.input),
        output=value(view.output) if view.output is not None else None,
        failure=_failure(view.failure),
        cause=_cause(view.cause),
        cancel_requested_at=moment(view.cancel_requested_at),
        scheduled_at=iso_time(view.scheduled_at),
        started_at=moment(view.started_at),
        ended_at=moment(view.ended_at),
        worker_id=view.worker_id,
        progress=view.progress,
        labels=view.labels,
    )


def event_body(event: HistoryEvent) -> EventBody:
    """An event of a history."""
    return EventBody(event.sequence, iso_time(event.at), event.type, event.task_id, event.attempt, event.details or {})


def entry_body(entry: EntryRecord) -> EntryBody:
    """An entry of a conversation."""
    return EntryBody(
        entry.entry_id, entry.entry_type, entry.role, value(entry.content), entry.turn_id, iso_time(entry.at)
    )


def checkpoint_body(checkpoint: CheckpointView) -> CheckpointBody:
    """A checkpoint."""
    return CheckpointBody(
        checkpoint.sequence, value(checkpoint.state), iso_time(checkpoint.at), checkpoint.leaf_entry_id
    )


def worker_body(worker: WorkerView, work: Sequence[RunningWork]) -> WorkerBody:
    """A worker, with some of what it runs."""
    return WorkerBody(
        worker_id=worker.worker_id,
        queues=worker.queues,
        agents=worker.agents,
        tasks=worker.tasks,
        slots=worker.slots,
        running=worker.running,
        held=worker.held,
        connected=worker.connected,
        last_contact=iso_time(worker.last_contact),
        lease_ends=moment(worker.lease_ends),
        stopping=worker.stopping,
        unresponsive=worker.unresponsive,
        workflows=worker.workflows,
        polls=worker.polls,
        attempts=tuple(map(_running_body, work)),
    )


def _running_body(work: RunningWork) -> RunningBody:
    return RunningBody(
        subject=work.subject,
        execution_id=work.execution_id,
        agent=work.agent,
        kind=work.kind,
        task_id=work.task_id,
        attempt=work.number,
        since=moment(work.since),
        stopping=work.is_stopping,
    )


def reach_body(reach: CancelReach) -> ReachBody:
    """What a cancel of many would reach."""
    return ReachBody(reach.executions, reach.descendants, reach.tasks, reach.attempts)


def audit_body(record: AuditRecord) -> AuditRecordBody:
    """A request that was recorded."""
    return AuditRecordBody(
        at=iso_time(record.at),
        who=record.who,
        action=record.action,
        result=record.result,
        subject=record.subject,
        execution_id=record.execution_id,
        task_id=record.task_id,
        sequence=record.sequence,
        source=record.source,
        reason=record.reason,
        forced=record.forced,
    )


def stuck_body(stuck: Stuck) -> StuckBody:
    """What does not go on by itself."""
    return StuckBody(
        tasks=tuple(
            StuckTaskBody(each.reason, iso_time(each.since), STUCK_ADVICE[each.reason], task_body(each.listed))
            for each in stuck.tasks
        ),
        task_count=stuck.task_count,
        waiting=tuple(
            WaitingBody(
                each.sort,
                each.queue,
                each.kind,
                each.count,
                iso_time(each.since),
                each.workers,
                each.workers_of_workflow,
            )
            for each in stuck.waiting
        ),
        parked=tuple(ParkedBody(each.kind, each.count, each.reason, each.execution_id) for each in stuck.parked),
    )


def _failure(failure: Failure | None) -> FailureBody | None:
    if failure is None:
        return None
    return FailureBody(failure.kind, failure.message, failure.error_type, failure.retryable)


def _cause(cause: CancelCause | None) -> CauseBody | None:
    return None if cause is None else CauseBody(cause.source, cause.by, cause.reason)


def _stop(stop: StopView) -> StopBody:
    return StopBody(
        stop.attempt,
        stop.state,
        iso_time(stop.requested_at),
        moment(stop.delivered_at),
        moment(stop.forced_at),
        moment(stop.ended_at),
        stop.deliveries,
    )
