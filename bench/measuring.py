"""How a figure is taken, and how a table of figures is shown."""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        name: what was measured.
        value: the median of the rounds.
        unit: its unit.
        lowest: the smallest of the rounds.
        highest: the largest.
        reach: the figure that is to be reached, if there is one.
        floor: the same work done by the bare parts, if it was measured in the same run.
    """

    name: str
    value: float
    unit: str
    lowest: float
    highest: float
    reach: str = ""
    floor: float | None = None

    @property
    def ratio(self) -> str:
        """The figure as a multiple of its floor."""
        return f"{self.value / self.floor:.2f} of floor" if self.floor else ""


def seconds_of(work: Callable[[], object]) -> float:
    """How long one call takes, with the garbage of what came before out of the way."""
    gc.collect()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def rounds(measure: Callable[[], float], count: int = 5) -> list[float]:
    """The same measurement several times, after one that warms up."""
    measure()
    return [measure() for _ in range(count)]


def figure(name: str, values: list[float], unit: str, *, reach: str = "", floor: float | None = None) -> Figure:
    """The median of several rounds, with their range."""
    return Figure(name, statistics.median(values), unit, min(values), max(values), reach, floor)


def show(figures: list[Figure]) -> None:
    """Print machine, versions and a table."""
    versions = f"Python {platform.python_version()}, msgspec {msgspec.__version__}"
    print(f"{platform.platform()}, {os.cpu_count()} cores, {versions}")
    print(f"{'figure':<52}{'median':>14} {'unit':<10}{'range':>26}  {'to reach':<14}{'ratio'}")
    for each in figures:
        span = f"{each.lowest:,.6g} to {each.highest:,.6g}"
        print(f"{each.name:<52}{each.value:>14,.6g} {each.unit:<10}{span:>26}  {each.reach:<14}{each.ratio}")


def save(name: str, figures: list[Figure]) -> Path:
    """Write the figures as JSON under ``bench/results``; returns where."""
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{name}.json"
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "figures": [asdict(each) for each in figures],
    }
    target.write_text(json.dumps(content, indent=2) + "\n")
    return target
