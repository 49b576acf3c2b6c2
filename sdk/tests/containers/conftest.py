"""One engine for all tests of this folder. After each of them, its list is looked at: nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sdk.tests.containers.engine import TestEngine, make_engine

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before those are chosen that have the mark, or have it not
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need an engine, and so stay out of the session `tests`."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.containers)


@pytest.fixture(scope="session")
def started_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestEngine]:
    """The engine, with IMAGE on it."""
    engine = make_engine(tmp_path_factory.mktemp("engine"))
    engine.start()
    try:
        engine.make_image()
        yield engine
    finally:
        engine.stop()


@pytest.fixture(autouse=True)
def engine(started_engine: TestEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestEngine]:
    """The engine, found by DOCKER_HOST, and without containers when the test is over."""
    monkeypatch.setenv("DOCKER_HOST", started_engine.address)
    yield started_engine
    left = [(each["Names"], each["Status"]) for each in started_engine.containers()]
    started_engine.remove_all()
    assert left == []
