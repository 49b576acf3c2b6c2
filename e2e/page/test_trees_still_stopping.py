"""A tree is cancelled while work far below still stops: no view of it says that it has stopped before it has."""

from __future__ import annotations

from playwright.sync_api import expect

from e2e.page.conftest import NewTab
from e2e.page.deployment import Deployment
from e2e.page.gates import Gates
from e2e.page.tab import Tab, selector


def test_a_cancelled_tree_is_shown_as_stopping_everywhere_until_the_last_work_below_it_has_stopped(
    deployment: Deployment, operator: Tab, new_tab: NewTab, gates: Gates
) -> None:
    child = grown(deployment, "felled", gates)
    listing = new_tab(deployment, deployment.tokens.operator)
    listing.open("/page/executions?id=felled")
    operator.open_execution("felled", "timeline")
    expect(operator.part("timeline-row", kind="child", status="RUNNING")).to_be_visible()
    deployment.http.post("/api/v1/executions/felled/cancel", json={}).raise_for_status()
    gates.wait_for("leaf")

    head = operator.part("execution-header")
    expect(head.locator(selector("status", status="STOPPING"))).to_contain_text("cancelled, still stopping, in 1 child")
    expect(operator.part("timeline-row", kind="agent", status="STOPPING")).to_be_visible()
    expect(operator.part("timeline-row", kind="child", status="STOPPING")).to_be_visible()
    expect(listing.row("felled")).to_have_attribute("data-stopping", "true")
    operator.part("tab-children").click()
    expect(operator.part("child-execution", id=child).locator(selector("status", status="STOPPING"))).to_be_visible()
    expect(listing.part("count-STOPPING", count="1")).to_be_visible()
    operator.part("tab-timeline").click()

    gates.open("leaf")
    expect(head.locator(selector("status", status="CANCELLED"))).to_be_visible()
    expect(operator.part("timeline-row", kind="agent", status="CANCELLED")).to_be_visible()
    expect(operator.part("timeline-row", kind="child", status="CANCELLED")).to_be_visible()
    expect(listing.row("felled")).not_to_have_attribute("data-stopping", "true")
    expect(operator.connection("ended")).to_be_visible()


def test_who_comes_later_sees_the_same(deployment: Deployment, operator: Tab, gates: Gates) -> None:
    grown(deployment, "late", gates)
    deployment.http.post("/api/v1/executions/late/cancel", json={}).raise_for_status()
    gates.wait_for("leaf")
    deployment.wait_status("late", "CANCELLED")
    operator.open_execution("late", "timeline")
    expect(operator.part("execution-header").locator(selector("status", status="STOPPING"))).to_be_visible()
    expect(operator.part("timeline-row", kind="agent", status="STOPPING")).to_be_visible()
    gates.open("leaf")
    expect(operator.part("timeline-row", kind="agent", status="CANCELLED")).to_be_visible()
    operator.page.reload()
    expect(operator.part("timeline-row", kind="child", status="CANCELLED")).to_be_visible()


def test_before_rows_are_cancelled_all_that_stands_below_them_is_counted(
    deployment: Deployment, operator: Tab, gates: Gates
) -> None:
    grown(deployment, "chosen", gates)
    operator.open("/page/executions?id=chosen")
    operator.row("chosen").get_by_role("checkbox").check()
    operator.part("bulk-cancel").click()
    summary = operator.part("dialog-summary", count="1")
    expect(summary).to_contain_text("1 open execution will be cancelled with 2 executions below it and 1 open task.")
    operator.part("dialog-close").click()
    assert deployment.status("chosen") == "WAITING"
    gates.open("leaf")


def grown(deployment: Deployment, execution_id: str, gates: Gates) -> str:
    """Start a tree of three, whose lowest holds a task that stops at a gate; returns the id of the middle one."""
    deployment.start("delegating", [[{"name": "leaf", "gate": gates.address}]], execution_id=execution_id)
    (child,) = deployment.wait_children(execution_id, 1)
    (grandchild,) = deployment.wait_children(child, 1)
    deployment.wait_running(grandchild)
    return child
