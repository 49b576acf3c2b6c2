"""Each view, light and dark, wide and narrow: pictures for people to look at, and what axe finds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from e2e.page import axe, pictures
from e2e.page.deployment import Deployment, deployed
from e2e.page.gates import listening
from e2e.page.pictures import FOLDER, LOOKS, Look
from e2e.page.tab import Scheme, Tab

SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
WIDTHS: Final = {1280: 800, 360: 740}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment in which much has happened."""
    with listening() as gates, deployed(tmp_path_factory.mktemp("story")) as deployment:
        pictures.play(deployment, gates)
        yield deployment


@pytest.fixture(params=LOOKS, ids=[look.name for look in LOOKS])
def look(request: pytest.FixtureRequest) -> Look:
    given: Look = request.param
    return given


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> Scheme:
    given: Scheme = request.param
    return given


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest) -> int:
    given: int = request.param
    return given


@pytest.fixture
def tab(story: Deployment, browser: Browser, look: Look, scheme: Scheme, width: int) -> Iterator[Tab]:
    """The view, as it is looked at."""
    context = browser.new_context(viewport={"width": width, "height": WIDTHS[width]}, color_scheme=scheme)
    opened = Tab(context, story.url)
    token = pictures.token_of(story, look)
    if token is not None:
        opened.sign_in(token)
    pictures.show(opened, look)
    yield opened
    context.close()
    assert opened.problems == []


def test_a_view_fits_its_window_and_axe_finds_nothing_serious(tab: Tab, look: Look, scheme: Scheme, width: int) -> None:
    tab.screenshot(FOLDER / f"{look.name}-{scheme}-{width}.png")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe.serious_issues(tab.page) == []


@pytest.mark.parametrize("scheme", SCHEMES, indirect=True)
def test_the_dialogue_that_asks_before_many_are_cancelled(story: Deployment, browser: Browser, scheme: Scheme) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    opened = Tab(context, story.url)
    opened.sign_in(story.tokens.operator)
    opened.open("/page/executions?label=team=payments")
    opened.part("select-page").check()
    opened.part("bulk-cancel").click()
    expect(opened.part("dialog-summary")).to_have_attribute("data-count", pictures.OPEN_PAYMENTS)
    opened.screenshot(FOLDER / f"dialogue-{scheme}-1280.png")
    assert axe.serious_issues(opened.page) == []
    context.close()


def test_cancelled_and_still_stopping_never_looks_like_stopped(story: Deployment, browser: Browser) -> None:
    context = browser.new_context()
    opened = Tab(context, story.url)
    opened.sign_in(story.tokens.operator)
    pictures.show(opened, next(look for look in LOOKS if look.name == "timeline"))
    stopping = opened.part("timeline-row", status="STOPPING").first
    stopped = opened.part("timeline-row", status="CANCELLED").first
    expect(stopping).to_have_accessible_name(re.compile("still stopping"))
    expect(stopped).to_have_accessible_name(re.compile("cancelled, stopped"))
    signs = [row.locator("[data-status]").first.inner_text() for row in (stopping, stopped)]
    assert signs[0] != signs[1]
    expect(opened.part("timeline-bar", phase="delivered", status="STOPPING").first).to_be_attached()
    context.close()
