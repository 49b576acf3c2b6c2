"""What the context of an agent and that of a workflow have in common: who it is, its time, its blocks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, TypeVar, overload
from uuid import UUID

from rescind.authoring.conversion import decode
from rescind.errors import InvalidInput, StepFailed
from rescind.model.cause import CancelCause
from rescind.model.options import Seconds, milliseconds
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.texts import checked_text
from rescind.runtime.combinators import check_time
from rescind.runtime.ports import DurablePort
from rescind.runtime.scope import Shield, TaskScope

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DurableContext:
    """The part of a context that does not depend on how its execution comes back."""

    _port: DurablePort

    @property
    def execution_id(self) -> str:
        """The execution's id, as its starter chose it."""
        return self._port.execution_id

    @property
    def organisation(self) -> str:
        """Whose execution this is."""
        return self._port.organisation

    @property
    def queue(self) -> str:
        """Its own queue; its tasks go there unless told otherwise."""
        return self._port.queue

    @property
    def input_raw(self) -> Any:
        """The input, as JSON."""
        return decode(self._port.input, None, what=f"input of the {self._port.sort}")

    def input(self, as_type: type[T]) -> T:
        """The input, read as `as_type`. Raises InvalidInput if it is not of that type."""
        value: T = decode(self._port.input, as_type, what=f"input of the {self._port.sort}")
        return value

    def now(self) -> datetime:
        """The execution's time, in UTC; the same again in a recovery."""
        self._port.ensure_active()
        return _EPOCH + timedelta(microseconds=self._port.now())

    def random(self) -> float:
        """A random number from 0 up to, but not including, 1; the same again in a recovery."""
        return self._port.randomness().random()

    @property
    def random_source(self) -> Random:
        """All other random numbers; the same again in a recovery."""
        return self._port.randomness()

    def uuid4(self) -> UUID:
        """A random UUID; the same again in a recovery."""
        return UUID(int=self._port.randomness().getrandbits(128), version=4)

    @overload
    async def run(
        self,
        function: Callable[..., Awaitable[T]],
        /,
        *arguments: Any,
        name: str | None = None,
        result_type: Any = None,
    ) -> T: ...

    @overload
    async def run(
        self, function: Callable[..., T], /, *arguments: Any, name: str | None = None, result_type: Any = None
    ) -> T: ...

    async def run(
        self, function: Callable[..., Any], /, *arguments: Any, name: str | None = None, result_type: Any = None
    ) -> Any:
        """Run a small side effect once and record what it gave; a recovery gets the record.

        The function runs outside the execution's event loop, a plain one on a thread, so it may do what its body must
        not. If its worker is lost before the record is made, it runs again.

        Args:
            function: what to do.
            arguments: given to it.
            name: shown in the history; else the function's name.
            result_type: how to read the recorded result; else plain JSON.

        Raises:
            StepFailed: it raised, or its result is not JSON or too large; recorded as well, so it is not tried again.
            InvalidInput: the result is not of `result_type`; `function` or `name` is none.
        """
        if not callable(function):
            raise InvalidInput(f"ctx.run() was given {function!r}. Give it a function, and its arguments after it.")
        step = checked_text(name or getattr(function, "__name__", None) or "step", "a step's name")
        recorded = await self._port.run_step(step, partial(function, *arguments))
        if recorded.failure is not None:
            raise StepFailed(step, recorded.failure.error_type, recorded.failure.message)
        return decode(recorded.value or NULL_PAYLOAD, result_type, what=f"result of step {step!r}")

    def scope(self) -> TaskScope:
        """``async with ctx.scope():`` ends every task scheduled in the block that is still open when it is left."""
        return TaskScope(self._port)

    def move_on_after(self, seconds: Seconds) -> TaskScope:
        """A scope with a durable deadline: the block ends then, and the code goes on behind it (`expired` tells)."""
        return TaskScope(self._port, milliseconds(seconds, "seconds") / 1_000)

    def fail_after(self, seconds: Seconds) -> TaskScope:
        """A scope with a durable deadline: the block ends then, with DeadlineExceeded."""
        return TaskScope(self._port, milliseconds(seconds, "seconds") / 1_000, fails=True)

    def shield(self, within_ms: int | None = None) -> Shield:
        """``async with ctx.shield(within_ms=…):`` a block for clean-up, in which its own cancel is not told.

        Args:
            within_ms: the longest that the block may take. The whole clean-up has a budget besides (30 s unless its
                definition says otherwise), and ends with it.
        """
        if within_ms is not None:
            check_time(within_ms, "within_ms")
        return Shield(self._port, within_ms)

    def cancel_cause(self) -> CancelCause | None:
        """Why this execution is being cancelled, and by whom; None if it is not."""
        return self._port.cancel_cause()

    @property
    def is_cancellation_requested(self) -> bool:
        """Whether this execution is being cancelled."""
        return self._port.cancel_cause() is not None

    async def check_cancellation(self) -> None:
        """Raises ExecutionCancelled if this execution is being cancelled and the caller stands in no shield."""
        await self._port.tell_cancel()
