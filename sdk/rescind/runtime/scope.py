"""Blocks that take back what was begun in them, however they are left (cancellation.md, section 7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rescind.errors import DeadlineExceeded, ExecutionCancelled
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import ExecutionId, TaskId
from rescind.runtime.combinators import cause_by

if TYPE_CHECKING:
    from rescind.runtime.ports import DurablePort

LeaveChildren = Callable[[Sequence[ExecutionId], CancelCause], None]
"""Cancels what is still open of some children; nobody waits for an answer."""

# The innermost scope of the running code. A branch that was started inside a scope schedules into it, too; when it is
# left before the branch ends, into the one around it.
_innermost: ContextVar[TaskScope | None] = ContextVar("rescind_scope", default=None)


class TaskScope:
    """A block that ends all that was begun in it and is still open when it is left, by whatever door: tasks, children.

    Attributes:
        expired: whether its deadline ended the block.
    """

    __slots__ = (
        *("_children", "_fails", "_is_left", "_leave_children", "_outer", "_port", "_seconds", "_tasks", "_timeout"),
        *("_token", "expired"),
    )

    def __init__(self, port: DurablePort, seconds: float | None = None, *, fails: bool = False) -> None:
        self._port = port
        self._seconds = seconds
        self._fails = fails
        self._tasks: list[TaskId] = []
        self._children: list[ExecutionId] = []
        self._leave_children: LeaveChildren | None = None
        self._timeout: AbstractAsyncContextManager[object]
        self._token: Token[TaskScope | None] | None = None
        self._outer: TaskScope | None = None
        self._is_left = False
        self.expired = False

    def belongs_to(self, port: DurablePort) -> bool:
        """Whether it is a scope of the agent behind this port."""
        return self._port is port

    def adopt(self, task_id: TaskId) -> None:
        """Count a task as scheduled in this block, or, if that was left, in the block around it."""
        if not self._is_left:
            self._tasks.append(task_id)
        elif self._outer is not None:
            self._outer.adopt(task_id)

    def adopt_child(self, child_id: ExecutionId, leave: LeaveChildren) -> None:
        """Count a child as spawned in this block, or, if that was left, in the block around it.

        Args:
            child_id: the child.
            leave: how this execution's children are cancelled for which nobody waits any more.
        """
        if not self._is_left:
            self._children.append(child_id)
            self._leave_children = leave
        elif self._outer is not None:
            self._outer.adopt_child(child_id, leave)

    async def __aenter__(self) -> Self:
        self._port.ensure_active()
        self._outer = _innermost.get()
        self._token = _innermost.set(self)
        self._timeout = self._port.timeout(self._seconds)
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._is_left = True
        if self._token is not None:
            # An agent that is thrown out of memory is closed from outside, in another context.
            with suppress(ValueError):
                _innermost.reset(self._token)
        try:
            await self._timeout.__aexit__(error_type, error, traceback)
        except TimeoutError:
            self.expired = True
        source = CancelSource.DEADLINE if self.expired else CancelSource.SCOPE_LEFT
        if self._leave_children is not None:
            self._leave_children(tuple(self._children), cause_by(self._port, source))
        if self._tasks:
            self._port.leave_tasks(tuple(self._tasks), cause_by(self._port, source))
        if self.expired and self._fails:
            raise DeadlineExceeded(
                f"the block took longer than {self._seconds} s. Allow more, or use ctx.move_on_after to go on without "
                "what it began."
            ) from error
        return self.expired


class Shield:
    """A block in which the agent is not told of its own cancel, for as long as the block is allowed to take."""

    __slots__ = ("_port", "_shield", "_timeout", "_within_ms")

    def __init__(self, port: DurablePort, within_ms: int | None) -> None:
        self._port = port
        self._within_ms = within_ms
        self._shield = port.shield()
        self._timeout: AbstractAsyncContextManager[object]

    async def __aenter__(self) -> None:
        self._port.ensure_active()
        self._shield.__enter__()
        self._timeout = self._port.timeout(None if self._within_ms is None else self._within_ms / 1_000)
        await self._timeout.__aenter__()

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(error_type, error, traceback)
        except TimeoutError:
            cause = self._port.cancel_cause()
            if cause is not None:
                raise ExecutionCancelled(cause) from error
            raise DeadlineExceeded(
                f"the shielded block took longer than {self._within_ms} ms. Allow more, or do less in it."
            ) from error
        finally:
            self._shield.__exit__(error_type, error, traceback)


def innermost_scope() -> TaskScope | None:
    """The scope in which the running code stands, if any."""
    return _innermost.get()
