"""Figures as Prometheus reads them. Imported only where prometheus-client is installed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from rescind.model.overviews import ServerFacts, Stuck, WaitingWork
from rescind_server.telling.counts import Counts
from rescind_server.telling.histogram import Histogram

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

LabelsT = TypeVar("LabelsT", bound=tuple[str, ...])

_MICROSECONDS: Final = 1_000_000


def exposition(
    organisation: str, counts: Counts, facts: ServerFacts, stuck: Stuck | None, further: Sequence[Metric] = ()
) -> bytes:
    """All figures of an organisation, and of the server that it is on, in Prometheus' text format.

    Args:
        organisation: whose executions.
        counts: what happened since the server began.
        facts: the server as it stands.
        stuck: what of the organisation waits or is stuck; None if that cannot be told, since the store is in trouble.
        further: what others tell of the organisation.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(organisation, counts, facts, stuck, further))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(
        self, organisation: str, counts: Counts, facts: ServerFacts, stuck: Stuck | None, further: Sequence[Metric]
    ) -> None:
        self._organisation = organisation
        self._further = further
        self._counts = counts
        self._facts = facts
        self._stuck = stuck

    def collect(self) -> Iterable[Metric]:
        yield from self._outcomes()
        yield from self._cancels()
        yield from self._server()
        if self._stuck is not None:
            yield from self._waiting(self._stuck)
        yield from self._further

    def _outcomes(self) -> Iterator[Metric]:
        counts = self._counts
        started = {(kind,): count for (owner, kind), count in counts.started.items() if owner == self._organisation}
        yield _counter("rescind_executions_started", "Executions started.", ("kind",), started)
        yield _counter(
            "rescind_executions_ended",
            "Executions ended, by how.",
            ("kind", "status"),
            {each[:2]: count for each, count in self._own(counts.ended_executions)},
        )
        yield _counter(
            "rescind_tasks_ended",
            "Tasks ended, by how; those that failed by the kind of failure.",
            ("kind", "status", "failure"),
            dict(self._own(counts.ended_tasks)),
        )

    def _cancels(self) -> Iterator[Metric]:
        yield _counter(
            "rescind_cancel_requests",
            "Requests to cancel, by what they were for, what brought them about, and what they met.",
            ("target", "source", "result"),
            dict(self._own(self._counts.cancel_requests)),
        )
        stops = HistogramMetricFamily(
            "rescind_stop_seconds",
            "From the order to stop an attempt to its delivery, and to the end of its work.",
            labels=("executor", "stage"),
        )
        for stage, histogram in self._counts.stops.items():
            if stage.organisation == self._organisation:
                stops.add_metric(stage[1:], _buckets(histogram), histogram.total)
        yield stops

    def _server(self) -> Iterator[Metric]:
        counts, facts = self._counts, self._facts
        commits = HistogramMetricFamily("rescind_commit_decisions", "Decisions per commit of the store.")
        commits.add_metric((), _buckets(counts.commits), counts.commits.total)
        yield commits
        yield CounterMetricFamily("rescind_events", "Events recorded in histories.", counts.events)
        yield GaugeMetricFamily("rescind_open_executions", "Executions that have not settled.", facts.open_executions)
        yield GaugeMetricFamily("rescind_running_attempts", "Attempts at work.", facts.running_attempts)
        sessions = {("connected",): facts.connected_workers, ("away",): facts.known_workers - facts.connected_workers}
        yield _gauge("rescind_workers", "Workers, by whether their session is open.", ("session",), sessions)
        yield GaugeMetricFamily(
            "rescind_store_takes_commits", "1 while the store takes commits.", int(facts.store_problem is None)
        )
        if facts.store_bytes is not None:
            yield GaugeMetricFamily("rescind_store_bytes", "The size of the store's file.", facts.store_bytes)
        yield GaugeMetricFamily(
            "rescind_start_time_seconds", "When the server began to serve.", facts.started_at / _MICROSECONDS
        )

    def _waiting(self, stuck: Stuck) -> Iterator[Metric]:
        labels = ("sort", "queue", "kind")
        waiting: defaultdict[tuple[str, ...], list[WaitingWork]] = defaultdict(list)
        for each in stuck.waiting:
            queue = self._counts.queue(self._organisation, each.queue)
            waiting[each.sort, queue, self._counts.kind(self._organisation, each.kind)].append(each)
        yield _gauge(
            "rescind_queue_depth",
            "Agents, tasks and workflows that wait for a worker.",
            labels,
            {key: sum(each.count for each in works) for key, works in waiting.items()},
        )
        yield _gauge(
            "rescind_queue_oldest_seconds",
            "How long the oldest of them has waited.",
            labels,
            {
                key: max(0, self._facts.now - min(each.since for each in works)) / _MICROSECONDS
                for key, works in waiting.items()
            },
        )
        yield _gauge(
            "rescind_queue_workers",
            "Connected workers that take them; of several kinds, those that the fewest workers take.",
            labels,
            {key: min(each.workers for each in works) for key, works in waiting.items()},
        )
        yield GaugeMetricFamily(
            "rescind_stuck_tasks", "Tasks that do not stop, or whose worker is away.", stuck.task_count
        )
        parked: Counter[tuple[str, ...]] = Counter()
        for agents in stuck.parked:
            parked[self._counts.kind(self._organisation, agents.kind),] += agents.count
        yield _gauge("rescind_parked_agents", "Agents that wait for another deployment.", ("kind",), parked)

    def _own(self, counted: Counter[LabelsT]) -> Iterator[tuple[tuple[str, ...], int]]:
        """What is counted of this organisation, by the labels behind its name."""
        return ((each[1:], count) for each, count in counted.items() if each[0] == self._organisation)


def _counter(name: str, meaning: str, labels: tuple[str, ...], values: Mapping[LabelsT, int]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _gauge(name: str, meaning: str, labels: tuple[str, ...], values: Mapping[LabelsT, float]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    return [("+Inf" if bound == inf else repr(bound), float(count)) for bound, count in histogram.cumulative()]
