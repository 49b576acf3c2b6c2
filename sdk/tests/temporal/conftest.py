"""Two real servers of Temporal, one of each kind for all tests of this folder. Without them, the tests fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fixtures.temporal_servers.running import DevelopmentServer, TimeSkippingServer

HERE: Final = Path(__file__).parent
SERVERS: Final = {"development_server", "time_skipping_server"}


@pytest.hookimpl(tryfirst=True)  # before those are chosen that have the mark, or have it not
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need a server stay out of the session `tests`; the others of this folder run there."""
    for item in items:
        if item.path.is_relative_to(HERE) and not SERVERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.temporal)


@pytest.fixture(scope="session")
def development_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentServer]:
    """The development server, in memory, with worker commands: its time is real."""
    server = DevelopmentServer(tmp_path_factory.mktemp("development-server"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def time_skipping_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimeSkippingServer]:
    """The test server. Its clock is one for all that runs on it: under pytest-xdist each process has its own."""
    server = TimeSkippingServer(tmp_path_factory.mktemp("time-skipping-server"))
    server.start()
    yield server
    server.stop()
