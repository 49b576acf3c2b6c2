"""How the stopping of work ends where the work does not do it itself: killed behind its grace, lost with its worker."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from e2e.page.conftest import NewTab
from e2e.page.deployment import Deployment
from e2e.page.gates import Gates
from e2e.page.tab import Tab, selector
from e2e.page.test_cancelling import cancel_task, confirm


def test_work_that_ignores_its_cancel_is_requested_then_delivered_then_killed(
    own_deployment: Deployment, new_tab: NewTab
) -> None:
    own_deployment.start("defying", execution_id="defies")
    (task_id,) = own_deployment.wait_running("defies")
    tab = new_tab(own_deployment, own_deployment.tokens.operator)
    tab.open_execution("defies", "output")
    expect(tab.part("output")).to_contain_text("deaf from now on")
    tab.part("tab-timeline").click()
    own_deployment.worker.freeze()  # so that the order stays on its way for as long as the test looks
    cancel_task(tab, task_id)
    expect(tab.stop(task_id, "REQUESTED")).to_be_visible()
    expect(tab.bar(task_id)).to_have_attribute("data-status", "STOPPING")
    own_deployment.worker.thaw()

    expect(tab.stop(task_id, "KILLED")).to_be_visible()
    assert phases(tab, task_id)[-2:] == ["requested", "delivered"]
    expect(last_bar(tab, task_id)).to_have_attribute("data-end", "KILLED")
    expect(tab.bar(task_id)).to_have_accessible_name("task stubborn, cancelled, killed")
    expect(tab.part("task-detail").locator(selector("status", status="KILLED")).first).to_be_visible()
    (task,) = own_deployment.tasks("defies")
    assert (task["status"], task["stop_state"]) == ("CANCELLED", "KILLED")


def test_work_whose_worker_is_killed_while_it_stops_is_lost_and_never_called_stopped(
    own_deployment: Deployment, new_tab: NewTab, gates: Gates
) -> None:
    own_deployment.start("holding", {"names": ["one"], "gate": gates.address}, execution_id="loses")
    (task_id,) = own_deployment.wait_running("loses")
    tab = new_tab(own_deployment, own_deployment.tokens.operator)
    tab.open_execution("loses", "timeline")
    noted = tab.watch(selector("timeline-row", task=task_id), "status", "stop")
    cancel_task(tab, task_id)
    gates.wait_for("one")
    expect(tab.stop(task_id, "DELIVERED")).to_be_visible()
    own_deployment.worker.kill()

    # Until its lease has ended the worker may come back: nobody knows what became of its work.
    expect(tab.stop(task_id, "LOST")).to_be_visible()
    expect(last_bar(tab, task_id)).to_have_attribute("data-end", "LOST")
    expect(tab.bar(task_id)).to_have_accessible_name("task hold, cancelled, lost")
    states = [stop for _, stop in noted() if stop]
    assert states[-2:] == ["DELIVERED", "LOST"]
    assert "STOPPED" not in states


def test_work_that_is_lost_before_anybody_told_it_to_stop_is_lost_from_the_request_on(
    own_deployment: Deployment, new_tab: NewTab
) -> None:
    own_deployment.start("holding", {"names": ["one"]}, execution_id="unheard")
    (task_id,) = own_deployment.wait_running("unheard")
    tab = new_tab(own_deployment, own_deployment.tokens.operator)
    tab.open_execution("unheard", "timeline")
    own_deployment.worker.freeze()
    cancel_task(tab, task_id)
    expect(tab.stop(task_id, "REQUESTED")).to_be_visible()
    own_deployment.worker.kill()
    expect(tab.stop(task_id, "LOST")).to_be_visible()
    assert "delivered" not in phases(tab, task_id)
    expect(last_bar(tab, task_id)).to_have_attribute("data-phase", "requested")
    expect(last_bar(tab, task_id)).to_have_attribute("data-end", "LOST")


def test_a_cancelled_root_is_still_stopping_until_the_work_of_its_leaf_has_stopped(
    deployment: Deployment, operator: Tab, new_tab: NewTab, gates: Gates
) -> None:
    given = [[{"gate": gates.address, "name": "leaf"}]]
    deployment.start("delegating", given, execution_id="rooted")
    child = only_child(deployment, "rooted")
    leaf = only_child(deployment, child)
    deployment.wait_running(leaf)
    for each in ("rooted", child, leaf):
        deployment.wait_status(each, "WAITING")
    listing = new_tab(deployment, deployment.tokens.viewer)
    expect(listing.row("rooted")).to_be_visible()
    operator.open_execution("rooted", "children")
    expect(operator.part("child-execution", id=leaf)).to_be_visible()
    noted = operator.watch(f"{selector('execution-header')} {selector('status')}", "status")
    operator.part("cancel-execution").click()
    confirm(operator, reason="not needed")
    gates.wait_for("leaf")

    deployment.wait_status("rooted", "CANCELLED")
    head = operator.part("execution-header")
    expect(head.locator(selector("status", status="STOPPING"))).to_be_visible()
    expect(listing.row("rooted")).to_have_attribute("data-stopping", "true")
    expect(listing.row("rooted").locator(selector("status", status="STOPPING"))).to_be_visible()
    gates.open("leaf")
    expect(head.locator(selector("status", status="CANCELLED"))).to_be_visible()
    expect(listing.row("rooted")).not_to_have_attribute("data-stopping", "true")
    expect(listing.row("rooted").locator(selector("status", status="CANCELLED"))).to_be_visible()
    # From the first cancel to the end it was never shown as what has stopped.
    states = [status for (status,) in noted()]
    assert states.count("CANCELLED") == 1
    assert states[-2:] == ["STOPPING", "CANCELLED"]


def phases(tab: Tab, task_id: str) -> list[str]:
    """The phases of a task's bars, in their order."""
    bars = tab.bar(task_id).locator(selector("timeline-bar"))
    found: list[str] = bars.evaluate_all("bars => bars.map(bar => bar.dataset.phase)")
    return found


def last_bar(tab: Tab, task_id: str) -> Locator:
    """The last bar of a task."""
    return tab.bar(task_id).locator(selector("timeline-bar")).last


def only_child(deployment: Deployment, execution_id: str) -> str:
    """The id of an execution's one child, when it is there."""
    return deployment.wait_children(execution_id, 1)[0]
