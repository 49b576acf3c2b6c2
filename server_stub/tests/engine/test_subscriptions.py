"""Who takes work next: in turn, in constant time, and never one who is full."""

from __future__ import annotations

from collections import Counter

from rescind.model.ids import WorkerId
from rescind_server.engine.entities import Worker
from rescind_server.engine.subscriptions import Subscriptions

KEY = ("default", "work")
OTHER = ("default", "other")


class Looked:
    """Subscriptions, and how often they looked at a worker."""

    def __init__(self) -> None:
        self.looks = 0
        self.full: set[str] = set()
        self.subscriptions = Subscriptions(self._takes_more)

    def _takes_more(self, worker: Worker) -> bool:
        self.looks += 1
        return worker.worker_id not in self.full

    def join(self, name: str, *keys: tuple[str, str]) -> Worker:
        worker = Worker(WorkerId(name), 1, (), {}, (), 1)
        self.subscriptions.subscribe(worker, keys or (KEY,))
        return worker

    def next(self) -> str | None:
        worker = self.subscriptions.next_for(KEY)
        return worker.worker_id if worker is not None else None


def test_each_has_its_turn() -> None:
    looked = Looked()
    for name in ("a", "b", "c"):
        looked.join(name)
    assert [looked.next() for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]


def test_workers_of_different_deployments_have_their_turns_too() -> None:
    looked = Looked()
    looked.join("a")
    looked.join("b", KEY, OTHER)
    assert Counter(looked.next() for _ in range(6)) == {"a": 3, "b": 3}


def test_one_that_is_full_is_passed_over_until_it_is_ready_again() -> None:
    looked = Looked()
    first = looked.join("a")
    looked.join("b")
    looked.full.add("a")
    assert [looked.next() for _ in range(3)] == ["b", "b", "b"]
    looked.full.clear()
    looked.subscriptions.is_ready(first)
    assert {looked.next(), looked.next()} == {"a", "b"}


def test_one_that_has_left_takes_nothing() -> None:
    looked = Looked()
    worker = looked.join("a")
    looked.subscriptions.unsubscribe(worker)
    looked.subscriptions.is_ready(worker)
    assert looked.next() is None


def test_a_worker_that_joins_anew_takes_what_it_names_now() -> None:
    looked = Looked()
    looked.join("a")
    looked.join("a", OTHER)
    assert looked.next() is None
    assert looked.subscriptions.next_for(OTHER) is not None


def test_a_thousand_idle_workers_are_not_looked_at() -> None:
    looked = Looked()
    for number in range(1_000):
        looked.join(f"w{number}")
    for _ in range(100):
        looked.next()
    assert looked.looks == 100


def test_a_thousand_full_workers_are_looked_at_once() -> None:
    looked = Looked()
    for number in range(1_000):
        looked.join(f"w{number}")
        looked.full.add(f"w{number}")
    for _ in range(100):
        assert looked.next() is None
    assert looked.looks == 1_000
