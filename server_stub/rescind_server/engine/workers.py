"""Workers: joining, leaving, and the lease for which what they hold stays theirs."""

from __future__ import annotations

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import ACCEPTED, Reply
from rescind.model.ids import Instant, Lease, TaskId, WorkerId
from rescind.model.messages import (
    AgentParked,
    AgentProgress,
    FromWorker,
    StepReported,
    StopOrder,
    StopReported,
    TaskAlive,
    TaskReported,
    WorkerAlive,
    WorkerJoined,
    WorkerLeft,
)
from rescind.model.workflows import WorkerGone
from rescind_server.engine import activations, attempts, executions, placement, polls, stops, workflow_claims
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Worker
from rescind_server.engine.state import State

_UNKNOWN_LEASE = CancelCause(CancelSource.REQUEST, "server", "this attempt is not yours any more")


def join(state: State, message: WorkerJoined) -> None:
    """A session begins. Both sides compare what is running; then the worker gets what it has room for."""
    held = state.workers.get(message.worker_id)
    if held is not None and held.session >= message.session:
        return
    if held is not None and held.connected:
        _disconnect(state, held)
    worker = Worker(
        message.worker_id,
        message.session,
        message.queues,
        {definition.kind: definition for definition in message.agents},
        message.tasks,
        message.task_slots,
        message.agent_slots,
        message.silence_ms,
        running=held.running if held is not None else {},
        last_contact=state.now,
        workflows=message.workflows,
    )
    if held is not None and held.lease is not None:
        state.deadlines.cancel(held.lease)
    state.workers[message.worker_id] = worker
    _subscribe(state, worker)
    _reconcile(state, worker, set(message.running))
    _watch_silence(state, worker)
    executions.unpark(state, worker)
    state.roomy[worker.worker_id] = worker
    state.freed[worker.worker_id] = worker


def leave(state: State, message: WorkerLeft) -> None:
    """A session ended. What the worker runs stays its own until its lease ends: it may come back."""
    worker = state.workers.get(message.worker_id)
    if worker is None or worker.session != message.session or not worker.connected:
        return
    _disconnect(state, worker)
    if message.handed_back or not worker.running:
        _forget(state, worker)
        return
    due = Instant(state.now + state.lease_ms * 1_000)
    worker.lease = state.deadlines.set(due, DeadlineKind.WORKER_LEASE, worker)


def alive(state: State, message: WorkerAlive) -> None:
    """A sign of life."""
    worker = state.workers.get(message.worker_id)
    if worker is not None:
        worker.last_contact = state.now


def gone(state: State, command: WorkerGone) -> Reply:
    """A worker that polls is lost, unless a poll of it tells otherwise."""
    if command.unless_polling and _is_polling(state, command.worker_id):
        return ACCEPTED
    workflow_claims.worker_gone(state, command.worker_id)
    worker = state.workers.get(command.worker_id)
    if worker is not None and worker.polls:
        _lose_poller(state, worker)
    return ACCEPTED


def may_speak(state: State, worker_id: WorkerId, message: FromWorker) -> bool:
    """Whether what a message tells of is this worker's own. What nobody holds any more is void in any case."""
    match message:
        case TaskReported() | StopReported() | TaskAlive():
            attempt = state.attempts.get(message.lease)
            return attempt is None or attempt.worker_id == worker_id
        case AgentProgress() | StepReported() | AgentParked():
            execution = state.executions.get(message.execution_id)
            return execution is None or execution.holder is None or execution.holder.worker_id == worker_id
        case _:
            return message.worker_id == worker_id


def lease_ended(state: State, worker: Worker) -> None:
    """The worker did not come back in time: nobody runs its attempts any more."""
    _forget(state, worker)


def silence_ended(state: State, worker: Worker) -> None:
    """The worker said nothing for too long, unless it did meanwhile."""
    if worker.polls:
        _poller_silence_ended(state, worker)
        return
    if state.workers.get(worker.worker_id) is not worker or worker.silence_ms is None:
        return
    due = Instant(worker.last_contact + worker.silence_ms * 1_000)
    if due > state.now:
        worker.lease = state.deadlines.set(due, DeadlineKind.WORKER_SILENCE, worker)
    else:
        _disconnect(state, worker)
        _forget(state, worker)
        state.decision.silent.append(worker.worker_id)


def _poller_silence_ended(state: State, worker: Worker) -> None:
    """A worker that polls may have been silent for too long: what it runs is tried anew, as with any lost worker."""
    if state.workers.get(worker.worker_id) is not worker:
        return
    if polls.silent_at(worker) > state.now:
        polls.watch_silence(state, worker)
        return
    workflow_claims.worker_gone(state, worker.worker_id)
    _lose_poller(state, worker)


def _lose_poller(state: State, worker: Worker) -> None:
    if worker.lease is not None:
        state.deadlines.cancel(worker.lease)
    for execution in list(worker.held.values()):
        activations.release(state, execution)
    _forget(state, worker)


def _is_polling(state: State, worker_id: WorkerId) -> bool:
    waiting = (*state.agent_polls, *state.task_polls, *state.workflows.polls.values())
    return any(poll.worker_id == worker_id for poll in waiting)


def _subscribe(state: State, worker: Worker) -> None:
    agents = [(queue, kind) for queue in worker.queues for kind in worker.agents]
    state.task_workers.subscribe(worker, [(queue, kind) for queue in worker.queues for kind in worker.tasks])
    state.agent_workers.subscribe(worker, agents)
    state.crowded_workers.subscribe(worker, agents)
    state.announcements.note(worker)


def _disconnect(state: State, worker: Worker) -> None:
    worker.connected = False
    if worker.lease is not None:
        state.deadlines.cancel(worker.lease)
        worker.lease = None
    for subscriptions in (state.task_workers, state.agent_workers, state.crowded_workers):
        subscriptions.unsubscribe(worker)
    state.announcements.forget(worker.worker_id)
    placement.stop_looking(state, worker)
    # An agent's code may run elsewhere at once: what its old run still sends is void by its number.
    for execution in list(worker.held.values()):
        activations.release(state, execution)
    workflow_claims.worker_gone(state, worker.worker_id)


def _forget(state: State, worker: Worker) -> None:
    for attempt in list(worker.running.values()):
        attempts.lose(state, attempt)
    if state.workers.get(worker.worker_id) is worker:
        del state.workers[worker.worker_id]
        state.announcements.forget(worker.worker_id)


def _reconcile(state: State, worker: Worker, named: set[Lease]) -> None:
    for lease, attempt in list(worker.running.items()):
        if lease not in named:
            attempts.lose(state, attempt)
        elif stops.standing_order(attempt) is not None:
            stops.send_order(state, attempt)
    for lease in sorted(named - worker.running.keys()):
        # The lease alone names an attempt; whose it was the server has forgotten.
        state.push(worker, StopOrder(TaskId(""), lease, _UNKNOWN_LEASE))


def _watch_silence(state: State, worker: Worker) -> None:
    if worker.silence_ms is not None:
        due = Instant(state.now + worker.silence_ms * 1_000)
        worker.lease = state.deadlines.set(due, DeadlineKind.WORKER_SILENCE, worker)
