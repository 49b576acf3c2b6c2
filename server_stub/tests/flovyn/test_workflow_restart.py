"""What was answered over flovyn.v1 about workflows is there after a restart."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from rescind_server.app import Server

from .rest import AGENTS, HERE, TASKS, WORKFLOWS, http_client
from .workflow_calls import command, connected, refused

pytestmark = pytest.mark.asyncio


def server_on(folder: Path) -> Server:
    """A server on one file."""
    return Server(folder / "store.db", "127.0.0.1:0", http_address="127.0.0.1:0")


async def test_a_restart_keeps_workflows_their_logs_and_what_each_execution_is(tmp_path: Path) -> None:
    async with server_on(tmp_path) as server, connected(server) as calls, http_client(server) as http:
        ended = await calls.claimed("ended")
        await calls.submit(
            ended, command("set_state", key="k", value=b"1"), command("complete_workflow"), status="COMPLETED"
        )
        waiting = await calls.claimed("waiting")
        await calls.submit(waiting, command("create_promise", promise_id="p"), command("suspend_workflow"))
        agent = (await http.post(AGENTS, json={"kind": "a"})).json()["id"]
        task = (await http.post(TASKS, json={"kind": "t", "maxRetries": 1})).json()["id"]
        logs = [await calls.events(each) for each in (ended, waiting)]
    async with server_on(tmp_path) as server, connected(server) as calls, http_client(server) as http:
        assert [await calls.events(each) for each in (ended, waiting)] == logs
        assert [each["id"] for each in (await http.get(WORKFLOWS)).json()["workflows"]] == [waiting, ended]
        assert [each["id"] for each in (await http.get(AGENTS)).json()["agents"]] == [agent]
        (shown,) = (await http.get(TASKS)).json()["tasks"]
        assert (shown["id"], shown["status"], shown["maxRetries"]) == (task, "PENDING", 1)
        assert (await http.get(f"{WORKFLOWS}/{ended}/state")).json() == {"state": {"k": 1}}
        await calls.call("ResolvePromise", promise_id=f"{waiting}/p", value=b"2")
        assert (await calls.poll("worker-1", "waiting")).id == waiting


async def test_a_late_repeat_finds_its_promise_behind_the_workflow_s_end_and_a_restart(tmp_path: Path) -> None:
    async with server_on(tmp_path) as server, connected(server) as calls:
        ended = await calls.claimed("w")
        create = command("create_promise", promise_id="p", idempotency_key="order:7")
        await calls.submit(ended, create, command("create_promise", promise_id="q"))
        p, q = (told["promiseId"] for kind, told in await calls.events(ended) if kind == "PROMISE_CREATED")
        await calls.call("ResolvePromise", promise_id=p, value=b"1")
        assert (await calls.poll("worker-1", "w")).id == ended
        await calls.submit(ended, command("complete_workflow"), status="COMPLETED")
    async with server_on(tmp_path) as server, connected(server) as calls, http_client(server) as http:
        await calls.call("ResolvePromise", promise_id=p, value=b"1")
        for ref in (f"id:{p}", "key:order:7"):
            repeated = await http.post(f"{HERE}/promises/{ref}/resolve", json={"value": 1})
            assert repeated.json() == {"resolved": False, "alreadyResolved": True, "promiseId": p}
        with refused(grpc.StatusCode.FAILED_PRECONDITION):
            await calls.call("RejectPromise", promise_id=q, error="late")
