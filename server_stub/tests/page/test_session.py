"""Signing in: the token in a cookie that no script reads, and what a browser may ask for with it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from rescind_server.access.token_file import TokenFile
from rescind_server.access.tokens import Role
from rescind_server.app import Server
from server_stub.tests.http.calls import EXECUTIONS, start, status_of
from server_stub.tests.http.guarded import Guarded, now
from server_stub.tests.http.work import LONGEST

pytestmark = pytest.mark.asyncio
SESSION = "/api/v1/session"
FROM_PAGE = {"x-rescind-page": "1"}


async def signed_in(guarded: Guarded, name: str = "ops", role: Role = Role.OPERATOR) -> httpx.AsyncClient:
    """A browser that signed in: it has the cookie, and sends what the page sends."""
    browser = await guarded.http(None)
    answer = await browser.post(SESSION, json={"token": guarded.token(name, role)})
    assert answer.status_code == 200, answer.text
    return browser


async def test_the_cookie_is_kept_from_scripts_and_other_sites(guarded: Guarded) -> None:
    browser = await guarded.http(None)
    token = guarded.token("ops", Role.OPERATOR)
    origin = f"http://{guarded.server.http_address}"
    answer = await browser.post(SESSION, json={"token": token}, headers={"origin": origin})
    attributes = {each.strip() for each in answer.headers["set-cookie"].split(";")[1:]}
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= attributes
    assert "Secure" not in attributes
    assert answer.json()["by"] == "operator:ops"


async def test_over_tls_the_cookie_is_never_sent_in_the_clear(guarded: Guarded) -> None:
    browser = await guarded.http(None)
    token = guarded.token("ops", Role.OPERATOR)
    secure = {"origin": "https://rescind.example", "host": "rescind.example"}
    answer = await browser.post(SESSION, json={"token": token}, headers=secure)
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("token", ["nonsense", "rescind_000000000000_" + "x" * 43, 'a"b', "a; b", "é"])
async def test_a_token_that_is_not_valid_signs_nobody_in(guarded: Guarded, token: str) -> None:
    browser = await guarded.http(None)
    answer = await browser.post(SESSION, json={"token": token})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert token not in answer.text


async def test_the_cookie_counts_as_the_token_in_it(guarded: Guarded) -> None:
    browser = await signed_in(guarded)
    assert (await browser.get("/api/v1/whoami")).json()["by"] == "operator:ops"
    answer = await browser.post(EXECUTIONS, json={"kind": "patient", "execution_id": "p"}, headers=FROM_PAGE)
    assert answer.status_code == 201
    assert (await browser.get(f"{EXECUTIONS}/p")).json()["created_by"] == "operator:ops"


async def test_who_signs_out_is_nobody(guarded: Guarded) -> None:
    browser = await signed_in(guarded)
    assert (await browser.delete(SESSION, headers=FROM_PAGE)).status_code == 204
    assert (await browser.get("/api/v1/whoami")).status_code == 401


async def test_a_revoked_token_signs_its_browser_out(guarded: Guarded) -> None:
    browser = await guarded.http(None)
    token = guarded.token("ops", Role.OPERATOR)
    await browser.post(SESSION, json={"token": token})
    guarded.file.revoke(token.split("_")[1], guarded.server.host.now())
    assert (await browser.get("/api/v1/whoami")).status_code == 401


async def test_a_change_with_the_cookie_alone_is_refused(guarded: Guarded) -> None:
    browser = await signed_in(guarded)
    operator = await guarded.operator()
    await start(operator, "patient", execution_id="p")
    forged = await browser.post(f"{EXECUTIONS}/p/cancel")
    assert (forged.status_code, forged.json()["error"]) == (403, "NotPermitted")
    assert await status_of(operator, "p") == "PENDING"
    assert (await browser.post(f"{EXECUTIONS}/p/cancel", headers=FROM_PAGE)).status_code == 200


FOREIGN = [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]


@pytest.mark.parametrize("foreign", FOREIGN)
async def test_a_change_from_another_site_is_refused_also_where_nobody_signs_in(
    http: httpx.AsyncClient, foreign: dict[str, str]
) -> None:
    await start(http, "patient", execution_id="p")
    forged = await http.post(f"{EXECUTIONS}/p/cancel", headers=foreign | FROM_PAGE)
    assert forged.status_code == 403
    assert await status_of(http, "p") == "PENDING"
    assert (await http.get(f"{EXECUTIONS}/p", headers=foreign)).status_code == 200


async def test_a_token_in_the_header_counts_before_the_cookie(guarded: Guarded) -> None:
    browser = await signed_in(guarded)
    bearer = {"authorization": f"Bearer {guarded.token('web', Role.CLIENT)}"}
    assert (await browser.get("/api/v1/whoami", headers=bearer)).json()["by"] == "client:web"


async def test_without_the_page_nobody_signs_in_and_no_cookie_is_taken(tmp_path: Path) -> None:
    token = TokenFile(tmp_path / "store.db.tokens").create("ops", Role.OPERATOR, now())[1]
    async with (
        Server(tmp_path / "store.db", "127.0.0.1:0", http_address="127.0.0.1:0", page=False) as server,
        httpx.AsyncClient(base_url=f"http://{server.http_address}", timeout=LONGEST) as browser,
    ):
        for method in ("POST", "DELETE"):
            answer = await browser.request(method, SESSION, json={"token": token}, headers=FROM_PAGE)
            assert (answer.status_code, answer.headers.get("set-cookie")) == (404, None)
        browser.cookies.set("rescind_session", token)
        assert (await browser.get("/api/v1/whoami", headers=FROM_PAGE)).status_code == 401
        bearer = {"authorization": f"Bearer {token}"}
        assert (await browser.get("/api/v1/whoami", headers=bearer)).json()["by"] == "operator:ops"


async def test_a_viewer_sees_everything_and_changes_nothing(guarded: Guarded) -> None:
    operator = await guarded.operator()
    await start(operator, "patient", execution_id="p")
    viewer = await signed_in(guarded, "eve", Role.VIEWER)
    for path in (EXECUTIONS, f"{EXECUTIONS}/p", f"{EXECUTIONS}/p/history", "/api/v1/workers", "/api/v1/stuck"):
        assert (await viewer.get(path)).status_code == 200, path
    assert (await viewer.get("/api/v1/audit")).status_code == 403
    many = {"where": {"kind": "patient"}}
    for path, body in (
        (EXECUTIONS, {"kind": "patient"}),
        (f"{EXECUTIONS}/p/cancel", {}),
        (f"{EXECUTIONS}/p/signal", {"name": "go"}),
        (f"{EXECUTIONS}/cancel", many),
        (f"{EXECUTIONS}/cancel", many | {"dry_run": True}),
        ("/api/v1/tasks/cancel", {"where": {}}),
        ("/api/v1/tasks/00000000-0000-4000-8000-000000000000/cancel", {}),
    ):
        assert (await viewer.post(path, json=body, headers=FROM_PAGE)).status_code == 403, path
    assert await status_of(operator, "p") == "PENDING"


async def test_a_viewer_that_leaves_takes_nothing_with_it(guarded: Guarded) -> None:
    web = await guarded.client("web")
    body = {"kind": "patient", "execution_id": "p", "on_disconnect": "CANCEL_AFTER", "grace_ms": 600_000}
    async with web.stream("POST", f"{EXECUTIONS}/stream", json=body) as started:
        await anext(started.aiter_lines())
        viewer = await signed_in(guarded, "eve", Role.VIEWER)
        async with viewer.stream("GET", f"{EXECUTIONS}/p/events", params={"attach": True}) as events:
            await anext(events.aiter_lines())
        assert guarded.server.http_gateway is not None
        assert await status_of(web, "p") == "PENDING"
