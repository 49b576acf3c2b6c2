"""One browser for all tests; for each module a deployment, and for each test tabs in which people have signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from e2e.page.deployment import Deployment, deployed
from e2e.page.gates import Gates, listening
from e2e.page.tab import Tab, running_browser

NewTab = Callable[..., Tab]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.page)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with sync_playwright() as playwright, running_browser(playwright) as opened:
        yield opened


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A server and a worker for the tests of a module, which keep apart by the ids of their executions."""
    with deployed(tmp_path_factory.mktemp("deployment")) as started:
        yield started


@pytest.fixture
def own_deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A server and a worker for one test, which may kill and freeze them."""
    with deployed(tmp_path) as started:
        yield started


@pytest.fixture
def open_deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A server that asks for no tokens, and a worker."""
    with deployed(tmp_path, asks_for_tokens=False) as started:
        yield started


@pytest.fixture
def gates() -> Iterator[Gates]:
    """Gates at which the worker's tasks stand until the test opens them."""
    with listening() as listener:
        yield listener


@pytest.fixture
def new_tab(browser: Browser) -> Iterator[NewTab]:
    """Opens tabs, each in a browser of its own. At the end it is looked whether something happened that must not."""
    tabs: list[Tab] = []

    def opened(deployment: Deployment, token: str | None = None, **options: Any) -> Tab:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        tabs.append(Tab(context, deployment.url))
        if token is not None:
            tabs[-1].sign_in(token)
        return tabs[-1]

    yield opened
    for tab in tabs:
        tab.context.close()
    assert [problem for tab in tabs for problem in tab.problems] == []


@pytest.fixture
def operator(new_tab: NewTab, deployment: Deployment) -> Tab:
    """An operator has signed in."""
    return new_tab(deployment, deployment.tokens.operator)
