"""The matrix: every scenario on every backend that was asked for, and a table of both at the end of the run.

Where one run is several sessions of pytest, a session for each backend, the last one shows the table of them all.
"""

from __future__ import annotations

import importlib.util
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import pytest

from e2e.backends import BACKENDS, NEED_MORE_THAN_PIP
from e2e.harness import Backend, Play

# The tests of the page can only be read where what drives the browser is installed: in their own session.
collect_ignore: Final = [] if importlib.util.find_spec("playwright") else ["page"]

Cells = Mapping[str, Mapping[str, str]]
"""By scenario and backend, what became of it."""

# The same choice for runners that cannot pass options on.
VARIABLE: Final = "RESCIND_BACKEND"
# What is the same in all sessions of one run, and in no other run. Without it, a session is a run of its own.
RUN_VARIABLE: Final = "RESCIND_E2E_RUN"
KEPT: Final = "rescind/e2e"
CELL_OF_OUTCOME: Final = {"passed": "passed", "failed": "FAILED", "error": "ERROR", "skipped": "skipped"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        action="append",
        choices=sorted(BACKENDS),
        metavar="NAME",
        help=f"play the scenarios on this backend only; may be repeated. One of: {', '.join(BACKENDS)}. "
        f"Else what {VARIABLE} names, else all but {', '.join(sorted(NEED_MORE_THAN_PIP))}.",
    )


def pytest_configure(config: pytest.Config) -> None:
    chosen_backends(config)  # a wrong name ends the run before it begins


def chosen_backends(config: pytest.Config) -> list[Backend]:
    """The backends of this run, in the order of the matrix."""
    usual = [name for name in BACKENDS if name not in NEED_MORE_THAN_PIP]
    named = config.getoption("--backend", default=None) or os.environ.get(VARIABLE, "").split() or usual
    unknown = [name for name in named if name not in BACKENDS]
    if unknown:
        raise pytest.UsageError(f"{VARIABLE}: no backend {', '.join(unknown)}; there are: {', '.join(BACKENDS)}")
    return [backend for name, backend in BACKENDS.items() if name in named]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        backends = chosen_backends(metafunc.config)
        metafunc.parametrize("backend", backends, ids=[backend.name for backend in backends])


@pytest.fixture(scope="session")
def backends() -> Iterator[None]:
    """Takes down, at the end of the run, what the plays have shared."""
    yield
    for backend in BACKENDS.values():
        backend.close()


@pytest.fixture
def play(
    backend: Backend, request: pytest.FixtureRequest, record_property: Callable[[str, object], None], backends: None
) -> Callable[[Play], None]:
    """Plays a scenario on the backend of this test."""
    assert isinstance(request.node, pytest.Function)
    record_property("scenario", request.node.originalname.removeprefix("test_"))
    record_property("backend", backend.name)
    return backend.play


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    played = played_cells(terminalreporter)
    if not played:
        return
    cells = with_earlier_sessions(config, played)
    columns = [name for name in BACKENDS if any(name in row for row in cells.values())]
    width = max(map(len, ["scenario", *cells]))
    terminalreporter.section("scenarios by backend")
    for name, row in [("scenario", {backend: backend for backend in columns}), *cells.items()]:
        shown = [f"{row.get(backend, '-'):<{max(16, len(backend))}}" for backend in columns]
        terminalreporter.write_line("  ".join([f"{name:<{width}}", *shown]).rstrip())


def played_cells(terminalreporter: pytest.TerminalReporter) -> Cells:
    """What became of each scenario on each backend. Read from the reports, so that it is whole under pytest-xdist."""
    cells: dict[str, dict[str, str]] = defaultdict(dict)
    for outcome, shown in CELL_OF_OUTCOME.items():
        for report in terminalreporter.stats.get(outcome, ()):
            said = dict(getattr(report, "user_properties", ()))
            # Of a report that passed, the one of the call alone; set-up and take-down are told where they failed.
            if "scenario" in said and (outcome != "passed" or report.when == "call"):
                seconds = f" {report.duration * 1_000:.0f} ms" if outcome == "passed" else ""
                cells[str(said["scenario"])][str(said["backend"])] = shown + seconds
    return dict(sorted(cells.items()))


def with_earlier_sessions(config: pytest.Config, played: Cells) -> Cells:
    """The same, with what earlier sessions of this very run have played; those of other runs are forgotten."""
    run = os.environ.get(RUN_VARIABLE)
    if not run or config.cache is None:
        return played
    kept = config.cache.get(KEPT, None)
    cells: dict[str, dict[str, str]] = kept["cells"] if kept is not None and kept["run"] == run else {}
    for scenario, row in played.items():
        cells.setdefault(scenario, {}).update(row)
    config.cache.set(KEPT, {"run": run, "cells": cells})
    return dict(sorted(cells.items()))
