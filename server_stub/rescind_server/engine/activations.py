"""Running an agent's code: who holds it, what it is told next, and what happens when its worker is lost.

One activation is in flight per agent at a time. What becomes known meanwhile waits in the inbox and goes with the next
one, so no wake-up is lost between an agent's look and its wait.
"""

from __future__ import annotations

from heapq import heappush
from sys import maxsize

from rescind.model.events import EventType
from rescind.model.messages import AgentActivation, AgentEviction, AgentStart, JournalEntry
from rescind.model.operations import AnyAnswer, Resolution, SignalsTaken
from rescind.model.status import ExecutionStatus
from rescind_server.engine import claim_ends, signal_queue
from rescind_server.engine.agent_backlog import AgentBacklog
from rescind_server.engine.entities import Execution, OpenOperation, Phase, StepWait, Worker
from rescind_server.engine.state import State, record


def answer(state: State, waiting: OpenOperation, value: AnyAnswer) -> None:
    """Answer an open operation: it is open no longer, and its agent is woken."""
    if waiting.deadline is not None:
        state.deadlines.cancel(waiting.deadline)
    execution = waiting.execution
    state.decision.executions[execution.execution_id] = execution
    del execution.open[waiting.position]
    execution.inbox.append(Resolution(waiting.position, value))
    wake(state, execution)


def wake(state: State, execution: Execution) -> None:
    """Something was put into the inbox: if the code waits, let it run on."""
    if execution.phase is not Phase.IDLE:
        return
    if execution.holder is not None:
        _activate(state, execution, execution.holder, start=None)
    else:
        enqueue(state, execution)


def go_on(state: State, execution: Execution) -> None:
    """An activation was answered: send the next one, or let the agent wait. Evaluated here as well (invariant 3)."""
    execution.phase = Phase.IDLE
    if execution.inbox or (execution.cause is not None and not execution.cancel_told):
        wake(state, execution)
    else:
        set_status(execution, ExecutionStatus.WAITING)
        record(state, execution, EventType.EXECUTION_SUSPENDED)
        _can_be_evicted(state, execution)


def enqueue(state: State, execution: Execution) -> None:
    """Let some worker run the agent's code from its first line: it is handed out at the end of the decision."""
    execution.phase = Phase.QUEUED
    set_status(execution, ExecutionStatus.PENDING)
    key = (execution.queue, execution.kind)
    state.queued[key] = None
    if execution.called is not None:
        heappush(state.called_backlog.setdefault(key, []), (execution.order, execution.number, execution))
        return
    backlog = state.agent_backlog.get(key)
    if backlog is None:
        backlog = state.agent_backlog[key] = AgentBacklog()
    if backlog.add(execution, state.agents_in_memory):
        state.resting[execution.execution_id] = execution


def assign(state: State, execution: Execution, worker: Worker) -> None:
    """Give a queued agent to a worker: a new run of its code, which finds in the journal what was answered before."""
    definition = worker.agents[execution.kind]
    execution.run += 1
    execution.recovery = definition.recovery
    execution.cleanup_budget_ms = definition.cleanup_budget_ms
    execution.holder = worker
    worker.held[execution.execution_id] = execution
    if worker.idle and worker.free_agent_slots <= 0:
        state.crowded_workers.is_ready(worker)
    _forget_what_nobody_reads(state, execution)
    execution.cancel_told = any(entry.cancel is not None for entry in execution.journal)
    checkpoint = execution.checkpoints[-1] if execution.checkpoints else None
    start = AgentStart(
        kind=execution.kind,
        queue=execution.queue,
        organisation=execution.organisation,
        input=execution.input,
        parent_id=execution.parent_id,
        labels=execution.labels,
        state=checkpoint.state if checkpoint is not None and execution.base_position else None,
        checkpoint_sequence=checkpoint.sequence if checkpoint is not None and execution.base_position else -1,
        entries=tuple(execution.entries[: execution.kept_entries]),
        base_position=execution.base_position,
        journal=tuple(execution.journal),
        trace_parent=execution.trace_parent,
        started_at=execution.created_at,
        budget=execution.spawned.budget if execution.spawned is not None else None,
        usage=execution.kept_usage,
    )
    _activate(state, execution, worker, start)


def release(state: State, execution: Execution) -> None:
    """The memory that held the run is gone: take back what it never answered, and let the code run elsewhere.

    The unanswered activation led to nothing durable, so its answers simply go with the next one.
    """
    let_go(state, execution)
    if execution.ended:
        return
    if execution.called is not None:
        _release_called(state, execution)
        return
    if execution.phase is Phase.IN_FLIGHT:
        unanswered = execution.journal.pop()
        execution.inbox[:0] = unanswered.resolutions
    elif execution.phase is not Phase.IDLE or not _has_begun_step(execution):
        return
    record(state, execution, EventType.EXECUTION_RELEASED, run=execution.run)
    enqueue(state, execution)


def _release_called(state: State, execution: Execution) -> None:
    """Who claimed it is gone: it waits for another claim. One that is being cancelled ends with its budget."""
    if execution.phase is Phase.IN_FLIGHT and execution.cause is None:
        record(state, execution, EventType.EXECUTION_RELEASED, run=execution.run)
        enqueue(state, execution)


def _has_begun_step(execution: Execution) -> bool:
    """Whether a side effect was at work in the lost memory: nobody will report it unless the code begins it again."""
    return any(isinstance(operation, StepWait) for operation in execution.open.values())


def _can_be_evicted(state: State, execution: Execution) -> None:
    """The run waits, and nothing of it is at work: its worker can do without it, if there is somebody else to run."""
    worker = execution.holder
    if worker is None or _has_begun_step(execution):
        return
    execution.waits_since = state.now
    worker.idle[execution.execution_id] = execution
    if worker.free_agent_slots <= 0:
        state.roomy[worker.worker_id] = worker
        state.crowded_workers.is_ready(worker)


def evict(state: State, execution: Execution) -> None:
    """Let the worker that holds the run forget it."""
    worker = execution.holder
    if worker is not None:
        let_go(state, execution)
        state.push(worker, AgentEviction(execution.execution_id, execution.run))


def let_go(state: State, execution: Execution) -> None:
    """No worker's memory holds the run any more; if one was full, it has room now."""
    worker = execution.holder
    if worker is None:
        return
    claim_ends.drop(state, execution)
    execution.holder = None
    if worker.connected and worker.free_agent_slots <= 0:
        state.roomy[worker.worker_id] = worker
        state.agent_workers.is_ready(worker)
    worker.held.pop(execution.execution_id, None)
    worker.idle.pop(execution.execution_id, None)


def hold(execution: Execution, worker: Worker) -> None:
    """From now on a worker holds the run."""
    execution.holder = worker
    worker.held[execution.execution_id] = execution


def set_status(execution: Execution, status: ExecutionStatus) -> None:
    """Change how an open execution shows. Once it is being cancelled it shows that, until it has ended."""
    if execution.status is not ExecutionStatus.CANCELLING:
        execution.status = status


def _activate(state: State, execution: Execution, worker: Worker, start: AgentStart | None) -> None:
    execution.phase = Phase.IN_FLIGHT
    worker.idle.pop(execution.execution_id, None)
    set_status(execution, ExecutionStatus.RUNNING)
    execution.number += 1
    resolutions = tuple(execution.inbox)
    execution.inbox.clear()
    cancel = None
    if execution.cause is not None and not execution.cancel_told:
        cancel = execution.cause
        execution.cancel_told = True
    execution.journal.append(JournalEntry(execution.number, state.now, resolutions, cancel))
    record(state, execution, EventType.EXECUTION_ACTIVATED, number=execution.number, run=execution.run)
    state.push(
        worker,
        AgentActivation(execution.execution_id, execution.run, execution.number, state.now, resolutions, cancel, start),
    )


def _forget_what_nobody_reads(state: State, execution: Execution) -> None:
    """A run that begins at a checkpoint knows only what its journal holds; other answers have no reader.

    Signals among them go back into the queue. Unknown to it is also what was issued together with the checkpoint, as
    long as no activation after that was answered: the run issues it anew.
    """
    if not execution.base_position:
        return
    known_after = execution.base_position if execution.journal else maxsize
    for position in [position for position in execution.open if position <= known_after]:
        operation = execution.open.pop(position)
        if operation.deadline is not None:
            state.deadlines.cancel(operation.deadline)
    unread = [resolution.answer for resolution in execution.inbox if resolution.position <= known_after]
    execution.inbox = [resolution for resolution in execution.inbox if resolution.position > known_after]
    for taken in unread:
        if isinstance(taken, SignalsTaken):
            signal_queue.give_back(state, execution, taken.signals)
    if execution.carried:
        execution.carried = ()
        del execution.entries[execution.kept_entries :]
        execution.usage = execution.kept_usage
