"""A tree of executions: seen from each of its pages, and cancelled from its root after the page said what is hit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playwright.sync_api import expect

from e2e.page.deployment import Deployment
from e2e.page.tab import Tab
from e2e.page.waiting import eventually

TREE: list[Any] = [[[], []], []]
"""Two children: one with two children of its own, which hold a task each, and one that holds a task itself."""


def test_children_and_theirs_are_listed_with_their_status_and_lead_to_their_pages(
    deployment: Deployment, operator: Tab
) -> None:
    whole = grown(deployment, "seen")
    operator.open_execution("seen", "children")
    for each in whole:
        expect(operator.part("child-execution", id=each)).to_be_visible()
    expect(operator.part("child-execution")).to_have_count(len(whole))
    nested = operator.page.get_by_role("list", name="Children of")
    expect(nested.locator('[data-testid="child-execution"]')).to_have_count(2)

    child = operator.part("child-link").first
    name = child.inner_text()
    child.click()
    expect(operator.part("execution-id")).to_have_text(name)
    operator.part("parent-link").click()
    expect(operator.part("execution-id")).to_have_text("seen")


def test_a_child_that_ends_is_shown_as_ended_without_a_reload(deployment: Deployment, operator: Tab) -> None:
    whole = grown(deployment, "ending")
    operator.open_execution("ending", "children")
    (leaf,) = (each for each in deployment.children("ending") if not deployment.children(each))
    deployment.http.post(f"/api/v1/executions/{leaf}/cancel", json={}).raise_for_status()
    expect(operator.part("child-execution", id=leaf, status="CANCELLED")).to_be_visible()
    expect(operator.part("child-execution", status="CANCELLED")).to_have_count(1)
    assert leaf in whole


def test_before_a_tree_is_cancelled_all_of_it_is_counted_and_then_all_of_it_is_hit(
    deployment: Deployment, operator: Tab
) -> None:
    whole = grown(deployment, "whole")
    operator.open_execution("whole", "children")
    operator.part("cancel-execution").click()
    summary = operator.part("dialog-summary", count=str(len(whole) + 1))
    expect(summary).to_contain_text(f"{len(whole)} open executions below it and 3 open tasks")
    assert {deployment.status(each) for each in whole}.isdisjoint({"CANCELLED", "CANCELLING"})
    operator.part("dialog-confirm").click()
    for each in whole:
        expect(operator.part("child-execution", id=each, status="CANCELLED")).to_be_visible()
        deployment.wait_status(each, "CANCELLED")


def test_an_execution_without_children_says_so(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="alone")
    operator.open_execution("alone", "children")
    expect(operator.part("panel-children").locator('[data-testid="empty"]')).to_be_visible()
    expect(operator.part("parent-link")).to_have_count(0)


def grown(deployment: Deployment, execution_id: str) -> Sequence[str]:
    """Start a tree; returns the ids below its root when all of it is there, its tasks run, and its agents wait."""
    deployment.start("delegating", TREE, execution_id=execution_id)

    def below() -> list[str]:
        children = deployment.children(execution_id)
        return [*children, *(each for child in children for each in deployment.children(child))]

    eventually(lambda: len(below()) == 4, "all of the tree is there")
    whole = below()
    for each in whole:
        if not deployment.children(each):
            deployment.wait_running(each)
    for each in (execution_id, *whole):
        deployment.wait_status(each, "WAITING")
    return whole
