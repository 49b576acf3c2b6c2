"""Server-sent events over flovyn's HTTP interface: their names, and what is in them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from rescind.errors import ServerUnavailable
from rescind.model.ids import ExecutionId
from rescind.worker.connecting import Worker
from rescind_server.access.tokens import Role
from rescind_server.app import Server
from rescind_server.gateway.flovyn.rest_following import Followers
from rescind_server.gateway.limits import Limits

from .rest import (
    AGENTS,
    TASKS,
    WORKFLOWS,
    Sent,
    create_agent,
    ended,
    guarded_server,
    http_client,
    reached,
    stream,
)
from .work import echo
from .workflow_calls import Wire, child_command, command, connected, task_command

pytestmark = pytest.mark.asyncio


def changes(events: list[Sent]) -> list[tuple[str, Any]]:
    """The changes of state among events: their names and snapshots."""
    told = [json.loads(each.data) for each in events if each.name == "data"]
    return [(each["event"], each["data"]) for each in told if each["type"] == "Event" and each["timestampMs"] > 0]


async def test_an_agent_is_followed_until_it_has_ended(http: httpx.AsyncClient, worker: Worker) -> None:
    execution_id = await create_agent(http, "patient")
    path = f"{AGENTS}/{execution_id}"
    await reached(http, path, "WAITING")
    async with stream(http, f"{path}/stream") as events:
        await http.post(f"{path}/signal", json={"signalName": "go", "signalValue": 1})
        seen = [each async for each in events]
    names = [each.name for each in seen]
    assert names[0] == "agent.resumed"
    assert names[-1] == "agent.completed"
    assert [name for name in names if name.startswith("task.")] == ["task.created", "task.started", "task.completed"]
    told = {each.name: json.loads(each.data) for each in seen}
    assert told["agent.completed"] == {"agentExecutionId": execution_id, "status": "COMPLETED"}
    assert told["task.completed"]["kind"] == "echo"
    assert told["token"]["data"] == "a word"
    assert told["token"]["agentExecutionId"] == execution_id


async def test_only_the_kinds_that_were_asked_for_are_sent(http: httpx.AsyncClient, worker: Worker) -> None:
    path = f"{AGENTS}/{await create_agent(http, 'patient')}"
    await reached(http, path, "WAITING")
    async with stream(http, f"{path}/stream", types="tokens,progress") as events:
        await http.post(f"{path}/signal", json={"signalName": "go"})
        assert [each.name async for each in events] == ["token"]
    assert (await http.get(f"{path}/stream?types=weather")).status_code == 400


async def test_the_stream_of_what_has_ended_ends_at_once(http: httpx.AsyncClient, worker: Worker) -> None:
    path = f"{AGENTS}/{await create_agent(http, 'echoing')}"
    await ended(http, path)
    async with stream(http, f"{path}/stream") as events:
        assert [each async for each in events] == []


async def test_a_workflow_is_followed_until_it_has_ended(server: Server, http: httpx.AsyncClient) -> None:
    async with connected(server) as calls:
        execution_id = await calls.start("w")
        async with stream(http, f"{WORKFLOWS}/{execution_id}/stream") as events:
            assert (await calls.poll()).id == execution_id
            await calls.submit(
                execution_id,
                command("set_state", key="k", value=b"1"),
                task_command("t"),
                command("start_timer", timer_id="sleep-1", duration_ms=1),
                command("create_promise", promise_id="p"),
            )
            assert (await calls.poll("worker-1", "w")).id == execution_id
            await calls.submit(execution_id, command("complete_workflow", output=b"1"), status="COMPLETED")
            seen = changes([each async for each in events])
    told = dict(seen)
    assert [name for name, _ in seen if name in ("WORKFLOW_STARTED", "WORKFLOW_RESUMED")] == [
        "WORKFLOW_STARTED",
        "WORKFLOW_RESUMED",
    ]
    assert told["STATE_SET"] == {"key": "k", "value": 1}
    assert (told["TASK_CREATED"]["kind"], told["TASK_CREATED"]["status"]) == ("t", "PENDING")
    assert told["TIMER_STARTED"]["timerId"] == told["TIMER_FIRED"]["timerId"] == "sleep-1"
    assert told["WORKFLOW_COMPLETED"] == {"id": execution_id, "status": "COMPLETED"}
    assert "promiseId" in told["PROMISE_CREATED"]


async def test_a_consolidated_stream_tells_of_the_children_too(server: Server, http: httpx.AsyncClient) -> None:
    async with connected(server) as calls:
        execution_id = await calls.claimed("parent")
        async with stream(http, f"{WORKFLOWS}/{execution_id}/stream/consolidated") as events:
            await calls.submit(execution_id, child_command("c"))
            child_id = (await calls.poll("worker-1", "child")).id
            await calls.submit(child_id, command("complete_workflow"), status="COMPLETED")
            assert (await calls.poll("worker-1", "parent")).id == execution_id
            await calls.submit(execution_id, command("complete_workflow"), status="COMPLETED")
            seen = changes([each async for each in events])
    completed = [snapshot["id"] for name, snapshot in seen if name == "WORKFLOW_COMPLETED"]
    assert completed == [child_id, execution_id]
    assert dict(seen)["CHILD_WORKFLOW_INITIATED"]["childWorkflowId"] == child_id


async def test_a_task_is_followed_with_its_words_as_they_are(http: httpx.AsyncClient, server: Server) -> None:
    task_id = (await http.post(TASKS, json={"kind": "echo"})).json()["id"]
    async with (
        stream(http, f"{TASKS}/{task_id}/stream") as events,
        Worker(server.address, tasks=[echo], worker_id="w-1"),
    ):
        seen = [each async for each in events]
    assert [each.data for each in seen if each.name == "token"] == ["a word"]
    assert [name for name, _ in changes(seen)] == ["TASK_STARTED", "TASK_COMPLETED"]


@pytest.mark.parametrize("is_busy", [True, False])
async def test_a_stream_ends_soon_after_its_token(tmp_path: Path, is_busy: bool) -> None:
    async with guarded_server(tmp_path, Limits(heartbeat_s=0.01)) as guarded:
        token = guarded.token(Role.OPERATOR, "somebody")
        async with (
            connected(guarded.server, guarded.token(Role.WORKER, "worker")) as calls,
            http_client(guarded.server, {"authorization": f"Bearer {token}"}) as http,
        ):
            execution_id = await calls.start("w")
            async with stream(http, f"{WORKFLOWS}/{execution_id}/stream") as events:
                guarded.revoke(token)
                chatter = asyncio.create_task(_signal_for_ever(calls, execution_id)) if is_busy else None
                seen = [each async for each in events]
                if chatter is not None:
                    chatter.cancel()
                    await asyncio.wait([chatter])
    assert (seen[-1].name, "revoked" in seen[-1].data) == ("error", True)


async def _signal_for_ever(calls: Wire, execution_id: str) -> None:
    while True:
        await calls.call("SignalWorkflow", workflow_execution_id=execution_id, signal_name="s", signal_value=b"1")


async def test_a_reader_that_falls_too_far_behind_is_cut_off(server: Server) -> None:
    async with connected(server) as calls:
        execution_id = await calls.start("w")
        async with Followers(server.host, most=3) as followers:
            await followers.add(ExecutionId(execution_id))
            for _ in range(4):
                await calls.call(
                    "SignalWorkflow", workflow_execution_id=execution_id, signal_name="s", signal_value=b"1"
                )
            with pytest.raises(ServerUnavailable, match="too slowly"):
                await followers.take()
