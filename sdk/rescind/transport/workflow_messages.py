"""Workflows' commands and events as messages of ``rescind.v1.Workflows``, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rescind_proto.rescind.v1 import workflows_pb2 as wire

from rescind.errors import ServerUnavailable
from rescind.model.ids import ExecutionId, Instant
from rescind.model.payload import Payload
from rescind.model.workflow_commands import AnyWorkflowCommand
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflow_json import command_data, command_from_data, event_data, event_from_data
from rescind.model.workflows import StartWorkflow, WorkflowClaimed
from rescind.transport.conversion.pairs import fill, from_message


def event_message(logged: LoggedEvent) -> wire.WorkflowLogEvent:
    """An event of a log."""
    return wire.WorkflowLogEvent(
        sequence=logged.sequence, at=logged.at, type=logged.event.event_type, data=event_data(logged.event)
    )


def event_of(message: wire.WorkflowLogEvent) -> LoggedEvent:
    """The event that a message says. Raises ServerUnavailable: its server is newer, and writes what is unknown here."""
    event = event_from_data(message.type, message.data)
    if event is None:
        raise ServerUnavailable(f"the log has an event of type {message.type!r}, which is not known here. Upgrade.")
    return LoggedEvent(message.sequence, Instant(message.at), event)


def command_messages(commands: Iterable[AnyWorkflowCommand]) -> list[wire.WorkflowLogCommand]:
    """Commands, in order."""
    return [
        wire.WorkflowLogCommand(type=str(type(each).__struct_config__.tag), data=command_data(each))
        for each in commands
    ]


def commands_of(messages: Iterable[wire.WorkflowLogCommand]) -> tuple[AnyWorkflowCommand, ...]:
    """The commands that messages say. Raises InvalidInput."""
    return tuple(command_from_data(each.type, each.data) for each in messages)


def start_message(command: StartWorkflow) -> wire.StartWorkflowRequest:
    """A start; whose it is, the server knows."""
    request = wire.StartWorkflowRequest(
        kind=command.kind,
        execution_id=command.execution_id,
        queue=command.queue,
        labels=command.labels,
        idempotency_key=command.idempotency_key,
        idempotency_key_ttl_seconds=command.idempotency_key_ttl_seconds,
        version=command.version,
        priority_ms=command.priority_ms,
        timeout_ms=command.timeout_ms,
        by=command.by,
    )
    fill(command.input, request.input)
    return request


def claimed_message(claimed: WorkflowClaimed, execution_id: str, queue: str) -> wire.ClaimWorkflowReply:
    """A claim, with the names that its organisation knows. The log is fetched apart."""
    reply = wire.ClaimWorkflowReply(
        execution_id=execution_id,
        claim=claimed.claim,
        kind=claimed.kind,
        queue=queue,
        organisation=claimed.organisation,
        sequence=claimed.sequence,
        now=claimed.now,
        created_at=claimed.created_at,
        version=claimed.version,
        labels=claimed.labels,
        trace_parent=claimed.trace_parent,
    )
    fill(claimed.input, reply.input)
    return reply


def claimed_of(reply: wire.ClaimWorkflowReply) -> WorkflowClaimed:
    """The claim that a message says."""
    return WorkflowClaimed(
        execution_id=ExecutionId(reply.execution_id),
        claim=reply.claim,
        kind=reply.kind,
        queue=reply.queue,
        organisation=reply.organisation,
        input=payload_of(reply.input),
        sequence=reply.sequence,
        now=Instant(reply.now),
        created_at=Instant(reply.created_at),
        version=optional(reply, "version"),
        labels=dict(reply.labels),
        trace_parent=optional(reply, "trace_parent"),
    )


def payload_of(message: Any) -> Payload:
    """The payload that a message says; JSON null if it says nothing."""
    payload: Payload = from_message(message, Payload)
    return payload if payload.data else Payload(b"null")


def optional(message: Any, field: str) -> Any:
    """A field that may be unset; None if it is."""
    return getattr(message, field) if message.HasField(field) else None
