"""What the worker of an agent says by calls: entries, checkpoints, tasks, waits, signals, and the agent's end.

An agent whose code is run so has no journal. It finds on its next claim what it stored: entries, checkpoints, and the
results of its tasks.
"""

from __future__ import annotations

from typing import Final

from rescind.model.child_operations import AwaitChildren
from rescind.model.commands import ACCEPTED, Refused, Reply
from rescind.model.events import EventType
from rescind.model.operations import AwaitTasks, Signal, WaitCondition
from rescind.model.operations import ScheduleTask as ScheduleTaskOperation
from rescind.model.signal_names import signal_pattern_matches
from rescind.model.status import ExecutionStatus
from rescind.model.views import CheckpointView
from rescind_server.engine import (
    activations,
    agent_operations,
    agent_polls,
    child_waits,
    children,
    claim_ends,
    endings,
    polls,
    signal_queue,
    signals,
    waits,
)
from rescind_server.engine.calls import (
    AgentTaskCancelled,
    AppendAgentEntry,
    CancelAgentTask,
    CheckpointSaved,
    ConsumeSignals,
    EndAgent,
    EntryAppended,
    GiveBackAgent,
    NothingFound,
    ResumeAgent,
    SaveAgentCheckpoint,
    ScheduleAgentTask,
    SignalAgent,
    SignalsConsumed,
    SignalStored,
    SuspendAgent,
    TaskCreated,
)
from rescind_server.engine.entities import Execution, KeptEntry, Phase
from rescind_server.engine.execution_endings import finish
from rescind_server.engine.state import State, record

_NO_POSITION: Final = 0


def append_entry(state: State, command: AppendAgentEntry, execution: Execution) -> Reply:
    """Add an entry, unless there is one of this id."""
    if any(entry.entry_id == command.entry_id for entry in reversed(execution.entries)):
        return EntryAppended(created=False)
    refusal = _unless_running(execution)
    if refusal is not None:
        return refusal
    _is_alive(state, execution)
    entry = KeptEntry(
        command.entry_id,
        command.entry_type,
        command.role,
        command.content,
        command.turn_id,
        state.now,
        command.parent_id,
        command.token_usage,
    )
    execution.entries.append(entry)
    record(state, execution, EventType.ENTRY_APPENDED, entry_id=command.entry_id, role=command.role)
    return EntryAppended(created=True)


def save_checkpoint(state: State, command: SaveAgentCheckpoint, execution: Execution) -> Reply:
    """Store a checkpoint under the next number."""
    refusal = _unless_running(execution)
    if refusal is not None:
        return refusal
    _is_alive(state, execution)
    sequence = execution.checkpoints[-1].sequence + 1 if execution.checkpoints else 1
    execution.checkpoints.append(CheckpointView(sequence, command.state, state.now, command.leaf_entry_id))
    record(state, execution, EventType.CHECKPOINT_SAVED, number=sequence, bytes=len(command.state.data))
    return CheckpointSaved(sequence=sequence)


def schedule_task(state: State, command: ScheduleAgentTask, execution: Execution) -> Reply:
    """Create a task, unless the agent has one of this id: ids derive from keys, so it is the same task."""
    if command.task_id in execution.tasks:
        return TaskCreated(created=False)
    if execution.ended:
        return _wrong_state(execution, "it schedules no more tasks")
    if command.task_id in state.named_tasks:
        # Without saying whose: ids derive from keys, and keys may be guessed.
        return Refused("AlreadyExists", f"task {command.task_id!r} is not of agent {execution.execution_id!r}.")
    _is_alive(state, execution)
    operation = ScheduleTaskOperation(
        _NO_POSITION, command.task_id, command.kind, command.input, command.queue, command.options
    )
    agent_operations.apply(state, execution, operation)
    state.named_tasks[command.task_id] = execution
    return TaskCreated(created=True)


def forget_names(state: State, execution: Execution) -> None:
    """The execution leaves memory: its tasks are found in the store from now on."""
    for task_id in execution.tasks:
        state.named_tasks.pop(task_id, None)


def suspend(state: State, command: SuspendAgent, execution: Execution) -> Reply:
    """Let the agent wait. If its condition holds already it is claimable at once: no wake-up comes in between."""
    refusal = _unless_running(execution)
    if refusal is not None:
        return refusal
    if execution.cause is not None:
        finish(state, execution, ExecutionStatus.CANCELLED)
        return ACCEPTED
    unknown = [
        *(each for each in command.task_ids or () if each not in execution.tasks),
        *(each for each in command.child_ids or () if each not in execution.children),
    ]
    if unknown:
        return Refused(
            "InvalidInput",
            f"agent {execution.execution_id!r} has no task or child {unknown[0]!r} to wait for. Create it first.",
        )
    assert execution.called is not None
    _is_alive(state, execution)
    activations.let_go(state, execution)
    execution.phase = Phase.IDLE
    activations.set_status(execution, ExecutionStatus.WAITING)
    record(state, execution, EventType.EXECUTION_SUSPENDED)
    if command.task_ids is not None:
        wait = AwaitTasks(execution.number, command.task_ids, command.condition)
        waits.await_tasks(state, execution, wait)
    elif command.child_ids is not None:
        is_any = command.condition is WaitCondition.ANY_ENDED
        of_children = AwaitChildren(execution.number, command.child_ids, command.condition, with_signals=is_any)
        child_waits.await_children(state, execution, of_children)
    else:
        execution.called.signal = command.signal
        signals.wake_if_signalled(state, execution)
    return ACCEPTED


def resume(state: State, command: ResumeAgent, execution: Execution) -> Reply:
    """Claim an agent that waits, for a worker of its own choice."""
    if execution.called is None or execution.status is not ExecutionStatus.WAITING:
        return NothingFound()
    return agent_polls.claim(state, execution, command.worker_id)


def give_back(state: State, command: GiveBackAgent, execution: Execution) -> Reply:
    """The claim reached nobody: the agent waits for another."""
    if execution.run == command.run and execution.phase is Phase.IN_FLIGHT:
        activations.release(state, execution)
    return ACCEPTED


def end(state: State, command: EndAgent, execution: Execution) -> Reply:
    """End the agent. A cancel that was accepted before stands: it was answered."""
    refusal = _unless_running(execution)
    if refusal is not None:
        return refusal
    _is_alive(state, execution)
    if execution.cause is not None:
        finish(state, execution, ExecutionStatus.CANCELLED)
    elif command.failure is not None:
        finish(state, execution, ExecutionStatus.FAILED, failure=command.failure, stack_trace=command.stack_trace)
    else:
        finish(state, execution, ExecutionStatus.COMPLETED, output=command.output)
    return ACCEPTED


def signal(state: State, command: SignalAgent, execution: Execution) -> Reply:
    """Queue a signal, and tell whether it ended the agent's wait."""
    if execution.ended:
        return _wrong_state(execution, "it takes no more signals")
    waited = execution.status is ExecutionStatus.WAITING
    sequence = children.receive_signal(state, execution, command.name, command.value, command.by)
    return SignalStored(sequence=sequence, resumed=waited and execution.status is not ExecutionStatus.WAITING)


def consume_signals(state: State, command: ConsumeSignals, execution: Execution) -> Reply:
    """Take signals out of the queue; two callers never get the same one."""
    if execution.ended:
        return _wrong_state(execution, "its signals are not consumed any more")
    _is_alive(state, execution)
    taken: list[Signal] = []
    left: list[Signal] = []
    for each in execution.signals:
        (taken if _selects(command, each.name) else left).append(each)
    if taken:
        execution.signals = left
        signal_queue.record_taken(state, execution, _NO_POSITION, tuple(taken))
    times = execution.called.signal_times if execution.called is not None else {}
    found = tuple((each, times.pop(each.sequence, execution.created_at)) for each in taken)
    return SignalsConsumed(signals=found)


def cancel_task(state: State, command: CancelAgentTask, execution: Execution) -> Reply:
    """Cancel one of the agent's tasks; decided at once."""
    task = execution.tasks.get(command.task_id)
    if task is None:
        return Refused("NotFound", f"agent {execution.execution_id!r} has no task {command.task_id!r}.")
    if execution.ended and task.outcome is not None:
        return AgentTaskCancelled(result=endings.ALREADY_ENDED[task.status], status=task.status)
    result = endings.request_cancel(state, task, command.cause)
    assert result is not None, "a request that does not wait is answered at once"
    return AgentTaskCancelled(result=result, status=task.status)


def _selects(command: ConsumeSignals, name: str) -> bool:
    if command.pattern:
        return signal_pattern_matches(command.pattern, name)
    return not command.name or command.name == name


def _unless_running(execution: Execution) -> Refused | None:
    """The refusal for an agent that nobody runs by calls just now; None if somebody does."""
    if execution.called is not None and execution.phase is Phase.IN_FLIGHT and not execution.ended:
        return None
    return _wrong_state(execution, "only the worker that claimed it may say this, and nobody has")


def _wrong_state(execution: Execution, what: str) -> Refused:
    return Refused("ExecutionEnded", f"agent {execution.execution_id!r} is {execution.status.value}; {what}.")


def _is_alive(state: State, execution: Execution) -> None:
    """The call does not say who calls; whoever claimed the agent is taken to be alive, and to be at it."""
    claim_ends.drop(state, execution)
    if execution.called is not None and execution.called.worker_id is not None:
        polls.worker_of(state, execution.called.worker_id)
