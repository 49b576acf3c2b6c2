"""The context of an agent: the promise that its author is given, kept on an AgentPort."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, TypeVar, overload
from uuid import UUID

from rescind.authoring.conversion import decode
from rescind.errors import InvalidInput, StepFailed
from rescind.model.cause import CancelCause
from rescind.model.ids import execution_uuid
from rescind.model.options import Seconds, milliseconds
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.texts import checked_text
from rescind.runtime.agent_conversation import AgentConversation, loaded_messages
from rescind.runtime.agent_tasks import AgentTasks
from rescind.runtime.combinators import check_time
from rescind.runtime.ports import AgentPort
from rescind.runtime.scope import Shield, TaskScope

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AgentContext(AgentTasks, AgentConversation):
    """What an agent works with. It is valid while the agent's code runs, and in that code only.

    Anything else raises ContextNotActive.
    """

    def __init__(self, port: AgentPort) -> None:
        """Made by a backend, not by an agent."""
        self._port = port
        self._messages = loaded_messages(port.entries)
        self._turn_id = None
        self._state = port.state
        self._checkpoint_sequence = port.checkpoint_sequence

    @property
    def execution_id(self) -> str:
        """The execution's id, as its starter chose it."""
        return self._port.execution_id

    @property
    def agent_execution_id(self) -> UUID:
        """The execution's id as a UUID."""
        return execution_uuid(self._port.execution_id)

    @property
    def organisation(self) -> str:
        """Whose execution this is."""
        return self._port.organisation

    @property
    def queue(self) -> str:
        """The agent's queue; its tasks go there unless told otherwise."""
        return self._port.queue

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels given at the start."""
        return self._port.labels

    @property
    def parent_execution_id(self) -> str | None:
        """The agent that spawned this one, if one did."""
        return self._port.parent_id

    @property
    def input_raw(self) -> Any:
        """The input, as JSON."""
        return decode(self._port.input, None, what="input of the agent")

    def input(self, as_type: type[T]) -> T:
        """The input, read as `as_type`. Raises InvalidInput if it is not of that type."""
        value: T = decode(self._port.input, as_type, what="input of the agent")
        return value

    def now(self) -> datetime:
        """The agent's time, in UTC; the same again in a recovery."""
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

    async def sleep(self, duration: Seconds) -> None:
        """Wait for a time; durable, so it goes on through a recovery. The same as ``asyncio.sleep`` in an agent."""
        await self._port.sleep(milliseconds(duration, "duration") / 1_000)

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

        The function runs outside the agent's event loop, a plain one on a thread, so it may do what an agent's body
        must not. If its worker is lost before the record is made, it runs again.

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
        """A scope with a durable deadline: the block ends then, and the agent goes on behind it (`expired` tells)."""
        return TaskScope(self._port, milliseconds(seconds, "seconds") / 1_000)

    def fail_after(self, seconds: Seconds) -> TaskScope:
        """A scope with a durable deadline: the block ends then, with DeadlineExceeded."""
        return TaskScope(self._port, milliseconds(seconds, "seconds") / 1_000, fails=True)

    def shield(self, within_ms: int | None = None) -> Shield:
        """``async with ctx.shield(within_ms=…):`` a block for clean-up, in which the agent's own cancel is not told.

        Args:
            within_ms: the longest that the block may take. The whole clean-up has a budget besides (30 s unless the
                agent says otherwise), and ends with it.
        """
        if within_ms is not None:
            check_time(within_ms, "within_ms")
        return Shield(self._port, within_ms)

    def cancel_cause(self) -> CancelCause | None:
        """Why this agent is being cancelled, and by whom; None if it is not."""
        return self._port.cancel_cause()

    @property
    def is_cancellation_requested(self) -> bool:
        """Whether this agent is being cancelled."""
        return self._port.cancel_cause() is not None

    async def check_cancellation(self) -> None:
        """Raises ExecutionCancelled if this agent is being cancelled and the caller stands in no shield."""
        await self._port.tell_cancel()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._port.execution_id!r}>"
