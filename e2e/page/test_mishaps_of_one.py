"""One execution, of which something goes otherwise than somebody thought: the page says what the record has."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from e2e.page.deployment import Deployment
from e2e.page.gates import Gates
from e2e.page.tab import Tab, selector
from e2e.page.test_cancelling import cancel_task, confirm


def test_a_failed_workflow_that_is_let_go_on_is_followed_again(
    deployment: Deployment, operator: Tab, tmp_path: Path
) -> None:
    file = tmp_path / "mended"
    body = {"kind": "mendable", "input": str(file), "execution_id": "mended", "workflow": True}
    deployment.http.post("/api/v1/executions", json=body).raise_for_status()
    operator.open_execution("mended", "timeline")
    head = operator.part("execution-header")
    expect(head.locator(selector("status", status="FAILED"))).to_be_visible()
    expect(operator.part("timeline-row", kind="agent", status="FAILED")).to_be_visible()
    expect(operator.part("timeline-row", kind="timer", status="COMPLETED")).to_be_visible()

    file.touch()
    deployment.http.post("/api/v1/executions/mended/retry", json={}).raise_for_status()
    expect(head.locator(selector("status", status="WAITING"))).to_be_visible()
    expect(operator.part("cancel-execution")).to_be_visible()
    expect(operator.part("timeline-row", kind="agent", status="WAITING")).to_be_visible()
    operator.page.reload()
    expect(operator.part("timeline-row", kind="agent", status="WAITING")).to_be_visible()
    expect(operator.connection("live")).to_be_visible()
    deployment.signal("mended", "go")
    expect(operator.part("timeline-row", kind="agent", status="COMPLETED")).to_be_visible()
    expect(head.locator(selector("status", status="COMPLETED"))).to_be_visible()
    expect(operator.connection("ended")).to_be_visible()


def test_work_that_stopped_before_it_was_ended_by_force_is_not_called_forced(
    deployment: Deployment, operator: Tab, gates: Gates
) -> None:
    given = {"names": ["early", "other"], "gate": gates.address}
    deployment.start("holding", given, execution_id="early")
    task_id, _ = deployment.wait_running("early", 2)
    operator.open_execution("early", "timeline")
    cancel_task(operator, task_id)
    expect(operator.stop(task_id, "DELIVERED")).to_be_visible()
    operator.part("task-force").click()
    gates.open("early")
    expect(operator.stop(task_id, "STOPPED")).to_be_attached()
    confirm(operator)
    expect(operator.part("toast")).to_contain_text("had stopped already")
    (task,) = [each for each in deployment.tasks("early") if each["task_id"] == task_id]
    assert [stop["forced_at"] for stop in task["stops"]] == [None]


def test_before_what_still_stops_of_a_cancelled_tree_is_ended_by_force_it_is_counted(
    deployment: Deployment, operator: Tab, gates: Gates
) -> None:
    grown(deployment, "forced-tree", gates, "left", "right")
    deployment.http.post("/api/v1/executions/forced-tree/cancel", json={}).raise_for_status()
    for name in ("left", "right"):
        gates.wait_for(name)
    deployment.wait_status("forced-tree", "CANCELLED")
    operator.open_execution("forced-tree")
    operator.part("force-execution").click()
    expect(operator.part("dialog-summary", count="2")).to_contain_text("cancelled and still stopping: in 2 children.")
    confirm(operator)
    expect(operator.part("toast")).to_contain_text("What still stopped is ended by force.")
    head = operator.part("execution-header")
    expect(head.locator(selector("status", status="CANCELLED"))).to_be_visible()  # though nobody opened a gate


def test_the_journal_and_the_detail_of_a_task_say_that_it_still_stops_until_it_has(
    deployment: Deployment, operator: Tab, gates: Gates
) -> None:
    given = {"names": ["slow", "other"], "gate": gates.address}
    deployment.start("holding", given, execution_id="told")
    task_id, _ = deployment.wait_running("told", 2)
    operator.open_execution("told", "timeline")
    cancel_task(operator, task_id)
    detail = operator.part("task-detail")
    expect(detail.locator("dt", has_text="decided")).to_be_visible()
    operator.part("tab-journal").click()
    line = operator.part("journal-line", kind="task").last
    expect(line).to_contain_text("cancelled, still stopping")
    gates.open("slow")
    expect(line).to_contain_text("cancelled, stopped")
    operator.part("tab-timeline").click()
    expect(detail.locator("dt", has_text="ended")).to_be_visible()


def test_the_journal_says_of_a_cancelled_child_that_it_still_stops_until_it_has(
    deployment: Deployment, operator: Tab, gates: Gates
) -> None:
    grown(deployment, "told-tree", gates, "below")
    operator.open_execution("told-tree", "journal")
    deployment.http.post("/api/v1/executions/told-tree/cancel", json={}).raise_for_status()
    line = operator.part("journal-line", kind="child")
    expect(line).to_contain_text("cancelled, still stopping")
    gates.open("below")
    expect(line).not_to_contain_text("still stopping")
    expect(line).to_contain_text("cancelled")


def grown(deployment: Deployment, execution_id: str, gates: Gates, *names: str) -> None:
    """Start an agent with a child for each name, which holds a task that stops at the gate of that name."""
    deployment.start("delegating", [{"name": each, "gate": gates.address} for each in names], execution_id=execution_id)
    for child in deployment.wait_children(execution_id, len(names)):
        deployment.wait_running(child)
