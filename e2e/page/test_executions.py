"""The list of executions: live, filtered, counted, and in pages that stay as they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import expect

from e2e.page.deployment import Deployment
from e2e.page.tab import Tab


def test_what_is_started_appears_at_the_top_by_itself_and_its_status_follows(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("patient", execution_id="first")
    expect(operator.row("first")).to_be_visible()
    deployment.start("patient", execution_id="second")
    expect(operator.row("second")).to_be_visible()
    assert operator.rows()[:2] == ["second", "first"]
    deployment.signal("first", "go", 1)
    expect(operator.row("first")).to_have_attribute("data-status", "COMPLETED")
    deployment.http.post("/api/v1/executions/second/cancel", json={}).raise_for_status()
    expect(operator.row("second")).to_have_attribute("data-status", "CANCELLED")


def test_counts_are_the_servers_and_filter_by_status(deployment: Deployment, operator: Tab) -> None:
    for number in range(4):
        deployment.start("patient", execution_id=f"counted-{number}", labels={"batch": "counts"})
    operator.open("/page/executions?label=batch=counts")
    deployment.signal("counted-0", "go", 1)
    expect(operator.part("count-COMPLETED", count="1")).to_be_visible()
    expect(operator.part("count-all", count="4")).to_be_visible()
    operator.part("count-COMPLETED").click()
    expect(operator.part("execution-row")).to_have_count(1)
    expect(operator.part("count-COMPLETED")).to_have_attribute("aria-pressed", "true")
    assert operator.rows() == ["counted-0"]
    assert "status=COMPLETED" in operator.page.url


@pytest.mark.parametrize(
    ("part", "value", "found"),
    [
        ("filter-kind", "fanning", ["filtered-fanning"]),
        ("filter-label", "colour=red", ["filtered-patient"]),
        ("filter-created_by", "operator:olga", ["filtered-queued", "filtered-patient", "filtered-fanning"]),
        ("filter-created_by", "client:nobody", []),
        ("filter-queue", "elsewhere", ["filtered-queued"]),
        ("filter-queue", "nowhere", []),
        ("filter-id", "filtered-p", ["filtered-patient"]),
        ("filter-id", "filtered-patient", ["filtered-patient"]),
        ("filter-id", "patient", []),
    ],
)
def test_filters_apply_as_one_types_and_stand_in_the_address(
    deployment: Deployment, operator: Tab, part: str, value: str, found: list[str]
) -> None:
    deployment.start("fanning", 2, execution_id="filtered-fanning")
    deployment.start("patient", None, execution_id="filtered-patient", labels={"colour": "red"})
    deployment.start("patient", None, execution_id="filtered-queued", queue="elsewhere")
    operator.open("/page/executions?id=filtered-")
    expect(operator.part("execution-row")).to_have_count(3)
    operator.part(part).fill(value)
    operator.page.wait_for_url(f"**{part.removeprefix('filter-')}={quote(value, safe='*')}**")
    expect(operator.part("execution-row")).to_have_count(len(found))
    assert operator.rows() == found
    operator.page.reload()
    operator.wait_loaded()
    expect(operator.part("execution-row")).to_have_count(len(found))
    expect(operator.part(part)).to_have_value(value)


def test_an_age_keeps_what_was_started_within_it_and_another_what_is_older(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("patient", execution_id="young")
    operator.open("/page/executions?id=young")
    with operator.page.expect_request("**/api/v1/executions?**") as asked:
        operator.part("filter-age").select_option("1h")
    expect(operator.row("young")).to_be_visible()
    (after,) = parse_qs(urlsplit(asked.value.url).query)["created_after"]
    age = datetime.now(UTC) - datetime.fromisoformat(after)
    assert timedelta(minutes=55) < age < timedelta(minutes=65)
    operator.part("filter-age").select_option("")
    operator.part("filter-older").select_option("15m")
    expect(operator.part("empty")).to_be_visible()
    expect(operator.row("young")).to_have_count(0)
    operator.part("filter-clear").click()
    expect(operator.part("filter-older")).to_have_value("")
    expect(operator.row("young")).to_be_visible()


def test_a_label_that_cannot_be_meant_is_told_at_its_field_and_changes_nothing(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("patient", execution_id="labelled", labels={"colour": "green"})
    deployment.start("patient", execution_id="labelled-not")
    operator.open("/page/executions?id=labelled")
    expect(operator.part("execution-row")).to_have_count(2)
    operator.part("filter-label").fill("colour")
    expect(operator.part("filter-problem")).to_contain_text("NAME=VALUE")
    expect(operator.part("filter-label")).to_have_attribute("aria-invalid", "true")
    assert "label=" not in operator.page.url
    assert operator.rows() == ["labelled-not", "labelled"]
    operator.part("filter-label").fill("colour=green")
    expect(operator.part("execution-row")).to_have_count(1)
    expect(operator.part("filter-problem")).to_be_empty()
    assert operator.rows() == ["labelled"]


def test_a_label_in_the_address_that_cannot_be_meant_lists_nothing_and_says_so(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("patient", execution_id="addressed")
    operator.open("/page/executions?id=addressed&label=colour")
    expect(operator.part("filter-problem")).not_to_be_empty()
    expect(operator.part("problem")).to_be_visible()
    expect(operator.part("execution-row")).to_have_count(0)
    operator.part("filter-clear").click()
    expect(operator.row("addressed")).to_be_visible()
    expect(operator.part("problem")).to_have_count(0)


def test_what_is_older_than_an_age_is_found_and_what_is_young_is_not(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="too-young")
    operator.open("/page/executions?id=too-young")
    expect(operator.row("too-young")).to_be_visible()
    operator.part("filter-older").select_option("15m")
    expect(operator.part("empty")).to_be_visible()
    assert "older=15m" in operator.page.url
    operator.part("filter-older").select_option("")
    expect(operator.row("too-young")).to_be_visible()


def test_a_label_that_cannot_be_meant_is_an_error_at_its_field_and_is_not_applied(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("patient", execution_id="labelled", labels={"team": "red"})
    operator.open("/page/executions?id=labelled")
    expect(operator.row("labelled")).to_be_visible()
    operator.part("filter-label").fill("team")
    expect(operator.part("filter-problem")).to_contain_text("NAME=VALUE")
    expect(operator.part("filter-label")).to_have_attribute("aria-invalid", "true")
    assert "label=" not in operator.page.url
    operator.part("filter-label").fill("team=red")
    expect(operator.part("filter-problem")).to_be_hidden()
    operator.page.wait_for_url("**label=team*")
    expect(operator.row("labelled")).to_be_visible()

    operator.open("/page/executions?label=team")
    expect(operator.part("filter-problem")).to_be_visible()
    expect(operator.part("execution-row")).to_have_count(0)


def test_pages_stay_as_they_are_while_new_executions_come_in(deployment: Deployment, operator: Tab) -> None:
    for number in range(120):
        deployment.start("patient", execution_id=f"paged-{number:03d}", labels={"batch": "pages"})
    operator.open("/page/executions?label=batch=pages")
    first_page = operator.rows()
    operator.part("next-page").click()
    expect(operator.row(first_page[-1])).to_have_count(0)
    operator.wait_loaded()
    second_page = operator.rows()
    assert second_page[0] < first_page[-1]
    for number in range(120, 125):
        deployment.start("patient", execution_id=f"paged-{number:03d}", labels={"batch": "pages"})
    expect(operator.part("count-all", count="125")).to_be_visible()
    assert operator.rows() == second_page
    operator.part("first-page").click()
    expect(operator.row("paged-124")).to_be_visible()
    assert operator.rows()[0] == "paged-124"


def test_while_something_is_selected_new_executions_wait_behind_a_button(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="waiting-1", labels={"batch": "waits"})
    operator.open("/page/executions?label=batch=waits")
    operator.row("waiting-1").get_by_role("checkbox").check()
    deployment.start("patient", execution_id="waiting-2", labels={"batch": "waits"})
    expect(operator.part("new-executions", count="1")).to_be_visible()
    assert operator.rows() == ["waiting-1"]
    operator.part("new-executions").click()
    expect(operator.row("waiting-2")).to_be_visible()
    expect(operator.row("waiting-1").get_by_role("checkbox")).to_be_checked()


def test_what_no_longer_fits_the_filter_stays_and_says_what_it_is_now(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="leaving")
    operator.open("/page/executions?id=leaving&status=RUNNING&status=WAITING&status=PENDING")
    expect(operator.row("leaving")).to_be_visible()
    deployment.signal("leaving", "go", 1)
    expect(operator.row("leaving")).to_have_attribute("data-status", "COMPLETED")
    assert operator.rows() == ["leaving"]
