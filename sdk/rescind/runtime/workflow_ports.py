"""What a workflow's context, and a worker that runs workflows, ask of a backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable
from uuid import UUID

from rescind.model.ids import ExecutionId
from rescind.model.operation_base import Signal
from rescind.model.payload import Payload
from rescind.model.workflow_commands import AnyWorkflowCommand, PassStatus
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflows import StartWorkflow, WorkflowClaimed
from rescind.runtime.ports import DurablePort
from rescind.runtime.workflow_futures import Settling


class WorkflowContextPort(DurablePort, Protocol):
    """What a workflow's context needs besides what an agent's needs, too. None of this waits."""

    labels: Mapping[str, str]
    version: str | None
    values: dict[str, Payload]

    def next_uuid(self) -> UUID:
        """The next id that this workflow derives; tasks and children take theirs from the same row."""

    def start_sleep(self, duration_ms: int) -> tuple[str, Settling]:
        """Start a durable timer; its id, and what its firing settles."""

    def cancel_sleep(self, timer_id: str) -> None:
        """Cancel a timer that has not fired."""

    def create_promise(
        self, name: str, timeout_ms: int | None, idempotency_key: str | None, key_seconds: int | None
    ) -> Settling:
        """Create a promise; settled with a payload, or an error."""

    def resolve_promise(self, name: str, value: Payload) -> None:
        """Settle a promise of this workflow from inside."""

    def schedule_child(
        self, name: str, kind: str, payload: Payload, *, queue: str, priority_seconds: int, abandon: bool
    ) -> tuple[ExecutionId, Settling]:
        """Start a child; its id, and what its end settles: with a payload, or an error."""

    def request_child_cancel(self, execution_id: ExecutionId, name: str, reason: str) -> None:
        """Ask a child to cancel itself."""

    def record_value(self, name: str, value: Payload) -> Payload:
        """Record the result of a side effect that was made; the recorded one if it was recorded before."""

    def set_state(self, key: str, value: Payload) -> None:
        """Keep a value under a key."""

    def clear_state(self, key: str) -> None:
        """Keep nothing under a key any more."""

    def next_signal(self, name: str) -> Settling:
        """A place in the queue for signals of this name; settled with a `Signal`."""

    def leave_signal(self, name: str, place: Settling) -> None:
        """Give such a place up."""

    def queued_signals(self, name: str) -> Sequence[Signal]:
        """The signals of this name that nobody has taken, oldest first."""

    def take_queued_signals(self, name: str) -> Sequence[Signal]:
        """Take them all."""


class WorkflowPort(Protocol):
    """How a worker gets workflows to run, and gives back what a pass over one led to."""

    async def claim(self, queue: str, cleanup_budgets_ms: Mapping[str, int]) -> WorkflowClaimed | None:
        """Wait for a workflow whose turn it is. Cancelling the wait loses none.

        Args:
            queue: where from.
            cleanup_budgets_ms: of which kinds, and how long the clean-up of each may take, in milliseconds.

        Returns:
            It, claimed by this worker; None if there was none for so long that it is worth asking again.

        Raises:
            ServerUnavailable: the server cannot be reached.
            StoreError: it can, and takes no commits.
        """

    async def events(self, claimed: WorkflowClaimed, after: int) -> Sequence[LoggedEvent]:
        """The log of a claimed workflow behind event number `after`, as it stands."""

    async def submit(
        self,
        claimed: WorkflowClaimed,
        commands: Sequence[AnyWorkflowCommand],
        status: PassStatus,
        seen: int,
        *,
        cleaning_up: bool,
    ) -> None:
        """Record the result of a pass, which ends the claim.

        Args:
            claimed: the claim.
            commands: what the code asked for, in order.
            status: how the pass ended.
            seen: the number of the last event that the pass had seen.
            cleaning_up: whether the code was told of its cancel, and waits in its clean-up.

        Raises:
            RequestError: it was refused, and nothing of it is recorded: the claim is void, or a command is bad.
            ServerUnavailable, StoreError: whether it was recorded is not known.
        """

    async def hold(self, claims: Sequence[WorkflowClaimed]) -> None:
        """Say that these passes are made still, so that their claims last. Those that are over are passed over.

        Raises:
            ServerUnavailable: whether that was heard is not known.
        """

    async def release(self, claimed: WorkflowClaimed) -> None:
        """Give a claimed workflow back without a result. Repeating it is harmless.

        Raises:
            ServerUnavailable: whether that was heard is not known.
        """


@runtime_checkable
class WorkflowClientPort(Protocol):
    """What callers from outside need for workflows, besides what `ClientPort` has for all executions."""

    async def start_workflow(self, command: StartWorkflow) -> ExecutionId:
        """Start a workflow; returns its id, or that of the one that its key belongs to."""

    async def signal_with_start(self, command: StartWorkflow, name: str, value: Payload) -> ExecutionId:
        """Signal the open workflow that has the command's key, or start it and signal it; returns its id."""

    async def settle_promise(self, promise: str, by_key: bool, value: Payload, error: str | None) -> bool:
        """Resolve a promise, or reject it if there is an error; returns whether this call did."""

    async def retry_workflow(self, execution_id: ExecutionId, reason: str) -> int:
        """Let a workflow that has failed go on from its log; returns how often that was done, this time counted."""

    async def workflow_events(self, execution_id: ExecutionId) -> Sequence[LoggedEvent]:
        """The log of a workflow. Raises NotFound."""
