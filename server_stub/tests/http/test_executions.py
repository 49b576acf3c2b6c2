"""Executions over HTTP: started, listed, shown, signalled, cancelled."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from rescind.worker.connecting import Worker

from .calls import EXECUTIONS, start, status_of, tasks_of
from .work import eventually, happens

pytestmark = pytest.mark.asyncio


async def completed(http: httpx.AsyncClient, execution_id: str) -> None:
    async def has() -> bool:
        return await status_of(http, execution_id) == "COMPLETED"

    await eventually(has)


async def test_a_start_creates_once_and_is_recognised_again(http: httpx.AsyncClient) -> None:
    body = {"kind": "patient", "execution_id": "p/1", "input": {"a": [1, 2]}}
    first = await http.post(EXECUTIONS, json=body)
    assert (first.status_code, first.json()) == (201, {"execution_id": "p/1", "created": True})
    assert first.headers["location"] == f"{EXECUTIONS}/p%2F1"
    spaced = b'{"kind": "patient", "execution_id": "p/1", "input": { "a" : [1,   2] } }'
    again = await http.post(EXECUTIONS, content=spaced, headers={"content-type": "application/json"})
    assert (again.status_code, again.json()) == (200, {"execution_id": "p/1", "created": False})
    other = await http.post(EXECUTIONS, json={**body, "input": 2})
    assert (other.status_code, other.json()["error"]) == (409, "AlreadyExists")
    assert (await http.get(first.headers["location"])).json()["input"] == {"a": [1, 2]}


async def test_an_execution_is_shown_with_all_that_belongs_to_it(http: httpx.AsyncClient, worker: Worker) -> None:
    execution_id = await start(http, "echoing", {"word": "hallo"})
    await completed(http, execution_id)
    url = f"{EXECUTIONS}/{execution_id}"
    shown = (await http.get(url)).json()
    assert (shown["kind"], shown["output"], shown["checkpoint"]) == ("echoing", {"word": "hallo"}, 1)
    (entry,) = (await http.get(f"{url}/entries")).json()["entries"]
    assert (entry["role"], entry["content"]) == ("assistant", "it said {'word': 'hallo'}")
    (checkpoint,) = (await http.get(f"{url}/checkpoints")).json()["checkpoints"]
    assert (checkpoint["sequence"], checkpoint["state"]) == (1, {"answer": {"word": "hallo"}})
    (task,) = await tasks_of(http, execution_id)
    assert (task["kind"], task["status"], task["stop_state"], task["attempts"]) == ("echo", "COMPLETED", None, 1)


async def test_a_history_is_read_in_pages(http: httpx.AsyncClient, worker: Worker) -> None:
    execution_id = await start(http, "echoing", 1)
    await completed(http, execution_id)
    sequences: list[int] = []
    after: int | None = 0
    while after is not None:
        params = {"after": after, "limit": 4}
        page = (await http.get(f"{EXECUTIONS}/{execution_id}/history", params=params)).json()
        sequences += [event["sequence"] for event in page["events"]]
        assert len(page["events"]) <= 4
        after = page["next_after"]
    assert sequences == list(range(1, len(sequences) + 1))
    assert len(sequences) > 8


async def test_a_list_is_filtered_and_its_pages_stay_in_place(http: httpx.AsyncClient) -> None:
    for number in range(5):
        labels = {"number": str(number), "all": "yes"}
        queue = "odd" if number % 2 else "even"
        body = {"kind": "patient", "execution_id": f"l-{number}", "queue": queue, "labels": labels}
        await http.post(EXECUTIONS, json=body)
    first = (await http.get(EXECUTIONS, params={"page_size": 2})).json()
    await start(http, "patient", execution_id="later")
    rest = (await http.get(EXECUTIONS, params={"page_token": first["next_page_token"]})).json()
    ids = [each["execution_id"] for each in (*first["executions"], *rest["executions"])]
    assert ids == ["l-4", "l-3", "l-2", "l-1", "l-0"]
    assert rest["next_page_token"] == ""

    async def listed(**query: object) -> list[str]:
        page = await http.get(EXECUTIONS, params=query)  # type: ignore[arg-type]
        return [each["execution_id"] for each in page.json()["executions"]]

    assert await listed(queue="odd") == ["l-3", "l-1"]
    assert await listed(label=["all=yes", "number=2"]) == ["l-2"]
    assert await listed(label=["number=1", "number=2"]) == []
    await http.post(f"{EXECUTIONS}/l-1/cancel")
    assert await listed(status=["CANCELLED", "COMPLETED"]) == ["l-1"]
    created_at = (await http.get(f"{EXECUTIONS}/later")).json()["created_at"]
    assert await listed(created_after=created_at) == ["later"]


async def test_a_signal_reaches_the_agent_and_comes_too_late_when_it_has_ended(
    http: httpx.AsyncClient, worker: Worker
) -> None:
    execution_id = await start(http, "patient")
    sent = await http.post(f"{EXECUTIONS}/{execution_id}/signal", json={"name": "go", "value": [1]})
    assert (sent.status_code, sent.json()) == (200, {"sequence": 1})
    await completed(http, execution_id)
    assert (await http.get(f"{EXECUTIONS}/{execution_id}")).json()["output"] == [1]
    late = await http.post(f"{EXECUTIONS}/{execution_id}/signal", json={"name": "go"})
    assert (late.status_code, late.json()["error"]) == (409, "ExecutionEnded")


async def test_a_cancel_says_what_it_met_and_carries_its_reason(http: httpx.AsyncClient, worker: Worker) -> None:
    execution_id = await start(http, "hanging", "cancel-1")
    await happens("cancel-1 runs")
    url = f"{EXECUTIONS}/{execution_id}"
    answer = await http.post(f"{url}/cancel", json={"reason": "not needed", "mode": "WAIT"})
    assert (answer.status_code, answer.json()) == (200, {"result": "CANCELLED", "status": "CANCELLED"})
    await happens("cancel-1 stopped")
    again = await http.post(f"{url}/cancel")
    assert again.json() == {"result": "ALREADY_CANCELLED", "status": "CANCELLED"}
    assert (await http.get(url)).json()["cause"]["reason"] == "not needed"
    none = await http.post(f"{EXECUTIONS}/none/cancel", json={})
    assert (none.status_code, none.json()["result"], none.json()["error"]) == (404, "NOT_FOUND", "NotFound")


async def test_a_forced_cancel_ends_it_at_once(http: httpx.AsyncClient) -> None:
    execution_id = await start(http, "patient")
    answer = await http.post(f"{EXECUTIONS}/{execution_id}/cancel", json={"force": True})
    assert answer.json() == {"result": "CANCELLED", "status": "CANCELLED"}


async def test_many_are_cancelled_by_a_filter_and_counted_first(http: httpx.AsyncClient) -> None:
    await asyncio.gather(*(start(http, "patient", execution_id=f"m-{number}") for number in range(30)))
    await start(http, "echoing", execution_id="left")
    url, where = f"{EXECUTIONS}/cancel", {"kind": "patient"}
    dry = (await http.post(url, json={"where": where, "dry_run": True})).json()
    hits = {"executions": 30, "descendants": 0, "tasks": 0, "attempts": 0}
    assert dry == {"selected": 30, "counts": {}, "dry_run": True, "as_of": dry["as_of"], "hits": hits}
    done = (await http.post(url, json={"where": where, "reason": "too many"})).json()
    assert done == {"selected": 30, "counts": {"CANCELLED": 30}, "dry_run": False}
    assert (await http.post(url, json={"where": where})).json()["counts"] == {}
    assert await status_of(http, "left") == "PENDING"
    assert (await http.post(url, json={})).status_code == 400, "nobody cancels everything by forgetting the filter"


async def test_what_is_not_there_is_a_problem_with_its_name(http: httpx.AsyncClient) -> None:
    for path in ("", "/history", "/entries", "/checkpoints", "/events"):
        answer = await http.get(f"{EXECUTIONS}/none{path}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["error"], problem["status"]) == ("NotFound", 404)
        assert problem["message"].startswith("no execution 'none'")
        assert problem["action"]
