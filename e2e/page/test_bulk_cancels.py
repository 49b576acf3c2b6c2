"""Many are cancelled at once: first the page says what would be hit, then how far it has come, then what it met."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import Route, expect

from e2e.page.deployment import Deployment
from e2e.page.gates import Gates
from e2e.page.tab import Tab, selector


def start_many(deployment: Deployment, batch: str, count: int) -> Sequence[str]:
    """Start agents that wait, with a label of their own; returns their ids, the oldest first, when all of them wait."""
    ids = [f"{batch}-{number:03d}" for number in range(count)]
    for each in ids:
        deployment.start("patient", execution_id=each, labels={"batch": batch})
    for each in ids:
        deployment.wait_status(each, "WAITING")
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
    expect(operator.part("result-ALREADY_COMPLETED", count="1")).to_be_visible()
    assert deployment.status(ids[0]) == "COMPLETED"


def test_what_has_ended_is_told_before_and_is_not_counted_as_what_will_be_hit(
    deployment: Deployment, operator: Tab
) -> None:
    ids = start_many(deployment, "over", 3)
    deployment.signal(ids[0], "go", 1)
    deployment.wait_status(ids[0], "COMPLETED")
    operator.open("/page/executions?label=batch=over")
    expect(operator.part("execution-row")).to_have_count(3)
    operator.part("select-page").check()
    operator.part("bulk-cancel").click()
    expect(operator.part("dialog-summary", count="2")).to_contain_text("1 more has ended")
    operator.part("dialog-close").click()
    expect(operator.part("dialog")).to_have_count(0)
    assert statuses(deployment, ids) == {"COMPLETED", "WAITING"}


def test_it_shows_how_far_it_has_come_and_changes_no_row_before_the_record_has_it(
    deployment: Deployment, operator: Tab
) -> None:
    ids = start_many(deployment, "steps", 6)
    operator.open("/page/executions?label=batch=steps")
    expect(operator.part("execution-row")).to_have_count(6)
    held: list[Route] = []

    def answer(route: Route) -> None:
        """Two get through; the others stand."""
        if f"/{ids[0]}/" in route.request.url or f"/{ids[5]}/" in route.request.url:
            route.continue_()
        else:
            held.append(route)

    operator.page.route("**/api/v1/executions/*/cancel", answer)
    operator.part("select-page").check()
    operator.part("bulk-cancel").click()
    expect(operator.part("dialog-summary", count="6")).to_be_visible()
    operator.part("dialog-confirm").click()
    progress = operator.part("dialog-progress")
    expect(progress).to_have_attribute("max", "6")
    expect(operator.row(ids[5])).to_have_attribute("data-status", "CANCELLED")
    expect(progress).to_have_js_property("value", 1)  # the other one waits behind those that stand
    for each in ids[1:5]:
        expect(operator.row(each)).to_have_attribute("data-status", "WAITING")
    for route in list(held):
        route.continue_()
    expect(operator.part("result-CANCELLED", count="6")).to_be_visible()
    expect(progress).to_have_count(0)
    assert statuses(deployment, ids) == {"CANCELLED"}


def test_who_stops_in_the_middle_hits_no_more(deployment: Deployment, operator: Tab) -> None:
    ids = start_many(deployment, "halves", 6)
    operator.open("/page/executions?label=batch=halves")
    expect(operator.part("execution-row")).to_have_count(6)
    operator.page.route("**/api/v1/executions/*/cancel", lambda route: None)
    operator.part("select-page").check()
    operator.part("bulk-cancel").click()
    expect(operator.part("dialog-summary", count="6")).to_be_visible()
    with operator.page.expect_request("**/api/v1/executions/*/cancel"):
        operator.part("dialog-confirm").click()
    operator.part("dialog-close").click()
    expect(operator.part("dialog")).to_have_count(0)
    assert statuses(deployment, ids) == {"WAITING"}


def test_by_force_the_work_of_many_ends_though_it_would_not_stop(
    deployment: Deployment, operator: Tab, gates: Gates
) -> None:
    ids = [f"forced-{number}" for number in range(2)]
    for each in ids:
        given = {"names": [each], "gate": gates.address}
        deployment.start("holding", given, execution_id=each, labels={"batch": "forced"})
    for each in ids:
        deployment.wait_running(each)
        deployment.wait_status(each, "WAITING")
    operator.open("/page/executions?label=batch=forced")
    expect(operator.part("execution-row")).to_have_count(2)
    operator.part("select-page").check()
    operator.part("bulk-cancel").click()
    operator.part("dialog-reason").fill("the disk is full")
    operator.part("dialog-force").check()
    operator.part("dialog-confirm").click()
    expect(operator.part("result-CANCELLED", count="2")).to_be_visible()
    operator.part("dialog-close").click()
    for each in ids:
        # Though nobody opened their gates.
        expect(operator.row(each).locator(selector("status", status="CANCELLED"))).to_be_visible()
        records = deployment.http.get("/api/v1/audit", params={"execution_id": each}).json()["records"]
        assert (records[0]["forced"], records[0]["reason"]) == (True, "the disk is full")
