"""What goes wrong around the lists: answers that are lost or late, clicks that come twice, people who leave."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from e2e.page.deployment import Deployment
from e2e.page.tab import Tab, selector

LIST = "**/api/v1/executions?**"
COUNTS = "**/api/v1/counts?**"


def test_a_list_that_could_not_be_read_shows_nothing_as_if_it_were_all_and_is_read_again(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("patient", execution_id="unread-1")
    trouble = {"error": "StoreError", "status": 503, "message": "the disk is full.", "action": "Make room."}
    operator.page.route(LIST, lambda route: route.fulfill(status=503, json=trouble))
    operator.open("/page/executions?id=unread-")
    expect(operator.part("problem")).to_contain_text("the disk is full")
    expect(operator.connection("live")).to_be_visible()
    deployment.start("patient", execution_id="unread-2")
    expect(operator.part("count-all", count="2")).to_be_visible()  # the page has heard of it
    expect(operator.part("execution-row")).to_have_count(0)
    expect(operator.part("problem")).to_be_visible()
    operator.page.unroute(LIST)
    expect(operator.part("problem")).to_have_count(0)
    assert operator.rows() == ["unread-2", "unread-1"]


def test_what_changes_while_the_counts_are_on_their_way_is_counted(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="late-count")
    deployment.wait_status("late-count", "WAITING")

    def answer_late(route: Route) -> None:
        """With what was true before: the change comes first."""
        counts = route.fetch()
        deployment.signal("late-count", "go", 1)
        expect(operator.row("late-count")).to_have_attribute("data-status", "COMPLETED")
        route.fulfill(response=counts)

    operator.page.route(COUNTS, answer_late, times=1)
    operator.open("/page/executions?id=late-count")
    expect(operator.part("count-COMPLETED", count="1")).to_be_visible()
    expect(operator.part("count-WAITING", count="0")).to_be_visible()


def test_a_bulk_cancel_tells_whose_answers_were_lost_and_asks_again_for_those(
    deployment: Deployment, operator: Tab
) -> None:
    ids = [f"lost-{number}" for number in range(6)]
    for each in ids:
        deployment.start("patient", execution_id=each)
    operator.open("/page/executions?id=lost-")
    expect(operator.part("execution-row")).to_have_count(6)
    operator.page.route(f"**/api/v1/executions/{ids[2]}/cancel", lambda route: route.abort(), times=1)
    operator.part("select-page").check()
    operator.part("bulk-cancel").click()
    expect(operator.part("dialog-summary", count="6")).to_contain_text("with no open task")
    operator.part("dialog-confirm").click()
    expect(operator.part("result-CANCELLED", count="5")).to_be_visible()
    expect(operator.part("result-UNKNOWN", count="1")).to_be_visible()
    operator.part("dialog-result").get_by_role("button").click()
    expect(operator.part("result-CANCELLED", count="6")).to_be_visible()
    expect(operator.part("result-UNKNOWN")).to_have_count(0)
    assert {deployment.status(each) for each in ids} == {"CANCELLED"}


def test_a_cancel_of_a_filter_whose_answer_was_lost_can_be_asked_for_again(
    deployment: Deployment, operator: Tab
) -> None:
    ids = [f"filtered-{number:03d}" for number in range(101)]
    for each in ids:
        deployment.start("patient", execution_id=each)
    operator.open("/page/executions?id=filtered-")
    expect(operator.part("next-page")).to_be_enabled()
    operator.part("select-page").check()
    operator.part("select-all-matching").click()
    operator.part("bulk-cancel").click()
    expect(operator.part("dialog-summary", count="101")).to_be_visible()
    operator.page.route(
        "**/api/v1/executions/cancel",
        lambda route: route.continue_() if "dry_run" in str(route.request.post_data) else route.abort(),
    )
    operator.part("dialog-confirm").click()
    again = operator.part("dialog").get_by_role("button", name="try again")
    expect(again).to_be_visible()
    operator.page.unroute("**/api/v1/executions/cancel")
    again.click()
    expect(operator.part("result-CANCELLED", count="101")).to_be_visible()


def test_who_goes_back_leaves_the_dialogue_of_what_was_shown(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="left-alone")
    operator.open("/page/executions?id=left-alone")
    operator.row("left-alone").get_by_role("link").click()
    operator.part("cancel-execution").click()
    expect(operator.part("dialog-confirm")).to_be_enabled()
    operator.page.go_back()
    expect(operator.view("executions")).to_be_visible()
    expect(operator.part("dialog")).to_have_count(0)
    expect(operator.row("left-alone")).to_have_attribute("data-status", "WAITING")


def test_who_must_sign_in_again_sees_no_dialogue_over_it(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="signed-out")
    operator.open_execution("signed-out")
    operator.part("cancel-execution").click()
    expect(operator.part("dialog-confirm")).to_be_enabled()
    operator.context.clear_cookies()
    operator.part("dialog-confirm").click()
    expect(operator.view("sign-in")).to_be_visible()
    expect(operator.part("dialog")).to_have_count(0)


def test_a_signal_that_is_sent_twice_by_impatience_comes_once(deployment: Deployment, operator: Tab) -> None:
    deployment.start("counting", execution_id="impatient")
    deployment.wait_status("impatient", "WAITING")
    held: list[Route] = []
    operator.page.route("**/api/v1/executions/impatient/signal", lambda route: held.append(route))
    operator.open_execution("impatient", "signals")
    operator.part("signal-name").fill("next")
    operator.part("signal-value").fill('"one"')
    with operator.page.expect_request("**/api/v1/executions/impatient/signal"):
        operator.part("signal-send").dblclick()
    operator.part("signal-name").press("Enter")
    expect(operator.part("signal-send")).to_be_disabled()
    held[0].continue_()
    expect(operator.part("signal-send")).to_be_enabled()
    expect(operator.part("signal")).to_have_count(1)
    assert len(held) == 1


def test_what_changes_takes_the_keyboard_from_nobody(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="focused")
    deployment.wait_status("focused", "WAITING")
    operator.open("/page/executions?id=focused")
    link = operator.row("focused").get_by_role("link")
    link.focus()
    deployment.signal("focused", "go", 1)
    expect(operator.row("focused").locator(selector("status", status="COMPLETED"))).to_be_visible()
    expect(link).to_be_focused()

    deployment.start("holding", {"names": ["focus"]}, execution_id="at-work")
    deployment.wait_running("at-work")
    operator.open("/page/workers")
    running = operator.part("running-attempt", subject="task", execution="at-work").get_by_role("link")
    running.focus()
    before = operator.part("worker").element_handle()
    deployment.start("patient", execution_id="makes-it-drawn-anew")
    before.wait_for_element_state("hidden")  # another one stands in its place
    expect(running).to_be_focused()


def test_a_tab_that_was_opened_where_nobody_looks_lets_go_of_its_connection(
    deployment: Deployment, operator: Tab
) -> None:
    operator.context.add_init_script("Object.defineProperty(document, 'hidden', {get: () => true})")
    operator.page.clock.install()
    operator.open("/page/executions")
    expect(operator.connection("live")).to_be_visible()
    operator.page.clock.fast_forward(30_000)
    expect(operator.connection("paused")).to_be_visible()


def test_an_execution_that_has_ended_is_no_loss_of_the_connection(deployment: Deployment, operator: Tab) -> None:
    deployment.start("fanning", 1, execution_id="ended-before")
    deployment.wait_status("ended-before", "COMPLETED")
    operator.open("/page/executions?id=ended-before")
    states = operator.watch(selector("connection"), "state")
    operator.row("ended-before").get_by_role("link").click()
    expect(operator.connection("ended")).to_be_visible()
    assert ("reconnecting",) not in states()
