"""The part of an agent's port that is about its children and its parent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rescind.model.cause import CancelCause
from rescind.model.child_operations import (
    AwaitChildren,
    CancelChild,
    ChildCancelAnswered,
    ChildrenSettled,
    LeaveChildren,
    ReportUsage,
    SignalChild,
    SignalParent,
    SignalSent,
    SpawnChild,
)
from rescind.model.children import Usage
from rescind.model.ids import ExecutionId, Instant, child_id_from_key
from rescind.model.operations import AnyOperation, WaitCondition
from rescind.model.payload import Payload
from rescind.model.status import CancelTaskResult
from rescind.runtime.ports import ChildOptions

if TYPE_CHECKING:
    from rescind.backends.native.agent_loop import AgentLoop


class ChildPort:
    """Operations about children, over what `NativeAgentPort` collects."""

    __slots__ = ()

    if TYPE_CHECKING:
        execution_id: ExecutionId
        loop: AgentLoop
        issued: list[AnyOperation]

        def ensure_active(self) -> None: ...
        async def tell_cancel(self) -> None: ...
        def _next_position(self) -> int: ...
        def _deadline(self, timeout_ms: int | None) -> Instant | None: ...
        async def _ask(self, operation: AnyOperation) -> Any: ...

    def spawn(self, kind: str, payload: Payload, options: ChildOptions, idempotency_key: str | None) -> ExecutionId:
        """See `AgentPort`. The id is derived from this agent's and the key, or the place in the journal."""
        self.ensure_active()
        position = self._next_position()
        key = f"key:{idempotency_key}" if idempotency_key is not None else str(position)
        child_id = child_id_from_key(self.execution_id, key)
        self.issued.append(SpawnChild(position, child_id, kind, payload, *options))
        return child_id

    def leave_children(self, child_ids: Sequence[ExecutionId], cause: CancelCause) -> None:
        """See `AgentPort`."""
        if not self.loop.is_closed():
            self.issued.append(LeaveChildren(self._next_position(), tuple(child_ids), cause))

    async def cancel_child(
        self, child_id: ExecutionId, cause: CancelCause, *, hard: bool, within_ms: int | None
    ) -> CancelTaskResult:
        """See `AgentPort`."""
        await self.tell_cancel()
        operation = CancelChild(self._next_position(), child_id, cause, hard, within_ms)
        answer: ChildCancelAnswered = await self._ask(operation)
        return answer.result

    async def await_children(
        self,
        child_ids: Sequence[ExecutionId],
        condition: WaitCondition,
        *,
        timeout_ms: int | None = None,
        with_signals: bool = False,
        only_first: bool = False,
    ) -> ChildrenSettled:
        """See `AgentPort`."""
        await self.tell_cancel()
        deadline = self._deadline(timeout_ms)
        operation = AwaitChildren(
            self._next_position(), tuple(child_ids), condition, deadline, with_signals, only_first
        )
        settled: ChildrenSettled = await self._ask(operation)
        return settled

    async def signal_child(self, child_id: ExecutionId, name: str, value: Payload) -> bool:
        """See `AgentPort`."""
        await self.tell_cancel()
        answer: SignalSent = await self._ask(SignalChild(self._next_position(), child_id, name, value))
        return answer.delivered

    async def signal_parent(self, name: str, value: Payload) -> bool:
        """See `AgentPort`."""
        await self.tell_cancel()
        answer: SignalSent = await self._ask(SignalParent(self._next_position(), name, value))
        return answer.delivered

    def report_usage(self, usage: Usage) -> None:
        """See `AgentPort`."""
        self.ensure_active()
        self.issued.append(ReportUsage(self._next_position(), usage))
