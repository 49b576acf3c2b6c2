"""A name of another site that leads to this machine: its pages are not the server's own (DNS rebinding)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from e2e.page.deployment import Deployment, deployed
from e2e.page.tab import CHROMIUM

_LED_HERE: Final = "--host-resolver-rules=MAP evil.example 127.0.0.1"
_STATUS: Final = """([path, method, body]) => fetch(path, {
    method, body, headers: body ? {"content-type": "application/json"} : {},
}).then(answer => answer.status)"""


def test_a_site_whose_name_leads_here_reads_and_changes_nothing(open_deployment: Deployment, browser: Browser) -> None:
    open_deployment.start("patient", execution_id="spared")
    port = open_deployment.url.rpartition(":")[2]
    led_here = browser.browser_type.launch(executable_path=CHROMIUM, args=[_LED_HERE])
    try:
        page = led_here.new_page()
        answer = page.goto(f"http://evil.example:{port}/page/executions")
        assert answer is not None
        assert (answer.status, answer.json()["error"]) == (403, "NotPermitted")
        # Scripts of that site have the same origin as this answer, and may read whatever the server tells them.
        for asked in (
            ("/api/v1/executions", "GET", None),
            ("/api/v1/executions/spared/cancel", "POST", "{}"),
            ("/api/v1/executions", "POST", '{"kind": "patient"}'),
        ):
            assert page.evaluate(_STATUS, list(asked)) == 403, asked
    finally:
        led_here.close()
    assert open_deployment.status("spared") in ("PENDING", "RUNNING", "WAITING")


def test_a_name_that_the_server_was_given_is_one_of_its_own(tmp_path: Path) -> None:
    with deployed(tmp_path, "--http-name", "agents.example", asks_for_tokens=False) as deployment:
        for host, status in (("agents.example", 200), ("evil.example", 403)):
            assert deployment.http.get("/page/executions", headers={"host": host}).status_code == status
