"""The invariants of cancellation.md, section 10: each a test by that name, run by `explore`, with a line of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from rescind.testing import ExploreReport, explore

_PROPERTY: Final = "explored"
_IN_CI: Final = 2_000
_IN_BETWEEN: Final = 200

Explore = Callable[..., ExploreReport]


@pytest.fixture
def explored(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Explore:
    """`explore` with faults, under as many seeds as this session wants; says at the end of the session what it met."""

    def run(scenario: Any, seeds: range | None = None, **options: Any) -> ExploreReport:
        seeds = range(seed_count(request.config)) if seeds is None else seeds
        report = explore(scenario, seeds=seeds, faults=True, **options)
        record_property(_PROPERTY, f"{request.node.name}: {report}")
        return report

    return run


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds that this session wants."""
    return range(seed_count(request.config))


def seed_count(config: pytest.Config) -> int:
    """RESCIND_SEEDS if it is set; else many in CI and where the invariants are asked for by their mark."""
    if "RESCIND_SEEDS" in os.environ:
        return int(os.environ["RESCIND_SEEDS"])
    by_mark = config.getoption("markexpr") == "invariants"
    return _IN_CI if by_mark or os.environ.get("CI", "").lower() in {"1", "true"} else _IN_BETWEEN


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line per invariant. They come with the reports, and so also from the workers of xdist."""
    lines = list(_lines(terminalreporter))
    if lines:
        terminalreporter.section("invariants")
        for line in lines:
            terminalreporter.write_line(line)


def _lines(terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                yield from (str(value) for name, value in report.user_properties if name == _PROPERTY)
