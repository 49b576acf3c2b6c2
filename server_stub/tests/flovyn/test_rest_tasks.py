"""Tasks that belong to nothing else, over flovyn's HTTP interface."""

from __future__ import annotations

import httpx
import pytest

from rescind.worker.connecting import Worker

from .rest import AGENTS, STRANGE, TASKS, create_agent, ended, reached

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("worker")]


async def test_a_task_of_its_own_runs_and_is_shown(http: httpx.AsyncClient) -> None:
    answer = await http.post(TASKS, json={"kind": "echo", "input": {"a": 1}, "maxRetries": 99})
    assert answer.status_code == 201
    task = answer.json()
    assert (task["kind"], task["queue"], task["maxRetries"]) == ("echo", "default", 10)
    found = await ended(http, f"{TASKS}/{task['id']}")
    assert (found["status"], found["output"], found["error"]) == ("COMPLETED", {"a": 1}, None)
    (attempt,) = (await http.get(f"{TASKS}/{task['id']}/attempts")).json()["attempts"]
    assert (attempt["status"], attempt["output"], attempt["attempt"]) == ("COMPLETED", {"a": 1}, 1)
    logs = (await http.get(f"{TASKS}/{task['id']}/logs")).json()
    assert (logs["logs"], logs["total"], logs["limit"]) == ([], 0, 50)


async def test_a_task_is_cancelled_once(http: httpx.AsyncClient) -> None:
    path = f"{TASKS}/{(await http.post(TASKS, json={'kind': 'hang', 'input': None})).json()['id']}"
    await reached(http, path, "RUNNING")
    assert (await http.delete(path)).status_code == 204
    assert (await ended(http, path))["status"] == "CANCELLED"
    assert (await http.delete(path)).status_code == 204


async def test_a_task_that_has_completed_is_not_cancelled(http: httpx.AsyncClient) -> None:
    path = f"{TASKS}/{(await http.post(TASKS, json={'kind': 'echo'})).json()['id']}"
    await ended(http, path)
    assert (await http.delete(path)).status_code == 400


async def test_a_list_has_parts_and_a_total(http: httpx.AsyncClient) -> None:
    made = [(await http.post(TASKS, json={"kind": "nobody-runs-it"})).json()["id"] for _ in range(4)]
    done = (await http.post(TASKS, json={"kind": "echo"})).json()["id"]
    await ended(http, f"{TASKS}/{done}")
    page = (await http.get(TASKS, params={"status": "PENDING", "limit": "2", "offset": "1"})).json()
    assert [each["id"] for each in page["tasks"]] == [made[2], made[1]]
    assert (page["total"], page["limit"], page["offset"]) == (4, 2, 1)
    page = (await http.get(TASKS, params={"status": "COMPLETED"})).json()
    assert [each["id"] for each in page["tasks"]] == [done]
    assert (await http.get(AGENTS)).json()["agents"] == []


async def test_tasks_of_agents_are_not_seen_here(http: httpx.AsyncClient, worker: Worker) -> None:
    path = f"{AGENTS}/{await create_agent(http, 'echoing')}"
    await ended(http, path)
    (task,) = (await http.get(f"{path}/tasks")).json()["tasks"]
    for name in (task["id"], STRANGE, path.rpartition("/")[2]):
        assert (await http.get(f"{TASKS}/{name}")).status_code == 404
        assert (await http.delete(f"{TASKS}/{name}")).status_code == 404
        assert (await http.get(f"{TASKS}/{name}/attempts")).status_code == 404
    assert (await http.get(f"{TASKS}/no-uuid")).status_code == 400


@pytest.mark.parametrize("query", ["status=LOST", "limit=0", "limit=101", "offset=-1"])
async def test_a_query_that_cannot_be_meant_is_400(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.get(f"{TASKS}?{query}")).status_code == 400


async def test_what_cannot_be_started_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.post(TASKS, json={})).status_code == 400
    assert (await http.post(TASKS, json={"kind": "echo", "queue": "q" * 101})).status_code == 400
    later = await http.post(TASKS, json={"kind": "echo", "scheduledAt": "2030-01-01T00:00:00Z"})
    assert later.status_code == 501
