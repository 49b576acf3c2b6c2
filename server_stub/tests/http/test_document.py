"""The OpenAPI document: every route is in it, and what is answered is what it says."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema
import pytest
from starlette.routing import Route

from rescind.worker.connecting import Worker
from rescind_server.app import Server

from .calls import EXECUTIONS, TASKS, start, tasks_of
from .documents import check_whole
from .work import happens

pytestmark = pytest.mark.asyncio


async def test_every_route_is_in_the_document(server: Server, http: httpx.AsyncClient) -> None:
    assert server.http_gateway is not None
    document = (await http.get("/openapi.json")).json()
    served = {
        (method.lower(), route.path)
        for route in server.http_gateway.routes
        if isinstance(route, Route) and route.path != "/openapi.json"
        for method in route.methods or ()
        if method != "HEAD"
    }
    described = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert described == served
    assert document["openapi"].startswith("3.1")


async def test_the_document_is_whole(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    check_whole(document)


class Checked:
    """Calls, each of whose answers is compared with the document."""

    def __init__(self, http: httpx.AsyncClient, document: dict[str, Any]) -> None:
        self._http = http
        self._document = document
        self.seen: set[tuple[str, str, int]] = set()

    async def call(self, method: str, path: str, status: int, **given: Any) -> Any:
        """Make a call by its path in the document, `{}` filled from `ids`."""
        ids = given.pop("ids", {})
        answer = await self._http.request(method, path.format(**ids), **given)
        assert answer.status_code == status, answer.text
        described = self._document["paths"][path][method.lower()]["responses"][str(status)]
        media_type = answer.headers["content-type"].partition(";")[0]
        schema = described["content"][media_type]["schema"]
        whole = {"components": self._document["components"], **schema}
        jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(answer.json())
        self.seen.add((method, path, status))
        return answer.json()


async def test_every_answer_is_what_the_document_says(http: httpx.AsyncClient, worker: Worker) -> None:
    document = (await http.get("/openapi.json")).json()
    checked = Checked(http, document)
    one, task = EXECUTIONS + "/{execution_id}", TASKS + "/{task_id}"
    hanging = await start(http, "hanging", "document-1")
    await happens("document-1 runs")
    (running,) = await tasks_of(http, hanging)
    for kind in ("echoing", "failing", "patient"):
        await start(http, kind, {"a": [None, 1.5, "x"]} if kind == "echoing" else None, kind)
    for execution_id in ("echoing", "failing"):
        await http.post(f"{EXECUTIONS}/{execution_id}/cancel", json={"mode": "WAIT"})
    ids, none = {"execution_id": "echoing", "task_id": running["task_id"]}, {"execution_id": "none", "task_id": hanging}
    start_body, signal_body = {"kind": "patient", "execution_id": "new"}, {"name": "go"}
    await checked.call("POST", EXECUTIONS, 201, json=start_body)
    await checked.call("POST", EXECUTIONS, 200, json=start_body)
    await checked.call("POST", EXECUTIONS, 409, json={**start_body, "kind": "other"})
    await checked.call("POST", EXECUTIONS, 400, json={})
    await checked.call("POST", EXECUTIONS, 415, content=b"a=b")
    await checked.call("GET", EXECUTIONS, 200)
    await checked.call("GET", EXECUTIONS, 400, params={"page_size": 0})
    for execution_id in ("echoing", "failing", hanging):
        await checked.call("GET", one, 200, ids={"execution_id": execution_id})
        for part in ("history", "entries", "checkpoints"):
            await checked.call("GET", f"{one}/{part}", 200, ids={"execution_id": execution_id})
    await checked.call("GET", one, 404, ids=none)
    await checked.call("POST", f"{one}/signal", 200, ids={"execution_id": "patient"}, json=signal_body)
    await checked.call("POST", f"{one}/signal", 409, ids=ids, json=signal_body)
    await checked.call("POST", f"{one}/retry", 409, ids=ids, json={})
    await checked.call("POST", f"{one}/retry", 404, ids=none, json={})
    await checked.call("GET", TASKS, 200)
    await checked.call("GET", task, 200, ids=ids)
    await checked.call("DELETE", task, 404, ids=none)
    await checked.call("DELETE", "/tasks/{task_id}", 404, ids=none)
    await checked.call("DELETE", task, 200, ids=ids)
    await happens("document-1 stopped")
    await checked.call("DELETE", task, 400, ids=ids)
    await checked.call("DELETE", "/tasks/{task_id}", 400, ids=ids)
    await checked.call("POST", f"{task}/cancel", 400, ids=ids, json={"mode": "WAIT"})
    await checked.call("POST", f"{one}/cancel", 200, ids={"execution_id": "new"})
    await checked.call("POST", f"{one}/cancel", 404, ids=none)
    await checked.call("POST", f"{EXECUTIONS}/cancel", 200, json={"where": {"kind": "patient"}})
    await checked.call("POST", f"{TASKS}/cancel", 200, json={"where": {}, "dry_run": True})
    overviews = ("counts", "audit", "whoami", "workers", "stuck")
    for path in (*(f"/api/v1/{each}" for each in overviews), "/stuck", "/health", "/ready"):
        await checked.call("GET", path, 200)
