"""Handing agents out: to a worker that has room, in the order of their turns, also across what rests in the store."""

from __future__ import annotations

from collections.abc import Iterable
from sys import maxsize
from typing import Final

from rescind.model.ids import Instant
from rescind_server.engine import activations, agent_polls
from rescind_server.engine.agent_backlog import AgentBacklog, Turn
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Execution, Phase, Worker
from rescind_server.engine.state import State, WantedPage
from rescind_server.engine.subscriptions import QueueKey

PATIENCE_MS: Final = 1_000
"""How long a run has waited at least before it is evicted for an agent that never ran."""


def hand_out(state: State) -> None:
    """Match the room that workers have with the agents that wait."""
    while state.roomy:
        roomy = list(state.roomy.values())
        state.roomy.clear()
        for worker in roomy:
            while _has_room(worker) and _run_next(state, worker):
                pass
    for poll in state.fresh_polls:
        if poll in state.agent_polls:
            agent_polls.serve(state, poll)
    for key in state.queued:
        while (next_worker := _next_worker(state, key)) is not None and _run_next(state, next_worker):
            pass
        agent_polls.serve_waiting(state, key)
    state.queued.clear()
    state.roomy.clear()


def look_again(state: State, worker: Worker) -> None:
    """A run that this worker holds has waited for long enough, unless it was woken: then another worker's has."""
    worker.eviction = None
    state.roomy[worker.worker_id] = worker
    for queue in worker.queues:
        for kind in worker.agents:
            state.queued[queue, kind] = None


def stop_looking(state: State, worker: Worker) -> None:
    """The worker is away; what waited for room there looks elsewhere."""
    if worker.eviction is not None:
        state.deadlines.cancel(worker.eviction)
        look_again(state, worker)
        del state.roomy[worker.worker_id]


def take_up(state: State, execution: Execution) -> None:
    """Remember an execution that rests, for this turn of the host."""
    state.executions[execution.execution_id] = execution
    state.resting[execution.execution_id] = execution


def take_page(state: State, key: QueueKey, page: Iterable[Execution], *, is_last: bool) -> None:
    """Put the next of those that rest into the backlog.

    Args:
        state: the engine's memory.
        key: the queue and kind that were wanted.
        page: those that come next by what the store knows, in order.
        is_last: whether the store knows of nobody behind them.
    """
    backlog = state.agent_backlog[key]
    # What this turn is about is newer here than in the store; and what it started is not in the store yet.
    found = {execution.execution_id: state.executions.get(execution.execution_id, execution) for execution in page}
    upto = maxsize if is_last else max((execution.order for execution in found.values()), default=0)
    for execution_id, execution in state.resting.items():
        if (execution.queue, execution.kind) == key and backlog.holds_back(execution) and execution.order <= upto:
            found[execution_id] = execution
    waiting = [execution for execution in found.values() if execution.phase is Phase.QUEUED]
    for execution in backlog.take_page(waiting, upto, is_last=is_last):
        state.executions[execution.execution_id] = execution
    state.queued[key] = None


def let_rest(state: State) -> None:
    """What this turn decided is durable: executions that rest leave memory."""
    for execution_id, execution in state.resting.items():
        backlog = state.agent_backlog.get((execution.queue, execution.kind))
        # Children stay: their parents' cancel must find them.
        if backlog is not None and backlog.holds_back(execution) and execution.spawned is None:
            state.executions.pop(execution_id, None)
    state.resting.clear()


def note_ended(state: State, execution: Execution) -> None:
    """An execution that never ran has ended: if it rested, it does no more."""
    backlog = state.agent_backlog.get((execution.queue, execution.kind))
    if backlog is not None and backlog.holds_back(execution):
        backlog.resting -= 1


def _has_room(worker: Worker) -> bool:
    return worker.free_agent_slots > 0 or (worker.connected and bool(worker.idle))


def _next_worker(state: State, key: QueueKey) -> Worker | None:
    """Whose turn it is: those with a free slot first, then those that can do without one of the runs that they hold."""
    return state.agent_workers.next_for(key) or state.crowded_workers.next_for(key)


def _run_next(state: State, worker: Worker) -> bool:
    """Let a worker that has room run the agent whose turn it is among all that it can run; False if there is none."""
    chosen = _next_backlog(state, worker)
    if chosen is None:
        return False
    key, backlog, (is_fresh, _) = chosen
    if is_fresh and worker.free_agent_slots <= 0 and not _has_waited(state, worker):
        return False
    execution = backlog.head()
    if execution is None:
        wanted = WantedPage(key, backlog.rests_beyond or 0, max(1, state.agents_in_memory))
        if wanted not in state.decision.wanted:
            state.decision.wanted.append(wanted)
        return False
    if worker.free_agent_slots <= 0:
        activations.evict(state, _longest_waiting(worker))
    backlog.pop()
    activations.assign(state, execution, worker)
    return True


def _longest_waiting(worker: Worker) -> Execution:
    return next(iter(worker.idle.values()))


def _has_waited(state: State, worker: Worker) -> bool:
    """Whether an agent that never ran may take the place of a run that waits.

    Not at once: most waits are short, and each of a million agents would be begun, evicted for the next, and replayed
    when its first task is done. So a few are brought to their end instead.
    """
    due = Instant(_longest_waiting(worker).waits_since + PATIENCE_MS * 1_000)
    if due <= state.now:
        return True
    if worker.eviction is None:
        worker.eviction = state.deadlines.set(due, DeadlineKind.EVICTION, worker)
    return False


def _next_backlog(state: State, worker: Worker) -> tuple[QueueKey, AgentBacklog, Turn] | None:
    chosen: tuple[QueueKey, AgentBacklog, Turn] | None = None
    for queue in worker.queues:
        for kind in worker.agents:
            backlog = state.agent_backlog.get((queue, kind))
            if backlog is None:
                continue
            turn = backlog.turn()
            if turn is None:
                del state.agent_backlog[queue, kind]
            elif chosen is None or turn < chosen[2]:
                chosen = (queue, kind), backlog, turn
    return chosen
