"""Workers, what is stuck, and the audit."""

from __future__ import annotations

from playwright.sync_api import expect

from e2e.page.conftest import NewTab
from e2e.page.deployment import Deployment
from e2e.page.gates import Gates
from e2e.page.tab import Tab


def test_a_worker_is_shown_with_what_it_runs(deployment: Deployment, operator: Tab) -> None:
    deployment.start("holding", {"names": ["one", "two"]}, execution_id="busy")
    tasks = deployment.wait_running("busy", 2)
    operator.part("nav-workers").click()
    expect(operator.part("worker", id="worker-1", connected="true")).to_be_visible()
    expect(operator.part("worker", id="worker-1")).to_contain_text("2")
    for each in tasks:
        running = operator.part("running-attempt", subject="task", execution="busy", task=each)
        expect(running).to_contain_text("hold")
        expect(running.get_by_role("link")).to_have_attribute("href", "/page/executions/busy")
    for each in tasks:
        deployment.http.delete(f"/api/v1/tasks/{each}").raise_for_status()


def test_work_that_ignores_its_cancel_is_unresponsive_and_stuck(
    deployment: Deployment, operator: Tab, gates: Gates
) -> None:
    deployment.start("stuck", {"gate": gates.address, "name": "deaf"}, execution_id="deaf")
    (task_id,) = deployment.wait_running("deaf")
    gates.wait_for("deaf")
    deployment.http.delete(f"/api/v1/tasks/{task_id}").raise_for_status()
    operator.part("nav-stuck").click()
    row = operator.part("stuck-task", reason="NOT_STOPPED")
    expect(row).to_contain_text("deaf")
    operator.part("nav-workers").click()
    expect(operator.part("worker", id="worker-1", unresponsive="1")).to_be_visible()
    operator.part("nav-executions").click()
    expect(operator.row("deaf")).to_have_attribute("data-stopping", "true")

    gates.open("deaf")
    expect(operator.row("deaf")).not_to_have_attribute("data-stopping", "true")
    operator.part("nav-stuck").click()
    expect(operator.part("empty")).to_be_visible()


def test_a_worker_that_is_gone_and_work_that_nobody_takes_are_shown(
    own_deployment: Deployment, new_tab: NewTab
) -> None:
    own_deployment.start("holding", {"names": ["one"]}, execution_id="left")
    own_deployment.wait_running("left")
    tab = new_tab(own_deployment, own_deployment.tokens.operator)
    tab.part("nav-workers").click()
    expect(tab.part("worker", connected="true")).to_be_visible()
    own_deployment.worker.kill()
    expect(tab.part("worker", connected="false")).to_be_visible()
    own_deployment.start("nobody-runs-this", execution_id="waits")
    tab.part("nav-stuck").click()
    expect(tab.part("stuck-waiting").filter(has_text="nobody-runs-this")).to_be_visible()


def test_the_audit_says_who_asked_for_what_and_why(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="audited")
    deployment.http.post("/api/v1/executions/audited/cancel", json={"reason": "wrong address"}).raise_for_status()
    operator.part("nav-audit").click()
    record = operator.part("audit-record").filter(has_text="wrong address")
    expect(record).to_have_count(1)
    expect(record).to_contain_text("operator:olga")
    expect(record).to_contain_text("audited")
    operator.part("filter-who").fill("client:*")
    expect(record).to_have_count(0)
    operator.part("filter-who").fill("operator:*")
    expect(record).to_have_count(1)
    operator.part("filter-execution").fill("another")
    expect(record).to_have_count(0)
    operator.part("filter-execution").fill("audited")
    expect(record).to_have_count(1)
