"""All that is asked of a backend.

A port lives with its caller: these are the needs of the context, of the worker and of the client. The native backend
answers them with our engine, Temporal's with its SDK, a mock with set values.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from random import Random
from typing import Any, Protocol

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId, Instant, TaskId
from rescind.model.messages import EntryRecord, FromWorker, StreamedEvent, ToWorker
from rescind.model.operations import Signal, StepRecorded, TasksSettled, WaitCondition
from rescind.model.options import TaskOptions
from rescind.model.payload import Payload
from rescind.model.status import CancelMode, CancelTaskResult, StopState
from rescind.model.views import ExecutionDetails


class AgentPort(Protocol):
    """What an agent's context needs while the agent's code runs.

    Methods that are not async take effect at once: what they ask for leaves together at the next await. Those that are
    async wait, may be cancelled there, and then leave things as if they had not been called, unless they say otherwise.
    """

    execution_id: ExecutionId
    organisation: str
    queue: str
    input: Payload
    parent_id: ExecutionId | None
    labels: Mapping[str, str]
    state: Payload | None
    checkpoint_sequence: int
    entries: Sequence[EntryRecord]
    payload_limit: int

    def ensure_active(self) -> None:
        """Raises ContextNotActive unless the caller is the agent's own code, running."""

    def now(self) -> Instant:
        """The agent's time: the same again in a recovery."""

    def randomness(self) -> Random:
        """The agent's random numbers: the same again in a recovery."""

    def schedule(
        self, kind: str, payload: Payload, queue: str | None, options: TaskOptions, idempotency_key: str | None
    ) -> TaskId:
        """Create a task; returns its id."""

    def leave_tasks(self, task_ids: Sequence[TaskId], cause: CancelCause) -> None:
        """Cancel what is still open of these tasks; nobody waits for an answer."""

    async def cancel_task(self, task_id: TaskId, cause: CancelCause, mode: CancelMode) -> CancelTaskResult:
        """Cancel a task of this agent."""

    async def await_tasks(
        self,
        task_ids: Sequence[TaskId],
        condition: WaitCondition,
        *,
        needed: int = 1,
        timeout_ms: int | None = None,
        losers: CancelSource | None = None,
    ) -> TasksSettled:
        """Wait for tasks; with `losers`, what is still open then is cancelled in the same step."""

    async def await_stopped(
        self, task_ids: Sequence[TaskId], timeout_ms: int | None
    ) -> Mapping[TaskId, StopState | None]:
        """Wait until nothing of these tasks is at work any more, or the time is over."""

    def append_entry(self, entry_type: str, role: str, content: Payload, turn_id: str | None) -> EntryRecord:
        """Append to the conversation."""

    async def checkpoint(self, state: Payload) -> None:
        """Store the state, durably when this returns."""

    async def flush(self) -> None:
        """Returns when everything asked for before is durable."""

    async def take_signal(self, pattern: str, *, is_glob: bool) -> Signal:
        """Take the oldest signal that is selected, waiting for one. If cancelled, no signal is lost."""

    async def drain_signals(self, pattern: str, *, is_glob: bool) -> Sequence[Signal]:
        """Take all signals that are selected, oldest first."""

    async def has_signal(self, pattern: str, *, is_glob: bool) -> bool:
        """Whether there is one."""

    async def run_step(self, name: str, function: Callable[[], Awaitable[Any] | Any]) -> StepRecorded:
        """Run a side effect outside the agent's loop, once; returns what was recorded of it."""

    def stream(self, event: StreamedEvent) -> None:
        """Tell those who watch; never fails, and never happens again in a recovery."""

    def cancel_cause(self) -> CancelCause | None:
        """Why this agent is being cancelled; None if it is not."""

    def shield(self) -> AbstractContextManager[None]:
        """A block in which the agent's own cancellation is not told."""

    async def tell_cancel(self) -> None:
        """Raises ExecutionCancelled if the agent is being cancelled and the caller stands in no shield."""

    async def sleep(self, seconds: float) -> None:
        """Wait for a time; durable."""

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """``asyncio.timeout``, with a durable deadline; without one if `seconds` is None."""


class WorkerPort(Protocol):
    """A worker's session with whoever hands out work: one ordered stream in each direction."""

    def open(self, receive: Callable[[ToWorker], None]) -> None:
        """Begin to receive."""

    def send(self, message: FromWorker) -> None:
        """Send a message; what is sent in one turn of the event loop leaves together."""

    async def close(self) -> None:
        """End the session in order: what was sent before has arrived."""


class ClientPort(Protocol):
    """What callers from outside need."""

    async def start_execution(
        self,
        kind: str,
        payload: Payload,
        *,
        execution_id: str | None,
        queue: str,
        labels: Mapping[str, str],
    ) -> ExecutionId:
        """Start an agent; returns its id. Repeating it with the same id is harmless."""

    async def signal_execution(self, execution_id: ExecutionId, name: str, value: Payload) -> None:
        """Send a signal."""

    async def cancel_execution(self, execution_id: ExecutionId, reason: str | None, *, hard: bool) -> CancelTaskResult:
        """Cancel an agent."""

    async def cancel_task(
        self, execution_id: ExecutionId, task_id: TaskId, reason: str | None, mode: CancelMode
    ) -> CancelTaskResult:
        """Cancel one task."""

    async def describe(self, execution_id: ExecutionId) -> ExecutionDetails:
        """An execution as it stands. Raises NotFound."""

    async def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """The events of an execution from number `after` + 1 on. Raises NotFound."""

    async def wait_ended(self, execution_id: ExecutionId) -> ExecutionDetails:
        """Wait for an execution's end. Raises NotFound."""

    def follow(self, execution_id: ExecutionId, after: int = 0, *, output: bool = False) -> Any:
        """An async iterator over an execution's events from number `after` + 1 on, and what it streams, to its end.

        With `output` it begins with what its programs wrote so far, as far as the backend keeps that.
        """
