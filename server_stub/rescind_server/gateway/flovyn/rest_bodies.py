"""What requests of flovyn's HTTP interface look like. Unlike ours, they may have in them what nobody here knows."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta, field

from rescind.model.options import DEFAULT_QUEUE
from rescind.model.status import ExecutionStatus, TaskStatus
from rescind_server.gateway.http.bodies import NULL, Labels, Name, Query, RequestBody, Value, Words

LARGEST_PAGE: Final = 1_000
LARGEST_OFFSET: Final = 1_000_000
LONGEST_QUEUE: Final = 100
MOST_RETRIES: Final = 10

ABSENT: Final = msgspec.Raw()
"""Stands for a value that was not sent; null is one that was."""

PageLimit = Annotated[int, Meta(ge=1, le=LARGEST_PAGE)]
TaskPageLimit = Annotated[int, Meta(ge=1, le=100)]
PageOffset = Annotated[int, Meta(ge=0, le=LARGEST_OFFSET)]
Queue = Annotated[str, Meta(max_length=LONGEST_QUEUE)]
Types = Annotated[str, Meta(max_length=100, description="Out of events, tokens, progress, data, errors; with commas.")]


class LogLevel(StrEnum):
    """How much a line of a log matters."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class LenientBody(RequestBody, frozen=True, forbid_unknown_fields=False, rename="camel"):
    """What a client sends: what is not known is passed over."""


class LenientQuery(Query, frozen=True, forbid_unknown_fields=False, rename="camel"):
    """What stands behind the question mark: what is not known is passed over."""


class NothingAsked(LenientQuery, frozen=True):
    """A query of which nothing is read."""


# ── queries ────────────────────────────────────────────────────────────────────────────────────────────────────────


class PageQuery(LenientQuery, frozen=True):
    """Which part of a list."""

    limit: PageLimit = 50
    offset: PageOffset = 0


class ListAgentsQuery(PageQuery, frozen=True):
    """Which agents, and which part of their list."""

    status: ExecutionStatus | None = None
    kind: Name | None = None


class ListWorkflowsQuery(LenientQuery, frozen=True):
    """Which workflows, and which part of their list."""

    status: ExecutionStatus | None = None
    kind: Name | None = None
    limit: PageLimit = 20
    offset: PageOffset = 0


class ListTasksQuery(LenientQuery, frozen=True):
    """Which tasks, and which part of their list."""

    status: TaskStatus | None = None
    queue: Name | None = None
    kind: Name | None = None
    limit: TaskPageLimit = 50
    offset: PageOffset = 0


class ListWorkersQuery(PageQuery, frozen=True):
    """Which workers, and which part of their list."""

    type: Name | None = None


class LogsQuery(LenientQuery, frozen=True):
    """Which lines of a log."""

    level: LogLevel | None = None
    limit: PageLimit = 100
    offset: PageOffset = 0


class TaskLogsQuery(LogsQuery, frozen=True):
    """Which lines of the log of a task of its own."""

    limit: TaskPageLimit = 50


class EventsQuery(LenientQuery, frozen=True):
    """Which events: those behind a number."""

    since_sequence: PageOffset = 0


class StateQuery(LenientQuery, frozen=True):
    """Which part of the state: one key, or all."""

    key: Name | None = None


class StreamQuery(LenientQuery, frozen=True):
    """Which kinds of events; none is all."""

    types: Types | None = None


# ── bodies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class CreateAgentBody(LenientBody, frozen=True):
    """An agent to start."""

    kind: Name | None = None
    agent_definition_id: Name | None = None
    input: Value = field(default_factory=lambda: NULL)
    queue: Queue | None = None
    metadata: Labels | None = None


class SignalAgentBody(LenientBody, frozen=True):
    """A signal to an agent."""

    signal_name: Name
    signal_value: Value = field(default_factory=lambda: NULL)


class CreateWorkflowBody(LenientBody, frozen=True):
    """A workflow to start. The same idempotency key finds the one that it started."""

    kind: Name
    input: Value = field(default_factory=lambda: NULL)
    queue: Queue | None = None
    priority_seconds: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)] = 0
    version: Name | None = None
    idempotency_key: Name | None = None
    idempotency_key_ttl: Words | None = field(default=None, name="idempotencyKeyTTL")
    labels: Labels | None = None
    metadata: Labels | None = None


class CancelWorkflowBody(LenientBody, frozen=True):
    """A request to cancel a workflow."""

    reason: Words | None = None
    cascade_to_children: bool = True


class RetryWorkflowBody(LenientBody, frozen=True):
    """A request to run a failed workflow once more."""

    note: Words | None = None


class SignalWorkflowBody(LenientBody, frozen=True):
    """A signal to a workflow, in each of the three spellings that are documented."""

    signal_name: Name | None = None
    signal_value: Value = field(default_factory=lambda: ABSENT)
    snake_name: Name | None = field(default=None, name="signal_name")
    snake_value: Value = field(default_factory=lambda: ABSENT, name="signal_value")
    name: Name | None = None
    payload: Value = field(default_factory=lambda: ABSENT)


class SignalWithStartBody(LenientBody, frozen=True):
    """A workflow to start unless it runs, and a signal for it, in snake case or camel case."""

    workflow_id: Name | None = field(default=None, name="workflow_id")
    workflow_kind: Name | None = field(default=None, name="workflow_kind")
    workflow_input: Value = field(default_factory=lambda: ABSENT, name="workflow_input")
    queue: Queue | None = None
    signal_name: Name | None = field(default=None, name="signal_name")
    signal_value: Value = field(default_factory=lambda: ABSENT, name="signal_value")
    metadata: Labels | None = None
    camel_id: Name | None = field(default=None, name="workflowId")
    camel_kind: Name | None = field(default=None, name="workflowKind")
    camel_input: Value = field(default_factory=lambda: ABSENT, name="workflowInput")
    camel_signal: Name | None = field(default=None, name="signalName")
    camel_value: Value = field(default_factory=lambda: ABSENT, name="signalValue")


class CreateTaskBody(LenientBody, frozen=True):
    """A task of its own to start."""

    kind: Name
    input: Value = field(default_factory=lambda: msgspec.Raw(b"{}"))
    queue: Queue | None = None
    max_retries: int = 3
    scheduled_at: Words | None = None


class CancelTaskBody(LenientBody, frozen=True):
    """A request to cancel a task."""

    reason: Words | None = None


class ResolvePromiseBody(LenientBody, frozen=True):
    """The value of a promise."""

    value: Value = field(default_factory=lambda: NULL)


class RejectPromiseBody(LenientBody, frozen=True):
    """Why a promise is not kept."""

    error: Words


def queue_of(given: str | None) -> str:
    """The queue that a request names: none, or an empty one, is the default."""
    return given or DEFAULT_QUEUE
