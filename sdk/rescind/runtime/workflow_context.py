"""The context of a workflow: the promise that its author is given, kept on a WorkflowContextPort."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, cast, overload
from uuid import UUID

from rescind.authoring.conversion import decode, encode
from rescind.authoring.workflow import WorkflowDefinition
from rescind.errors import ForeignFuture, InvalidInput
from rescind.model.ids import execution_uuid
from rescind.model.operation_base import Signal
from rescind.model.options import Seconds, milliseconds
from rescind.model.payload import Payload
from rescind.model.texts import checked_text
from rescind.runtime import workflow_combinators
from rescind.runtime.agent_tasks import AgentTasks
from rescind.runtime.durable_context import DurableContext
from rescind.runtime.future import AgentTaskFuture, AgentTaskFutureRaw
from rescind.runtime.workflow_futures import (
    ChildWorkflowFuture,
    PromiseFuture,
    Settling,
    SignalFuture,
    TimerFuture,
    WorkflowFuture,
    WorkflowSignal,
)
from rescind.runtime.workflow_ports import WorkflowContextPort
from rescind.runtime.workflow_state import WorkflowState

T = TypeVar("T")
InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")

AnyFuture = AgentTaskFutureRaw | WorkflowFuture[Any]
"""Whatever a workflow can wait for."""


class WorkflowContext(DurableContext, AgentTasks, WorkflowState):
    """What a workflow works with. It is valid while the workflow's code runs, and in that code only.

    Anything else raises ContextNotActive. Nothing that is asked of it leaves before the code waits; then everything
    leaves in one submission, in order.
    """

    _port: WorkflowContextPort

    def __init__(self, port: WorkflowContextPort) -> None:
        """Made by a backend, not by a workflow."""
        self._port = port

    @property
    def workflow_execution_id(self) -> UUID:
        """The execution's id as a UUID."""
        return execution_uuid(self._port.execution_id)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels given at the start."""
        return self._port.labels

    @property
    def version(self) -> str | None:
        """The version that the execution was started with, if it was with one: for code that has changed since."""
        return self._port.version

    def current_time_millis(self) -> int:
        """`now`, in milliseconds since the Unix epoch."""
        self._port.ensure_active()
        return self._port.now() // 1_000

    def random_uuid(self) -> UUID:
        """A UUID derived from the workflow's id; the same in each pass, and in every language."""
        self._port.ensure_active()
        return self._port.next_uuid()

    # -- timers --

    def sleep(self, duration: Seconds) -> TimerFuture:
        """Start a durable timer. It counts from its submission; ``await ctx.sleep(3600)`` waits for it.

        Args:
            duration: seconds, or a timedelta.

        Raises:
            InvalidInput: no length of time.
        """
        self._port.ensure_active()
        return TimerFuture(self._port, *self._port.start_sleep(milliseconds(duration, "duration")))

    # -- promises --

    def promise(
        self,
        name: str,
        result_type: type[T],
        *,
        timeout: Seconds | None = None,
        idempotency_key: str | None = None,
        idempotency_key_ttl: Seconds | None = None,
    ) -> PromiseFuture[T]:
        """Create a promise: whoever knows the workflow's id and this name settles it (``client.resolve_promise``).

        Args:
            name: unique within the workflow.
            result_type: how its value is read.
            timeout: how long it may take; awaiting it raises PromiseTimeout then.
            idempotency_key: a name by which it can be settled without the workflow's id, unique in its organisation.
            idempotency_key_ttl: how long that name counts: a day, unless said otherwise, and at most 30 days.

        Raises:
            InvalidInput: an empty name, or no length of time.
        """
        self._port.ensure_active()
        name = checked_text(name, "a promise's name")
        key = None if idempotency_key is None else checked_text(idempotency_key, "an idempotency key")
        key_ms = None if idempotency_key_ttl is None else milliseconds(idempotency_key_ttl, "idempotency_key_ttl")
        settling = self._port.create_promise(
            name,
            None if timeout is None else milliseconds(timeout, "timeout"),
            key,
            None if key_ms is None else -(-key_ms // 1_000),
        )
        return PromiseFuture(self._port, name, settling, _reader(result_type, f"value of promise {name!r}"))

    def promise_raw(
        self,
        name: str,
        timeout: Seconds | None = None,
        *,
        idempotency_key: str | None = None,
        idempotency_key_ttl: Seconds | None = None,
    ) -> PromiseFuture[Any]:
        """`promise`, with any JSON value."""
        return self.promise(
            name,
            cast(type[Any], None),
            timeout=timeout,
            idempotency_key=idempotency_key,
            idempotency_key_ttl=idempotency_key_ttl,
        )

    # -- children --

    @overload
    def schedule_workflow(
        self,
        name: str,
        workflow: WorkflowDefinition[None, OutputT],
        /,
        *,
        queue: str = "",
        priority_seconds: int = 0,
        abandon: bool = False,
    ) -> ChildWorkflowFuture[OutputT]: ...

    @overload
    def schedule_workflow(
        self,
        name: str,
        workflow: WorkflowDefinition[InputT, OutputT],
        workflow_input: InputT,
        /,
        *,
        queue: str = "",
        priority_seconds: int = 0,
        abandon: bool = False,
    ) -> ChildWorkflowFuture[OutputT]: ...

    def schedule_workflow(
        self,
        name: str,
        workflow: WorkflowDefinition[Any, Any],
        workflow_input: Any = None,
        /,
        *,
        queue: str = "",
        priority_seconds: int = 0,
        abandon: bool = False,
    ) -> ChildWorkflowFuture[Any]:
        """Start a child workflow.

        Args:
            name: its name, unique within this workflow.
            workflow: what ``@workflow`` made.
            workflow_input: its input.
            queue: where it is put; empty is this workflow's own.
            priority_seconds: by how much it counts as older than it is, where the oldest goes first.
            abandon: whether it goes on when this workflow is cancelled.

        Raises:
            InvalidInput: the input is not JSON or not of the declared type; an empty name.
            PayloadTooLarge: the input is larger than the limit.
        """
        if not isinstance(workflow, WorkflowDefinition):
            raise InvalidInput(
                f"schedule_workflow() was given {workflow!r}. Give it a function decorated with @workflow, or use "
                "schedule_workflow_raw(name, kind, input)."
            )
        payload = workflow.encode_input(workflow_input, limit=self._port.payload_limit)
        return self._start_child(name, workflow.kind, payload, workflow.output_type, queue, priority_seconds, abandon)

    def schedule_workflow_raw(
        self,
        name: str,
        kind: str,
        workflow_input: Any = None,
        /,
        *,
        queue: str = "",
        priority_seconds: int = 0,
        abandon: bool = False,
    ) -> ChildWorkflowFuture[Any]:
        """`schedule_workflow`, by kind and with any JSON value; a worker must know the kind, this one need not."""
        kind = checked_text(kind, "a workflow's kind")
        payload = encode(workflow_input, what=f"input of workflow {kind!r}", limit=self._port.payload_limit)
        return self._start_child(name, kind, payload, None, queue, priority_seconds, abandon)

    def _start_child(
        self, name: str, kind: str, payload: Payload, output_type: Any, queue: str, priority: int, abandon: bool
    ) -> ChildWorkflowFuture[Any]:
        self._port.ensure_active()
        name = checked_text(name, "a child's name")
        child, settling = self._port.schedule_child(
            name, kind, payload, queue=queue, priority_seconds=priority, abandon=abandon
        )
        read = _reader(output_type, f"output of child workflow {name!r}")
        return ChildWorkflowFuture(self._port, name, kind, child, settling, read)

    # -- side effects --

    def run_raw(self, name: str, result: Any) -> WorkflowFuture[Any]:
        """Record the result of a side effect that was made, as the Rust SDK does: what was recorded first counts.

        The effect itself happens again in each pass. `run` makes it once.

        Raises:
            InvalidInput: an empty name, or a result that is not JSON.
        """
        self._port.ensure_active()
        step = checked_text(name, "a step's name")
        payload = encode(result, what=f"result of step {step!r}", limit=self._port.payload_limit)
        recorded = self._port.record_value(step, payload)
        value = partial(decode, recorded, None, what=f"result of step {step!r}")
        return WorkflowFuture(self._port, Settling(f"step {step!r}", value))

    # -- signals --

    def wait_for_signal_raw(self, name: str) -> SignalFuture[WorkflowSignal]:
        """The next signal of this name, with its place in the queue from now on."""
        self._port.ensure_active()
        name = checked_text(name, "a signal's name")
        return SignalFuture(self._port, name, self._port.next_signal(name), WorkflowSignal)

    def wait_for_signal(self, name: str, as_type: type[T]) -> SignalFuture[T]:
        """The next signal of this name, read as `as_type`; one of another type is InvalidInput, and used up."""
        self._port.ensure_active()
        name = checked_text(name, "a signal's name")

        def read(signal: Signal) -> T:
            value: T = decode(signal.value, as_type, what=f"signal {name!r}")
            return value

        return SignalFuture(self._port, name, self._port.next_signal(name), read)

    def has_signal(self, name: str) -> bool:
        """Whether a signal of this name is queued; takes none."""
        return self.pending_signal_count(name) > 0

    def pending_signal_count(self, name: str) -> int:
        """How many signals of this name are queued; takes none."""
        self._port.ensure_active()
        return len(self._port.queued_signals(checked_text(name, "a signal's name")))

    def drain_signals_raw(self, name: str) -> list[Any]:
        """Take all queued signals of this name, oldest first."""
        return self.drain_signals(name, None)

    def drain_signals(self, name: str, as_type: Any) -> list[Any]:
        """Take all queued signals of this name, oldest first, read as `as_type`."""
        self._port.ensure_active()
        signals = self._port.take_queued_signals(checked_text(name, "a signal's name"))
        return [decode(signal.value, as_type, what=f"signal {name!r}") for signal in signals]

    # -- waiting for several things --

    @overload
    async def join_all(self, futures: Sequence[AgentTaskFuture[T]]) -> list[T]: ...

    @overload
    async def join_all(self, futures: Sequence[WorkflowFuture[T]]) -> list[T]: ...

    @overload
    async def join_all(self, futures: Sequence[AnyFuture]) -> list[Any]: ...

    async def join_all(self, futures: Sequence[Any]) -> list[Any]:
        """Wait until all have succeeded; the values, in input order. Empty input gives an empty list.

        Tasks, timers, promises, children and signals may stand side by side. Cancelling the wait, or a failure, leaves
        the others as they are.

        Raises:
            OutcomeError: the first that failed, as soon as it does.
        """
        if all(isinstance(future, AgentTaskFutureRaw) for future in futures):
            return await super().join_all(futures)
        return await workflow_combinators.join_all(self._mine(futures))

    async def select(self, futures: Sequence[AnyFuture]) -> tuple[int, Any]:
        """Wait for the first of all; its place in the list and its value. The others go on.

        Of several that are there at once, the first in the list counts. If it failed, its error is raised; `select_ok`
        skips failures, of tasks.

        Raises:
            ValueError: `futures` is empty.
        """
        return await workflow_combinators.select(self._mine(futures))

    async def join_n(self, futures: Sequence[AnyFuture], count: int) -> list[tuple[int, Any]]:
        """Wait for the first `count` (at most all) of them: places and values, in the order in which they came."""
        return await workflow_combinators.join_n(self._mine(futures), count)

    async def with_timeout(self, future: AnyFuture, timeout: TimerFuture | Seconds) -> Any:
        """Wait for one, for so long: its value.

        Args:
            future: what to wait for; it goes on when the time is over.
            timeout: a timer, which is cancelled when the future is there first; or seconds, or a timedelta.

        Raises:
            DeadlineExceeded: the time was over first.
        """
        timer = timeout if isinstance(timeout, TimerFuture) else self.sleep(timeout)
        self._mine((future, timer))
        try:
            return await workflow_combinators.with_timeout(future, timer)
        finally:
            timer.cancel()

    async def cancel_all(self, futures: Sequence[AnyFuture]) -> None:
        """Cancel each: tasks, timers, children; and give the places of signals up. Promises stay as they are."""
        for future in self._mine(futures):
            if isinstance(future, AgentTaskFutureRaw):
                await future.cancel()
            elif isinstance(future, WorkflowFuture):
                future.cancel()

    def _mine(self, futures: Sequence[AnyFuture]) -> Sequence[Awaitable[Any]]:
        """The same futures, if they are this workflow's."""
        self._port.ensure_active()
        if isinstance(futures, AgentTaskFutureRaw | WorkflowFuture):
            raise InvalidInput(f"{futures!r} is one future, where several are wanted. Give a list, or await it alone.")
        for future in futures:
            if isinstance(future, AgentTaskFutureRaw):
                self._own((future,))
            elif not isinstance(future, WorkflowFuture):
                raise InvalidInput(f"{future!r} is no future of a workflow. Give what its context returned.")
            elif not future.belongs_to(self._port):
                raise ForeignFuture(f"{future!r} is another workflow's. Only its own workflow can wait for it.")
        return futures

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._port.execution_id!r}>"


def _reader(as_type: Any, what: str) -> Any:
    def read(payload: Payload) -> Any:
        return decode(payload, as_type, what=what)

    return read
