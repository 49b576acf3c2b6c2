"""Signing in and out, and what keeps other sites and scripts away from the session."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from playwright.sync_api import expect

from e2e.page.conftest import NewTab
from e2e.page.deployment import Deployment
from e2e.page.tab import Tab
from rescind.model.ids import Instant
from rescind_server.access.token_file import TokenFile, beside
from rescind_server.access.tokens import Role, parts_of

COOKIE = "rescind_session"


def test_who_has_not_signed_in_sees_nothing_but_the_form(deployment: Deployment, new_tab: NewTab) -> None:
    deployment.start("patient", execution_id="secret")
    tab = new_tab(deployment)
    for path in ("/", "/page/executions", "/page/executions/secret", "/page/workers", "/page/audit"):
        tab.open(path)
        expect(tab.view("sign-in")).to_be_visible()
        expect(tab.page.get_by_text("patient")).to_have_count(0)


def test_a_wrong_token_is_refused_in_words_and_can_be_mended(deployment: Deployment, new_tab: NewTab) -> None:
    tab = new_tab(deployment)
    tab.open()
    tab.part("sign-in-token").fill("rescind_0123456789ab_" + "x" * 43)
    tab.part("sign-in-submit").click()
    expect(tab.part("sign-in-problem")).to_contain_text("token")
    assert tab.context.cookies() == []
    tab.part("sign-in-token").fill(deployment.tokens.operator)
    tab.part("sign-in-token").press("Enter")
    expect(tab.view("executions")).to_be_visible()


def test_one_comes_to_the_view_that_was_asked_for(deployment: Deployment, new_tab: NewTab) -> None:
    tab = new_tab(deployment)
    tab.open("/page/workers")
    tab.part("sign-in-token").fill(deployment.tokens.operator)
    tab.part("sign-in-submit").click()
    expect(tab.view("workers")).to_be_visible()


def test_the_token_is_kept_in_a_cookie_that_no_script_reads_and_nowhere_else(
    deployment: Deployment, operator: Tab
) -> None:
    (cookie,) = operator.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (COOKIE, True, "Strict")
    kept = operator.page.evaluate(
        "[document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), location.href, name]"
    )
    assert not any(deployment.tokens.operator in each for each in kept)
    assert deployment.tokens.operator not in operator.page.content()
    assert kept[0] == ""


def test_signing_out_removes_the_session_also_from_the_way_back(deployment: Deployment, operator: Tab) -> None:
    operator.part("nav-workers").click()
    expect(operator.view("workers")).to_be_visible()
    operator.part("sign-out").click()
    expect(operator.view("sign-in")).to_be_visible()
    assert operator.context.cookies() == []
    operator.page.go_back()
    expect(operator.view("sign-in")).to_be_visible()
    expect(operator.part("worker")).to_have_count(0)


def test_a_revoked_token_ends_the_session(deployment: Deployment, new_tab: NewTab) -> None:
    file, now = TokenFile(beside(deployment.store)), Instant(time.time_ns() // 1_000)
    token, text = file.create("rita", Role.OPERATOR, now)
    tab = new_tab(deployment, text)
    file.revoke(token.token_id, Instant(time.time_ns() // 1_000))
    # By its address: the page may have noticed already, and its menu be gone before a click lands.
    tab.page.goto(f"{deployment.url}/page/workers")
    expect(tab.view("sign-in")).to_be_visible()
    assert parts_of(text)[0] == token.token_id


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="without the page's header"),
        pytest.param({"X-Rescind-Page": "1", "Origin": "https://elsewhere.example"}, id="from another origin"),
        pytest.param({"X-Rescind-Page": "1", "Origin": "null"}, id="from an origin that is hidden"),
        pytest.param({"X-Rescind-Page": "1", "Sec-Fetch-Site": "cross-site"}, id="from another site"),
    ],
)
def test_a_request_with_the_cookie_that_the_page_did_not_send_is_refused(
    deployment: Deployment, operator: Tab, headers: dict[str, str]
) -> None:
    execution_id = deployment.start("patient", execution_id=f"forged-{len(headers)}-{'-'.join(headers.values())[-5:]}")
    (cookie,) = operator.context.cookies()
    cookies = {str(cookie["name"]): str(cookie["value"])}
    with httpx.Client(base_url=deployment.url, cookies=cookies, headers=headers) as forger:
        answer = forger.post(f"/api/v1/executions/{execution_id}/cancel", json={})
    assert (answer.status_code, answer.json()["error"]) == (403, "NotPermitted")
    assert deployment.status(execution_id) != "CANCELLED"


@contextmanager
def site_of_somebody_else(document: str) -> Iterator[str]:
    """A document at another port: for a browser another origin, though its cookies know no ports."""

    class Serve(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(document.encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Serve) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            serving.join()


def test_a_form_of_another_site_that_the_browser_sends_with_the_cookie_is_refused(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("patient", execution_id="bait")
    target = f"{deployment.url}/api/v1/executions/bait/cancel"
    form = f"""<form method="post" action="{target}" enctype="text/plain">
        <input name='{{"reason": "' value='"}}'></form><script>document.forms[0].submit()</script>"""
    with site_of_somebody_else(form) as site:
        visited = operator.context.new_page()
        with visited.expect_response(target) as answered:
            visited.goto(site)
        assert answered.value.status == 403
        visited.close()
    operator.problems.clear()  # the other site is another host, and its window was opened: by this test
    assert deployment.status("bait") != "CANCELLED"


def test_every_part_of_the_page_comes_with_a_policy_that_allows_nothing_from_elsewhere(
    deployment: Deployment, operator: Tab
) -> None:
    answer = operator.page.goto(f"{deployment.url}/page/executions")
    assert answer is not None
    policy = {}
    for part in answer.headers["content-security-policy"].split(";"):
        name, *sources = part.split()
        policy[name] = set(sources)
    assert policy["default-src"] == {"'none'"}
    for name in ("script-src", "style-src", "connect-src"):
        assert policy[name] == {"'self'"}
    assert policy["frame-ancestors"] == policy["base-uri"] == {"'none'"}
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_policy_holds(operator: Tab) -> None:
    # A script element with a text of its own, as an injected one would be.
    with operator.page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        operator.page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "window.ran = 1";
                document.body.append(script);
            }"""
        )
    assert operator.page.evaluate("window.ran") is None
    operator.problems.clear()  # this test made them


def test_where_no_tokens_are_asked_for_nobody_signs_in(open_deployment: Deployment, new_tab: NewTab) -> None:
    tab = new_tab(open_deployment)
    tab.open()
    expect(tab.view("executions")).to_be_visible()
    expect(tab.part("sign-out")).to_have_count(0)
