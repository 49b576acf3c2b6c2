"""Figures about deliveries as Prometheus reads them. Imported only where prometheus-client is installed."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from rescind_server.store.outbox import Depth
from rescind_server.webhooks.figures import Result


def delivery_figures(attempts: Mapping[Result, int], depth: Depth) -> list[Metric]:
    """Figures of an organisation's webhooks.

    Args:
        attempts: what attempts came to since the server began.
        depth: how much there is in the outbox.
    """
    counted = CounterMetricFamily(
        "rescind_webhook_attempts", "Attempts to deliver to webhooks, by what they came to.", labels=("result",)
    )
    for result, count in attempts.items():
        counted.add_metric((result,), count)
    kept = GaugeMetricFamily(
        "rescind_webhook_deliveries", "Deliveries that wait, and those that were given up.", labels=("state",)
    )
    kept.add_metric(("waiting",), depth.waiting)
    kept.add_metric(("dead",), depth.dead)
    return [counted, kept]
