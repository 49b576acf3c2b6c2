"""What requests look like in JSON and in queries. The handlers read these types; the document is made of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, field

from rescind.model.options import DEFAULT_QUEUE
from rescind.model.status import (
    CancelMode,
    ExecutionStatus,
    TaskStatus,
)

LARGEST_PAGE: Final = 1_000
LONGEST_GRACE_MS: Final = 24 * 60 * 60 * 1_000
NULL: Final = Raw(b"null")

Name = Annotated[str, Meta(min_length=1, max_length=1_000)]
Words = Annotated[str, Meta(max_length=64 * 1024)]
Labels = dict[Name, Words]
PageSize = Annotated[int, Meta(ge=1, le=LARGEST_PAGE)]
PageToken = Annotated[str, Meta(max_length=1_000)]
# One of another list would be refused later, with the same words for what it is.
ExecutionPageToken = Annotated[str, Meta(pattern="^[0-9]{0,18}$", max_length=18)]
TaskPageToken = Annotated[str, Meta(pattern=r"^([0-9]{1,18}\.[0-9]{1,18})?$", max_length=37)]
# Lines of requests are not as long as bodies.
FewWords = Annotated[str, Meta(max_length=2_000)]
AuditPageToken = Annotated[str, Meta(pattern=r"^([0-9]{1,18}\.[0-9]{1,18}\.[0-9]{1,18})?$", max_length=56)]
GivenLabels = tuple[Annotated[str, Meta(pattern="^[^=]+=")], ...]
Sequence = Annotated[int, Meta(ge=0, le=2**53)]
GivenMoment = Annotated[datetime, Meta(tz=True)]
Value = Annotated[Raw, Meta(description="Any JSON value.")]


class OnDisconnect(StrEnum):
    """What becomes of an execution when the client that follows it goes away."""

    CANCEL = "CANCEL"
    """It is cancelled at once."""
    CANCEL_AFTER = "CANCEL_AFTER"
    """It is cancelled, unless the client comes back within `grace_ms`."""
    DETACH = "DETACH"
    """It goes on."""


class CancelExecutionMode(StrEnum):
    """When a request to cancel an execution is answered."""

    TRY = "TRY"
    """When it is decided."""
    WAIT = "WAIT"
    """When the execution has ended."""


class RequestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends: a field that is not known is refused, not passed over."""


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands behind the question mark."""


# ── requests ───────────────────────────────────────────────────────────────────────────────────────────────────────


class StartBody(RequestBody, frozen=True):
    """An agent or a workflow to start. The same id with the same kind and input is the same execution.

    `workflow` says which of the two. Without it a workflow is started where the queue's workers run this kind as a
    workflow and none as an agent; else an agent.
    """

    kind: Name
    input: Value = field(default_factory=lambda: NULL)
    execution_id: Name | None = None
    queue: Name = DEFAULT_QUEUE
    labels: Labels = {}
    workflow: bool | None = None


class StreamBody(StartBody, frozen=True):
    """An agent or a workflow to start and to follow.

    `on_disconnect` says what becomes of it when this client goes away; `grace_ms` belongs to CANCEL_AFTER.
    """

    on_disconnect: OnDisconnect = OnDisconnect.CANCEL
    grace_ms: Annotated[float, Meta(ge=0, le=LONGEST_GRACE_MS)] | None = None


class SignalBody(RequestBody, frozen=True):
    """A signal: agents select by its name."""

    name: Name
    value: Value = field(default_factory=lambda: NULL)


class RetryExecutionBody(RequestBody, frozen=True):
    """A request to let a workflow that has failed go on."""

    reason: Words = ""


class CancelBody(RequestBody, frozen=True):
    """A request to cancel an execution.

    Mode TRY answers when the request is decided; WAIT when the execution has ended. With `force` it ends at once,
    without its clean-up.
    """

    reason: Words | None = None
    mode: CancelExecutionMode = CancelExecutionMode.TRY
    force: bool = False


class CancelTaskBody(RequestBody, frozen=True):
    """A request to cancel a task: TRY decides at once, WAIT lets its work decide, ABANDON leaves the work alone.

    FORCE decides at once and ends the work by force, without its grace; also work that is being stopped already.
    `force` is the same, whatever the mode.
    """

    reason: Words | None = None
    mode: CancelMode = CancelMode.TRY
    force: bool = False


class ExecutionMarks(Query, frozen=True):
    """What selects executions, in a query as in a body: everything that is set must hold."""

    kind: Name | None = None
    queue: Name | None = None
    created_by: Name | None = None
    created_before: GivenMoment | None = None
    created_after: GivenMoment | None = None
    worker_id: Name | None = None
    id_prefix: Name | None = None
    parent_id: Name | None = None


class ExecutionSelection(ExecutionMarks, frozen=True):
    """Executions: everything that is set must hold. Without statuses: what is open."""

    statuses: tuple[ExecutionStatus, ...] = ()
    labels: Labels = {}


class TaskMarks(Query, frozen=True):
    """What selects tasks, in a query as in a body: everything that is set must hold."""

    kind: Name | None = None
    queue: Name | None = None
    agent: Name | None = None
    worker_id: Name | None = None
    execution_id: Name | None = None
    created_by: Name | None = None
    scheduled_before: GivenMoment | None = None
    scheduled_after: GivenMoment | None = None


class TaskSelection(TaskMarks, frozen=True):
    """Open tasks: everything that is set must hold."""

    statuses: tuple[TaskStatus, ...] = ()
    labels: Labels = {}


class SessionBody(RequestBody, frozen=True):
    """A token to sign in with."""

    token: Name


class CancelManyBody(RequestBody, frozen=True):
    """Executions to cancel. `where` is not optional, so that nobody cancels everything by forgetting it."""

    where: ExecutionSelection
    reason: Words | None = None
    force: bool = False
    dry_run: bool = False


class CancelManyTasksBody(RequestBody, frozen=True):
    """Tasks to cancel, in mode TRY, or with `force` in mode FORCE."""

    where: TaskSelection
    reason: Words | None = None
    force: bool = False
    dry_run: bool = False


class NoQuery(Query, frozen=True):
    """Nothing."""


class PageQuery(Query, frozen=True):
    """A page: how many at most, and the token that came with the page before."""

    page_size: PageSize = 100
    page_token: PageToken = ""


class CountsQuery(ExecutionMarks, frozen=True):
    """Which executions to count; `status`, `label` and `stopping` are those of the list."""

    status: tuple[ExecutionStatus, ...] = ()
    label: GivenLabels = ()
    stopping: bool = False


class ListQuery(CountsQuery, frozen=True):
    """Which executions; `status` and `label` (NAME=VALUE) may be given several times.

    With `stopping` only those that have ended while something of them, or below them, is still being stopped.
    """

    page_size: PageSize = 100
    page_token: ExecutionPageToken = ""


class ListTasksQuery(TaskMarks, frozen=True):
    """Which tasks; `status` and `label` (NAME=VALUE) may be given several times."""

    page_size: PageSize = 100
    page_token: TaskPageToken = ""
    status: tuple[TaskStatus, ...] = ()
    label: GivenLabels = ()
    stopping: bool = False


class AuditQuery(Query, frozen=True):
    """Which requests: asked `since` then, by `who` (a `*` at its end stands for any end), about `execution_id`."""

    page_size: PageSize = 100
    page_token: AuditPageToken = ""
    since: GivenMoment | None = None
    who: Name | None = None
    execution_id: Name | None = None


class PlaceQuery(Query, frozen=True):
    """Which of a list that only grows: those behind number `after`, the first being number 1; at most `limit`."""

    after: Sequence = 0
    limit: PageSize = LARGEST_PAGE


class DeleteTaskQuery(Query, frozen=True):
    """How to cancel a task; see `CancelTaskBody`. With `execution_id` it is found without a search."""

    reason: FewWords | None = None
    mode: CancelMode = CancelMode.TRY
    force: bool = False
    execution_id: Name | None = None


class EventsQuery(Query, frozen=True):
    """Where to begin, if no header `Last-Event-ID` says so; whether the execution is this client's to hold.

    With `output`, who begins at the first event first gets what programs wrote so far, as far as that is kept.
    """

    after: Sequence | None = None
    output: bool = False
    attach: bool | None = None


class ChangesQuery(Query, frozen=True):
    """Which executions, whatever their status; `label` (NAME=VALUE) may be given several times."""

    kind: Name | None = None
    queue: Name | None = None
    created_by: Name | None = None
    id_prefix: Name | None = None
    label: GivenLabels = ()


class StuckQuery(Query, frozen=True):
    """How many tasks to show, and how long one may be silent, in milliseconds, before it is listed."""

    limit: PageSize = 100
    quiet_ms: Annotated[int, Meta(ge=0, le=2**53)] | None = None
