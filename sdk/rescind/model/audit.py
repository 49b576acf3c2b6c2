"""The audit trail: who asked for what, when and why, and what they were told."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from rescind.model.ids import ExecutionId, Instant, TaskId


class AuditAction(StrEnum):
    """What was asked for."""

    START = "START"
    SIGNAL = "SIGNAL"
    CANCEL = "CANCEL"
    CANCEL_TASK = "CANCEL_TASK"
    RETRY = "RETRY"
    CREATE_TOKEN = "CREATE_TOKEN"
    REVOKE_TOKEN = "REVOKE_TOKEN"
    ADD_WEBHOOK = "ADD_WEBHOOK"
    REMOVE_WEBHOOK = "REMOVE_WEBHOOK"
    ENABLE_WEBHOOK = "ENABLE_WEBHOOK"
    ROTATE_WEBHOOK_SECRET = "ROTATE_WEBHOOK_SECRET"


class AuditFilter(msgspec.Struct, frozen=True):
    """Selects requests: those that every field that is set selects.

    Attributes:
        since: asked at this time or later.
        who: by this one; with a ``*`` at its end, by those whose name begins so.
        execution_id: about this execution, or one of its tasks.
    """

    since: Instant | None = None
    who: str | None = None
    execution_id: ExecutionId | None = None

    def selects_who(self, who: str) -> bool:
        """Whether it selects what this one asked for."""
        if self.who is None:
            return True
        return who.startswith(self.who[:-1]) if self.who.endswith("*") else who == self.who


class AuditRecord(msgspec.Struct, frozen=True, gc=False):
    """One request.

    Attributes:
        at: when it was decided.
        who: who asked.
        action: what for.
        result: what they were told: ``CREATED``; ``ACCEPTED`` or ``REFUSED``; of a cancel its result, or ``ASKED``
            where the work was left to decide; of tokens and webhooks what became of them.
        subject: the agent's kind, the signal's name, the token's id and whose it is, or the webhook's id and where it
            leads; empty for cancels.
        execution_id: the execution that it is about, if one.
        task_id: the task, if one.
        sequence: the number of its event in the execution's history; 0 if there is none.
        source: what brought a cancel about: ``request``, ``race_lost``, ``deadline`` and so on.
        reason: why, in the words that were given, if any were.
        forced: whether it asked to end at once: an execution without its clean-up, work without its grace.
    """

    at: Instant
    who: str
    action: AuditAction
    result: str
    subject: str = ""
    execution_id: ExecutionId | None = None
    task_id: TaskId | None = None
    sequence: int = 0
    source: str | None = None
    reason: str | None = None
    forced: bool = False
