"""What is seen for a moment only, dialogues and states: light and dark, wide and narrow, and what axe finds in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pytest
from playwright.sync_api import expect

from e2e.page import axe
from e2e.page.conftest import NewTab
from e2e.page.deployment import Deployment
from e2e.page.pictures import FOLDER
from e2e.page.tab import Scheme, Tab
from e2e.page.test_states import LIST

CHANGES: Final = "**/events**"
BATCH: Final = "/page/executions?label=batch=moments"
Moment = Callable[[Tab], None]


@pytest.fixture(scope="module")
def acted(deployment: Deployment) -> Deployment:
    """A deployment in which there is something to cancel and to signal."""
    deployment.start("holding", {"names": ["one"]}, execution_id="held", labels={"batch": "moments"})
    for number in range(3):
        deployment.start("patient", execution_id=f"patient-{number}", labels={"batch": "moments"})
        deployment.wait_status(f"patient-{number}", "WAITING")
    deployment.wait_running("held")
    deployment.wait_status("held", "WAITING")
    return deployment


def asked_to_cancel_an_execution(tab: Tab) -> None:
    tab.open_execution("held")
    tab.part("cancel-execution").click()
    expect(tab.part("dialog-confirm")).to_be_enabled()


def asked_to_cancel_a_task(tab: Tab) -> None:
    tab.open_execution("held", "timeline")
    tab.part("timeline-row", kind="task").click()
    tab.part("task-cancel").click()
    expect(tab.part("dialog-confirm")).to_be_enabled()


def asked_to_cancel_many(tab: Tab) -> None:
    tab.open(BATCH)
    tab.part("select-page").check()
    tab.part("bulk-cancel").click()
    expect(tab.part("dialog-confirm")).to_be_enabled()


def on_the_way_through_many(tab: Tab) -> None:
    asked_to_cancel_many(tab)
    tab.page.route("**/api/v1/executions/**cancel", lambda route: None)  # nothing is answered, and nothing is hit
    tab.part("dialog-confirm").click()
    expect(tab.part("dialog-progress")).to_be_visible()


def refused_many(tab: Tab) -> None:
    asked_to_cancel_many(tab)
    refusal = {"error": "NotPermitted", "status": 403, "message": "it is not yours.", "action": "Ask an operator."}
    tab.page.route("**/api/v1/executions/**cancel", lambda route: route.fulfill(status=403, json=refusal))
    tab.part("dialog-confirm").click()
    expect(tab.part("dialog-result").or_(tab.part("dialog").get_by_role("alert"))).to_be_visible()


def a_signal_that_is_no_json(tab: Tab) -> None:
    tab.open_execution("held", "signals")
    tab.part("signal-name").fill("go")
    tab.part("signal-value").fill("{")
    tab.part("signal-send").click()
    expect(tab.part("signal-problem")).not_to_be_empty()


def a_label_that_cannot_be_meant(tab: Tab) -> None:
    tab.open("/page/executions")
    tab.part("filter-label").fill("no-value")
    expect(tab.part("filter-problem")).not_to_be_empty()


def nothing_there(tab: Tab) -> None:
    tab.open("/page/executions?kind=no-such-kind")
    expect(tab.part("empty")).to_be_visible()


def on_its_way(tab: Tab) -> None:
    tab.page.route(LIST, lambda route: None)
    tab.page.goto(f"{tab.url}/page/executions")
    expect(tab.part("loading").first).to_be_visible()


def failed(tab: Tab) -> None:
    trouble = {"error": "StoreError", "status": 503, "message": "the disk is full.", "action": "Make room."}
    tab.page.route(LIST, lambda route: route.fulfill(status=503, json=trouble))
    tab.page.goto(f"{tab.url}/page/executions")
    expect(tab.part("problem").first).to_be_visible()


def reconnecting(tab: Tab) -> None:
    offline(tab)
    tab.page.route(CHANGES, lambda route: route.abort())
    tab.context.set_offline(False)
    expect(tab.connection("reconnecting")).to_be_visible()
    expect(tab.row("held")).to_be_visible()


def offline(tab: Tab) -> None:
    tab.open("/page/executions")
    expect(tab.connection("live")).to_be_visible()
    expect(tab.row("held")).to_be_visible()
    tab.context.set_offline(True)
    expect(tab.connection("offline")).to_be_visible()


def signed_out_and_mistaken(tab: Tab) -> None:
    tab.part("sign-out").click()
    expect(tab.view("sign-in")).to_be_visible()
    tab.part("sign-in-token").fill("no-token")
    tab.part("sign-in-submit").click()
    expect(tab.part("sign-in-problem")).not_to_be_empty()


MOMENTS: Final[Mapping[str, Moment]] = {
    "dialogue-execution": asked_to_cancel_an_execution,
    "dialogue-task": asked_to_cancel_a_task,
    "dialogue-many": asked_to_cancel_many,
    "dialogue-progress": on_the_way_through_many,
    "dialogue-refused": refused_many,
    "signal-problem": a_signal_that_is_no_json,
    "filter-problem": a_label_that_cannot_be_meant,
    "empty": nothing_there,
    "loading": on_its_way,
    "failed": failed,
    "reconnecting": reconnecting,
    "offline": offline,
    "sign-in-problem": signed_out_and_mistaken,
}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_moment_fits_its_window_and_axe_finds_nothing_serious(
    acted: Deployment,
    new_tab: NewTab,
    request: pytest.FixtureRequest,
    moment: Moment,
    scheme: Scheme,
    width: int,
) -> None:
    tab = new_tab(acted, acted.tokens.operator, viewport={"width": width, "height": 740}, color_scheme=scheme)
    moment(tab)
    tab.screenshot(FOLDER / f"moment-{request.node.callspec.id}.png")
    wide, narrowest = tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= narrowest
    assert tab.page.evaluate(_REACHES_OUT) == []
    assert axe.serious_issues(tab.page) == []


_REACHES_OUT: Final = """() => [...document.querySelectorAll("dialog *")].filter(each => {
    const box = each.getBoundingClientRect();
    return box.width > 0 && (box.left < 0 || box.right > innerWidth + 1);
}).map(each => each.outerHTML.slice(0, 200))"""
