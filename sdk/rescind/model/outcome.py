"""How a task ended, once and for all, and how an attempt failed."""

from __future__ import annotations

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.payload import Payload
from rescind.model.status import FailureKind, TaskStatus


class Failure(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Why work failed.

    Attributes:
        kind: ERROR, TIMED_OUT, WORKER_LOST or REJECTED.
        message: the text of the error, unchanged.
        error_type: the class name of what the code raised; empty if it was not code that failed.
        retryable: False if no other attempt can help.
        details: what is needed to raise the same error on the other side, as JSON.
    """

    kind: FailureKind
    message: str
    error_type: str = ""
    retryable: bool = True
    details: Payload | None = None


class Outcome(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A task's end: its terminal status, and what belongs to it.

    Attributes:
        status: COMPLETED, FAILED or CANCELLED.
        output: the result, if COMPLETED.
        failure: the last failure, if FAILED.
        cause: why, if CANCELLED.
        attempts: how many attempts were started.
    """

    status: TaskStatus
    output: Payload | None = None
    failure: Failure | None = None
    cause: CancelCause | None = None
    attempts: int = 0
