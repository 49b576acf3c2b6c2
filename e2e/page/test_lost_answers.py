"""An answer is lost or late, while the page lives on: nothing that was told is forgotten."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from e2e.page.deployment import Deployment
from e2e.page.tab import Tab, selector

LIST = re.compile(r".*/api/v1/executions\?.*")
CHANGES = re.compile(r".*/api/v1/events(\?.*)?$")


def test_entries_that_could_not_be_read_are_read_again(deployment: Deployment, operator: Tab) -> None:
    deployment.start("counting", execution_id="entries")
    operator.open_execution("entries", "conversation")
    deployment.signal("entries", "next", "one")
    expect(operator.part("entry")).to_have_count(1)
    operator.page.route("**/entries?**", lambda route: route.abort(), times=2)
    deployment.signal("entries", "next", "two")
    expect(operator.part("entry")).to_have_count(2)


def test_how_an_execution_stands_is_asked_again_if_the_answer_was_lost(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="asked")
    deployment.wait_status("asked", "WAITING")
    operator.open_execution("asked")
    expect(operator.connection("live")).to_be_visible()
    operator.page.route("**/api/v1/executions/asked", lambda route: route.abort(), times=2)
    deployment.signal("asked", "go", 1)
    head = operator.part("execution-header")
    expect(head.locator(selector("status", status="COMPLETED"))).to_be_visible()


def test_what_changes_while_a_page_is_on_its_way_is_not_overwritten_by_it(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("patient", execution_id="late-page")
    deployment.wait_status("late-page", "WAITING")
    operator.open("/page/executions?id=late-page")
    expect(operator.row("late-page")).to_have_attribute("data-status", "WAITING")

    def answer_late(route: Route) -> None:
        """With what was true before: the change comes first."""
        page = route.fetch()
        deployment.signal("late-page", "go", 1)
        expect(operator.row("late-page")).to_have_attribute("data-status", "COMPLETED")
        route.fulfill(response=page)

    operator.page.route(LIST, answer_late, times=1)
    with operator.page.expect_response(LIST):
        operator.part("count-all").click()
    operator.wait_loaded()
    expect(operator.row("late-page")).to_have_attribute("data-status", "COMPLETED")


def test_a_refused_stream_is_told_with_its_reason_and_not_asked_for_again_and_again(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("patient", execution_id="refused")
    asked: list[Route] = []

    def refuse(route: Route) -> None:
        asked.append(route)
        route.fulfill(status=403, json={"error": "NotPermitted", "message": "this token may not.", "action": "Ask."})

    operator.page.route(CHANGES, refuse)
    operator.open("/page/executions?id=refused")
    expect(operator.connection("refused")).to_be_visible()
    expect(operator.part("refused")).to_contain_text("this token may not")
    assert len(asked) == 1
    operator.page.unroute(CHANGES)
    operator.part("refused").get_by_role("button").click()
    expect(operator.connection("live")).to_be_visible()
    expect(operator.part("refused")).to_be_hidden()


def test_a_list_that_has_grown_long_leaves_no_execution_between_its_pages(
    deployment: Deployment, operator: Tab
) -> None:
    ids = [f"grown-{number:03d}" for number in range(320)]
    for each in ids[:110]:
        deployment.start("patient", execution_id=each)
    operator.open("/page/executions?id=grown-")
    expect(operator.part("execution-row")).to_have_count(100)
    for each in ids[110:]:
        deployment.start("patient", execution_id=each)
    expect(operator.row(ids[-1])).to_be_visible()
    expect(operator.part("count-all", count="320")).to_be_visible()
    seen = list(operator.rows())
    while operator.part("next-page").is_enabled():
        with operator.page.expect_response(LIST):
            operator.part("next-page").click()
        expect(operator.row(seen[-1])).to_have_count(0)
        seen += operator.rows()
    assert seen == ids[::-1]
