"""What answers of flovyn's HTTP interface look like: keys in camel case, times in ISO 8601, absent values as null."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import field

from rescind.model.status import ExecutionStatus, TaskStatus
from rescind_server.gateway.http.answers import Moment
from rescind_server.gateway.http.bodies import Value


class RestAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What the server answers."""


class SnakeAnswer(msgspec.Struct, frozen=True):
    """An answer whose keys are in snake case, as documented."""


class ErrorBody(RestAnswer, frozen=True):
    """Why a call was not carried out: in words, and as the name that our SDK knows."""

    error: str
    code: str


class HealthBody(RestAnswer, frozen=True):
    """How the server is."""

    status: str
    version: str


class AgentBody(RestAnswer, frozen=True):
    """An agent as it stands. `currentCheckpointSeq` is 0 before the first checkpoint."""

    id: str
    org_id: str
    kind: str
    status: ExecutionStatus
    input: Value
    output: Value | None
    error: str | None
    queue: str
    current_checkpoint_seq: int
    created_at: Moment
    completed_at: Moment | None
    metadata: dict[str, str]
    parent_execution_id: str | None = None


class AgentPage(RestAnswer, frozen=True):
    """Some of the agents, the newest first; `total` of them are like that."""

    agents: tuple[AgentBody, ...]
    total: int
    limit: int
    offset: int


class AgentSignalledBody(RestAnswer, frozen=True):
    """The signal is there; whether the agent waited for one."""

    signaled: bool
    agent_resumed: bool


class CheckpointBody(RestAnswer, frozen=True):
    """A checkpoint of an agent."""

    id: str
    agent_execution_id: str
    sequence: int
    state: Value
    created_at: Moment
    leaf_entry_id: str | None


class CheckpointsBody(RestAnswer, frozen=True):
    """All checkpoints of an agent, in their order."""

    checkpoints: tuple[CheckpointBody, ...]


class EntryBody(RestAnswer, frozen=True):
    """An entry of an agent's conversation."""

    id: str
    parent_id: str | None
    entry_type: str
    role: str
    content: Value
    turn_id: str | None
    created_at: Moment


class EntriesBody(RestAnswer, frozen=True):
    """The conversation of an agent."""

    entries: tuple[EntryBody, ...]


class TaskBody(RestAnswer, frozen=True):
    """A task as it stands; `maxRetries` is null where it is not known any more."""

    id: str
    org_id: str
    kind: str
    status: TaskStatus
    queue: str
    execution_count: int
    max_retries: int | None
    progress: float | None
    progress_details: str | None
    input: Value
    output: Value | None
    error: str | None
    worker_id: str | None
    scheduled_at: Moment
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None


class TasksBody(RestAnswer, frozen=True):
    """The tasks of an execution, in the order of their scheduling."""

    tasks: tuple[TaskBody, ...]


class TaskPage(RestAnswer, frozen=True):
    """Some of the tasks that belong to nothing else, the newest first."""

    tasks: tuple[TaskBody, ...]
    total: int
    limit: int
    offset: int


class AttemptBody(RestAnswer, frozen=True):
    """One attempt at a task."""

    attempt: int
    started_at: Moment
    finished_at: Moment | None
    duration_ms: int | None
    status: str
    output: Value | None
    error: str | None
    worker_id: str | None


class AttemptsBody(RestAnswer, frozen=True):
    """All attempts at a task, in their order."""

    attempts: tuple[AttemptBody, ...]


class LogLineBody(RestAnswer, frozen=True):
    """A line of a log; `id` is its number among those that are kept."""

    id: str
    level: str
    message: str
    timestamp: Moment


class LogsBody(RestAnswer, frozen=True):
    """Some of the lines of a task's log, the oldest first."""

    task_execution_id: str
    logs: tuple[LogLineBody, ...]
    total: int
    limit: int
    offset: int


class ChildAgentsBody(RestAnswer, frozen=True):
    """Some of the agents that an agent has started, the newest first."""

    children: tuple[AgentBody, ...]


class WorkflowBody(RestAnswer, frozen=True):
    """A workflow as it stands."""

    id: str
    org_id: str
    workflow_kind: str
    status: ExecutionStatus
    input: Value
    output: Value | None
    error: str | None
    queue: str
    created_at: Moment
    completed_at: Moment | None
    metadata: dict[str, str]
    workflow_version: str | None = None
    parent_workflow_execution_id: str | None = None


class WorkflowPage(RestAnswer, frozen=True):
    """Some of the workflows, the newest first; `total` of them are like that."""

    workflows: tuple[WorkflowBody, ...]
    total: int
    limit: int
    offset: int


class LinksBody(RestAnswer, frozen=True):
    """Where more is to be found."""

    self_: str = field(name="self")
    events: str


class WorkflowStartedBody(RestAnswer, frozen=True):
    """The workflow exists; `idempotencyKeyNew` tells whether this request made it."""

    workflow_execution_id: str
    status: ExecutionStatus
    kind: str
    created_at: Moment
    links: LinksBody
    idempotency_key_used: bool
    idempotency_key_new: bool


class WorkflowEventBody(RestAnswer, frozen=True):
    """An event of a workflow's log."""

    sequence_number: int
    event_type: str
    data: Value
    created_at: Moment


class WorkflowCancelledBody(RestAnswer, frozen=True):
    """What a request to cancel met: CANCELLED, CANCELLING while its code cleans up, or ALREADY_TERMINAL."""

    status: str
    cancelled_children: int


class WorkflowRetriedBody(RestAnswer, frozen=True):
    """A failed workflow runs once more."""

    workflow_execution_id: str
    status: ExecutionStatus
    retry_attempt: int
    message: str
    success: bool


class ChildWorkflowBody(RestAnswer, frozen=True):
    """A workflow that a workflow has started."""

    child_workflow_execution_id: str
    child_execution_name: str
    status: ExecutionStatus
    created_at: Moment


class ChildWorkflowsBody(RestAnswer, frozen=True):
    """The workflows that a workflow has started, in that order."""

    children: tuple[ChildWorkflowBody, ...]


class StateBody(RestAnswer, frozen=True):
    """What a workflow has set, by its keys."""

    state: dict[str, Value]


class WorkflowSignalledBody(RestAnswer, frozen=True):
    """The number of the signal in the log."""

    signal_event_sequence: int


class SignalledWithStartBody(SnakeAnswer, frozen=True):
    """The workflow that got the signal, and whether it was started for it."""

    workflow_execution_id: str
    workflow_created: bool
    signal_event_sequence: int
    signal_delivered: bool


class PromiseSettledBody(RestAnswer, frozen=True, omit_defaults=True):
    """Whether this request settled the promise; the first one does."""

    promise_id: str
    resolved: bool = field(name="resolved")
    already_resolved: bool = False


class WorkerBody(RestAnswer, frozen=True):
    """A worker that has registered, or is connected."""

    id: str
    worker_name: str
    worker_version: str
    worker_type: str
    status: str
    host_name: str
    process_id: str
    registered_at: Moment
    last_heartbeat_at: Moment
    metadata: dict[str, str]


class WorkersBody(RestAnswer, frozen=True):
    """Some of the workers; `total` of them are there."""

    workers: tuple[WorkerBody, ...]
    total: int
    limit: int
    offset: int


class CapabilityBody(RestAnswer, frozen=True):
    """A kind that a worker can run, and what it says of it."""

    kind: str
    name: str
    description: str


class WorkerDetailsBody(RestAnswer, frozen=True):
    """A worker, with all that it can run."""

    worker: WorkerBody
    workflow_capabilities: tuple[CapabilityBody, ...]
    task_capabilities: tuple[CapabilityBody, ...]
    agent_capabilities: tuple[CapabilityBody, ...]


class DefinitionBody(RestAnswer, frozen=True):
    """A kind that workers can run, or could."""

    id: str
    kind: str
    name: str
    description: str
    availability_status: str
    first_seen_at: Moment
    last_registered_at: Moment
    timeout_seconds: int | None = None
    tags: tuple[str, ...] = ()
    cancellable: bool = True
    latest_version: str | None = None
    input_schema: Any = None
    output_schema: Any = None


class WorkflowDefinitionsBody(RestAnswer, frozen=True):
    """The kinds of workflows."""

    workflow_definitions: tuple[DefinitionBody, ...]
    total: int


class TaskDefinitionsBody(RestAnswer, frozen=True):
    """The kinds of tasks."""

    task_definitions: tuple[DefinitionBody, ...]
    total: int


class SentEvent(RestAnswer, frozen=True):
    """What an event of a stream has in it; which, its name tells."""
