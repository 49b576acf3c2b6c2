"""Agents over flovyn's HTTP interface: its paths, its casing, its status codes."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest

from rescind.worker.connecting import Worker

from .rest import AGENTS, HERE, STRANGE, create_agent, ended, reached

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("worker")]


async def test_a_created_agent_is_answered_whole(http: httpx.AsyncClient) -> None:
    answer = await http.post(AGENTS, json={"kind": "nobody-runs-it", "input": {"a": 1}, "queue": "far", "new": True})
    assert answer.status_code == 201
    agent = answer.json()
    UUID(agent["id"])
    UUID(agent["orgId"])
    assert (agent["kind"], agent["status"], agent["queue"]) == ("nobody-runs-it", "PENDING", "far")
    assert (agent["input"], agent["output"], agent["error"], agent["completedAt"]) == ({"a": 1}, None, None, None)
    assert agent["currentCheckpointSeq"] == 0
    assert agent["createdAt"].endswith("Z")


async def test_an_agent_that_has_ended_shows_all_that_belongs_to_it(http: httpx.AsyncClient) -> None:
    path = f"{AGENTS}/{await create_agent(http, 'echoing', 'hello')}"
    agent = await ended(http, path)
    assert (agent["status"], agent["output"], agent["currentCheckpointSeq"]) == ("COMPLETED", "hello", 1)
    (task,) = (await http.get(f"{path}/tasks")).json()["tasks"]
    assert (task["kind"], task["status"], task["input"], task["output"]) == ("echo", "COMPLETED", "hello", "hello")
    assert task["executionCount"] == 1
    (checkpoint,) = (await http.get(f"{path}/checkpoints")).json()["checkpoints"]
    assert (checkpoint["sequence"], checkpoint["state"]) == (1, {"answer": "hello"})
    assert checkpoint["agentExecutionId"] == agent["id"]
    assert (await http.get(f"{path}/checkpoints/latest")).json() == checkpoint
    assert (await http.get(f"{path}/checkpoints/1")).json() == checkpoint
    (entry,) = (await http.get(f"{path}/entries")).json()["entries"]
    assert (entry["role"], entry["parentId"]) == ("assistant", None)
    assert checkpoint["leafEntryId"] == entry["id"]
    (attempt,) = (await http.get(f"{path}/tasks/{task['id']}/attempts")).json()["attempts"]
    assert (attempt["attempt"], attempt["status"], attempt["output"]) == (1, "COMPLETED", "hello")


async def test_a_failure_is_a_text(http: httpx.AsyncClient) -> None:
    path = f"{AGENTS}/{await create_agent(http, 'failing')}"
    agent = await ended(http, path)
    assert agent["status"] == "FAILED"
    assert "no luck" in agent["error"]
    (task,) = (await http.get(f"{path}/tasks")).json()["tasks"]
    (attempt,) = (await http.get(f"{path}/tasks/{task['id']}/attempts")).json()["attempts"]
    assert (attempt["status"], attempt["error"]) == ("FAILED", "no luck")


async def test_a_signal_resumes_an_agent_that_waits(http: httpx.AsyncClient) -> None:
    path = f"{AGENTS}/{await create_agent(http, 'patient')}"
    await reached(http, path, "WAITING")
    signalled = await http.post(f"{path}/signal", json={"signalName": "go", "signalValue": {"n": 1}})
    assert (signalled.status_code, signalled.json()) == (200, {"signaled": True, "agentResumed": True})
    assert (await ended(http, path))["output"] == {"n": 1}


async def test_a_signal_that_nobody_waits_for_resumes_nobody(http: httpx.AsyncClient) -> None:
    path = f"{AGENTS}/{await create_agent(http, 'patient')}"
    await reached(http, path, "WAITING")
    signalled = await http.post(f"{path}/signal", json={"signalName": "other"})
    assert signalled.json() == {"signaled": True, "agentResumed": False}


async def test_an_agent_that_has_ended_takes_no_signal(http: httpx.AsyncClient) -> None:
    path = f"{AGENTS}/{await create_agent(http, 'echoing')}"
    await ended(http, path)
    assert (await http.post(f"{path}/signal", json={"signalName": "go"})).status_code == 409


async def test_cancelling_an_agent_again_changes_nothing(http: httpx.AsyncClient) -> None:
    path = f"{AGENTS}/{await create_agent(http, 'hanging')}"
    await reached(http, path, "WAITING")
    assert (await http.delete(path)).status_code in (202, 204)
    assert (await ended(http, path))["status"] == "CANCELLED"
    assert (await http.delete(path)).status_code == 204
    (task,) = (await http.get(f"{path}/tasks")).json()["tasks"]
    assert task["status"] == "CANCELLED"


async def test_an_agent_that_has_completed_is_not_cancelled(http: httpx.AsyncClient) -> None:
    path = f"{AGENTS}/{await create_agent(http, 'echoing')}"
    await ended(http, path)
    assert (await http.delete(path)).status_code == 409


async def test_a_task_of_an_agent_is_cancelled_once(http: httpx.AsyncClient) -> None:
    path = f"{AGENTS}/{await create_agent(http, 'hanging')}"
    await reached(http, path, "WAITING")
    (task,) = (await http.get(f"{path}/tasks")).json()["tasks"]
    assert (await http.delete(f"{path}/tasks/{task['id']}")).status_code == 204
    assert (await http.delete(f"{path}/tasks/{task['id']}")).status_code == 204
    assert (await http.delete(f"{path}/tasks/{STRANGE}")).status_code == 404
    assert (await ended(http, path))["status"] == "FAILED"


async def test_a_list_has_parts_and_a_total(http: httpx.AsyncClient) -> None:
    made = [await create_agent(http, "nobody-runs-it") for _ in range(5)]
    await create_agent(http, "another")
    query = {"kind": "nobody-runs-it", "status": "PENDING", "limit": "2", "offset": "1"}
    page = (await http.get(AGENTS, params=query)).json()
    assert [each["id"] for each in page["agents"]] == [made[3], made[2]]
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 1)
    beyond = (await http.get(AGENTS, params=query | {"offset": "9"})).json()
    assert (beyond["agents"], beyond["total"]) == ([], 5)


@pytest.mark.parametrize("path", ["", "/signal", "/tasks", "/checkpoints", "/checkpoints/1", "/entries", "/stream"])
async def test_an_id_of_nothing_is_404_and_what_is_no_id_400(http: httpx.AsyncClient, path: str) -> None:
    method, body = ("POST", {"signalName": "go"}) if path == "/signal" else ("GET", None)
    for name, status in ((STRANGE, 404), ("no-uuid", 400), (STRANGE.replace("-", ""), 400)):
        answer = await http.request(method, f"{AGENTS}/{name}{path}", json=body)
        assert (answer.status_code, set(answer.json())) == (status, {"error", "code"}), answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", b"{"),
        ("", b'{"input": 1}'),
        ("", b'{"kind": ""}'),
        ("", b'{"kind": 5}'),
        ("", b'{"kind": "k", "queue": "' + b"q" * 101 + b'"}'),
        (f"/{STRANGE}/signal", b"{}"),
        (f"/{STRANGE}/signal", b'{"signalName": ""}'),
        (f"/{STRANGE}/signal", b"not json"),
    ],
)
async def test_what_cannot_be_meant_is_400(http: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await http.post(f"{AGENTS}{path}", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("query", ["status=LOST", "limit=0", "limit=x", "offset=-1", "limit=1&limit=2"])
async def test_a_query_that_cannot_be_meant_is_400(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.get(f"{AGENTS}?{query}")).status_code == 400
    assert (await http.get(f"{AGENTS}?unknown=1")).status_code == 200


async def test_a_path_or_method_that_is_not_served_is_told_in_the_same_shape(http: httpx.AsyncClient) -> None:
    missing = await http.get(f"{HERE}/nothing")
    assert (missing.status_code, set(missing.json())) == (404, {"error", "code"})
    wrong = await http.put(AGENTS)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, POST")


async def test_an_agent_of_our_own_interface_is_found_by_the_id_that_it_was_given(
    http: httpx.AsyncClient, worker: Worker
) -> None:
    await http.post("/api/v1/executions", json={"kind": "echoing", "execution_id": "my-own"})
    assert (await ended(http, f"{AGENTS}/my-own"))["id"] == "my-own"


async def test_the_agents_that_an_agent_has_started_are_listed_with_their_parent(http: httpx.AsyncClient) -> None:
    parent = await create_agent(http, "spawning")
    assert (await ended(http, f"{AGENTS}/{parent}"))["output"] == "from the parent"
    (child,) = (await http.get(f"{AGENTS}/{parent}/children")).json()["children"]
    assert (child["kind"], child["status"], child["parentExecutionId"]) == ("echoing", "COMPLETED", parent)
    assert (await http.get(f"{AGENTS}/{child['id']}/children")).json() == {"children": []}
