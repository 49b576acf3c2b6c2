"""Somebody cancels from the page, and sees what becomes of it: decided, told to the worker, really stopped."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from e2e.page.conftest import NewTab
from e2e.page.deployment import Deployment
from e2e.page.gates import Gates
from e2e.page.tab import Tab, selector

CANCELS = re.compile(r".*/api/v1/tasks/[^?]+\?.*")


def test_a_task_cancelled_from_the_timeline_is_requested_then_delivered_then_stopped(
    own_deployment: Deployment, new_tab: NewTab, gates: Gates
) -> None:
    own_deployment.start("holding", {"names": ["one"], "gate": gates.address}, execution_id="e-1")
    (task_id,) = own_deployment.wait_running("e-1")
    tab = new_tab(own_deployment, own_deployment.tokens.operator)
    tab.open_execution("e-1", "timeline")
    noted = tab.watch(selector("timeline-row", task=task_id), "status", "stop")
    own_deployment.worker.freeze()  # so that the order stays on its way for as long as the test looks
    cancel_task(tab, task_id, reason="wrong address")

    expect(tab.stop(task_id, "REQUESTED")).to_be_visible()
    expect(tab.bar(task_id)).to_have_attribute("data-status", "STOPPING")
    own_deployment.worker.thaw()
    gates.wait_for("one")
    expect(tab.stop(task_id, "DELIVERED")).to_be_visible()
    expect(tab.bar(task_id)).to_have_attribute("data-status", "STOPPING")
    gates.open("one")
    expect(tab.stop(task_id, "STOPPED")).to_be_visible()

    seen = [state for state in noted() if state[1]]
    assert seen == [("STOPPING", "REQUESTED"), ("STOPPING", "DELIVERED"), ("CANCELLED", "STOPPED")]
    phases = tab.bar(task_id).locator(selector("timeline-bar"))
    expect(phases.and_(tab.part("timeline-bar", phase="requested"))).to_be_attached()
    expect(phases.last).to_have_attribute("data-phase", "delivered")
    expect(phases.last).to_have_attribute("data-end", "STOPPED")
    (task,) = own_deployment.tasks("e-1")
    assert (task["status"], task["stop_state"]) == ("CANCELLED", "STOPPED")
    assert (task["cause"]["by"], task["cause"]["reason"]) == ("operator:olga", "wrong address")


def test_a_cancel_that_the_server_has_not_answered_changes_nothing_on_the_page(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("holding", {"names": ["one"]}, execution_id="unanswered")
    (task_id,) = deployment.wait_running("unanswered")
    operator.open_execution("unanswered", "timeline")
    noted = operator.watch(selector("timeline-row", task=task_id), "status", "stop")
    held: list[Route] = []
    with operator.page.expect_request(CANCELS) as asked:
        operator.page.route(CANCELS, lambda route: held.append(route))
        cancel_task(operator, task_id)
    assert asked.value.method == "DELETE"
    deployment.signal("unanswered", "something-else")  # which the page shows after what it would show of the cancel
    expect(operator.bar(task_id)).to_have_attribute("data-status", "RUNNING")
    (route,) = held
    route.abort()
    expect(operator.page.get_by_role("alert").first).to_be_visible()
    assert {state[0] for state in noted()} == {"RUNNING"}
    assert deployment.tasks("unanswered")[0]["status"] == "RUNNING"


def test_an_execution_is_shown_as_cancelled_only_when_the_server_has_recorded_it(
    deployment: Deployment, operator: Tab, new_tab: NewTab
) -> None:
    deployment.start("patient", execution_id="waiting-for-it")
    deployment.wait_status("waiting-for-it", "WAITING")
    listing = new_tab(deployment, deployment.tokens.operator)
    operator.open_execution("waiting-for-it")
    held: list[Route] = []
    cancels = "**/api/v1/executions/waiting-for-it/cancel"
    operator.page.route(cancels, lambda route: held.append(route))
    operator.part("cancel-execution").click()
    with operator.page.expect_request(cancels):
        confirm(operator)
    deployment.signal("waiting-for-it", "something-else")  # which the page shows after what it would show of the cancel
    expect(operator.part("timeline-row", kind="signal")).to_be_visible()
    head = operator.part("execution-header")
    expect(head.locator(selector("status", status="WAITING"))).to_be_visible()
    expect(operator.part("execution-cause")).to_have_count(0)
    expect(listing.row("waiting-for-it")).to_have_attribute("data-status", "WAITING")
    (route,) = held
    route.continue_()
    expect(head.locator(selector("status", status="CANCELLED"))).to_be_visible()
    expect(listing.row("waiting-for-it")).to_have_attribute("data-status", "CANCELLED")


def test_the_tree_is_cancelled_from_the_head_and_its_cause_stands_there(deployment: Deployment, operator: Tab) -> None:
    deployment.start("holding", {"names": ["one", "two"]}, execution_id="tree")
    tasks = deployment.wait_running("tree", 2)
    deployment.wait_status("tree", "WAITING")
    operator.open_execution("tree", "timeline")
    operator.part("cancel-execution").click()
    confirm(operator, reason="not needed <any> more")

    head = operator.part("execution-header")
    expect(head.locator(selector("status", status="CANCELLED"))).to_be_visible()
    expect(operator.part("execution-cause")).to_contain_text("not needed <any> more")
    expect(operator.part("execution-cause")).to_contain_text("operator:olga")
    for task_id in tasks:
        expect(operator.stop(task_id, "STOPPED")).to_be_visible()
    expect(operator.part("cancel-execution")).to_have_count(0)


def test_work_that_does_not_stop_is_ended_by_force(deployment: Deployment, operator: Tab, gates: Gates) -> None:
    deployment.start("holding", {"names": ["slow"], "gate": gates.address}, execution_id="forced")
    (task_id,) = deployment.wait_running("forced")
    operator.open_execution("forced", "timeline")
    cancel_task(operator, task_id)
    expect(operator.stop(task_id, "DELIVERED")).to_be_visible()
    operator.part("task-force").click()
    confirm(operator)
    expect(operator.stop(task_id, "STOPPED")).to_be_visible()  # though nobody opened its gate
    operator.part("tab-history").click()
    expect(operator.part("history-event", type="TASK_CANCEL_REQUESTED").filter(has_text="FORCE")).to_be_visible()


def test_a_dialogue_that_is_closed_cancels_nothing(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="spared")
    deployment.wait_status("spared", "WAITING")
    operator.open_execution("spared")
    operator.part("cancel-execution").click()
    expect(operator.page.get_by_role("dialog")).to_be_visible()
    operator.part("dialog-close").click()
    expect(operator.page.get_by_role("dialog")).to_have_count(0)
    deployment.signal("spared", "go", "on")
    deployment.wait_status("spared", "COMPLETED")


def cancel_task(tab: Tab, task_id: str, reason: str = "") -> None:
    """Select a task in the timeline, cancel it, and confirm that."""
    tab.bar(task_id).click()
    tab.part("task-cancel").click()
    confirm(tab, reason)


def confirm(tab: Tab, reason: str = "") -> None:
    """Say why in the dialogue that asks, and go ahead."""
    dialogue = tab.page.get_by_role("dialog")
    if reason:
        dialogue.get_by_role("textbox").fill(reason)
    tab.part("dialog-confirm").click()
