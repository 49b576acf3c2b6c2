"""Who takes what: found in constant time, however many workers there are, and each in its turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rescind.model.ids import WorkerId
    from rescind_server.engine.entities import Worker

QueueKey = tuple[str, str]
"""A queue and a kind: work is handed out by both."""


class Pool:
    """Workers that take the same work; as a rule those of one deployment.

    Attributes:
        keys: what they take.
        size: how many they are.
        ready: those that may take more, the one whose turn it is first. Some may be full meanwhile: they are passed
            over, and put back by `Subscriptions.is_ready`.
    """

    __slots__ = ("keys", "ready", "size")

    def __init__(self, keys: frozenset[QueueKey]) -> None:
        self.keys = keys
        self.size = 0
        self.ready: OrderedDict[WorkerId, Worker] = OrderedDict()


class Subscriptions:
    """The workers that take work of one sort, and which of them may take more."""

    def __init__(self, takes_more: Callable[[Worker], bool]) -> None:
        """Make empty ones.

        Args:
            takes_more: whether a worker may take more just now.
        """
        self._takes_more = takes_more
        self._pools: dict[frozenset[QueueKey], Pool] = {}
        self._by_worker: dict[WorkerId, Pool] = {}
        # The pool whose turn it is first.
        self._by_key: dict[QueueKey, OrderedDict[frozenset[QueueKey], Pool]] = {}

    def subscribe(self, worker: Worker, keys: Iterable[QueueKey]) -> None:
        """From now on the worker takes this work, and no other."""
        self.unsubscribe(worker)
        wanted = frozenset(keys)
        pool = self._pools.get(wanted)
        if pool is None:
            pool = self._pools[wanted] = Pool(wanted)
            for key in wanted:
                self._by_key.setdefault(key, OrderedDict())[wanted] = pool
        pool.size += 1
        self._by_worker[worker.worker_id] = pool
        self.is_ready(worker)

    def unsubscribe(self, worker: Worker) -> None:
        """The worker takes nothing any more."""
        pool = self._by_worker.pop(worker.worker_id, None)
        if pool is None:
            return
        pool.ready.pop(worker.worker_id, None)
        pool.size -= 1
        if not pool.size:
            del self._pools[pool.keys]
            for key in pool.keys:
                del self._by_key[key][pool.keys]
                if not self._by_key[key]:
                    del self._by_key[key]

    def is_ready(self, worker: Worker) -> None:
        """The worker may take more; its turn comes after those of the others."""
        pool = self._by_worker.get(worker.worker_id)
        if pool is not None:
            pool.ready[worker.worker_id] = worker

    def next_for(self, key: QueueKey) -> Worker | None:
        """The worker whose turn it is to take work of this queue and kind; None if none may take more."""
        pools = self._by_key.get(key)
        if pools is None:
            return None
        for pool in pools.values():
            worker = self._next_of(pool)
            if worker is not None:
                pools.move_to_end(pool.keys)
                return worker
        return None

    def _next_of(self, pool: Pool) -> Worker | None:
        while pool.ready:
            worker_id, worker = next(iter(pool.ready.items()))
            if self._takes_more(worker):
                pool.ready.move_to_end(worker_id)
                return worker
            del pool.ready[worker_id]
        return None
