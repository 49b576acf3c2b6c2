"""Tasks over HTTP, found by their own ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from rescind.worker.connecting import Worker
from rescind_server.app import Server

from .calls import EXECUTIONS, TASKS, start, tasks_of
from .work import AGENTS, LONGEST, eventually, happens
from .work import TASKS as WORK

pytestmark = pytest.mark.asyncio
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def hanging_task(http: httpx.AsyncClient, name: str) -> str:
    """The id of a task that runs."""
    execution_id = await start(http, "hanging", name)
    await happens(f"{name} runs")
    (task,) = await tasks_of(http, execution_id)
    return str(task["task_id"])


async def test_a_task_is_cancelled_by_its_id_alone(http: httpx.AsyncClient, worker: Worker) -> None:
    task_id = await hanging_task(http, "delete-1")
    answer = await http.delete(f"{TASKS}/{task_id}", params={"reason": "enough"})
    assert (answer.status_code, answer.json()) == (200, {"message": "task cancelled", "result": "CANCELLED"})
    await happens("delete-1 stopped")

    async def has_stopped() -> bool:
        shown = (await http.get(f"{TASKS}/{task_id}")).json()
        assert (shown["status"], shown["cause"]["reason"]) == ("CANCELLED", "enough")
        return bool(shown["stop_state"] == "STOPPED")

    await eventually(has_stopped)


async def test_a_task_that_has_ended_keeps_its_end(http: httpx.AsyncClient, worker: Worker) -> None:
    task_id = await hanging_task(http, "delete-2")
    await http.delete(f"{TASKS}/{task_id}")
    again = await http.delete(f"{TASKS}/{task_id}")
    assert (again.status_code, again.json()["result"]) == (400, "ALREADY_CANCELLED")
    execution_id = await start(http, "echoing", 1)

    async def is_over() -> bool:
        tasks = await tasks_of(http, execution_id)
        return bool(tasks) and tasks[0]["status"] == "COMPLETED"

    await eventually(is_over)
    (task,) = await tasks_of(http, execution_id)
    late = await http.delete(f"{TASKS}/{task['task_id']}")
    assert (late.status_code, late.json()["result"]) == (400, "ALREADY_COMPLETED")
    assert late.json()["message"] == "task has already completed; its end stands."


async def test_a_task_that_is_not_there_is_not_found(http: httpx.AsyncClient) -> None:
    for answer in (await http.delete(f"{TASKS}/{UNKNOWN}"), await http.post(f"{TASKS}/{UNKNOWN}/cancel", json={})):
        assert (answer.status_code, answer.json()["result"]) == (404, "NOT_FOUND")
        assert answer.json()["message"].startswith(f"no task '{UNKNOWN}'")
    assert (await http.get(f"{TASKS}/{UNKNOWN}")).status_code == 404
    malformed = await http.delete(f"{TASKS}/seven")
    assert (malformed.status_code, malformed.json()["error"]) == (400, "InvalidInput")
    assert "result" not in malformed.json()


async def test_tasks_are_listed_and_cancelled_by_a_filter(http: httpx.AsyncClient, worker: Worker) -> None:
    task_id = await hanging_task(http, "filter-1")
    await hanging_task(http, "filter-2")
    listed = (await http.get(TASKS, params={"worker_id": "w-1", "kind": "hang", "page_size": 1})).json()
    assert [each["task_id"] for each in listed["tasks"]] == [task_id]
    where = {"worker_id": "w-1", "agent": "hanging"}
    url = f"{TASKS}/cancel"
    assert (await http.post(url, json={"where": where, "dry_run": True})).json()["selected"] == 2
    assert (await http.post(url, json={"where": where})).json()["counts"] == {"CANCELLED": 2}
    for name in ("filter-1", "filter-2"):
        await happens(f"{name} stopped")


async def test_a_task_is_found_by_its_id_behind_a_restart(tmp_path: Path) -> None:
    """Its execution has left the server's memory."""

    async def served(ask: Any) -> Any:
        async with (
            Server(tmp_path / "store.db", "127.0.0.1:0", http_address="127.0.0.1:0") as server,
            httpx.AsyncClient(base_url=f"http://{server.http_address}", timeout=LONGEST) as http,
        ):
            return await ask(server, http)

    async def first(server: Server, http: httpx.AsyncClient) -> str:
        async with Worker(server.address, agents=AGENTS, tasks=WORK):
            task_id = await hanging_task(http, "restart-1")
            (task,) = (await http.get(TASKS)).json()["tasks"]
            await http.post(f"{EXECUTIONS}/{task['execution_id']}/cancel", json={"mode": "WAIT"})
            await happens("restart-1 stopped")
        return task_id

    async def second(server: Server, http: httpx.AsyncClient) -> httpx.Response:
        return await http.delete(f"{TASKS}/{task_id}")

    task_id = await served(first)
    answer = await served(second)
    assert (answer.status_code, answer.json()["result"]) == (400, "ALREADY_CANCELLED")
