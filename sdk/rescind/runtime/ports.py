"""All that is asked of a backend.

A port lives with its caller: these are the needs of the context, of the worker and of the client. The native backend
answers them with our engine, Temporal's with its SDK, a mock with set values.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from random import Random
from typing import Any, NamedTuple, Protocol

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.child_operations import ChildrenSettled
from rescind.model.children import Budget, Persistence, Usage
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId, Instant, TaskId
from rescind.model.messages import EntryRecord, FromWorker, StreamedEvent, ToWorker
from rescind.model.operations import Signal, StepRecorded, TasksSettled, WaitCondition
from rescind.model.options import TaskOptions
from rescind.model.payload import Payload
from rescind.model.status import CancelMode, CancelTaskResult, ParentClosePolicy, StopState
from rescind.model.views import ExecutionDetails


class ChildOptions(NamedTuple):
    """How a child is spawned, as it is sent. `queue` None is the parent's own."""

    queue: str | None
    labels: dict[str, str]
    parent_close: ParentClosePolicy
    persistence: Persistence
    budget: Budget | None


class DurablePort(Protocol):
    """What the context of an agent and that of a workflow need alike, while its code runs.

    Methods that are not async take effect at once: what they ask for leaves together at the next await. Those that are
    async wait, may be cancelled there, and then leave things as if they had not been called, unless they say otherwise.
    """

    execution_id: ExecutionId
    organisation: str
    queue: str
    input: Payload
    payload_limit: int

    @property
    def sort(self) -> str:
        """``agent`` or ``workflow``: with the id, how causes name it."""

    def ensure_active(self) -> None:
        """Raises ContextNotActive unless the caller is the execution's own code, running."""

    def now(self) -> Instant:
        """The execution's time: the same again in a recovery."""

    def randomness(self) -> Random:
        """The execution's random numbers: the same again in a recovery."""

    def schedule(
        self, kind: str, payload: Payload, queue: str | None, options: TaskOptions, idempotency_key: str | None
    ) -> TaskId:
        """Create a task; returns its id."""

    def leave_tasks(self, task_ids: Sequence[TaskId], cause: CancelCause) -> None:
        """Cancel what is still open of these tasks; nobody waits for an answer."""

    async def cancel_task(self, task_id: TaskId, cause: CancelCause, mode: CancelMode) -> CancelTaskResult:
        """Cancel a task of this execution."""

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

    async def run_step(self, name: str, function: Callable[[], Awaitable[Any] | Any]) -> StepRecorded:
        """Run a side effect outside the execution's loop, once; returns what was recorded of it."""

    def cancel_cause(self) -> CancelCause | None:
        """Why this execution is being cancelled; None if it is not."""

    def shield(self) -> AbstractContextManager[None]:
        """A block in which its own cancellation is not told."""

    async def tell_cancel(self) -> None:
        """Raises ExecutionCancelled if the execution is being cancelled and the caller stands in no shield."""

    async def sleep(self, seconds: float) -> None:
        """Wait for a time; durable."""

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """``asyncio.timeout``, with a durable deadline; without one if `seconds` is None."""


class AgentPort(DurablePort, Protocol):
    """What an agent's context needs besides."""

    parent_id: ExecutionId | None
    labels: Mapping[str, str]
    state: Payload | None
    checkpoint_sequence: int
    entries: Sequence[EntryRecord]
    budget: Budget | None
    usage: Usage

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

    def stream(self, event: StreamedEvent) -> None:
        """Tell those who watch; never fails, and never happens again in a recovery."""

    def spawn(self, kind: str, payload: Payload, options: ChildOptions, idempotency_key: str | None) -> ExecutionId:
        """Start a child; returns its id."""

    def leave_children(self, child_ids: Sequence[ExecutionId], cause: CancelCause) -> None:
        """Cancel what is still open of these children; nobody waits for an answer."""

    async def cancel_child(
        self, child_id: ExecutionId, cause: CancelCause, *, hard: bool, within_ms: int | None
    ) -> CancelTaskResult:
        """Cancel a child of this agent, with all under it."""

    async def await_children(
        self,
        child_ids: Sequence[ExecutionId],
        condition: WaitCondition,
        *,
        timeout_ms: int | None = None,
        with_signals: bool = False,
        only_first: bool = False,
    ) -> ChildrenSettled:
        """Wait for children; see `AwaitChildren`."""

    async def signal_child(self, child_id: ExecutionId, name: str, value: Payload) -> bool:
        """Send a child a signal; returns whether it was queued."""

    async def signal_parent(self, name: str, value: Payload) -> bool:
        """Send the parent a signal; returns whether it was queued."""

    def report_usage(self, usage: Usage) -> None:
        """Record that so much more was used up."""


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
        or_workflow: bool = False,
    ) -> ExecutionId:
        """Start an agent; returns its id. Repeating it with the same id is harmless.

        With `or_workflow` it is a workflow, where workers run this kind as a workflow and none as an agent.
        """

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
