"""A client that goes away, and what becomes of the execution that it follows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rescind.model.ids import ExecutionId
from rescind.worker.connecting import Worker
from rescind_server.app import Server
from rescind_server.engine.state import Decision
from rescind_server.gateway.http import attachments
from rescind_server.store.memory import MemoryStore

from .calls import EXECUTIONS, cause_of, events_of, parsed, started_stream, status_of, until
from .work import LONGEST, eventually, happens

pytestmark = pytest.mark.asyncio


class HeldStore(MemoryStore):
    """A store whose commits wait until they are let through."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.is_waiting = asyncio.Event()

    async def commit(self, decisions: Sequence[Decision]) -> None:
        if not self.open.is_set():
            self.is_waiting.set()
        await self.open.wait()
        await super().commit(decisions)


async def cancelled(http: httpx.AsyncClient, execution_id: str) -> None:
    async def is_cancelled() -> bool:
        return await status_of(http, execution_id) == "CANCELLED"

    await eventually(is_cancelled)


async def leave_before_the_answer(server: Server, body: dict[str, Any], store: HeldStore) -> None:
    """Send a start, and go away while its commit is at work."""
    host, port = str(server.http_address).rsplit(":", 1)
    _, writer = await asyncio.open_connection(host, int(port))
    data = json.dumps(body).encode()
    head = f"POST {EXECUTIONS}/stream HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data)
    await store.is_waiting.wait()
    writer.close()
    await writer.wait_closed()


class TestBeforeTheExecutionIsRegistered:
    @pytest.fixture
    def store(self) -> HeldStore:
        return HeldStore()

    async def test_disconnect_before_the_execution_is_registered(
        self, server: Server, http: httpx.AsyncClient, store: HeldStore
    ) -> None:
        store.open.clear()
        await leave_before_the_answer(server, {"kind": "patient", "execution_id": "early"}, store)
        store.open.set()
        await cancelled(http, "early")
        assert (await cause_of(http, "early"))["source"] == "disconnect"

    async def test_a_detached_start_outlives_a_client_that_leaves_before_it_is_registered(
        self, server: Server, http: httpx.AsyncClient, store: HeldStore
    ) -> None:
        store.open.clear()
        body = {"kind": "patient", "execution_id": "detached", "on_disconnect": "DETACH"}
        await leave_before_the_answer(server, body, store)
        store.open.set()

        async def is_there() -> bool:
            return (await http.get(f"{EXECUTIONS}/detached")).status_code == 200

        await eventually(is_there)
        assert await status_of(http, "detached") == "PENDING"


async def test_disconnect_in_the_middle(http: httpx.AsyncClient, worker: Worker) -> None:
    async with started_stream(http, kind="hanging", input="left-1", execution_id="left-1") as events:
        (started, *_) = await until(events, "TASK_STARTED")
        assert started.data == {"execution_id": "left-1", "created": True}
        await happens("left-1 runs")
    await happens("left-1 stopped")
    await cancelled(http, "left-1")
    cause = await cause_of(http, "left-1")
    assert (cause["source"], cause["reason"]) == ("disconnect", "the client that followed it went away")


async def test_a_stream_that_is_read_to_its_end_cancels_nothing(http: httpx.AsyncClient, worker: Worker) -> None:
    async with started_stream(http, kind="echoing", input=1, execution_id="whole") as events:
        assert (await until(events, "EXECUTION_COMPLETED"))[-1].name == "status"
    assert await status_of(http, "whole") == "COMPLETED"


async def test_detach(http: httpx.AsyncClient, worker: Worker) -> None:
    body = {"kind": "patient", "execution_id": "kept", "on_disconnect": "DETACH"}
    async with started_stream(http, **body) as events:
        await until(events, "EXECUTION_STARTED")
    await http.post(f"{EXECUTIONS}/kept/signal", json={"name": "go", "value": 7})

    async def has_gone_on() -> bool:
        return await status_of(http, "kept") == "COMPLETED"

    await eventually(has_gone_on)


async def test_reattach_within_the_grace(server: Server, http: httpx.AsyncClient, worker: Worker) -> None:
    """Back with the last event's id, it holds the execution again; when it leaves for good, the grace begins anew."""
    body = {"kind": "patient", "execution_id": "back", "on_disconnect": "CANCEL_AFTER", "grace_ms": 60_000}
    async with started_stream(http, **body) as events:
        last = (await until(events, "EXECUTION_STARTED"))[-1]
    assert server.http_gateway is not None
    held = server.http_gateway.attachments

    async def is_leaving() -> bool:
        return held.is_leaving(ExecutionId("back"))

    await eventually(is_leaving)
    async with events_of(http, "back", {"last-event-id": last.event_id or ""}):
        assert not held.is_leaving(ExecutionId("back"))
    await eventually(is_leaving)
    assert await status_of(http, "back") in ("PENDING", "WAITING", "RUNNING")


async def test_a_grace_that_ends_cancels(http: httpx.AsyncClient, worker: Worker) -> None:
    body = {"kind": "patient", "execution_id": "brief", "on_disconnect": "CANCEL_AFTER", "grace_ms": 1}
    async with started_stream(http, **body) as events:
        await until(events, "EXECUTION_STARTED")
    await cancelled(http, "brief")
    assert (await cause_of(http, "brief"))["source"] == "disconnect"


async def test_who_only_watches_cancels_nothing_by_leaving(http: httpx.AsyncClient) -> None:
    body = {"kind": "patient", "execution_id": "watched"}
    async with started_stream(http, **body) as events:
        await until(events, "EXECUTION_STARTED")
        async with events_of(http, "watched") as watching:
            await until(watching, "EXECUTION_STARTED")
        assert await status_of(http, "watched") == "PENDING"
    await cancelled(http, "watched")


class TestBehindARestart:
    """What was held when the server ended is cancelled, unless its client comes back to the next one."""

    @staticmethod
    @asynccontextmanager
    async def restarted(folder: Path) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
        for is_again in (False, True):
            async with (
                Server(folder / "store.db", "127.0.0.1:0", http_address="127.0.0.1:0") as server,
                httpx.AsyncClient(base_url=f"http://{server.http_address}", timeout=LONGEST) as http,
            ):
                if is_again:
                    yield server, http
                    return
                body = {"kind": "patient", "execution_id": "h"}
                request = http.build_request("POST", f"{EXECUTIONS}/stream", json=body)
                answer = await http.send(request, stream=True)
                await until(parsed(answer), "EXECUTION_STARTED")
                assert server.http_gateway is not None
                await server.http_gateway.begin_close()
                await answer.aclose()

    async def test_a_client_that_does_not_come_back_has_left(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(attachments, "GRACE_AFTER_RESTART_S", 0.01)
        async with self.restarted(tmp_path) as (_, http):
            await cancelled(http, "h")
            assert (await cause_of(http, "h"))["source"] == "disconnect"

    async def test_a_client_that_comes_back_holds_it_again(self, tmp_path: Path) -> None:
        async with self.restarted(tmp_path) as (server, http):
            assert server.http_gateway is not None
            assert server.http_gateway.attachments.is_leaving(ExecutionId("h"))
            async with events_of(http, "h", {"last-event-id": "1"}):
                assert not server.http_gateway.attachments.is_leaving(ExecutionId("h"))
                assert await status_of(http, "h") == "PENDING"
