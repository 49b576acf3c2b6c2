"""Workflows that have failed go on by hand: over HTTP, for whom, and what else is refused."""

from __future__ import annotations

import httpx
import pytest

from rescind import NotPermitted, WorkflowContext, workflow
from rescind.worker.connecting import Worker
from rescind_server.access.tokens import Role
from rescind_server.app import Server

from .calls import EXECUTIONS, events_of, start, status_of
from .guarded import Guarded
from .work import eventually

pytestmark = pytest.mark.asyncio
MENDED: set[str] = set()


@workflow("breaks")
async def breaks(_: WorkflowContext, name: str) -> str:
    if name not in MENDED:
        raise ValueError("not yet")
    return "done"


async def becomes(http: httpx.AsyncClient, execution_id: str, status: str) -> None:
    """Return when it stands so."""

    async def has() -> bool:
        return await status_of(http, execution_id) == status

    await eventually(has)


async def test_a_workflow_that_failed_goes_on_and_one_that_did_not_is_refused(
    server: Server, http: httpx.AsyncClient
) -> None:
    async with Worker(server.address, workflows=[breaks], worker_id="w-1"):
        await start(http, "breaks", "a", "a")
        url = f"{EXECUTIONS}/a/retry"
        for attempt in (1, 2):
            await becomes(http, "a", "FAILED")
            if attempt == 2:
                MENDED.add("a")
            answer = await http.post(url, json={"reason": "mended"})
            assert (answer.status_code, answer.json()) == (200, {"attempt": attempt})
        await becomes(http, "a", "COMPLETED")
        late = await http.post(url, json={})
    assert (late.status_code, late.json()["error"]) == (409, "ExecutionEnded")
    requests = (await http.get("/api/v1/audit", params={"execution_id": "a"})).json()["records"]
    assert [(each["action"], each["reason"]) for each in requests].count(("RETRY", "mended")) == 2


async def test_who_has_followed_it_to_its_failure_follows_what_happens_then(
    server: Server, http: httpx.AsyncClient
) -> None:
    async with Worker(server.address, workflows=[breaks], worker_id="w-1"):
        await start(http, "breaks", "c", "c")
        async with events_of(http, "c") as events:
            *_, failed = [each async for each in events]
        MENDED.add("c")
        (await http.post(f"{EXECUTIONS}/c/retry", json={})).raise_for_status()
        async with events_of(http, "c", {"last-event-id": failed.event_id or ""}) as events:
            further = [each.type async for each in events if each.name == "status"]
    assert (further[0], further[-1]) == ("EXECUTION_RETRIED", "EXECUTION_COMPLETED")


async def test_what_is_no_failed_workflow_is_told_why(http: httpx.AsyncClient) -> None:
    execution_id = await start(http, "patient")
    answer = await http.post(f"{EXECUTIONS}/{execution_id}/retry", json={})
    assert (answer.status_code, answer.json()["error"]) == (409, "RequestError")
    assert "is an agent; only workflows are let go on by hand" in answer.json()["message"]
    assert (await http.post(f"{EXECUTIONS}/none/retry", json={})).status_code == 404
    assert (await http.post(f"{EXECUTIONS}/{execution_id}/retry", json={"why": 1})).status_code == 400


async def test_only_who_started_it_or_an_operator_lets_it_go_on(guarded: Guarded) -> None:
    owner = await guarded.grpc(guarded.token("owner", Role.CLIENT))
    token = guarded.token("w", Role.WORKER)
    async with Worker(guarded.server.address, workflows=[breaks], worker_id="w", token=token):
        handle = await owner.start_workflow(breaks, "b", id="b")
        async with httpx.AsyncClient(base_url=f"http://{guarded.server.http_address}") as nobody:
            assert (await nobody.post(f"{EXECUTIONS}/b/retry", json={})).status_code == 401
        operator = await guarded.operator()
        await becomes(operator, "b", "FAILED")
        for role in (Role.CLIENT, Role.VIEWER, Role.WORKER):
            stranger = guarded.token(f"stranger-{role}", role)
            with pytest.raises(NotPermitted):
                await (await guarded.grpc(stranger)).handle("b").retry()
            answer = await (await guarded.http(stranger)).post(f"{EXECUTIONS}/b/retry", json={})
            assert answer.status_code == 403
        assert await handle.retry() == 1
        await becomes(operator, "b", "FAILED")
        assert (await operator.post(f"{EXECUTIONS}/b/retry", json={})).json() == {"attempt": 2}
