"""Which kinds workers run, and as what: a start that names no more than a kind depends on it, and whoever looks."""

from __future__ import annotations

from collections import Counter, OrderedDict
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from rescind.model.ids import WorkerId
    from rescind_server.engine.entities import Worker
    from rescind_server.engine.subscriptions import QueueKey

_MOST_REMEMBERED: Final = 10_000
"""Of how many kinds without a worker it is known that they are workflows; then the oldest is forgotten."""


class _Announced(NamedTuple):
    """What one worker runs."""

    agents: frozenset[QueueKey]
    tasks: frozenset[QueueKey]
    workflows: frozenset[QueueKey]
    by_session: bool


class Announcements:
    """What workers have said of themselves, by queue and kind. A restart forgets it, until they say it again.

    Attributes:
        agents: how many workers run an agent of this queue and kind, by a session or by polls.
        tasks: the same of tasks.
        workflows: the same of workflows.
        agents_by_session: of `agents`, those by a session: by polls no agents are given out whose ids are no UUIDs.
        workflows_by_session: the same of workflows.
    """

    def __init__(self) -> None:
        self.agents: Counter[QueueKey] = Counter()
        self.tasks: Counter[QueueKey] = Counter()
        self.workflows: Counter[QueueKey] = Counter()
        self.agents_by_session: Counter[QueueKey] = Counter()
        self.workflows_by_session: Counter[QueueKey] = Counter()
        self._by_worker: dict[WorkerId, _Announced] = {}
        # Workers go for a moment whenever a new version is deployed: what was a workflow is one in that moment, too.
        self._remembered: OrderedDict[QueueKey, None] = OrderedDict()

    def note(self, worker: Worker) -> None:
        """A worker says what it runs, in place of what it said before."""
        self.forget(worker.worker_id)
        agents, tasks, workflows = (
            frozenset(product(worker.queues, kinds)) for kinds in (worker.agents, worker.tasks, worker.workflows)
        )
        announced = _Announced(agents, tasks, workflows, by_session=not worker.polls)
        self._by_worker[worker.worker_id] = announced
        self.agents.update(announced.agents)
        self.tasks.update(announced.tasks)
        self.workflows.update(announced.workflows)
        if announced.by_session:
            self.agents_by_session.update(announced.agents)
            self.workflows_by_session.update(announced.workflows)
        for key in announced.agents | announced.workflows:
            self._remembered.pop(key, None)

    def forget(self, worker_id: WorkerId) -> None:
        """A worker has gone."""
        gone = self._by_worker.pop(worker_id, None)
        if gone is None:
            return
        _remove(self.agents, gone.agents)
        _remove(self.tasks, gone.tasks)
        _remove(self.workflows, gone.workflows)
        if gone.by_session:
            _remove(self.agents_by_session, gone.agents)
            _remove(self.workflows_by_session, gone.workflows)
        for key in sorted(gone.workflows - gone.agents):
            if key not in self.workflows and key not in self.agents:
                self._remembered[key] = None
        while len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    def is_workflow_alone(self, key: QueueKey) -> bool:
        """Whether workers run this kind as a workflow and none as an agent; where all have gone, the last of them."""
        return key not in self.agents and (key in self.workflows or key in self._remembered)


def _remove(counts: Counter[QueueKey], keys: frozenset[QueueKey]) -> None:
    for key in keys:
        counts[key] -= 1
        if not counts[key]:
            del counts[key]
