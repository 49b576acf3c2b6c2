"""What changes of executions look like in JSON. The document is made of these types."""

from __future__ import annotations

from rescind.model.status import ExecutionStatus
from rescind_server.gateway.http.answers import AnswerBody, CauseBody, Moment


class ChangeBody(AnswerBody, frozen=True):
    """How an execution stands now, without its values; see `ExecutionBody`."""

    execution_id: str
    kind: str
    queue: str
    status: ExecutionStatus
    cause: CauseBody | None
    parked: str | None
    labels: dict[str, str]
    created_by: str
    created_at: Moment
    ended_at: Moment | None
    stopping: int
    children_stopping: int


class BegunBody(AnswerBody, frozen=True):
    """Changes are told from here on. Unless `resumed`, earlier ones may be missing: read the list again."""

    resumed: bool
