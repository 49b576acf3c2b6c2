"""Polls that wait for work: found in constant time, answered in the order in which they came.

A poll that waits costs one entry per kind that it takes, and one deadline; nothing looks at it until work comes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from rescind.model.commands import CallAnswer
from rescind.model.ids import Instant, WorkerId
from rescind.model.messages import AgentKind
from rescind_server.engine.calls import NothingFound
from rescind_server.engine.deadlines import Deadline, DeadlineKind
from rescind_server.engine.entities import Worker

if TYPE_CHECKING:
    from rescind_server.engine.state import State
    from rescind_server.engine.subscriptions import QueueKey

ANY_KIND: Final = ""
"""Stands for every kind in the key of a poll that takes any."""

BEATING_SILENCE_MS: Final = 60_000
"""How long a worker may be silent that has sent heartbeats, before what it runs is tried anew."""

LONGEST_SILENCE_MS: Final = 3_600_000
"""How long another one may be: nothing tells whether it lives but its calls, and a task may run for long."""

MOST_QUEUES_TOLD: Final = 100
"""Of how many queues it is told that a worker polls them, the last ones: all that it polls give it work."""

_LONG_POLL_MS: Final = 10_000
_SECOND: Final = 1_000_000


class Poll(msgspec.Struct, eq=False):
    """A poll.

    Attributes:
        poll_id: names it.
        number: of its answer, which is given later (`Decision.late`).
        worker_id: who polls.
        queue: the queue to take from.
        kinds: the kinds to take; None takes any.
        for_agents: whether it asks for an agent; else for a task.
        deadline: when it is answered that there is nothing.
    """

    poll_id: str
    number: int
    worker_id: WorkerId
    queue: str
    kinds: tuple[str, ...] | None
    for_agents: bool
    deadline: Deadline | None = None

    @property
    def keys(self) -> list[QueueKey]:
        """Where it waits."""
        return [(self.queue, kind) for kind in ((ANY_KIND,) if self.kinds is None else self.kinds)]


class WaitingPolls:
    """The polls that wait for one sort of work."""

    def __init__(self) -> None:
        self._by_id: dict[str, Poll] = {}
        self._by_key: dict[QueueKey, OrderedDict[str, Poll]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Poll]:
        return iter(self._by_id.values())

    def __contains__(self, poll: Poll) -> bool:
        return poll.poll_id in self._by_id

    def add(self, poll: Poll) -> None:
        """From now on it waits, behind the others."""
        self._by_id[poll.poll_id] = poll
        for key in poll.keys:
            self._by_key.setdefault(key, OrderedDict())[poll.poll_id] = poll

    def remove(self, poll_id: str) -> Poll | None:
        """It waits no longer; returns it, or None if it did not wait."""
        poll = self._by_id.pop(poll_id, None)
        for key in poll.keys if poll is not None else ():
            waiting = self._by_key[key]
            waiting.pop(poll_id, None)
            if not waiting:
                del self._by_key[key]
        return poll

    def next_for(self, key: QueueKey) -> Poll | None:
        """The poll that waits for longest of those that take this queue and kind; None if none does."""
        heads = [
            next(iter(waiting.values()))
            for waiting in (self._by_key.get(key), self._by_key.get((key[0], ANY_KIND)))
            if waiting
        ]
        return min(heads, key=lambda poll: poll.number, default=None)


def wait_ends_at(now: Instant, wait_ms: int) -> Instant:
    """When a poll that begins now is answered that there is nothing.

    Long ones end with a whole second, up to one earlier than they might. So many end in one moment, and come back in
    one: each by itself would wake server and connection anew, which costs more than all else about a poll.
    """
    due = now + wait_ms * 1_000
    return Instant(due - due % _SECOND if wait_ms >= _LONG_POLL_MS else due)


def answer(state: State, poll: Poll, value: CallAnswer) -> None:
    """Answer a poll: it waits no longer."""
    (state.agent_polls if poll.for_agents else state.task_polls).remove(poll.poll_id)
    if poll.deadline is not None:
        state.deadlines.cancel(poll.deadline)
    state.decision.late.append((poll.number, value))


def time_out(state: State, poll: Poll) -> None:
    """Its wait is over."""
    answer(state, poll, NothingFound())


def worker_of(state: State, worker_id: WorkerId) -> Worker:
    """The worker that calls under this id; it is alive, as it just said."""
    worker = state.workers.get(worker_id) or _new_worker(state, worker_id, LONGEST_SILENCE_MS)
    worker.last_contact = state.now
    if not worker.beats:
        worker.silence_ms = LONGEST_SILENCE_MS
    return worker


def note_kinds(
    state: State,
    worker: Worker,
    queue: str,
    *,
    agents: Iterable[str] = (),
    tasks: tuple[str, ...] = (),
    workflows: tuple[str, ...] = (),
) -> None:
    """A poll tells which kinds its worker takes of one sort of work, and where from; of other sorts nothing changes."""
    if not worker.polls:
        return  # its session has said so
    before = worker.queues, worker.agents, worker.tasks, worker.workflows
    if queue not in worker.queues:
        worker.queues = (*worker.queues, queue)[-MOST_QUEUES_TOLD:]
    worker.agents = {kind: AgentKind(kind) for kind in agents} or worker.agents
    worker.tasks = tasks or worker.tasks
    worker.workflows = workflows or worker.workflows
    if before != (worker.queues, worker.agents, worker.tasks, worker.workflows):
        state.announcements.note(worker)


def missing_worker(state: State, worker_id: WorkerId) -> Worker:
    """A worker that had claimed something before a restart: it is given a short while to say that it lives."""
    return state.workers.get(worker_id) or _new_worker(state, worker_id, BEATING_SILENCE_MS)


def beat(state: State, worker_id: WorkerId) -> None:
    """A worker says that it lives, and will go on saying so: it is watched more closely from now on."""
    worker = worker_of(state, worker_id)
    if not worker.beats:
        worker.beats = True
        worker.silence_ms = BEATING_SILENCE_MS
        watch_silence(state, worker)


def watch_silence(state: State, worker: Worker) -> None:
    """Look again when the worker may have been silent for too long."""
    if worker.lease is not None:
        state.deadlines.cancel(worker.lease)
    worker.lease = state.deadlines.set(silent_at(worker), DeadlineKind.WORKER_SILENCE, worker)


def silent_at(worker: Worker) -> Instant:
    """When the worker will have been silent for too long, if it says nothing more."""
    return Instant(worker.last_contact + (worker.silence_ms or LONGEST_SILENCE_MS) * 1_000)


def _new_worker(state: State, worker_id: WorkerId, silence_ms: int) -> Worker:
    worker = Worker(
        worker_id, 0, (), {}, (), 0, silence_ms=silence_ms, connected=False, last_contact=state.now, polls=True
    )
    state.workers[worker_id] = worker
    watch_silence(state, worker)
    return worker
