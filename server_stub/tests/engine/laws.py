"""What is true after every decision, whatever was decided: the invariants of cancellation.md, section 10, as checks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from rescind.model.events import EXECUTION_ENDS, TASK_ENDS, EventType, HistoryEvent
from rescind.model.operations import WaitCondition
from rescind.model.status import (
    TASK_TRANSITIONS,
    CancelTaskResult,
    ExecutionStatus,
    ParentClosePolicy,
    StopState,
    TaskStatus,
)
from rescind_server.engine import stopping
from rescind_server.engine.entities import ChildWait, Execution, Phase, SignalWait, StepWait, StopWait, TaskWait, Worker
from rescind_server.engine.machine import Engine
from rescind_server.engine.signal_queue import selects
from rescind_server.engine.state import State
from rescind_server.engine.stops import is_still
from rescind_server.engine.viewing import stop_due

# What is still noted after the end, and changes no status: the stopping of the work, and who came too late.
AFTER_A_TASK_ENDED: Final = {
    EventType.TASK_CANCEL_REQUESTED,
    EventType.RESULT_DISCARDED,
    EventType.STOP_REQUESTED,
    EventType.STOP_DELIVERED,
    EventType.STOP_ENDED,
}
STATUS_AFTER: Final = {
    EventType.TASK_SCHEDULED: TaskStatus.PENDING,
    EventType.TASK_STARTED: TaskStatus.RUNNING,
    EventType.TASK_ATTEMPT_FAILED: TaskStatus.PENDING,
    EventType.TASK_COMPLETED: TaskStatus.COMPLETED,
    EventType.TASK_FAILED: TaskStatus.FAILED,
    EventType.TASK_CANCELLED: TaskStatus.CANCELLED,
}
OF_TASKS: Final = {*AFTER_A_TASK_ENDED, *TASK_ENDS, EventType.TASK_STARTED, EventType.TASK_ATTEMPT_FAILED}
AFTER_AN_EXECUTION_ENDED: Final = {
    *OF_TASKS,
    EventType.CHILD_CANCEL_REQUESTED,
    EventType.CHILD_ENDED,
    EventType.EXECUTION_CANCEL_REQUESTED,
    EventType.SIGNAL_REFUSED,
}


def check_history(history: Sequence[HistoryEvent]) -> None:
    """Numbers without a gap, times that never go back, one end per task and execution and nothing behind it."""
    assert [event.sequence for event in history] == list(range(1, len(history) + 1))
    assert all(before.at <= after.at for before, after in pairwise(history))
    ended: set[str] = set()
    started: set[tuple[str, int]] = set()
    cancelled: Counter[str] = Counter()
    is_over = False
    for event in history:
        # Only by hand, and only where it failed.
        is_over = is_over and event.type is not EventType.EXECUTION_RETRIED
        if is_over:
            assert event.type in AFTER_AN_EXECUTION_ENDED, f"{event.type} after the execution's end"
        is_over = is_over or event.type in EXECUTION_ENDS
        if event.task_id is None:
            continue
        if event.task_id in ended:
            assert event.type in AFTER_A_TASK_ENDED, f"{event.type} after the task's end (invariant 1)"
        if event.type in TASK_ENDS:
            ended.add(event.task_id)
        if event.type is EventType.TASK_STARTED:
            assert (event.task_id, event.attempt) not in started, "an attempt was started twice (invariant 4)"
            started.add((event.task_id, event.attempt))
        if event.type is EventType.TASK_CANCEL_REQUESTED:
            details = event.details or {}
            cancelled[event.task_id] += details["result"] == CancelTaskResult.CANCELLED
    assert all(count == 1 for count in cancelled.values() if count), "two requests were told CANCELLED (invariant 5)"


def check_lives(history: Sequence[HistoryEvent]) -> None:
    """Every task went from status to status as the table of `rescind.model.status` allows."""
    lives: dict[str, list[TaskStatus]] = defaultdict(list)
    for event in history:
        if event.task_id is not None and event.type in STATUS_AFTER:
            lives[event.task_id].append(STATUS_AFTER[event.type])
    for life in lives.values():
        assert life[0] is TaskStatus.PENDING
        assert all(after in TASK_TRANSITIONS[before] for before, after in pairwise(life))


def check_memory(engine: Engine) -> None:
    """Slots, stop records, claims and wake-ups, as they stand between two decisions."""
    state = engine._state
    for worker in state.workers.values():
        _check_slots(state, worker)
    for execution in state.executions.values():
        _check_tasks(state, execution)
        _check_waits(execution)
    _check_claims(state)
    _check_polls(state)
    _check_queued_agents(state)
    assert not state.offered
    assert not state.freed
    assert not state.queued
    assert not state.roomy
    assert not state.ended
    assert not state.stop_changes
    assert all(state.executions[each] is execution for each, execution in state.still_stopping.items())
    for lease, attempt in state.attempts.items():
        assert attempt.live
        assert attempt.lease == lease
        assert state.workers[attempt.worker_id].running[lease] is attempt


def _check_slots(state: State, worker: Worker) -> None:
    assert all(attempt.live for attempt in worker.running.values()), "a slot is held by nothing"
    assert all(state.attempts[lease] is attempt for lease, attempt in worker.running.items())
    assert worker.polls or len(worker.held) <= worker.agent_slots, "more runs of agents than there are slots"
    for execution in worker.held.values():
        assert execution.holder is worker
        assert (execution.execution_id in worker.idle) == _can_be_evicted(execution)
    if not worker.connected:
        assert worker.polls or not worker.held, "an agent is held by a worker that is away"
        assert worker.lease is not None, "nothing ends the leases of a worker that is away (invariant 6)"
        assert worker.lease.subject is worker


def _check_polls(state: State) -> None:
    """No poll waits while there is work that it takes."""
    assert not state.fresh_polls
    for (queue, kind), backlog in state.task_backlog.items():
        if any(task.status is TaskStatus.PENDING for task in backlog):
            assert state.task_polls.next_for((queue, kind)) is None, "a poll and a task wait for each other"
    for (queue, kind), returning in state.called_backlog.items():
        if any(execution.phase is Phase.QUEUED for _, _, execution in returning):
            assert state.agent_polls.next_for((queue, kind)) is None, "a poll and an agent wait for each other"


def _can_be_evicted(execution: Execution) -> bool:
    begun = any(isinstance(operation, StepWait) for operation in execution.open.values())
    return execution.phase is Phase.IDLE and not begun


def _check_tasks(state: State, execution: Execution) -> None:
    unsettled = 0
    for task in execution.tasks.values():
        live = [attempt for attempt in task.attempts or () if attempt.live]
        unsettled += (task.outcome is None) + len(live)
        assert (task.outcome is None) == (task.status in (TaskStatus.PENDING, TaskStatus.RUNNING))
        if task.status is TaskStatus.RUNNING:
            assert task.current is not None
            assert task.current.live, "a task is RUNNING and nothing runs it"
        for attempt in task.attempts or ():
            if attempt.stop in (StopState.REQUESTED, StopState.DELIVERED):
                assert attempt.live, "a stop record can reach no end (invariant 6)"
            if not attempt.live or attempt.stop is not None:
                assert not attempt.deadlines, "an attempt that is over is still watched"
        if task.outcome is not None:
            assert not task.deadlines
            assert not task.waiters
            assert not task.cancel_waiters, "somebody waits for a decision that was made"
            assert execution.ended or not execution.cause or not task.stop_waiters or live
    unsettled += _check_children(state, execution)
    assert execution.unsettled == unsettled
    assert not execution.ended or unsettled or not stopping.is_still(execution), "a closed execution is kept in memory"
    _check_stopping(state, execution)


def _check_stopping(state: State, execution: Execution) -> None:
    """What an execution says that is being stopped of it is what there is, counted anew."""
    attempts = [attempt for task in execution.tasks.values() for attempt in task.attempts or ()]
    assert execution.attempts_stopping == sum(stop_due(attempt) is not None for attempt in attempts)
    children = execution.workflow.children if execution.workflow is not None else execution.children
    going_with = [
        child
        for child_id in children
        if (child := state.executions.get(child_id)) is not None
        and child.parent_id == execution.execution_id
        and not (child.workflow is not None and child.workflow.is_abandoned)
        and not (child.spawned is not None and child.spawned.parent_close is ParentClosePolicy.ABANDON)
    ]
    assert execution.children_stopping == sum(
        child.status is ExecutionStatus.CANCELLING or not stopping.is_still(child) for child in going_with
    )
    is_shown = execution.ended and not stopping.is_still(execution)
    assert (execution.execution_id in state.still_stopping) == is_shown


def _check_children(state: State, execution: Execution) -> int:
    """How many open children go with an execution. Each lives in the engine, and knows its parent."""
    for child in execution.children.values():
        lives = state.executions.get(child.child_id)
        if child.outcome is None and state.hosts_children:
            assert lives is not None, "an open child is not in memory"
            assert not lives.ended, "a child has ended, and its parent was not told"
            assert lives.parent_id == execution.execution_id
        assert child.outcome is None or not child.waiters, "a wait was not told of a child's end"
    assert not state.ended_children
    return sum(child.outcome is None and child.goes_with_parent for child in execution.children.values())


def _check_waits(execution: Execution) -> None:
    """Invariant 3: no open operation waits for what is so already, and no answer lies beside an agent that sleeps."""
    if execution.ended:
        assert not execution.open
        assert not execution.inbox
        return
    if execution.phase is Phase.IDLE:
        assert not execution.inbox, "an answer lies beside an agent that sleeps"
        assert execution.cause is None or execution.cancel_told, "a cancelled agent sleeps and was not told"
    for position, operation in execution.open.items():
        assert operation.position == position
        if isinstance(operation, TaskWait):
            assert not wait_holds(operation), f"the wait at {position} holds, and its agent was not woken"
        elif isinstance(operation, ChildWait):
            assert not child_wait_holds(operation), f"the wait at {position} holds, and its agent was not woken"
        elif isinstance(operation, SignalWait):
            assert not any(selects(operation.operation, signal) for signal in execution.signals)
        elif isinstance(operation, StopWait):
            tasks = [execution.tasks[each] for each in operation.operation.task_ids if each in execution.tasks]
            assert not all(is_still(task) for task in tasks)


def wait_holds(wait: TaskWait) -> bool:
    """Whether a wait's condition holds, counted anew from its members."""
    members = [wait.execution.tasks[task_id] for task_id in wait.operation.task_ids]
    ended = [task for task in members if task.outcome is not None]
    completed = sum(task.status is TaskStatus.COMPLETED for task in ended)
    match wait.operation.condition:
        case WaitCondition.ALL_ENDED:
            return len(ended) == len(members)
        case WaitCondition.ALL_COMPLETED:
            return len(ended) == len(members) or completed < len(ended)
        case WaitCondition.SOME_COMPLETED:
            possible = completed + len(members) - len(ended)
            return completed >= wait.operation.needed or possible < wait.operation.needed
        case WaitCondition.ANY_ENDED:
            return bool(ended) or not members


def child_wait_holds(wait: ChildWait) -> bool:
    """Whether the condition of a wait for children holds, counted anew from its members."""
    members = [wait.execution.children[child_id] for child_id in wait.operation.child_ids]
    ended = [child for child in members if child.outcome is not None]
    if wait.operation.with_signals and any(child.untold for child in members if child.outcome is None):
        return True
    return len(ended) == len(members) or (wait.operation.condition is WaitCondition.ANY_ENDED and bool(ended))


def _check_claims(state: State) -> None:
    waiting = {
        (task.queue, task.kind)
        for execution in state.executions.values()
        for task in execution.tasks.values()
        if task.status is TaskStatus.PENDING and not _pauses(state, task)
    }
    for worker in state.workers.values():
        if worker.free_slots > 0:
            for queue, kind in waiting:
                assert not (queue in worker.queues and kind in worker.tasks), "a free slot beside claimable work"


def _pauses(state: State, task: object) -> bool:
    return any(entry[2].subject is task and entry[2].kind.name == "RETRY" for entry in state.deadlines._heap)


def _check_queued_agents(state: State) -> None:
    for execution in state.executions.values():
        if execution.phase is Phase.QUEUED and not execution.ended and execution.workflow is None:
            for worker in state.workers.values():
                takes = worker.connected and execution.queue in worker.queues and execution.kind in worker.agents
                assert not takes or worker.free_agent_slots <= 0, "an agent is queued beside a worker that can run it"
                if takes and worker.idle:
                    assert not execution.run, "an agent that ran before is queued beside a run that can be evicted"
                    assert any(each.eviction for each in state.workers.values()), "nobody looks for room for an agent"
