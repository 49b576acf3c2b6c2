"""All measurements, in the order in which they are taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench import (
    backends,
    engine,
    executors,
    latency,
    leaving,
    memory,
    page,
    pending,
    polls,
    scaling,
    sse,
    starting,
    streams,
    throughput,
)
from bench.measuring import Effort, Measurement

MEASUREMENTS: Final[Sequence[Measurement]] = (
    *latency.MEASUREMENTS,
    *throughput.MEASUREMENTS,
    *pending.MEASUREMENTS,
    *polls.MEASUREMENTS,
    *memory.MEASUREMENTS,
    *starting.MEASUREMENTS,
    *executors.MEASUREMENTS,
    *streams.MEASUREMENTS,
    *leaving.MEASUREMENTS,
    *sse.MEASUREMENTS,
    *page.MEASUREMENTS,
    *engine.MEASUREMENTS,
    *scaling.MEASUREMENTS,
    *backends.MEASUREMENTS,
)


def chosen(names: Sequence[str], effort: Effort) -> Sequence[Measurement]:
    """The measurements that are called so, or whose subject is; without names, all.

    Args:
        names: ``latency``, ``pending.backlog`` …
        effort: what may be spent; without names, those that need more are left out.

    Raises:
        ValueError: nothing is called so.
    """
    known = {each.name for each in MEASUREMENTS} | {each.subject for each in MEASUREMENTS}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no measurement {', '.join(unknown)}; --list names them")
    if not names:
        return [each for each in MEASUREMENTS if each.least <= effort]
    return [each for each in MEASUREMENTS if each.name in names or each.subject in names]
