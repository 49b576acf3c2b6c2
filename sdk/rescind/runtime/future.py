"""A scheduled task, in the hands of the agent that scheduled it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from rescind.model.ids import TaskId

if TYPE_CHECKING:
    from rescind.model.agent_values import TaskOutcome
    from rescind.model.status import CancelMode, CancelTaskResult
    from rescind.runtime.agent_tasks import AgentTasks

T_co = TypeVar("T_co", covariant=True)


class AgentTaskFutureRaw:
    """A task whose result is JSON.

    Awaiting it waits for the task alone: gives its value, raises TaskFailed or TaskCancelled. Cancelling that wait
    leaves the task as it was.

    Attributes:
        kind: the task's kind.
        input: what it was given.
    """

    __slots__ = ("_context", "_id", "_uuid", "input", "kind", "result_type")

    def __init__(
        self, context: AgentTasks, task_id: TaskId, kind: str, task_input: Any, result_type: Any = None
    ) -> None:
        self._context = context
        self._id = task_id
        self._uuid: UUID | None = None
        self.kind = kind
        self.input = task_input
        self.result_type = result_type

    @property
    def task_id(self) -> UUID:
        """The task's id."""
        if self._uuid is None:
            self._uuid = UUID(self._id)
        return self._uuid

    async def cancel(
        self, reason: str | None = None, *, mode: CancelMode | None = None, confirm_ms: int | None = None
    ) -> CancelTaskResult:
        """Cancel the task: the same as ``ctx.cancel_task(future.task_id, …)``."""
        return await self._context.cancel_task(self.task_id, reason, mode=mode, confirm_ms=confirm_ms)

    async def outcome(self) -> TaskOutcome:
        """How the task stands now; does not wait for its end."""
        return await self._context.outcome_of(self)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._context.result_of(self).__await__()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kind!r} {self._id}>"


class AgentTaskFuture(AgentTaskFutureRaw, Generic[T_co]):
    """A task whose result has a type."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, T_co]:
        return self._context.result_of(self).__await__()


def wire_id(future: AgentTaskFutureRaw) -> TaskId:
    """The id as the engine knows it."""
    return future._id


def owner(future: AgentTaskFutureRaw) -> AgentTasks:
    """The context that scheduled it."""
    return future._context
