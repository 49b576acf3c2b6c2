"""An execution's life: started, run on by its worker's batches, signalled, cancelled, ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rescind.model.commands import (
    CancelAnswered,
    CancelExecution,
    CancelTaskFromOutside,
    Deferred,
    Refused,
    Reply,
    SignalExecution,
    Signalled,
    Started,
    StartExecution,
)
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId
from rescind.model.messages import (
    AgentCancelled,
    AgentCompleted,
    AgentFailed,
    AgentParked,
    AgentProgress,
    Issued,
    StepReported,
)
from rescind.model.operations import AnyOperation, StepRecorded
from rescind.model.outcome import Failure
from rescind.model.payload import Payload
from rescind.model.status import (
    CancelTaskResult,
    ExecutionStatus,
    FailureKind,
)
from rescind_server.engine import (
    activations,
    agent_operations,
    child_waits,
    children,
    endings,
    execution_endings,
    waits,
)
from rescind_server.engine.beginning import begin
from rescind_server.engine.entities import Execution, Phase, StepWait, Worker
from rescind_server.engine.execution_endings import finish, forget_parked
from rescind_server.engine.naming import shared
from rescind_server.engine.state import State, record

_CANCELLED_ITSELF: Final = Failure(
    FailureKind.ERROR, "the agent's code raised CancelledError, though nobody cancelled it", "CancelledError"
)


def start(state: State, command: StartExecution, execution_id: ExecutionId) -> Reply:
    """Create an execution, or recognise one that this very request created before."""
    known = state.executions.get(execution_id)
    if known is not None:
        return same_start(command, execution_id, known.kind, known.input)
    execution = begin(state, command, execution_id, spawned=command.spawned)
    activations.enqueue(state, execution)
    return Started(execution_id, created=True)


def same_start(command: StartExecution, execution_id: ExecutionId, kind: str, first_input: Payload) -> Reply:
    """What a start answers whose id exists: the same request gets the same execution, another one is refused."""
    if kind == command.kind and first_input == command.input:
        return Started(execution_id, created=False)
    differs = "with other input" if kind == command.kind else f"of kind {kind!r}"
    return Refused("AlreadyExists", f"execution {execution_id!r} exists, {differs}. Choose another id.")


def progress(state: State, message: AgentProgress) -> None:
    """An agent could do no more: carry out its batch, then let it end, run on or wait.

    A batch of an older run is void, and one that was taken in before is recognised by its number.
    """
    execution = state.executions.get(message.execution_id)
    if execution is None or execution.run != message.run or execution.holder is None:
        return
    if execution.number != message.number or execution.phase is not Phase.IN_FLIGHT:
        return
    _remember_issued(execution, message.operations)
    state.decision.streamed.extend((execution.execution_id, event) for event in message.streamed)
    for operation in message.operations:
        agent_operations.apply(state, execution, operation)
        if operation.position == execution.base_position:
            _carry_over(execution, message.operations)
    waits.wake_waiters(state)
    child_waits.wake_waiters(state)
    match message.ending:
        case None:
            activations.go_on(state, execution)
        case AgentCompleted(output):
            # A cancel that was accepted before this batch arrived stands: it was answered.
            ended = ExecutionStatus.COMPLETED if execution.cause is None else ExecutionStatus.CANCELLED
            finish(state, execution, ended, output=output if execution.cause is None else None)
        case AgentFailed(failure):
            finish(state, execution, ExecutionStatus.FAILED, failure=failure)
        case AgentCancelled() if execution.cause is None:
            finish(state, execution, ExecutionStatus.FAILED, failure=_CANCELLED_ITSELF)
        case AgentCancelled():
            finish(state, execution, ExecutionStatus.CANCELLED)


def step_reported(state: State, message: StepReported) -> None:
    """A side effect of an agent is done: record it, and hand it to the code."""
    execution = state.executions.get(message.execution_id)
    if execution is None or execution.run != message.run:
        return
    step = execution.open.get(message.position)
    if not isinstance(step, StepWait):
        return
    record(state, execution, EventType.STEP_RECORDED, position=message.position, failed=message.failure is not None)
    activations.answer(state, step, StepRecorded(message.value, message.failure))


def park(state: State, message: AgentParked) -> None:
    """The code cannot go on from its journal: keep the execution as it is, until other code is deployed."""
    execution = state.executions.get(message.execution_id)
    if execution is None or execution.run != message.run or execution.phase is not Phase.IN_FLIGHT:
        return
    activations.let_go(state, execution)
    unanswered = execution.journal.pop()
    execution.inbox[:0] = unanswered.resolutions
    if execution.cause is not None:
        # Nobody can run its clean-up; waiting for a deployment would keep a cancelled agent for ever.
        finish(state, execution, ExecutionStatus.CANCELLED)
        return
    execution.phase = Phase.PARKED
    execution.parked = message.problem
    activations.set_status(execution, ExecutionStatus.WAITING)
    state.parked.setdefault(execution.kind, {})[execution.execution_id] = execution
    record(state, execution, EventType.EXECUTION_PARKED, problem=message.problem)


def unpark(state: State, worker: Worker) -> None:
    """A worker came: perhaps with code that can go on. So it is tried there, as far as there is room."""
    for kind in worker.agents:
        for execution in list(state.parked.get(kind, {}).values()):
            if execution.queue in worker.queues:
                forget_parked(state, execution)
                activations.enqueue(state, execution)


def signal(state: State, command: SignalExecution) -> Reply:
    """Send an agent a signal."""
    execution = state.executions.get(command.execution_id)
    if execution is None:
        return not_found(command.execution_id)
    if execution.ended:
        record(state, execution, EventType.SIGNAL_REFUSED, name=command.name, by=command.by)
        return ended(command.execution_id, execution.status)
    return Signalled(children.receive_signal(state, execution, command.name, command.value, command.by))


def cancel_task(state: State, command: CancelTaskFromOutside) -> Reply:
    """Cancel one task of an execution, for somebody who is not its agent."""
    execution = state.executions.get(command.execution_id)
    task = execution.tasks.get(command.task_id) if execution is not None else None
    if task is None:
        return CancelAnswered(CancelTaskResult.NOT_FOUND)
    result = endings.request_cancel(state, task, command.cause, command.mode)
    if result is not None:
        return CancelAnswered(result)
    state.deferred += 1
    task.cancel_waiters = [*(task.cancel_waiters or ()), state.deferred]
    return Deferred(state.deferred)


def cancel(state: State, command: CancelExecution) -> Reply:
    """Cancel an agent (section 7): its code is told, its work is stopped, and it ends when its clean-up has."""
    execution = state.executions.get(command.execution_id)
    if execution is None:
        return CancelAnswered(CancelTaskResult.NOT_FOUND)
    result = execution_endings.request_cancel(
        state, execution, command.cause, hard=command.hard, within_ms=command.within_ms
    )
    return CancelAnswered(result)


def not_found(execution_id: ExecutionId) -> Refused:
    """The refusal for an id that this caller does not have."""
    return Refused("NotFound", f"no execution {execution_id!r}. Check the id, or list the executions.")


def ended(execution_id: ExecutionId, status: ExecutionStatus) -> Refused:
    """The refusal for an execution that takes nothing any more."""
    return Refused("ExecutionEnded", f"execution {execution_id!r} is {status.value}; it takes no more signals.")


def _remember_issued(execution: Execution, operations: tuple[AnyOperation, ...]) -> None:
    if execution.journal:
        entry = execution.journal[-1]
        # Answers to what the last checkpoint made the code forget were of use to this run; a later one has no reader.
        if execution.base_position:
            entry.resolutions = tuple(each for each in entry.resolutions if each.position > execution.base_position)
        entry.issued = execution.carried + _issued(operations)
        execution.carried = ()


def _carry_over(execution: Execution, operations: tuple[AnyOperation, ...]) -> None:
    """The journal was dropped in the middle of a batch: what stands behind the checkpoint belongs to what follows."""
    execution.carried = _issued(each for each in operations if each.position > execution.base_position)


def _issued(operations: Iterable[AnyOperation]) -> tuple[Issued, ...]:
    """What the journal remembers of a batch: operations alike, one behind the other, as one."""
    issued: list[Issued] = []
    last: AnyOperation | None = None
    count = 1
    for operation in operations:
        if last is not None and _is_one_more(last, operation):
            count += 1
        elif last is not None:
            issued.append(_noted(last, count))
            count = 1
        last = operation
    if last is not None:
        issued.append(_noted(last, count))
    return tuple(issued)


def _is_one_more(last: AnyOperation, operation: AnyOperation) -> bool:
    return (
        type(operation) is type(last) and operation.position == last.position + 1 and operation.subject == last.subject
    )


def _noted(last: AnyOperation, count: int) -> Issued:
    return Issued(last.position - count + 1, type(last).__name__, shared(last.subject), count)
