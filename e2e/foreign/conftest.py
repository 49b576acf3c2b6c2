"""One server and one Go worker for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.foreign.deployment import Deployment

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before those are chosen that have the mark, or have it not
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need a worker that Go builds, and so stay out of the session `e2e`."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.foreign)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """What the fixture `deployment` gives."""
    with Deployment(tmp_path_factory.mktemp("foreign")) as deployment:
        yield deployment


@pytest.fixture
def deployment(shared: Deployment) -> Iterator[Deployment]:
    """The server and the worker. Where a test fails, what both logged is printed with it."""
    yield shared
    print(shared.logged())
