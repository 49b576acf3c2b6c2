"""Values that an agent meets: entries, messages, streamed events, what waits for tasks give."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

from rescind.errors import InvalidInput, TaskCancelled, TaskFailed
from rescind.model.status import TaskStatus

T = TypeVar("T")


class EntryType(StrEnum):
    """What sort of entry of the conversation it is."""

    MESSAGE = "message"
    LLM_CALL = "llm_call"
    INJECTION = "injection"


class EntryRole(StrEnum):
    """Who speaks in an entry."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL_RESULT = "tool_result"


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What a call of a language model cost."""

    input_tokens: int
    output_tokens: int
    model: str | None = None


@dataclass(frozen=True, slots=True)
class LoadedMessage:
    """An entry as the agent reads it back.

    Attributes:
        entry_id: its id.
        entry_type: what sort it is.
        role: who speaks.
        content: what was appended, as JSON.
        token_usage: what it cost, if known.
    """

    entry_id: UUID
    entry_type: EntryType
    role: EntryRole
    content: Any
    token_usage: TokenUsage | None = None


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event for those who watch: not kept, not seen again in a recovery.

    Attributes:
        kind: ``token``, ``progress``, ``data`` or ``error``; of tasks also ``log``.
        value: what it says, as JSON.
        task_id: for those who watch: the task that streamed it; None if the agent did.
    """

    kind: str
    value: Any
    task_id: UUID | None = None

    @classmethod
    def token(cls, text: str) -> StreamEvent:
        """A piece of text as it is generated."""
        return cls("token", {"text": text})

    @classmethod
    def progress(cls, progress: float, details: str | None = None) -> StreamEvent:
        """How far the work is, between 0 and 1; values outside are clamped."""
        return cls("progress", {"progress": min(1.0, max(0.0, progress)), "details": details})

    @classmethod
    def data(cls, data: Any) -> StreamEvent:
        """Any JSON value."""
        return cls("data", {"data": data})

    @classmethod
    def error(cls, message: str, code: str | None = None) -> StreamEvent:
        """Something that went wrong and does not end the work."""
        return cls("error", {"message": message, "code": code})


@dataclass(frozen=True, slots=True)
class SettledResult(Generic[T]):
    """How a group of tasks ended; each list in input order, ids as text.

    Attributes:
        completed: id and value of each task that completed.
        failed: id and error text of each that failed.
        cancelled: the ids of those that were cancelled.
    """

    completed: list[tuple[str, T]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def total(self) -> int:
        """How many tasks there were."""
        return len(self.completed) + len(self.failed) + len(self.cancelled)

    def all_succeeded(self) -> bool:
        """Whether none failed and none was cancelled; true of no tasks at all."""
        return not self.failed and not self.cancelled

    def any_succeeded(self) -> bool:
        """Whether at least one completed."""
        return bool(self.completed)

    def all_failed(self) -> bool:
        """Whether nothing completed and at least one failed; cancelled ones alone don't count."""
        return not self.completed and bool(self.failed)


@dataclass(frozen=True, slots=True)
class JoinAllTimeoutResult(SettledResult[T]):
    """How a group of tasks stood at its deadline; every task is in exactly one list.

    Attributes:
        timed_out: whether the deadline ended the wait, even if everything had ended by itself when it came to cancel.
    """

    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """How a task stands, for one who looks without waiting: ``await future.outcome()``.

    Attributes:
        status: COMPLETED, FAILED or CANCELLED; None while it has not ended.
        value: its result, if COMPLETED.
        error: what awaiting it would raise, if FAILED or CANCELLED.
    """

    status: TaskStatus | None
    value: Any = None
    error: TaskFailed | TaskCancelled | None = None

    @classmethod
    def completed(cls, value: Any) -> TaskOutcome:
        """It completed with this value."""
        return cls(TaskStatus.COMPLETED, value)

    @classmethod
    def failed(cls, error: TaskFailed | TaskCancelled) -> TaskOutcome:
        """It failed for good."""
        return cls(TaskStatus.FAILED, error=error)

    @classmethod
    def cancelled(cls, error: TaskFailed | TaskCancelled) -> TaskOutcome:
        """It was cancelled."""
        return cls(TaskStatus.CANCELLED, error=error)

    @classmethod
    def pending(cls) -> TaskOutcome:
        """It has not ended: it waits to be claimed, or it runs."""
        return cls(None)

    @property
    def is_completed(self) -> bool:
        """Whether it completed."""
        return self.status is TaskStatus.COMPLETED

    @property
    def is_failed(self) -> bool:
        """Whether it failed."""
        return self.status is TaskStatus.FAILED

    @property
    def is_cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.status is TaskStatus.CANCELLED

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended, however."""
        return self.status is not None

    def into_result(self) -> Any:
        """Its value.

        Raises:
            TaskFailed: it failed.
            TaskCancelled: it was cancelled.
            InvalidInput: it has not ended.
        """
        if self.error is not None:
            raise self.error
        if self.status is None:
            raise InvalidInput(
                "the task has not ended, so it has no result. Ask `is_terminal` first, or await the future."
            )
        return self.value


class Losers(StrEnum):
    """What becomes of the tasks that did not win a race."""

    LEAVE = "LEAVE"
    CANCEL = "CANCEL"


class ReplaceAfter(StrEnum):
    """When the replacement of a task begins."""

    DECIDED = "DECIDED"
    """As soon as the old one is cancelled."""
    STOPPED = "STOPPED"
    """When nothing of the old one is at work any more."""
