"""Giving agents to polls: the one that was started first of all that a poll takes, each to one poll."""

from __future__ import annotations

from heapq import heappop

from rescind.model.events import EventType
from rescind.model.ids import WorkerId
from rescind.model.status import ExecutionStatus
from rescind_server.engine import activations, child_waits, open_operations, polls
from rescind_server.engine.calls import AgentClaimed
from rescind_server.engine.entities import Called, Execution, Phase
from rescind_server.engine.polls import Poll
from rescind_server.engine.state import State, WantedPage, record
from rescind_server.engine.subscriptions import QueueKey


def serve_waiting(state: State, key: QueueKey) -> None:
    """Agents of this queue and kind wait: give them to the polls that wait for such."""
    while (poll := state.agent_polls.next_for(key)) is not None and serve(state, poll):
        pass


def serve(state: State, poll: Poll) -> bool:
    """Give a poll the agent whose turn it is; returns whether there was one.

    If that one rests, the store is asked for it (`Decision.wanted`), and the poll's turn comes again with the answer.
    """
    chosen: tuple[int, QueueKey, bool] | None = None
    for key in _keys(state, poll):
        for order, is_fresh in _turns(state, key):
            if chosen is None or order < chosen[0]:
                chosen = order, key, is_fresh
    if chosen is None:
        return False
    _, key, is_fresh = chosen
    execution = _take_fresh(state, key) if is_fresh else heappop(state.called_backlog[key])[2]
    if execution is None:
        return False
    polls.answer(state, poll, claim(state, execution, poll.worker_id))
    return True


def claim(state: State, execution: Execution, worker_id: WorkerId) -> AgentClaimed:
    """Let a worker run the agent's code from its first line. What it waited for, it waits for no longer."""
    worker = polls.worker_of(state, worker_id)
    called = execution.called
    if called is None:
        called = execution.called = Called()
    called.worker_id = worker_id
    called.signal = None
    for waiting in list(execution.open.values()):
        open_operations.close(state, waiting)
    execution.open.clear()
    child_waits.keep_untold(state, execution)
    execution.inbox.clear()
    execution.run += 1
    execution.number += 1
    activations.hold(execution, worker)
    execution.phase = Phase.IN_FLIGHT
    activations.set_status(execution, ExecutionStatus.RUNNING)
    record(state, execution, EventType.EXECUTION_ACTIVATED, number=execution.number, run=execution.run)
    return AgentClaimed(
        execution_id=execution.execution_id,
        run=execution.run,
        kind=execution.kind,
        queue=execution.queue,
        input=execution.input,
        labels=execution.labels,
        created_at=execution.created_at,
        checkpoint=execution.checkpoints[-1].sequence if execution.checkpoints else -1,
        parent_id=execution.parent_id,
        trace_parent=execution.trace_parent,
    )


def _keys(state: State, poll: Poll) -> list[QueueKey]:
    if poll.kinds is not None:
        return [(poll.queue, kind) for kind in poll.kinds]
    return [key for key in {**state.called_backlog, **state.agent_backlog} if key[0] == poll.queue]


def _turns(state: State, key: QueueKey) -> list[tuple[int, bool]]:
    """The orders of the first that ran by calls before, and of the first that never ran; the flag tells which."""
    turns = []
    returning = state.called_backlog.get(key)
    while returning and returning[0][2].phase is not Phase.QUEUED:
        heappop(returning)
    if returning:
        turns.append((returning[0][0], False))
    backlog = state.agent_backlog.get(key)
    fresh = backlog.fresh_turn() if backlog is not None else None
    if fresh is not None:
        turns.append((fresh, True))
    return turns


def _take_fresh(state: State, key: QueueKey) -> Execution | None:
    backlog = state.agent_backlog[key]
    taken = backlog.pop_uuid()
    if taken is not None:
        return taken
    wanted = WantedPage(key, backlog.rests_beyond or 0, max(1, state.agents_in_memory))
    if wanted not in state.decision.wanted:
        state.decision.wanted.append(wanted)
    return None
