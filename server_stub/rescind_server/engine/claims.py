"""Handing tasks out: to a worker with a free slot, or to a poll; oldest first, never one whose end is decided."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from rescind.model.events import EventType
from rescind.model.ids import Instant, Lease
from rescind.model.messages import TaskActivation
from rescind.model.options import DEFAULT_TASK_OPTIONS
from rescind.model.status import TaskStatus
from rescind_server.engine import polls
from rescind_server.engine.calls import TaskClaimed
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Attempt, Task, Worker
from rescind_server.engine.polls import Poll
from rescind_server.engine.state import State, record
from rescind_server.engine.subscriptions import QueueKey


def offer(state: State, task: Task) -> None:
    """The task is claimable from now on.

    It is handed out at the end of the decision, not before: a cancel that stands behind the schedule in one batch
    must find a task that nobody runs (section 2, cancel beats start).
    """
    state.offered.append(task)


def watch(state: State, task: Task) -> None:
    """Begin the time-outs of a task that count from its schedule."""
    limits = (
        (DeadlineKind.SCHEDULE_TO_START, task.options.schedule_to_start_ms),
        (DeadlineKind.SCHEDULE_TO_CLOSE, task.options.schedule_to_close_ms),
    )
    for kind, limit in limits:
        if limit is not None:
            deadline = state.deadlines.set(Instant(state.now + limit * 1_000), kind, task)
            task.deadlines = [*(task.deadlines or ()), deadline]


def hand_out(state: State) -> None:
    """Match the slots that have become free, and what has become claimable; what waited longer goes first."""
    for worker in state.freed.values():
        fill(state, worker)
        if worker.free_slots > 0:
            state.task_workers.is_ready(worker)
    state.freed.clear()
    for poll in state.fresh_polls:
        if poll in state.task_polls:
            _serve(state, poll)
    for task in state.offered:
        if task.status is TaskStatus.PENDING and not _claim_by_someone(state, task):
            state.task_backlog.setdefault((task.queue, task.kind), deque()).append(task)
    state.offered.clear()


def fill(state: State, worker: Worker) -> None:
    """Give a worker the oldest claimable tasks of its queues and kinds, as long as it has free slots."""
    while worker.free_slots > 0:
        task = _take_oldest(state, ((queue, kind) for queue in worker.queues for kind in worker.tasks))
        if task is None:
            return
        _claim(state, worker, task)


def _claim_by_someone(state: State, task: Task) -> bool:
    key = (task.queue, task.kind)
    worker = state.task_workers.next_for(key)
    if worker is not None:
        _claim(state, worker, task)
        return True
    poll = state.task_polls.next_for(key)
    if poll is not None:
        _claim_for_poll(state, poll, task)
    return poll is not None


def _serve(state: State, poll: Poll) -> None:
    """Give a poll that has just come the oldest task that it takes; if there is none, it waits."""
    if poll.kinds is None:
        keys = [key for key in state.task_backlog if key[0] == poll.queue]
    else:
        keys = [(poll.queue, kind) for kind in poll.kinds]
    task = _take_oldest(state, keys)
    if task is not None:
        _claim_for_poll(state, poll, task)


def _take_oldest(state: State, keys: Iterable[QueueKey]) -> Task | None:
    oldest: Task | None = None
    for key in keys:
        backlog = state.task_backlog.get(key)
        while backlog and backlog[0].status is not TaskStatus.PENDING:
            backlog.popleft()
        if backlog and (oldest is None or backlog[0].order < oldest.order):
            oldest = backlog[0]
    if oldest is not None:
        state.task_backlog[oldest.queue, oldest.kind].popleft()
    return oldest


def _claim_for_poll(state: State, poll: Poll, task: Task) -> None:
    attempt = _begin_attempt(state, polls.worker_of(state, poll.worker_id), task)
    attempt.polled = True
    claimed = TaskClaimed(
        task_id=task.task_id,
        execution_id=task.execution.execution_id,
        lease=attempt.lease,
        kind=task.kind,
        queue=task.queue,
        input=task.input,
        number=attempt.number,
        is_of_workflow=task.execution.workflow is not None,
        trace_parent=task.execution.trace_parent,
    )
    polls.answer(state, poll, claimed)


def _begin_attempt(state: State, worker: Worker, task: Task) -> Attempt:
    # Invariant 4: a claim is the only way for code to start. Noticed by test_code_starts_at_most_once_per_attempt.
    assert task.status is TaskStatus.PENDING
    state.lease += 1
    number = len(task.attempts) + 1 if task.attempts else 1
    attempt = Attempt(
        Lease(state.lease), task, number, worker.worker_id, state.now, last_contact=state.now, last_advance=state.now
    )
    if task.attempts is None:
        task.attempts = [attempt]
    else:
        task.attempts.append(attempt)
    task.status = TaskStatus.RUNNING
    state.attempts[attempt.lease] = attempt
    state.attempts_by_task[task.task_id] = attempt
    worker.running[attempt.lease] = attempt
    task.execution.unsettled += 1
    record(state, task.execution, EventType.TASK_STARTED, task, number, worker=worker.worker_id)
    _watch(state, attempt)
    return attempt


def _claim(state: State, worker: Worker, task: Task) -> None:
    attempt = _begin_attempt(state, worker, task)
    options = task.options
    state.push(
        worker,
        TaskActivation(
            task.task_id,
            attempt.lease,
            task.execution.execution_id,
            task.kind,
            task.input,
            attempt.number,
            options.grace_ms,
            task.queue,
            options.heartbeat_ms,
            options.labels,
            task.execution.trace_parent,
        ),
    )


def _watch(state: State, attempt: Attempt) -> None:
    options = attempt.task.options
    # The default is what most tasks have, and all of them share.
    if options is DEFAULT_TASK_OPTIONS or not state.watches_attempts:
        return
    limits = (
        (DeadlineKind.START_TO_CLOSE, options.start_to_close_ms),
        (DeadlineKind.HEARTBEAT, options.heartbeat_ms),
        (DeadlineKind.IDLE, options.idle_ms),
    )
    deadlines = [
        state.deadlines.set(Instant(state.now + limit * 1_000), kind, attempt)
        for kind, limit in limits
        if limit is not None
    ]
    attempt.deadlines = deadlines or None
