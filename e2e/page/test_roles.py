"""A role decides which buttons there are, and the server checks each request again."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest
from playwright.sync_api import expect

from e2e.page.conftest import NewTab
from e2e.page.deployment import Deployment
from e2e.page.tab import Tab, selector

# Whatever changes something.
BUTTONS = (
    "bulk-cancel",
    "select-row",
    "select-page",
    "cancel-execution",
    "force-execution",
    "task-cancel",
    "task-force",
    "signal-send",
)
HEADERS = {"X-Rescind-Page": "1"}


@pytest.fixture
def viewer(new_tab: NewTab, deployment: Deployment) -> Tab:
    """A viewer has signed in."""
    return new_tab(deployment, deployment.tokens.viewer)


@pytest.fixture
def forgeries(deployment: Deployment, request: pytest.FixtureRequest) -> Sequence[tuple[str, str, object]]:
    """Requests that change an execution that runs, each as method, path and body."""
    execution_id = f"forged-{request.node.name}"
    deployment.start("holding", {"names": ["one"]}, execution_id=execution_id)
    (task_id,) = deployment.wait_running(execution_id)
    return (
        ("DELETE", f"/api/v1/tasks/{task_id}", None),
        ("DELETE", f"/tasks/{task_id}", None),
        ("POST", f"/api/v1/tasks/{task_id}/cancel", {"force": True}),
        ("POST", "/api/v1/tasks/cancel", {"where": {"execution_id": execution_id}}),
        ("POST", f"/api/v1/executions/{execution_id}/cancel", {}),
        ("POST", "/api/v1/executions/cancel", {"where": {"id_prefix": execution_id}}),
        ("POST", f"/api/v1/executions/{execution_id}/signal", {"name": "go"}),
        ("POST", "/api/v1/executions", {"kind": "patient"}),
        ("POST", "/api/v1/executions/stream", {"kind": "patient"}),
    )


def cookies_of(tab: Tab) -> dict[str, str]:
    return {str(each["name"]): str(each["value"]) for each in tab.context.cookies()}


def test_a_viewer_sees_what_an_operator_sees_and_no_button_that_changes_something(
    deployment: Deployment, viewer: Tab
) -> None:
    deployment.start("holding", {"names": ["one"]}, execution_id="seen")
    (task_id,) = deployment.wait_running("seen")
    expect(viewer.row("seen")).to_be_visible()
    expect_no_buttons(viewer)
    viewer.open_execution("seen", "timeline")
    viewer.bar(task_id).click()
    expect(viewer.part("task-detail")).to_be_visible()
    expect_no_buttons(viewer)
    viewer.part("tab-signals").click()
    expect_no_buttons(viewer)
    for name in ("cancel", "force", "end by force"):
        expect(viewer.page.get_by_role("button", name=name)).to_have_count(0)


def expect_no_buttons(tab: Tab) -> None:
    for name in BUTTONS:
        expect(tab.part(name).filter(visible=True)).to_have_count(0)


def test_what_a_viewer_forges_in_its_own_tab_is_refused(
    deployment: Deployment, viewer: Tab, forgeries: Sequence[tuple[str, str, object]]
) -> None:
    for method, path, body in forgeries:
        status, answer = viewer.fetch(path, method, body, HEADERS)
        assert (status, answer["error"]) == (403, "NotPermitted"), path
    deployment.wait_running(f"forged-{test_what_a_viewer_forges_in_its_own_tab_is_refused.__name__}")


def test_what_is_forged_with_a_viewers_cookie_is_refused(
    deployment: Deployment, viewer: Tab, forgeries: Sequence[tuple[str, str, object]]
) -> None:
    with httpx.Client(base_url=deployment.url, cookies=cookies_of(viewer), headers=HEADERS) as forger:
        assert forger.get("/api/v1/whoami").json()["roles"] == ["viewer"]
        for method, path, body in forgeries:
            answer = forger.request(method, path, json=body) if body is not None else forger.request(method, path)
            assert (answer.status_code, answer.json()["error"]) == (403, "NotPermitted"), path
    deployment.wait_running(f"forged-{test_what_is_forged_with_a_viewers_cookie_is_refused.__name__}")


def test_a_viewer_has_no_audit_not_even_by_its_address(viewer: Tab) -> None:
    for name in ("nav-executions", "nav-workers", "nav-stuck"):
        expect(viewer.part(name)).to_be_visible()
    expect(viewer.part("nav-audit")).to_have_count(0)
    viewer.open("/page/audit")
    expect(viewer.part("problem")).to_be_visible()
    expect(viewer.part("audit-record")).to_have_count(0)


def test_a_client_sees_and_cancels_what_it_started_and_nothing_else(deployment: Deployment, new_tab: NewTab) -> None:
    deployment.start("patient", execution_id="of-olga")
    own = {"authorization": f"Bearer {deployment.tokens.client}"}
    body = {"kind": "patient", "execution_id": "of-carl"}
    httpx.post(f"{deployment.url}/api/v1/executions", json=body, headers=own).raise_for_status()
    deployment.wait_status("of-carl", "WAITING")
    carl = new_tab(deployment, deployment.tokens.client)
    expect(carl.row("of-carl")).to_be_visible()
    assert carl.rows() == ["of-carl"]
    for name in ("nav-workers", "nav-stuck", "nav-audit"):
        expect(carl.part(name)).to_have_count(0)
    carl.open_execution("of-olga")
    expect(carl.part("problem")).to_contain_text("of-olga")
    carl.open_execution("of-carl")
    carl.part("cancel-execution").click()
    carl.part("dialog-confirm").click()
    expect(carl.part("execution-header").locator(selector("status", status="CANCELLED"))).to_be_visible()
    assert deployment.status("of-carl") == "CANCELLED"
