"""What answers look like in JSON. The handlers write these types; the document is made of them.

Times are ISO 8601 in UTC. Values of agents and tasks stand as the JSON that they are; a value in another encoding is an
object of its bytes: `{"encoding": ..., "base64": ...}`.
"""

from __future__ import annotations

import base64
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from rescind.model.audit import AuditAction
from rescind.model.cause import CancelSource
from rescind.model.events import EventType
from rescind.model.payload import Payload
from rescind.model.status import CancelTaskResult, ExecutionStatus, FailureKind, StopState, TaskStatus
from rescind_server.access.tokens import Role
from rescind_server.gateway.http.bodies import Value

Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class AnswerBody(msgspec.Struct, frozen=True):
    """What the server answers."""


class StartedBody(AnswerBody, frozen=True):
    """The execution exists; `created` tells whether this request made it."""

    execution_id: str
    created: bool


class CauseBody(AnswerBody, frozen=True):
    """Why something was cancelled."""

    source: CancelSource
    by: str
    reason: str | None = None


class FailureBody(AnswerBody, frozen=True):
    """Why work failed."""

    kind: FailureKind
    message: str
    error_type: str = ""
    retryable: bool = True


class UsageBody(AnswerBody, frozen=True):
    """What an agent says that it has used up: tokens of language models, and US dollars."""

    tokens: int
    cost_usd: float


class ExecutionBody(AnswerBody, frozen=True):
    """An execution as it stands.

    `stopping` is, of one that is cancelled or has ended, how much of it is still being stopped: attempts of its tasks,
    and those of its children of which, at whatever level below, something is. `children_stopping` is how many of it
    are such children. Both are null if that cannot be told at the moment. `parent_id` is the agent that spawned it,
    `usage` what it says that it has used up.
    """

    execution_id: str
    kind: str
    queue: str
    status: ExecutionStatus
    input: Value
    output: Value | None
    failure: FailureBody | None
    cause: CauseBody | None
    parked: str | None
    labels: dict[str, str]
    created_by: str
    created_at: Moment
    ended_at: Moment | None
    checkpoint: int
    stopping: int | None
    children_stopping: int | None
    parent_id: str | None
    usage: UsageBody


class StopBody(AnswerBody, frozen=True):
    """The stop record of one attempt, each state with its time.

    `forced_at` is when it was decided to end the work without its grace; `deliveries` is how often the order that
    stands was sent.
    """

    attempt: int
    state: StopState
    requested_at: Moment
    delivered_at: Moment | None
    forced_at: Moment | None
    ended_at: Moment | None
    deliveries: int


class TaskBody(AnswerBody, frozen=True):
    """A task as it stands, with how far the stopping of its work has come."""

    task_id: str
    execution_id: str
    agent: str
    kind: str
    queue: str
    status: TaskStatus
    stop_state: StopState | None
    stops: tuple[StopBody, ...]
    attempts: int
    input: Value
    output: Value | None
    failure: FailureBody | None
    cause: CauseBody | None
    cancel_requested_at: Moment | None
    scheduled_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    worker_id: str | None
    progress: float | None
    labels: dict[str, str]


class ExecutionPage(AnswerBody, frozen=True):
    """Executions, the newest first; an empty token ends."""

    executions: tuple[ExecutionBody, ...]
    next_page_token: str


class ExecutionCounts(AnswerBody, frozen=True):
    """How many executions there are of each status; a status that none has is left out.

    `stopping` is how many of them have ended while something of them is still being stopped; null if that cannot be
    told at the moment.
    """

    counts: dict[str, int]
    total: int
    stopping: int | None


class TaskPage(AnswerBody, frozen=True):
    """Tasks; an empty token ends."""

    tasks: tuple[TaskBody, ...]
    next_page_token: str


class HistoryPage(AnswerBody, frozen=True):
    """Events, each an object of `sequence`, `at`, `type` and what else there is to say.

    `next_after` asks for the rest; null if the newest event is here.
    """

    events: tuple[EventBody, ...]
    next_after: int | None


class EventBody(AnswerBody, frozen=True, omit_defaults=True):
    """One transition."""

    sequence: int
    at: Moment
    type: EventType
    task_id: str | None = None
    attempt: int = 0
    details: dict[str, Any] = {}


class EntryBody(AnswerBody, frozen=True):
    """One entry of the conversation."""

    entry_id: str
    entry_type: str
    role: str
    content: Value
    turn_id: str | None
    at: Moment


class EntryPage(AnswerBody, frozen=True):
    """The conversation, oldest first; `total` entries are in it."""

    entries: tuple[EntryBody, ...]
    total: int


class CheckpointBody(AnswerBody, frozen=True):
    """A checkpoint."""

    sequence: int
    state: Value
    at: Moment
    leaf_entry_id: str | None


class CheckpointPage(AnswerBody, frozen=True):
    """The checkpoints, oldest first; there are `total`."""

    checkpoints: tuple[CheckpointBody, ...]
    total: int


class SignalledBody(AnswerBody, frozen=True):
    """The signal is queued, as this number of the execution."""

    sequence: int


class ExecutionRetriedBody(AnswerBody, frozen=True):
    """The workflow goes on; `attempt` tells how often it was let go on, this time counted."""

    attempt: int


class CancelledBody(AnswerBody, frozen=True):
    """What a request to cancel an execution met, and where the execution stands."""

    result: CancelTaskResult
    status: ExecutionStatus


class TaskCancelledBody(AnswerBody, frozen=True):
    """What a request to cancel a task met."""

    message: str
    result: CancelTaskResult


class RunningBody(AnswerBody, frozen=True):
    """What a worker runs now: an attempt of a task, or a pass of an agent or a workflow, as `subject` says.

    `agent` is the kind of the execution, `attempt` the number of the attempt, or of the run of the code. A pass has
    neither `task_id` nor `since`.
    """

    subject: str
    execution_id: str
    agent: str
    kind: str
    task_id: str | None
    attempt: int
    since: Moment | None
    stopping: bool


class WorkerBody(AnswerBody, frozen=True):
    """A worker that is connected, or whose attempts are still its own.

    `attempts` are the first 50 of what it runs; `running` counts all attempts of tasks. `polls` says that it has no
    session, and asks for its work: it is never connected, and there until `lease_ends`.
    """

    worker_id: str
    queues: tuple[str, ...]
    agents: tuple[str, ...]
    tasks: tuple[str, ...]
    slots: int
    running: int
    held: int
    connected: bool
    last_contact: Moment
    lease_ends: Moment | None
    stopping: int
    unresponsive: int
    workflows: tuple[str, ...]
    polls: bool
    attempts: tuple[RunningBody, ...]


class WorkerPage(AnswerBody, frozen=True):
    """Workers in the order of their ids; an empty token ends."""

    workers: tuple[WorkerBody, ...]
    next_page_token: str


class AuditRecordBody(AnswerBody, frozen=True):
    """Who asked for what, when and why, and what they were told.

    `subject` is the agent's kind, the signal's name, a token's id and whose it is, or a webhook's id and where it
    leads. `sequence` is the number of the event in the execution's history, 0 if there is none; `source` is what
    brought a cancel about; `forced` says that it asked to end at once: an execution without its clean-up, work without
    its grace.
    """

    at: Moment
    who: str
    action: AuditAction
    result: str
    subject: str
    execution_id: str | None
    task_id: str | None
    sequence: int
    source: str | None
    reason: str | None
    forced: bool


class AuditPage(AnswerBody, frozen=True):
    """Requests, the last first; an empty token ends."""

    records: tuple[AuditRecordBody, ...]
    next_page_token: str


class WhoBody(AnswerBody, frozen=True):
    """Who a caller is to this server. `by` is null where nobody has to prove who they are."""

    by: str | None
    organisation: str
    roles: tuple[Role, ...]
    asks_for_tokens: bool


class StuckTaskBody(AnswerBody, frozen=True):
    """A task that an operator should look at, why, since when, and what to do."""

    reason: str
    since: Moment
    advice: str
    task: TaskBody


class WaitingBody(AnswerBody, frozen=True):
    """Work of one queue and kind that waits for a worker; `subject` is ``agent``, ``task`` or ``workflow``.

    Of agents, `workers_of_workflow` is how many workers run a workflow of this kind: perhaps one was meant.
    """

    subject: str
    queue: str
    kind: str
    count: int
    since: Moment
    workers: int
    workers_of_workflow: int


class ParkedBody(AnswerBody, frozen=True):
    """Executions that wait for another deployment."""

    kind: str
    count: int
    reason: str
    execution_id: str


class StuckBody(AnswerBody, frozen=True):
    """All that does not go on by itself; of the tasks those that are stuck for longest."""

    tasks: tuple[StuckTaskBody, ...]
    task_count: int
    waiting: tuple[WaitingBody, ...]
    parked: tuple[ParkedBody, ...]


class EventName(StrEnum):
    """What kind of event is sent."""

    BEGUN = "begun"
    EXECUTION = "execution"
    STARTED = "started"
    STATUS = "status"
    TASK = "task"
    CANCELLATION = "cancellation"
    HISTORY = "history"
    TOKEN = "token"
    PROGRESS = "progress"
    OUTPUT = "output"
    DATA = "data"
    LOG = "log"
    FAILURE = "failure"
    STREAMED = "streamed"
    MISSED = "missed"
    CLOSING = "closing"


class SentEvent(AnswerBody, frozen=True, omit_defaults=True):
    """Each of the server-sent events. What has an id can be come back to."""

    event: EventName
    data: Annotated[str, Meta(extra_json_schema={"contentMediaType": "application/json"})]
    id: str | None = None


class HealthBody(AnswerBody, frozen=True):
    """Whether the server is alive, or ready to take requests."""

    status: str


class ProblemBody(AnswerBody, frozen=True, omit_defaults=True):
    """An error (RFC 9457): what it is, what happened, and what to do.

    `error` is the name of the error's class in the SDK. `result` stands with a request to cancel that met no open task.
    """

    type: str
    title: str
    status: int
    detail: str
    error: str
    message: str
    action: str
    result: CancelTaskResult | None = None


def encoded(payload: Payload) -> Raw:
    """A value that is not JSON, as JSON: its bytes, and the encoding that they are said to have."""
    return Raw(msgspec.json.encode({"encoding": payload.encoding, "base64": base64.b64encode(payload.data).decode()}))
