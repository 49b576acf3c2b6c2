"""What should never come, and does: each is a clear problem, and the server serves on."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from rescind_server.app import Server
from rescind_server.gateway.http import connections
from rescind_server.gateway.limits import Limits

from .calls import EXECUTIONS, TASKS, start

pytestmark = pytest.mark.asyncio
JSON = {"content-type": "application/json"}


def says(answer: httpx.Response, status: int, error: str, words: str = "") -> None:
    problem = answer.json()
    assert (answer.status_code, problem["error"], problem["status"]) == (status, error, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["message"] == problem["detail"]
    assert words in problem["message"]
    assert problem["action"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "missing required field `kind`"),
        (b"{", "truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b'{"kind": "a"} x', "trailing"),
        (b'{"kind": "a", "knid": 1}', "unknown field `knid`"),
        (b'{"kind": 7}', "Expected `str`, got `int` - at `$.kind`"),
        (b'{"kind": ""}', "length >= 1"),
        (b'{"kind": "%s"}' % (b"x" * 1_001), "length <= 1000"),
        (b'{"kind": "a", "labels": {"x": 1}}', "$.labels"),
        (b'{"kind": "a", "labels": {"rescind.on_disconnect": "CANCEL"}}', "the server's own"),
        (b'{"kind": "\xff"}', "utf-8"),
        (b'{"kind": "a", "input": "\xff"}', "utf-8"),
        (b'{"kind": "\\ud800"}', "cannot be read"),
        (b'{"kind": "a", "input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "cannot be read"),
        (b'{"kind": "a", "input": NaN}', "cannot be read"),
    ],
    ids=lambda each: str(each)[:40],
)
async def test_a_body_that_cannot_be_meant_is_refused(http: httpx.AsyncClient, body: bytes, words: str) -> None:
    answer = await http.post(EXECUTIONS, content=body, headers=JSON)
    says(answer, 400, "InvalidInput")
    assert words.lower() in answer.json()["message"].lower()
    await start(http, "patient")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{EXECUTIONS}/p/cancel", {"mode": "HARD"}),
        (f"{EXECUTIONS}/p/cancel", {"mode": "ABANDON"}),
        (f"{EXECUTIONS}/p/cancel", {"force": "yes"}),
        (f"{EXECUTIONS}/p/cancel", {"reason": "x" * 70_000}),
        (f"{EXECUTIONS}/p/signal", {"name": ""}),
        (f"{EXECUTIONS}/stream", {"kind": "patient", "on_disconnect": "LATER"}),
        (f"{EXECUTIONS}/stream", {"kind": "patient", "on_disconnect": "CANCEL_AFTER"}),
        (f"{EXECUTIONS}/stream", {"kind": "patient", "grace_ms": 5}),
        (f"{EXECUTIONS}/stream", {"kind": "patient", "on_disconnect": "CANCEL_AFTER", "grace_ms": -1}),
        (f"{EXECUTIONS}/cancel", {"where": {"status": "OPEN"}}),
        (f"{EXECUTIONS}/cancel", {"where": {"statuses": ["OPEN"]}}),
        (f"{EXECUTIONS}/cancel", {"where": {"created_before": "yesterday"}}),
        (f"{EXECUTIONS}/cancel", {"where": {"created_before": "2026-01-01T00:00:00"}}),
        (f"{TASKS}/cancel", {"where": None}),
    ],
    ids=lambda each: str(each)[:60],
)
async def test_a_value_that_cannot_be_meant_is_refused(http: httpx.AsyncClient, path: str, body: Any) -> None:
    await start(http, "patient", execution_id="p")
    says(await http.post(path, json=body), 400, "InvalidInput")


@pytest.mark.parametrize(
    "query",
    [
        "page_size=0",
        "page_size=1001",
        "page_size=many",
        "page_size=1&page_size=2",
        "page_token=x",
        "page_token=-1",
        "status=OPEN",
        "label=x",
        "colour=red",
        "created_after=soon",
        "created_after=0.5",
        "created_after=null",
        "created_after=0001-01-01T00:00:00Z",
        "created_before=9999-12-31T23:59:59.999999Z",
        "kind=",
        "kind=%ff",
        "kind=%E2%96%B8&queue=%E2%96%B8",
    ],
)
async def test_a_query_that_cannot_be_meant_is_refused(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"{EXECUTIONS}?{query}")
    if query.startswith("created_") and "Z" in query:
        assert answer.status_code == 200, "a time however far away can be meant"
    else:
        says(answer, 400, "InvalidInput")


@pytest.mark.parametrize("path", ["executions", "tasks", "counts", "events"])
async def test_a_label_without_its_value_is_refused_in_words(http: httpx.AsyncClient, path: str) -> None:
    for label in ("team", "=eu", ""):
        answer = await http.get(f"/api/v1/{path}", params={"label": label})
        says(answer, 400, "InvalidInput", "'label' in the query is no label with its value. Give NAME=VALUE.")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "json"])
async def test_a_body_that_does_not_say_it_is_json_is_refused(
    http: httpx.AsyncClient, content_type: str | None
) -> None:
    headers = {"content-type": content_type} if content_type is not None else {}
    answer = await http.post(EXECUTIONS, content=b'{"kind": "patient"}', headers=headers)
    says(answer, 415, "InvalidInput", "Send application/json")
    good = {"content-type": "application/json; charset=utf-8"}
    assert (await http.post(EXECUTIONS, content=b'{"kind": "patient"}', headers=good)).status_code == 201


@pytest.mark.parametrize("limits", [Limits(payload=1_000)])
async def test_what_is_too_large_is_refused_before_it_is_read_whole(http: httpx.AsyncClient) -> None:
    body = {"kind": "patient", "input": "x" * 2_000}
    says(await http.post(EXECUTIONS, json=body), 413, "PayloadTooLarge", "the input of agent 'patient'")
    huge = b'{"kind": "patient", "input": "' + b"x" * 2_000_000 + b'"}'
    says(await http.post(EXECUTIONS, content=huge, headers=JSON), 413, "PayloadTooLarge", "the body is larger than")

    async def chunks() -> Any:
        for start_at in range(0, len(huge), 10_000):
            yield huge[start_at : start_at + 10_000]

    says(await http.post(EXECUTIONS, content=chunks(), headers=JSON), 413, "PayloadTooLarge", "the body is larger")
    await start(http, "patient")


async def test_a_path_or_method_that_is_not_served_is_a_problem_too(http: httpx.AsyncClient) -> None:
    says(await http.get("/api/v2/executions"), 404, "NotFound", "GET /api/v2/executions is not served")
    answer = await http.put(EXECUTIONS)
    says(answer, 405, "RequestError", "PUT /api/v1/executions is not served")
    assert answer.headers["allow"] == "GET, HEAD, POST"
    says(await http.get(f"{TASKS}/cancel"), 405, "RequestError", "this path takes POST")


async def test_a_path_that_is_not_utf_8_is_refused(http: httpx.AsyncClient) -> None:
    says(await http.get(f"{EXECUTIONS}/%ff"), 400, "InvalidInput", "not UTF-8")


async def test_values_come_back_as_they_were_sent(http: httpx.AsyncClient) -> None:
    """Large numbers and their notation are kept: nothing decodes and encodes them on the way."""
    given = b'{"big":123456789012345678901234567890,"exact":1.10,"tiny":1e-400,"text":"\\u00e4\\n\xe2\x82\xac"}'
    body = b'{"kind":"patient","execution_id":"v","input":' + given + b"}"
    assert (await http.post(EXECUTIONS, content=body, headers=JSON)).status_code == 201
    assert given in (await http.get(f"{EXECUTIONS}/v")).content


@pytest.mark.parametrize(
    "line",
    [b"x: " + b"a" * 200_000, b"".join(b"x%d: y\r\n" % number for number in range(20_000))],
    ids=["one long line", "many lines"],
)
async def test_a_head_that_has_no_end_is_cut_off(server: Server, line: bytes) -> None:
    host, port = str(server.http_address).rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /health HTTP/1.1\r\nhost: localhost\r\n" + line)
    assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_a_connection_that_says_nothing_is_closed(
    server: Server, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_TIME_S", 0.01)
    host, port = str(server.http_address).rsplit(":", 1)
    for begun in (b"", b"GET /hea"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(begun)
        assert await reader.read() == b""
        writer.close()
    assert (await http.get("/health")).status_code == 200
