"""One run of a workflow's code: its log goes in, event by event; what it asks for comes out.

Each event that the code can notice is delivered by itself, and the code runs until it can do no more before the next
one is. So what it does is decided by the log alone: where one pass ended and the next began leaves no trace in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from rescind.authoring.workflow import WorkflowDefinition
from rescind.backends.native.agent_loop import AbandonRun, SpinningRun
from rescind.backends.native.code_places import suspended_place
from rescind.backends.native.workflow_history import missing
from rescind.backends.native.workflow_port import NativeWorkflowPort, Step
from rescind.errors import (
    AuthoringError,
    ChildWorkflowCancelled,
    ChildWorkflowFailed,
    DeterminismViolation,
    PromiseRejected,
    PromiseTimeout,
    RescindError,
)
from rescind.model import workflow_events as events
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import ExecutionId
from rescind.model.operation_base import Signal
from rescind.model.operations import StepRecorded
from rescind.model.outcome import Failure
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.model.status import FailureKind
from rescind.model.workflow_commands import (
    AnyWorkflowCommand,
    CancelWorkflow,
    CompleteWorkflow,
    FailWorkflow,
    PassStatus,
    SuspendWorkflow,
)
from rescind.model.workflow_events import AnyWorkflowEvent, LoggedEvent
from rescind.model.workflows import WorkflowClaimed
from rescind.runtime.failures import failure_of
from rescind.runtime.workflow_context import WorkflowContext
from rescind.telemetry.at_work import AtWork
from rescind.telemetry.traces import enter_agent

DETERMINISM_VIOLATION = "DETERMINISM_VIOLATION"
"""The failure type of a workflow whose code has left the path of its log."""

_NOT_RUN = Failure(FailureKind.REJECTED, "nobody waited for it any more, so it was not run", retryable=False)


class PassResult(NamedTuple):
    """What a pass over a workflow's code led to.

    Attributes:
        commands: what it asked for that the log does not hold, in order; the last one says how the pass ended.
        status: how it ended.
        seen: the number of the last event that it saw.
        cleaning_up: whether the code was told of its cancel, and waits in its clean-up.
    """

    commands: tuple[AnyWorkflowCommand, ...]
    status: PassStatus
    seen: int
    cleaning_up: bool = False


class WorkflowRun:
    """A workflow's code in memory, suspended at its awaits.

    Attributes:
        execution_id: which workflow.
        kind: its kind.
        at_work: what its code belongs to.
    """

    __slots__ = ("_definition", "_exit", "_main", "_port", "at_work", "execution_id", "kind")

    def __init__(
        self,
        definition: WorkflowDefinition[Any, Any],
        claimed: WorkflowClaimed,
        *,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
        worker: str = "",
    ) -> None:
        self.execution_id = claimed.execution_id
        self.kind = claimed.kind
        self.at_work = AtWork(
            claimed.execution_id, worker, organisation=claimed.organisation, trace_parent=claimed.trace_parent
        )
        self._definition = definition
        self._port = NativeWorkflowPort(claimed, payload_limit)
        self._main: asyncio.Task[Any] | None = None
        self._exit: BaseException | None = None

    @property
    def seen(self) -> int:
        """The number of the last event that it was given."""
        return self._port.history.sequence

    def advance(self, logged: Sequence[LoggedEvent]) -> None:
        """Run the code on over more of its log, until it can do no more.

        Args:
            logged: the events behind `seen`, all that there are.

        Raises:
            DeterminismViolation: the code has left the path of its log; the run is of no use any more.
        """
        self._port.history.learn(logged)
        for one in logged:
            self._take(one)

    def new_steps(self) -> list[Step]:
        """Side effects that must be made before `result` can tell what this pass led to, in order."""
        if self.has_ended:
            return []
        return [
            one
            for one in self._port.commands
            if isinstance(one, Step) and one.recorded is None and one.function is not None
        ]

    def result(self) -> PassResult:
        """What this pass led to; the next one begins behind it. All `new_steps` have been made."""
        port = self._port
        commands = [_command(one) for one in port.commands]
        steps_wait = any(isinstance(one, Step) and one.function is not None for one in port.commands)
        port.commands.clear()
        ending, status = self._ending()
        if ending is None and steps_wait:
            # What was recorded is to be told to the code, at once.
            return PassResult(tuple(commands), PassStatus.RUNNING, self.seen)
        commands.append(ending or SuspendWorkflow(self.waiting_for()))
        return PassResult(tuple(commands), status, self.seen, ending is None and port.cancel_cause() is not None)

    def waiting_for(self) -> str:
        """What the code waits for, in words."""
        waits = self._port.waits()
        return f"Waiting for {', '.join(waits)}" if waits else "without explicit reason"

    def unsent(self) -> list[AnyWorkflowCommand]:
        """What the code asked for in this pass that the log does not hold, without how it ended; for people."""
        return [_command(one) for one in self._port.commands]

    @property
    def has_ended(self) -> bool:
        """Whether the code has returned or raised."""
        return self._exit is not None or (self._main is not None and self._main.done())

    def ending(self) -> AnyWorkflowCommand | None:
        """How the code has ended; None if it has not."""
        return self._ending()[0]

    def discard(self) -> None:
        """Forget the code where it stands; it is told nothing."""
        self._port.loop.discard()

    # -- inside --

    def _take(self, logged: LoggedEvent) -> None:
        port = self._port
        place = port.history.reach(logged)
        if place is not None:
            if not port.history.has_been_given(logged, place):
                raise missing(logged, self._standing())
            if not isinstance(logged.event, events.OperationCompleted):
                return
            step = port.steps[place]
            recorded = StepRecorded(logged.event.result, logged.event.failure)
            step.settling.settle(lambda: recorded)
        elif not self._tell(logged.event, logged.sequence):
            return
        if not self.has_ended:
            self._step(logged)

    def _tell(self, event: AnyWorkflowEvent, sequence: int) -> bool:
        """Let whoever waits for an event go on; returns whether it is one that the code can notice."""
        port = self._port
        match event:
            case events.WorkflowStarted():
                if self._main is None:
                    self._main = port.loop.create_task(self._call())
            case events.TaskCompleted() | events.TaskFailed() | events.TaskCancelled():
                port.tasks.end(event)
            case events.TimerFired():
                port.fire_timer(event.timer_id)
            case events.TimerCancelled():
                port.lose_timer(event.timer_id)
            case events.SignalReceived():
                port.receive_signal(Signal(event.signal_name, event.signal_value, sequence))
            case events.CancellationRequested():
                port.loop.delivery.request(event.cause or _cause_of(event))
            case events.PromiseResolved() | events.PromiseRejected() | events.PromiseTimeout():
                self._settle_promise(event)
            case events.ChildWorkflowCompleted() | events.ChildWorkflowFailed() | events.ChildWorkflowCancelled():
                self._settle_child(event)
            case _:
                return False
        return True

    def _settle_promise(self, event: events.PromiseResolved | events.PromiseRejected | events.PromiseTimeout) -> None:
        promise = self._port.promises.get(event.promise_name)
        if promise is None:
            return
        match event:
            case events.PromiseResolved(value=value):
                promise.settle(lambda: value)
            case events.PromiseRejected(promise_name=name, error=error):
                promise.settle(lambda: _raise(PromiseRejected(name, error)))
            case events.PromiseTimeout(promise_name=name):
                promise.settle(lambda: _raise(PromiseTimeout(name)))

    def _settle_child(
        self, event: events.ChildWorkflowCompleted | events.ChildWorkflowFailed | events.ChildWorkflowCancelled
    ) -> None:
        child = self._port.children.get(event.child_workflow_execution_id)
        if child is None:
            return
        if isinstance(event, events.ChildWorkflowCompleted):
            output = event.output
            child.settle(lambda: output)
        else:
            child.settle(lambda: _raise(_child_error(event)))

    def _step(self, logged: LoggedEvent) -> None:
        port = self._port
        try:
            port.loop.step(logged.at)
        except SpinningRun as error:
            self._exit = AuthoringError(str(error))
        except AbandonRun:
            if port.violation is None:
                raise
        except SystemExit as error:
            # It ends the workflow, not the worker: whoever took it up next would only end as well.
            self._exit = error
        if port.violation is not None:
            raise port.violation
        port.end_step()

    async def _call(self) -> Any:
        enter_agent(self.at_work)
        context = WorkflowContext(self._port)
        if not self._definition.takes_input:
            return await self._definition.run(context)
        return await self._definition.run(context, self._definition.decode_input(self._port.input))

    def _ending(self) -> tuple[AnyWorkflowCommand | None, PassStatus]:
        main = self._main
        if self._exit is not None:
            return _failed(self._exit)
        if main is None or not main.done():
            return None, PassStatus.SUSPENDED
        if main.cancelled():
            return self._cancelled()
        error = main.exception()
        if isinstance(error, asyncio.CancelledError):
            return self._cancelled()
        if error is not None:
            return _failed(error)
        try:
            output = self._definition.encode_output(main.result(), limit=self._port.payload_limit)
        except RescindError as refusal:
            return _failed(refusal)
        return CompleteWorkflow(output), PassStatus.COMPLETED

    def _cancelled(self) -> tuple[AnyWorkflowCommand, PassStatus]:
        cause = self._port.cancel_cause()
        return CancelWorkflow((cause.reason if cause else None) or ""), PassStatus.CANCELLED

    def _standing(self) -> str:
        """Where the code stands, for people."""
        if self._main is None:
            return "before its first line"
        if self.has_ended:
            return "its end"
        return suspended_place(self._main.get_coro())


def failure_command(violation: DeterminismViolation) -> FailWorkflow:
    """What tells that a workflow's code has left the path of its log."""
    return FailWorkflow(str(violation), failure_type=DETERMINISM_VIOLATION, failure=failure_of(violation))


def _command(given: AnyWorkflowCommand | Step) -> AnyWorkflowCommand:
    if not isinstance(given, Step):
        return given
    if given.recorded is None:
        given.recorded = StepRecorded(failure=_NOT_RUN)
    return given.command()


def _failed(error: BaseException) -> tuple[AnyWorkflowCommand, PassStatus]:
    failure = failure_of(error)
    return FailWorkflow(failure.message, failure=failure), PassStatus.FAILED


def _cause_of(event: events.CancellationRequested) -> CancelCause:
    return CancelCause(CancelSource.REQUEST, event.requested_by or "server", event.reason or None)


def _child_error(event: events.ChildWorkflowFailed | events.ChildWorkflowCancelled) -> ChildWorkflowFailed:
    child: ExecutionId = event.child_workflow_execution_id
    name = event.child_execution_name
    if isinstance(event, events.ChildWorkflowCancelled):
        return ChildWorkflowCancelled(child, name, event.reason or "cancelled")
    # Other servers have but one event for both, and say it in words.
    if event.cause is not None or (event.failure is None and "cancel" in event.error.lower()):
        return ChildWorkflowCancelled(child, name, event.error, event.cause)
    return ChildWorkflowFailed(child, name, event.error)


def _raise(error: BaseException) -> Any:
    raise error
