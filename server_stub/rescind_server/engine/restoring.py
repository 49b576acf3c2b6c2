"""Going on after a restart: what was written down becomes the engine's memory again.

Everything that follows from the rows is worked out here: backlogs, leases, deadlines. No worker is connected yet; what
one was running stays its own until its lease ends, as after any other loss of contact. What was claimed by a poll stays
claimed for a short grace, unless somebody speaks of it meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from rescind.model.ids import Instant, WorkerId
from rescind.model.status import STOP_ENDED, ExecutionStatus, TaskStatus
from rescind_server.engine import activations, claim_ends, polls, stopping, workflow_restoring
from rescind_server.engine.agent_backlog import AgentBacklog
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import (
    Attempt,
    ChildWait,
    Execution,
    Phase,
    StopWait,
    Task,
    TaskWait,
    Timer,
    Worker,
)
from rescind_server.engine.state import State
from rescind_server.engine.subscriptions import QueueKey
from rescind_server.engine.workflow_entities import KeyName, KeyOwner

_NEVER_JOINED = 0
_FROM_THE_FIRST = 0


def restore(
    state: State,
    executions: Iterable[tuple[Execution, Instant | None]],
    resting: Mapping[QueueKey, int],
    keys: Mapping[KeyName, KeyOwner],
    *,
    lease: int,
    order: int,
) -> None:
    """Take up executions where they stood.

    Args:
        state: an empty engine's, its time set.
        executions: each with the end of its clean-up, in the order of their start. Those that never ran rest.
        resting: how many rest, by queue and kind.
        keys: what idempotency keys belong to.
        lease: the highest lease that was ever given out.
        order: the highest place that was ever given out.
    """
    # Workers know a lease that came twice by its being no larger than the last. So leases grow with the clock, too:
    # what is gone on from may be an older copy, or an empty file, and the workers of before are still there.
    state.lease = max(lease, state.now)
    state.order = order
    state.agent_backlog = {key: AgentBacklog(_FROM_THE_FIRST, count) for key, count in resting.items()}
    claimable: list[Task] = []
    for execution, cleanup_due in executions:
        state.executions[execution.execution_id] = execution
        if cleanup_due is not None and not execution.ended:
            execution.cleanup = state.deadlines.set(cleanup_due, DeadlineKind.CLEAN_UP, execution)
        if execution.status is ExecutionStatus.CANCELLING:
            stopping.note(state, execution)
        for task in execution.tasks.values():
            _restore_task(state, task, claimable)
            if execution.called is not None:
                state.named_tasks[task.task_id] = execution
        _restore_operations(state, execution)
    for task in sorted(claimable, key=lambda task: task.order):
        state.task_backlog.setdefault((task.queue, task.kind), deque()).append(task)
    for worker in state.workers.values():
        if worker.polls:
            continue
        due = Instant(state.now + state.lease_ms * 1_000)
        worker.lease = state.deadlines.set(due, DeadlineKind.WORKER_LEASE, worker)
    for execution in list(state.executions.values()):
        if execution.workflow is None:
            _restore_run(state, execution)
    workflow_restoring.restore(state, [each for each in state.executions.values() if each.workflow is not None], keys)


def _restore_task(state: State, task: Task, claimable: list[Task]) -> None:
    for attempt in task.attempts or ():
        if attempt.live:
            _restore_attempt(state, attempt)
    if task.outcome is not None:
        return
    options = task.options
    if options.schedule_to_close_ms is not None:
        _watch(state, task, DeadlineKind.SCHEDULE_TO_CLOSE, options.schedule_to_close_ms)
    if task.status is not TaskStatus.PENDING:
        return
    if options.schedule_to_start_ms is not None and not task.attempts:
        _watch(state, task, DeadlineKind.SCHEDULE_TO_START, options.schedule_to_start_ms)
    if task.retry_at is not None and task.retry_at > state.now:
        deadline = state.deadlines.set(task.retry_at, DeadlineKind.RETRY, task)
        task.deadlines = [*(task.deadlines or ()), deadline]
    else:
        claimable.append(task)


def _watch(state: State, task: Task, kind: DeadlineKind, limit_ms: int) -> None:
    deadline = state.deadlines.set(Instant(task.scheduled_at + limit_ms * 1_000), kind, task)
    task.deadlines = [*(task.deadlines or ()), deadline]


def _restore_attempt(state: State, attempt: Attempt) -> None:
    state.attempts[attempt.lease] = attempt
    state.attempts_by_task[attempt.task.task_id] = attempt
    if attempt.polled:
        worker = polls.missing_worker(state, attempt.worker_id)
    else:
        worker = state.workers.get(attempt.worker_id) or _absent_worker(state, attempt.worker_id)
    worker.running[attempt.lease] = attempt
    stopping.count_attempt(state, attempt)
    if attempt.stop is not None and attempt.stop not in STOP_ENDED:
        return
    options = attempt.task.options
    limits = (
        (DeadlineKind.START_TO_CLOSE, attempt.started_at, options.start_to_close_ms),
        (DeadlineKind.HEARTBEAT, attempt.last_contact, options.heartbeat_ms),
        (DeadlineKind.IDLE, attempt.last_advance, options.idle_ms),
    )
    attempt.deadlines = [
        state.deadlines.set(Instant(since + limit * 1_000), kind, attempt)
        for kind, since, limit in limits
        if limit is not None
    ] or None
    if attempt.polled:
        claim_ends.limit_attempt(state, attempt)


def _absent_worker(state: State, worker_id: WorkerId) -> Worker:
    worker = Worker(worker_id, _NEVER_JOINED, (), {}, (), 0, connected=False)
    state.workers[worker_id] = worker
    return worker


def _restore_operations(state: State, execution: Execution) -> None:
    for waiting in execution.open.values():
        if isinstance(waiting, Timer):
            waiting.deadline = state.deadlines.set(waiting.operation.due, DeadlineKind.OPERATION, waiting)
        elif isinstance(waiting, TaskWait | StopWait | ChildWait) and waiting.operation.deadline is not None:
            waiting.deadline = state.deadlines.set(waiting.operation.deadline, DeadlineKind.OPERATION, waiting)


def _restore_run(state: State, execution: Execution) -> None:
    """No worker's memory holds any run: it is released, as when its worker is lost."""
    if execution.ended or execution.never_ran:
        # A child that never ran is in memory for its parent's sake; its turn comes as that of all that rest.
        return
    called = execution.called
    match execution.phase:
        case Phase.IN_FLIGHT if called is not None and called.worker_id is not None:
            # Its worker need not have noticed: it has no session that broke.
            activations.hold(execution, polls.missing_worker(state, called.worker_id))
            claim_ends.limit(state, execution, claim_ends.RESTART_GRACE_MS)
        case Phase.IN_FLIGHT | Phase.IDLE:
            activations.release(state, execution)
        case Phase.QUEUED:
            activations.enqueue(state, execution)
        case Phase.PARKED:
            state.parked.setdefault(execution.kind, {})[execution.execution_id] = execution
