"""What an operator asks of the whole engine: workers, work that does not go on, and how much there is of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rescind.model.ids import Instant
from rescind.model.overviews import ParkedAgents, StuckReason, StuckTask, WaitingWork, WorkerView
from rescind.model.status import TaskStatus
from rescind_server.engine.entities import Attempt, Phase
from rescind_server.engine.naming import has_uuid
from rescind_server.engine.viewing import listed_task, stop_due, worker_view

if TYPE_CHECKING:
    from rescind_server.engine.entities import Execution
    from rescind_server.engine.machine import Engine
    from rescind_server.engine.state import State
    from rescind_server.engine.subscriptions import QueueKey


class Counts(NamedTuple):
    """How much there is; each known without a walk.

    Attributes:
        open_executions: in memory, or resting.
        queued_tasks: waiting for a worker; those that were cancelled meanwhile may be among them.
        running_attempts: not known to have ended.
        connected_workers: with an open session.
        known_workers: connected, or still in possession of attempts.
    """

    open_executions: int
    queued_tasks: int
    running_attempts: int
    connected_workers: int
    known_workers: int


def counts_of(engine: Engine) -> Counts:
    """How much there is in memory."""
    state = engine._state
    return Counts(
        open_executions=len(state.executions) + sum(backlog.resting for backlog in state.agent_backlog.values()),
        queued_tasks=sum(map(len, state.task_backlog.values())),
        running_attempts=len(state.attempts),
        connected_workers=sum(worker.connected for worker in state.workers.values()),
        known_workers=len(state.workers),
    )


def worker_views(engine: Engine, now: Instant, after: str, limit: int) -> Sequence[WorkerView]:
    """Workers in the order of their ids.

    Args:
        engine: whose.
        now: the time.
        after: the id behind which to begin; "" begins.
        limit: how many at most.
    """
    workers = engine._state.workers
    chosen = sorted(worker_id for worker_id in workers if worker_id > after)[:limit]
    return [worker_view(workers[worker_id], now) for worker_id in chosen]


def stuck_attempts(
    engine: Engine, now: Instant, quiet_ms: int | None, organisation: str | None
) -> list[tuple[Instant, StuckReason, Attempt]]:
    """The attempts that an operator should look at, each with the reason and since when; the longest first.

    There are never more than workers have slots.

    Args:
        engine: whose.
        now: the time.
        quiet_ms: how long an attempt may give no sign of life; None asks for none.
        organisation: whose executions; None is all.
    """
    state = engine._state
    found: list[tuple[Instant, StuckReason, Attempt]] = []
    for attempt in state.attempts.values():
        if organisation not in (None, attempt.task.execution.organisation):
            continue
        stuck = _stuck(state, attempt, now, quiet_ms)
        if stuck is not None:
            found.append((*stuck, attempt))
    return sorted(found, key=lambda each: each[0])


def stuck_view(since: Instant, reason: StuckReason, attempt: Attempt) -> StuckTask:
    """A stuck attempt as it is shown."""
    return StuckTask(reason, since, listed_task(attempt.task))


def waiting_work(engine: Engine, resting: Callable[[QueueKey, int, int], Sequence[Execution]]) -> Iterator[WaitingWork]:
    """What waits for a worker: first agents, then tasks, then workflows, each by queue and kind.

    Args:
        engine: whose.
        resting: finds executions that rest, as `Store.resting` does.
    """
    state = engine._state
    announced = state.announcements
    for key, agents in state.agent_backlog.items():
        first = agents.head() or next(iter(resting(key, agents.rests_beyond or 0, 1) if agents.resting else ()), None)
        if first is not None:
            # One that no poll is given waits for a session, however many poll.
            workers = announced.agents if has_uuid(first.execution_id) else announced.agents_by_session
            yield WaitingWork(
                True,
                *key,
                len(agents),
                first.created_at,
                workers[key],
                workers_of_workflow=announced.workflows[key],
            )
    for key, tasks in state.task_backlog.items():
        oldest = next((task for task in tasks if task.status is TaskStatus.PENDING), None)
        if oldest is not None:
            yield WaitingWork(False, *key, len(tasks), oldest.scheduled_at, announced.tasks[key])
    yield from _waiting_workflows(state)


def parked_agents(engine: Engine) -> Iterator[ParkedAgents]:
    """What waits for another deployment, by kind."""
    for kind, parked in engine._state.parked.items():
        for execution in parked.values():
            yield ParkedAgents(kind, len(parked), execution.parked or "", execution.execution_id)
            break


def _waiting_workflows(state: State) -> Iterator[WaitingWork]:
    counts: Counter[QueueKey] = Counter()
    oldest: dict[QueueKey, Instant] = {}
    for_sessions: set[QueueKey] = set()
    for queue, of_queue in state.workflows.backlog.items():
        for (_, kind, is_uuid), turns in of_queue.items():
            # A heap: as a rule the first still waits, and has waited for as long as any.
            first = next((execution for _, execution in turns if execution.phase is Phase.QUEUED), None)
            if first is not None:
                key = queue, kind
                counts[key] += len(turns)
                oldest[key] = min(first.waits_since, oldest.get(key, first.waits_since))
                if not is_uuid:
                    for_sessions.add(key)
    announced = state.announcements
    for key, since in oldest.items():
        workers = announced.workflows_by_session if key in for_sessions else announced.workflows
        yield WaitingWork(False, *key, counts[key], since, workers[key], is_workflow=True)


def _stuck(state: State, attempt: Attempt, now: Instant, quiet_ms: int | None) -> tuple[Instant, StuckReason] | None:
    due = stop_due(attempt)
    worker = state.workers.get(attempt.worker_id)
    if worker is None or not worker.connected:
        last_contact = attempt.last_contact if worker is None else max(worker.last_contact, attempt.last_contact)
        return last_contact, StuckReason.WORKER_AWAY if due is None else StuckReason.STOP_WAITS
    if attempt.deliveries > 1 and not attempt.acknowledged:
        asked_at = attempt.stop_requested_at or attempt.task.cancel_requested_at or now
        return asked_at, StuckReason.NOT_ACKNOWLEDGED
    if due is not None and due < now:
        return due, StuckReason.NOT_STOPPED
    if quiet_ms is not None and due is None and attempt.last_contact + quiet_ms * 1_000 < now:
        return attempt.last_contact, StuckReason.NO_HEARTBEAT
    return None
