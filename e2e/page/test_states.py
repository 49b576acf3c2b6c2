"""What the page says when there is nothing, not yet anything, or something went wrong."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from e2e.page.conftest import NewTab
from e2e.page.deployment import Deployment
from e2e.page.tab import Tab

API = "**/api/v1/**"
LIST = "**/api/v1/executions?**"


def test_where_there_is_nothing_the_page_says_so(own_deployment: Deployment, new_tab: NewTab) -> None:
    tab = new_tab(own_deployment, own_deployment.tokens.operator)
    expect(tab.part("empty")).to_be_visible()
    tab.part("nav-stuck").click()
    expect(tab.part("empty")).to_be_visible()


def test_where_a_filter_finds_nothing_it_can_be_cleared(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="there")
    operator.open("/page/executions?kind=no-such-kind")
    expect(operator.part("empty")).to_be_visible()
    operator.part("filter-clear").first.click()
    expect(operator.row("there")).to_be_visible()


def test_what_has_not_come_yet_is_said_to_be_on_its_way(deployment: Deployment, new_tab: NewTab) -> None:
    deployment.start("patient", execution_id="slow-to-come")
    tab = new_tab(deployment, deployment.tokens.operator)
    held: list[Route] = []
    tab.page.route(LIST, lambda route: held.append(route))
    with tab.page.expect_request(LIST):
        tab.page.goto(f"{tab.url}/page/executions")
    expect(tab.part("loading").first).to_be_visible()
    expect(tab.part("view")).to_have_attribute("aria-busy", "true")
    expect(tab.part("empty")).to_have_count(0)
    for route in held:
        route.continue_()
    tab.page.unroute(LIST)
    expect(tab.row("slow-to-come")).to_be_visible()
    expect(tab.part("loading")).to_have_count(0)


def test_what_fails_is_told_with_what_to_do_and_can_be_tried_again(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="after-trouble")
    trouble = {"error": "NotPermitted", "status": 403, "message": "this token may not.", "action": "Ask for another."}
    operator.page.route(LIST, lambda route: route.fulfill(status=403, json=trouble))
    operator.page.goto(f"{operator.url}/page/executions")
    problem = operator.part("problem")
    expect(problem).to_contain_text("this token may not")
    expect(problem).to_have_role("alert")
    operator.page.unroute(LIST)
    problem.get_by_role("button").click()
    expect(operator.row("after-trouble")).to_be_visible()
    expect(problem).to_have_count(0)


def test_a_server_that_is_away_is_said_to_be_and_what_is_known_stays(
    own_deployment: Deployment, new_tab: NewTab
) -> None:
    own_deployment.start("patient", execution_id="known")
    tab = new_tab(own_deployment, own_deployment.tokens.operator)
    expect(tab.connection("live")).to_be_visible()
    expect(tab.row("known")).to_be_visible()
    own_deployment.kill_server()
    expect(tab.connection("reconnecting")).to_be_visible()
    expect(tab.part("connection")).to_have_role("status")
    expect(tab.row("known")).to_be_visible()
    own_deployment.start_server_again()
    expect(tab.connection("live")).to_be_visible()


def test_who_asks_for_it_gets_the_other_colours_and_keeps_them(operator: Tab) -> None:
    def background() -> str:
        return str(operator.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    seen = {background()}
    for _ in range(2):
        operator.part("theme-switch").click()
        seen.add(background())
    assert len(seen) == 2
    chosen = background()
    operator.page.reload()
    operator.wait_loaded()
    assert background() == chosen


def test_an_execution_that_has_ended_needs_no_connection(deployment: Deployment, operator: Tab) -> None:
    deployment.start("fanning", 1, execution_id="ended")
    deployment.wait_status("ended", "COMPLETED")
    operator.open_execution("ended")
    expect(operator.connection("ended")).to_be_visible()
