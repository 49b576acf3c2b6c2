"""Many are cancelled at once: first the page says what would be hit, then how far it has come, then what it met."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import expect

from e2e.page.deployment import Deployment
from e2e.page.tab import Tab


def start_many(deployment: Deployment, batch: str, count: int) -> Sequence[str]:
    """Start agents that wait, with a label of their own; returns their ids, the oldest first."""
    ids = [f"{batch}-{number:03d}" for number in range(count)]
    for each in ids:
        deployment.start("patient", execution_id=each, labels={"batch": batch})
    return ids


def statuses(deployment: Deployment, ids: Sequence[str]) -> set[str]:
    return {deployment.status(each) for each in ids}


def test_selected_rows_are_cancelled_after_a_dry_run_and_the_others_are_not(
    deployment: Deployment, operator: Tab
) -> None:
    ids = start_many(deployment, "few", 6)
    operator.open("/page/executions?label=batch=few")
    expect(operator.part("execution-row")).to_have_count(6)
    for each in ids[:3]:
        operator.row(each).get_by_role("checkbox").check()
    expect(operator.part("selection-count")).to_contain_text("3")
    operator.part("bulk-cancel").click()
    expect(operator.part("dialog-summary", count="3")).to_be_visible()
    assert "CANCELLED" not in statuses(deployment, ids)  # until somebody confirms
    operator.part("dialog-reason").fill("wrong batch")
    operator.part("dialog-confirm").click()

    expect(operator.part("result-CANCELLED", count="3")).to_be_visible()
    operator.part("dialog-close").click()
    for each in ids[:3]:
        expect(operator.row(each)).to_have_attribute("data-status", "CANCELLED")
    for each in ids[3:]:
        expect(operator.row(each)).not_to_have_attribute("data-status", "CANCELLED")
    assert statuses(deployment, ids[:3]) == {"CANCELLED"}
    assert "CANCELLED" not in statuses(deployment, ids[3:])
    records = deployment.http.get("/api/v1/audit", params={"execution_id": ids[0]}).json()["records"]
    assert (records[0]["who"], records[0]["reason"]) == ("operator:olga", "wrong batch")


def test_all_that_a_filter_finds_are_cancelled_also_those_on_other_pages(deployment: Deployment, operator: Tab) -> None:
    ids = start_many(deployment, "many", 130)
    start_many(deployment, "bystanders", 3)
    operator.open("/page/executions?label=batch=many")
    expect(operator.part("next-page")).to_be_enabled()
    operator.part("select-page").check()
    operator.part("select-all-matching").click()
    operator.part("bulk-cancel").click()
    expect(operator.part("dialog-summary", count="130")).to_be_visible()
    operator.part("dialog-confirm").click()
    expect(operator.part("dialog-result")).to_be_visible()
    expect(operator.part("result-CANCELLED", count="130")).to_be_visible()
    assert statuses(deployment, ids) == {"CANCELLED"}
    assert "CANCELLED" not in statuses(deployment, [f"bystanders-{number:03d}" for number in range(3)])


def test_what_is_started_after_the_dry_run_is_not_hit(deployment: Deployment, operator: Tab) -> None:
    start_many(deployment, "before", 110)
    operator.open("/page/executions?label=batch=before")
    expect(operator.part("next-page")).to_be_enabled()
    operator.part("select-page").check()
    operator.part("select-all-matching").click()
    operator.part("bulk-cancel").click()
    expect(operator.part("dialog-summary", count="110")).to_be_visible()
    deployment.start("patient", execution_id="late", labels={"batch": "before"})
    operator.part("dialog-confirm").click()
    expect(operator.part("result-CANCELLED", count="110")).to_be_visible()
    assert deployment.status("late") != "CANCELLED"


def test_what_ended_after_the_dry_run_is_counted_as_what_it_was(deployment: Deployment, operator: Tab) -> None:
    ids = start_many(deployment, "ending", 3)
    operator.open("/page/executions?label=batch=ending")
    expect(operator.part("execution-row")).to_have_count(3)
    operator.part("select-page").check()
    operator.part("bulk-cancel").click()
    expect(operator.part("dialog-summary", count="3")).to_be_visible()
    deployment.signal(ids[0], "go", 1)
    deployment.wait_status(ids[0], "COMPLETED")
    operator.part("dialog-confirm").click()
    expect(operator.part("dialog-result")).to_be_visible()
    expect(operator.part("result-CANCELLED", count="2")).to_be_visible()
    assert deployment.status(ids[0]) == "COMPLETED"
