"""The matrix: every scenario on every backend that was asked for, and a table of both at the end of the run."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

import pytest

from e2e.backends import BACKENDS
from e2e.harness import Backend, Play

# The same choice for runners that cannot pass options on.
VARIABLE: Final = "RESCIND_BACKEND"
CELL_OF_OUTCOME: Final = {"passed": "passed", "failed": "FAILED", "error": "ERROR", "skipped": "skipped"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        action="append",
        choices=sorted(BACKENDS),
        metavar="NAME",
        help=f"play the scenarios on this backend only; may be repeated. One of: {', '.join(BACKENDS)}. "
        f"Else what {VARIABLE} names, else all.",
    )


def pytest_configure(config: pytest.Config) -> None:
    chosen_backends(config)  # a wrong name ends the run before it begins


def chosen_backends(config: pytest.Config) -> list[Backend]:
    """The backends of this run, in the order of the matrix."""
    named = config.getoption("--backend", default=None) or os.environ.get(VARIABLE, "").split() or list(BACKENDS)
    unknown = [name for name in named if name not in BACKENDS]
    if unknown:
        raise pytest.UsageError(f"{VARIABLE}: no backend {', '.join(unknown)}; there are: {', '.join(BACKENDS)}")
    return [backend for name, backend in BACKENDS.items() if name in named]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        backends = chosen_backends(metafunc.config)
        metafunc.parametrize("backend", backends, ids=[backend.name for backend in backends])


@pytest.fixture
def play(
    backend: Backend, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[[Play], None]:
    """Plays a scenario on the backend of this test."""
    assert isinstance(request.node, pytest.Function)
    record_property("scenario", request.node.originalname.removeprefix("test_"))
    record_property("backend", backend.name)
    return backend.play


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    cells = played_cells(terminalreporter)
    if not cells:
        return
    columns = list(dict.fromkeys(backend for row in cells.values() for backend in row))
    width = max(map(len, ["scenario", *cells]))
    terminalreporter.section("scenarios by backend")
    for name, row in [("scenario", {backend: backend for backend in columns}), *cells.items()]:
        shown = [f"{row.get(backend, '-'):<{max(16, len(backend))}}" for backend in columns]
        terminalreporter.write_line("  ".join([f"{name:<{width}}", *shown]).rstrip())


def played_cells(terminalreporter: pytest.TerminalReporter) -> Mapping[str, Mapping[str, str]]:
    """What became of each scenario on each backend. Read from the reports, so that it is whole under pytest-xdist."""
    cells: dict[str, dict[str, str]] = defaultdict(dict)
    for outcome, shown in CELL_OF_OUTCOME.items():
        for report in terminalreporter.stats.get(outcome, ()):
            said = dict(getattr(report, "user_properties", ()))
            if "scenario" in said:
                seconds = f" {report.duration * 1_000:.0f} ms" if outcome == "passed" else ""
                cells[str(said["scenario"])][str(said["backend"])] = shown + seconds
    return dict(sorted(cells.items()))
