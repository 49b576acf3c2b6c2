"""Who runs the next pass over a workflow's code: handed to whoever polls, the oldest first, one at a time."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from itertools import product

from rescind.model.commands import ACCEPTED, Deferred, Refused, Reply
from rescind.model.events import EventType
from rescind.model.ids import Instant, WorkerId
from rescind.model.status import ExecutionStatus
from rescind.model.workflows import (
    HoldWorkflows,
    NoWorkflow,
    PollWorkflow,
    ReleaseWorkflow,
    WithdrawPoll,
    WorkerSeen,
    WorkflowClaimed,
)
from rescind_server.engine import claim_ends, polls
from rescind_server.engine.activations import set_status
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Execution, Phase
from rescind_server.engine.naming import has_uuid
from rescind_server.engine.polls import wait_ends_at
from rescind_server.engine.state import State, record
from rescind_server.engine.workflow_entities import PollingWorker, PollKey, Turn, WorkflowPoll, workflow_of

_NOTHING = NoWorkflow()


def poll(state: State, command: PollWorkflow) -> Reply:
    """Claim the workflow whose turn it is, or wait for one."""
    _end_poll(state, command.poll)
    _note_seen(state, command.worker_id)
    if command.announces:
        worker = polls.worker_of(state, command.worker_id)
        polls.note_kinds(state, worker, command.queue, workflows=command.kinds)
    poll = WorkflowPoll(
        command.poll,
        0,
        command.worker_id,
        command.organisation,
        command.queue,
        command.kinds,
        command.lease_ms,
        command.brings_log,
        command.only_uuids,
        command.pass_ms,
        command.cleanup_budgets_ms,
    )
    execution = _take_oldest(state, poll)
    if execution is not None:
        return _claim(state, execution, poll)
    if command.wait_ms is not None and command.wait_ms <= 0:
        return _NOTHING
    state.deferred += 1
    poll.number = state.deferred
    if command.wait_ms is not None:
        due = wait_ends_at(state.now, command.wait_ms)
        poll.deadline = state.deadlines.set(due, DeadlineKind.WORKFLOW_POLL, poll)
    state.workflows.polls[poll.name] = poll
    for key in _keys(poll):
        state.workflows.waiting.setdefault(key, OrderedDict())[poll.name] = poll
    return Deferred(poll.number)


def withdraw(state: State, command: WithdrawPoll) -> Reply:
    """Whoever polled has gone. What it was given in this moment, and cannot have got, goes to others."""
    _end_poll(state, command.poll)
    execution = state.workflows.claimed_by.get(command.poll)
    if execution is not None:
        release(state, execution)
    return ACCEPTED


def poll_ended(state: State, poll: WorkflowPoll) -> None:
    """The poll has waited for as long as it wanted to."""
    _end_poll(state, poll.name)


def seen(state: State, command: WorkerSeen) -> Reply:
    """A sign of life: what the worker has claimed stays its own."""
    _note_seen(state, command.worker_id)
    return ACCEPTED


def still_made(state: State, command: HoldWorkflows) -> Reply:
    """These passes are made still. Of a claim that is not named its worker may know nothing any more."""
    _note_seen(state, command.worker_id)
    for execution_id, claim in command.claims:
        execution = state.executions.get(execution_id)
        if execution is None or execution.workflow is None or execution.run != claim:
            continue
        if execution.workflow.worker_id == command.worker_id:
            claim_ends.limit(state, execution, command.pass_ms)
    return ACCEPTED


def worker_gone(state: State, worker_id: WorkerId) -> None:
    """Whatever this worker has claimed goes to others."""
    worker = state.workflows.workers.get(worker_id)
    if worker is not None:
        for execution in list(worker.claims.values()):
            release(state, execution)


def give_back(state: State, command: ReleaseWorkflow) -> Reply:
    """The worker cannot run the pass that it claimed."""
    execution = state.executions.get(command.execution_id)
    if execution is None or execution.workflow is None:
        return Refused("NotFound", f"no workflow {command.execution_id!r}. Check the id, or list the executions.")
    if execution.phase is Phase.IN_FLIGHT and execution.run == command.claim:
        release(state, execution)
    return ACCEPTED


def lease_ended(state: State, worker: PollingWorker) -> None:
    """Perhaps the worker is lost: look at each of its claims, and later again."""
    worker.lease = None
    for execution in list(worker.claims.values()):
        if _lease_end(worker, execution) <= state.now:
            release(state, execution)
    _watch(state, worker)


def offer(state: State, execution: Execution) -> None:
    """Somebody may run the next pass; it is handed out at the end of the decision."""
    execution.phase = Phase.QUEUED
    execution.waits_since = state.now
    set_status(execution, ExecutionStatus.PENDING)
    state.decision.executions[execution.execution_id] = execution
    state.workflows.offered.append(execution)


def hand_out(state: State) -> None:
    """Match what has become claimable with those who wait."""
    for execution in state.workflows.offered:
        if execution.phase is not Phase.QUEUED:
            continue
        poll = _next_poll(state, execution)
        if poll is None:
            put_into_backlog(state, execution)
        else:
            _forget_poll(state, poll)
            state.decision.late.append((poll.number, _claim(state, execution, poll)))
    state.workflows.offered.clear()


def put_into_backlog(state: State, execution: Execution) -> None:
    """Nobody waits for it: whoever polls next may."""
    of_queue = state.workflows.backlog.setdefault(execution.queue, {})
    key = execution.organisation, execution.kind, has_uuid(execution.execution_id)
    heap = of_queue.setdefault(key, [])
    # One that ended and goes on by hand may stand there twice: equal turns must not compare what they are of.
    state.workflows.put_back += 1
    heapq.heappush(heap, ((*_turn(execution), state.workflows.put_back), execution))


def release(state: State, execution: Execution) -> None:
    """Nobody runs the pass any more: nothing of it was taken in, so another one is made."""
    let_go(state, execution)
    record(state, execution, EventType.EXECUTION_RELEASED, run=execution.run)
    offer(state, execution)


def let_go(state: State, execution: Execution) -> None:
    """The claim is over."""
    workflow = workflow_of(execution)
    if workflow.worker_id is None:
        return
    claim_ends.drop(state, execution)
    worker = state.workflows.workers.get(workflow.worker_id)
    if worker is not None:
        worker.claims.pop(execution.execution_id, None)
        if not worker.claims:
            if worker.lease is not None:
                state.deadlines.cancel(worker.lease)
            del state.workflows.workers[worker.worker_id]
    if workflow.poll is not None:
        state.workflows.claimed_by.pop(workflow.poll, None)
    workflow.worker_id = workflow.poll = None


def hold(state: State, execution: Execution, worker_id: WorkerId, lease_ms: int | None) -> None:
    """The worker has claimed it, and is alive."""
    workflow = workflow_of(execution)
    workflow.worker_id = worker_id
    workflow.lease_ms = lease_ms
    worker = state.workflows.workers.get(worker_id)
    if worker is None:
        worker = state.workflows.workers[worker_id] = PollingWorker(worker_id, state.now)
    worker.last_seen = state.now
    worker.claims[execution.execution_id] = execution
    _watch(state, worker)


def _claim(state: State, execution: Execution, poll: WorkflowPoll) -> WorkflowClaimed:
    # Several workers race for one execution: a claim is the only way to its code, and only a queued one is claimed.
    assert execution.phase is Phase.QUEUED
    workflow = workflow_of(execution)
    execution.run += 1
    execution.phase = Phase.IN_FLIGHT
    set_status(execution, ExecutionStatus.RUNNING)
    execution.cancel_told = execution.cause is not None
    execution.cleanup_budget_ms = poll.cleanup_budgets_ms.get(execution.kind, execution.cleanup_budget_ms)
    workflow.claimed_at = len(workflow.log)
    workflow.has_news = False
    workflow.poll = poll.name
    state.workflows.claimed_by[poll.name] = execution
    hold(state, execution, poll.worker_id, poll.lease_ms)
    if poll.pass_ms is not None:
        claim_ends.limit(state, execution, poll.pass_ms)
    record(state, execution, EventType.EXECUTION_ACTIVATED, number=execution.run, worker=poll.worker_id)
    return WorkflowClaimed(
        execution_id=execution.execution_id,
        claim=execution.run,
        kind=execution.kind,
        queue=execution.queue,
        organisation=execution.organisation,
        input=execution.input,
        sequence=len(workflow.log),
        now=state.now,
        created_at=execution.created_at,
        priority_ms=workflow.priority_ms,
        version=workflow.version,
        labels=execution.labels,
        cause=execution.cause,
        events=tuple(workflow.log) if poll.brings_log else (),
        trace_parent=execution.trace_parent,
    )


def _turn(execution: Execution) -> tuple[int, int]:
    return execution.created_at - workflow_of(execution).priority_ms * 1_000, execution.order


def _take_oldest(state: State, poll: WorkflowPoll) -> Execution | None:
    of_queue = state.workflows.backlog.get(poll.queue)
    if not of_queue:
        return None
    oldest: list[tuple[Turn, Execution]] | None = None
    for key in [key for key in of_queue if _wants(poll, *key)]:
        heap = of_queue[key]
        while heap and heap[0][1].phase is not Phase.QUEUED:
            heapq.heappop(heap)
        if not heap:
            del of_queue[key]
        elif oldest is None or heap[0][0] < oldest[0][0]:
            oldest = heap
    return heapq.heappop(oldest)[1] if oldest is not None else None


def _wants(poll: WorkflowPoll, organisation: str, kind: str, is_uuid: bool) -> bool:
    if poll.only_uuids and not is_uuid:
        return False
    return poll.organisation in (None, organisation) and (not poll.kinds or kind in poll.kinds)


def _next_poll(state: State, execution: Execution) -> WorkflowPoll | None:
    """Who has waited for longest among those who want it."""
    first: WorkflowPoll | None = None
    organisations, kinds = (execution.organisation, None), (execution.kind, None)
    only_uuids = (True, False) if has_uuid(execution.execution_id) else (False,)
    for organisation, kind, only in product(organisations, kinds, only_uuids):
        waiting = state.workflows.waiting.get((organisation, execution.queue, kind, only))
        if waiting:
            poll = next(iter(waiting.values()))
            first = poll if first is None or poll.number < first.number else first
    return first


def _keys(poll: WorkflowPoll) -> Iterator[PollKey]:
    for kind in poll.kinds or (None,):
        yield poll.organisation, poll.queue, kind, poll.only_uuids


def _end_poll(state: State, name: str) -> None:
    poll = state.workflows.polls.get(name)
    if poll is not None:
        _forget_poll(state, poll)
        state.decision.late.append((poll.number, _NOTHING))


def _forget_poll(state: State, poll: WorkflowPoll) -> None:
    if poll.deadline is not None:
        state.deadlines.cancel(poll.deadline)
    del state.workflows.polls[poll.name]
    for key in _keys(poll):
        waiting = state.workflows.waiting.get(key)
        if waiting is not None:
            waiting.pop(poll.name, None)
            if not waiting:
                del state.workflows.waiting[key]


def _note_seen(state: State, worker_id: WorkerId) -> None:
    worker = state.workflows.workers.get(worker_id)
    if worker is not None:
        worker.last_seen = state.now


def _lease_end(worker: PollingWorker, execution: Execution) -> float:
    lease_ms = workflow_of(execution).lease_ms
    return float("inf") if lease_ms is None else worker.last_seen + lease_ms * 1_000


def _watch(state: State, worker: PollingWorker) -> None:
    """One deadline per worker, at the earliest end of a lease; it looks again if there was a sign of life."""
    end = min((_lease_end(worker, execution) for execution in worker.claims.values()), default=float("inf"))
    if end == float("inf") or (worker.lease is not None and worker.lease.due <= end):
        return
    if worker.lease is not None:
        state.deadlines.cancel(worker.lease)
    worker.lease = state.deadlines.set(Instant(int(end)), DeadlineKind.CLAIM_LEASE, worker)
