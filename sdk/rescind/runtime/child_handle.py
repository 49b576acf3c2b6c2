"""A spawned agent, in the hands of the agent that spawned it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rescind.model.ids import ExecutionId

if TYPE_CHECKING:
    from rescind.model.child_values import CancellationMode
    from rescind.model.status import CancelTaskResult
    from rescind.runtime.agent_children import AgentChildren

T_co = TypeVar("T_co", covariant=True)


class ChildHandle(Generic[T_co]):
    """A child of this agent.

    Awaiting it waits for its end: gives its result, raises ChildFailed or ChildCancelled. Cancelling that wait leaves
    the child as it was.

    Attributes:
        child_id: its execution's id.
        kind: its kind; empty if the handle was made from an id alone.
    """

    __slots__ = ("_context", "child_id", "kind", "result_type")

    def __init__(self, context: AgentChildren, child_id: ExecutionId, kind: str, result_type: Any = None) -> None:
        self._context = context
        self.child_id = child_id
        self.kind = kind
        self.result_type = result_type

    async def signal(self, name: str, payload: Any = None) -> bool:
        """Send it a signal: the same as ``ctx.signal_child(child, …)``."""
        return await self._context.signal_child(self, name, payload)

    async def cancel(self, mode: CancellationMode | None = None, reason: str | None = None) -> CancelTaskResult:
        """Cancel it, with all that it has spawned: the same as ``ctx.cancel_child(child, …)``."""
        return await self._context.cancel_child(self, mode, reason)

    def __await__(self) -> Generator[Any, None, T_co]:
        return self._context.result_of_child(self).__await__()

    def __repr__(self) -> str:
        return f"<ChildHandle {self.kind!r} {self.child_id}>"


def parent_of(handle: ChildHandle[Any]) -> AgentChildren:
    """The context that the child belongs to."""
    return handle._context
