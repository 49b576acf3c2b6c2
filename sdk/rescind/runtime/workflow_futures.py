"""What a workflow waits for: tasks apart, all that its context hands out is one of these."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from rescind.authoring.conversion import decode, encode
from rescind.errors import TimerCancelled
from rescind.model.ids import ExecutionId, execution_uuid
from rescind.model.operation_base import Signal
from rescind.model.payload import Payload

if TYPE_CHECKING:
    from rescind.runtime.workflow_ports import WorkflowContextPort

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Settling:
    """Something that is settled once, and that any number of branches may wait for.

    Attributes:
        what: what is waited for, in words: ``promise 'approval'``.
        outcome: once it is settled: returns its value, or raises.
    """

    __slots__ = ("_waiters", "outcome", "what")

    def __init__(self, what: str, outcome: Callable[[], Any] | None = None) -> None:
        """Make one, perhaps settled."""
        self.what = what
        self.outcome = outcome
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody waits for it now."""
        return bool(self._waiters)

    def settle(self, outcome: Callable[[], Any]) -> None:
        """Settle it; the first counts."""
        if self.outcome is None:
            self.outcome = outcome
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def wait(self) -> Any:
        """Return its value or raise its error, once it is settled. Cancelling the wait leaves it as it is."""
        if self.outcome is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        assert self.outcome is not None
        return self.outcome()


class WorkflowFuture(Generic[T_co]):
    """Something that a workflow began. ``await future`` gives its value, or raises; any number of times.

    Cancelling that wait leaves it as it was; `cancel()` is what takes it back.
    """

    __slots__ = ("_is_cancelled", "_port", "_read", "_settling")

    def __init__(
        self, port: WorkflowContextPort, settling: Settling, read: Callable[[Any], T_co] = lambda value: value
    ) -> None:
        """Made by a context; `read` makes the value of what it is settled with."""
        self._port = port
        self._settling = settling
        self._read = read
        self._is_cancelled = False

    @property
    def is_ready(self) -> bool:
        """Whether awaiting it would not wait."""
        return self._settling.outcome is not None

    def cancel(self) -> bool:
        """Take it back, where that can be done; returns whether this call did. Here, it cannot: nothing happens."""
        return False

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called before it was settled."""
        return self._is_cancelled

    def belongs_to(self, port: object) -> bool:
        """Whether it was made by the context behind this port."""
        return self._port is port

    def __await__(self) -> Generator[Any, None, T_co]:
        return self._wait().__await__()

    async def _wait(self) -> T_co:
        await self._port.tell_cancel()
        return self._read(await self._settling.wait())

    def __repr__(self) -> str:
        state = "ready" if self.is_ready else "cancelled" if self._is_cancelled else "waiting"
        return f"<{type(self).__name__} {self._settling.what}, {state}>"


class TimerFuture(WorkflowFuture[None]):
    """A durable timer.

    Attributes:
        timer_id: its id within the workflow: ``sleep-1``, ``sleep-2`` …
    """

    __slots__ = ("timer_id",)

    def __init__(self, port: WorkflowContextPort, timer_id: str, settling: Settling) -> None:
        """Made by a context."""
        super().__init__(port, settling)
        self.timer_id = timer_id

    def cancel(self) -> bool:
        """Cancel the timer: it never fires, and awaiting it raises TimerCancelled. Returns False if it has fired."""
        if self.is_ready:
            return False
        self._is_cancelled = True
        timer_id = self.timer_id
        self._port.cancel_sleep(timer_id)
        self._settling.settle(lambda: _raise(TimerCancelled(timer_id)))
        return True


class PromiseFuture(WorkflowFuture[T_co]):
    """Something that somebody outside settles: a person's approval, a web hook, another system.

    Awaiting it gives the value, read as the type that was asked for, or raises PromiseRejected or PromiseTimeout.

    Attributes:
        name: its name, unique within the workflow.
    """

    __slots__ = ("name",)

    def __init__(self, port: WorkflowContextPort, name: str, settling: Settling, read: Callable[[Any], T_co]) -> None:
        """Made by a context."""
        super().__init__(port, settling, read)
        self.name = name

    def resolve(self, value: Any = None) -> None:
        """Settle it from inside the workflow; nothing happens if it is settled already.

        Raises:
            InvalidInput: the value is not JSON.
        """
        payload = encode(value, what=f"value of promise {self.name!r}", limit=self._port.payload_limit)
        self._port.resolve_promise(self.name, payload)


class ChildWorkflowFuture(WorkflowFuture[T_co]):
    """A child workflow. Awaiting it gives its output, or raises ChildWorkflowFailed or ChildWorkflowCancelled.

    Attributes:
        name: its name, unique within its parent.
        kind: its kind.
        execution_id: its id.
    """

    __slots__ = ("execution_id", "kind", "name")

    def __init__(
        self,
        port: WorkflowContextPort,
        name: str,
        kind: str,
        execution_id: ExecutionId,
        settling: Settling,
        read: Callable[[Any], T_co],
    ) -> None:
        """Made by a context."""
        super().__init__(port, settling, read)
        self.name = name
        self.kind = kind
        self.execution_id = execution_id

    @property
    def workflow_execution_id(self) -> UUID:
        """The child's id as a UUID."""
        return execution_uuid(self.execution_id)

    def cancel(self, reason: str = "") -> bool:
        """Ask the child to cancel itself. It may clean up first: awaiting it tells when, and how, it has ended.

        Args:
            reason: why, in words; the child, its tasks and its history see them.

        Returns:
            Whether this call asked: False if the child has ended, or was asked before.
        """
        if self.is_ready or self._is_cancelled:
            return False
        self._is_cancelled = True
        self._port.request_child_cancel(self.execution_id, self.name, reason)
        return True


class WorkflowSignal:
    """A message to a workflow.

    Attributes:
        name: what it is about.
        value: what it says, as JSON.
    """

    __slots__ = ("_payload", "name", "value")

    def __init__(self, signal: Signal) -> None:
        """Read one as it came."""
        self.name = signal.name
        self._payload: Payload = signal.value
        self.value: Any = decode(signal.value, None, what=f"signal {signal.name!r}")

    def value_as(self, as_type: type[T]) -> T:
        """What it says, read as `as_type`. Raises InvalidInput if it is not of that type."""
        value: T = decode(self._payload, as_type, what=f"signal {self.name!r}")
        return value

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self.value!r}>"


class SignalFuture(WorkflowFuture[T_co]):
    """The next signal of a name. It has its place in the queue from the call on, not from the await on.

    Whoever is cancelled while awaiting it loses no signal: it gives its place up, and takes a new one when it is
    awaited again.

    Attributes:
        name: the signal's name.
    """

    __slots__ = ("_is_left", "_is_taken", "name")

    def __init__(self, port: WorkflowContextPort, name: str, settling: Settling, read: Callable[[Any], T_co]) -> None:
        """Made by a context."""
        super().__init__(port, settling, read)
        self.name = name
        self._is_left = self._is_taken = False

    @property
    def is_ready(self) -> bool:
        """Whether awaiting it would not wait."""
        return not self._is_left and super().is_ready

    def cancel(self) -> bool:
        """Give the place in the queue up: the signal, also one that it has got unread, goes to whoever asks next."""
        if self._is_left or self._is_taken:
            return False
        self._is_left = self._is_cancelled = True
        self._port.leave_signal(self.name, self._settling)
        return True

    async def _wait(self) -> T_co:
        await self._port.tell_cancel()
        if self._is_left:
            self._settling, self._is_left = self._port.next_signal(self.name), False
        try:
            signal = await self._settling.wait()
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._is_taken = True
        return self._read(signal)


def _raise(error: BaseException) -> Any:
    raise error
