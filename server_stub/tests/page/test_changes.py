"""Changes of executions, pushed: to whom, in which state, and what becomes of who was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from rescind import AgentContext, TaskContext, agent, task
from rescind.worker.connecting import Worker
from rescind_server.access.tokens import Role
from rescind_server.app import Server
from server_stub.tests.http.calls import EXECUTIONS, Event, parsed, start, status_of
from server_stub.tests.http.guarded import Guarded
from server_stub.tests.http.work import happens, watched

pytestmark = pytest.mark.asyncio
CHANGES = "/api/v1/events"


@asynccontextmanager
async def changes_of(
    http: httpx.AsyncClient, headers: Mapping[str, str] | None = None, **query: Any
) -> AsyncIterator[AsyncIterator[Event]]:
    """The changes from now on, behind the event that tells that they are told."""
    async with http.stream("GET", CHANGES, headers=headers, params=query) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield parsed(answer)


async def until_status(events: AsyncIterator[Event], execution_id: str, status: str) -> Event:
    """Read to the first event with an id in which an execution stands so."""
    found = False
    async for event in events:
        found |= event.name == "execution" and (event.data["execution_id"], event.data["status"]) == (
            execution_id,
            status,
        )
        if found and event.event_id is not None:
            return event
    raise AssertionError(f"{execution_id} never was {status}")


async def test_an_execution_is_told_from_its_start_to_its_end(http: httpx.AsyncClient, worker: Worker) -> None:
    async with changes_of(http) as events:
        assert (await anext(events)).data == {"resumed": False}
        await start(http, "echoing", 1, execution_id="e")
        ended = (await until_status(events, "e", "COMPLETED")).data
    assert ended["kind"] == "echoing"
    assert ended["ended_at"] == (await http.get(f"{EXECUTIONS}/e")).json()["ended_at"]


async def test_a_filter_holds_back_what_it_does_not_select(http: httpx.AsyncClient) -> None:
    async with changes_of(http, kind="patient", id_prefix="p-") as events:
        await anext(events)
        for kind, execution_id in (("echoing", "p-1"), ("patient", "q-1"), ("patient", "p-2")):
            await start(http, kind, execution_id=execution_id)
        assert (await anext(events)).data["execution_id"] == "p-2"


async def test_who_comes_back_gets_what_it_missed_and_no_more(http: httpx.AsyncClient) -> None:
    async with changes_of(http) as events:
        await anext(events)
        await start(http, "patient", execution_id="before")
        last = await anext(events)
    assert last.event_id is not None
    await start(http, "patient", execution_id="meanwhile")
    async with changes_of(http, {"last-event-id": last.event_id}) as events:
        assert (await anext(events)).data == {"resumed": True}
        assert (await anext(events)).data["execution_id"] == "meanwhile"


async def test_who_cannot_be_told_what_it_missed_is_told_so(http: httpx.AsyncClient) -> None:
    async with changes_of(http, {"last-event-id": "00000000.7"}) as events:
        assert (await anext(events)).data == {"resumed": False}
    refused = await http.get(CHANGES, headers={"last-event-id": "nonsense"})
    assert refused.status_code == 400


async def test_a_client_is_told_of_what_it_started_and_of_no_organisation_but_its_own(guarded: Guarded) -> None:
    web, other, elsewhere = (
        await guarded.client("web"),
        await guarded.client("other"),
        await guarded.client("web", "team"),
    )
    async with changes_of(web) as events:
        await anext(events)
        await start(other, "patient", execution_id="a")
        await start(elsewhere, "patient", execution_id="b")
        await start(web, "patient", execution_id="c")
        assert (await anext(events)).data["execution_id"] == "c"
    refused = await web.get(CHANGES, params={"created_by": "client:other"})
    assert refused.status_code == 403
    worker = await guarded.http(guarded.token("w", Role.WORKER))
    assert (await worker.get(CHANGES)).status_code == 403


@task("hold", grace=600)
async def hold(ctx: TaskContext, name: str) -> None:
    """Run until it is cancelled, and then on until it is let go."""
    watched(f"{name} runs").set()
    try:
        await asyncio.Event().wait()
    finally:
        await watched(f"{name} may stop").wait()


@agent("holding")
async def holding(ctx: AgentContext, name: str) -> None:
    await ctx.schedule(hold, name)


async def test_what_is_cancelled_and_still_stops_is_told_apart_from_what_has_stopped(
    server: Server, http: httpx.AsyncClient
) -> None:
    async with Worker(server.address, agents=[holding], tasks=[hold], worker_id="w-2"), changes_of(http) as events:
        await start(http, "holding", "h", execution_id="e")
        await happens("h runs")
        await http.post(f"{EXECUTIONS}/e/cancel")
        told = await until_status(events, "e", "CANCELLED")
        assert told.data["stopping"] == 1
        assert (await http.get(f"{EXECUTIONS}/e")).json()["stopping"] == 1
        assert (await http.get(EXECUTIONS)).json()["executions"][0]["stopping"] == 1
        watched("h may stop").set()
        while told.data["stopping"]:
            told = await until_status(events, "e", "CANCELLED")
        assert (await http.get(f"{EXECUTIONS}/e")).json()["stopping"] == 0


async def until_stopping(events: AsyncIterator[Event], execution_id: str, stopping: int) -> Any:
    """Read to the first event in which so much of an execution that has ended is still being stopped."""
    async for event in events:
        told = event.data
        if told.get("execution_id") == execution_id and told["ended_at"] and told["stopping"] == stopping:
            return told
    raise AssertionError(f"of {execution_id} {stopping} never were being stopped")


@agent("parenting")
async def parenting(ctx: AgentContext, name: str) -> None:
    """Have a child that has a child that holds."""
    child = await ctx.spawn_agent(holding if name.startswith("leaf") else parenting, f"leaf {name}")
    await child


async def test_a_cancelled_tree_says_at_its_root_that_work_below_it_still_stops(
    server: Server, http: httpx.AsyncClient
) -> None:
    agents = [holding, parenting]
    async with Worker(server.address, agents=agents, tasks=[hold], worker_id="w-2"), changes_of(http) as events:
        await start(http, "parenting", "t", execution_id="root")
        await happens("leaf leaf t runs")
        await http.post(f"{EXECUTIONS}/root/cancel", json={"mode": "WAIT"})
        told = await until_stopping(events, "root", 1)
        assert (told["status"], told["children_stopping"]) == ("CANCELLED", 1)
        shown = (await http.get(f"{EXECUTIONS}/root")).json()
        assert (shown["status"], shown["stopping"], shown["children_stopping"]) == ("CANCELLED", 1, 1)
        assert (await http.get("/api/v1/counts")).json()["stopping"] == 3
        listed = (await http.get(EXECUTIONS, params={"stopping": True})).json()["executions"]
        assert (listed[-1]["execution_id"], [each["stopping"] for each in listed]) == ("root", [1, 1, 1])
        watched("leaf leaf t may stop").set()
        assert (await until_stopping(events, "root", 0))["status"] == "CANCELLED"
        assert (await http.get(f"{EXECUTIONS}/root")).json()["stopping"] == 0
        assert (await http.get(EXECUTIONS, params={"stopping": True})).json()["executions"] == []


@pytest.mark.parametrize(("role", "path"), [(Role.WORKER, CHANGES), (Role.OPERATOR, f"{EXECUTIONS}/none/events")])
async def test_who_may_not_follow_is_told_why_as_by_every_other_call(guarded: Guarded, role: Role, path: str) -> None:
    http = await guarded.http(guarded.token("w", role))
    refused = await http.get(path, headers={"accept": "text/event-stream"})
    assert refused.headers["content-type"] == "application/problem+json"
    told = refused.json()
    expected = (403, "NotPermitted") if role is Role.WORKER else (404, "NotFound")
    assert (refused.status_code, told["error"]) == expected
    assert told["status"] == refused.status_code
    assert told["message"]
    assert told["action"]


async def test_a_dry_run_says_what_to_give_to_hit_nothing_that_came_later(http: httpx.AsyncClient) -> None:
    await start(http, "patient", execution_id="before")
    where = {"kind": "patient"}
    counted = (await http.post(f"{EXECUTIONS}/cancel", json={"where": where, "dry_run": True})).json()
    assert (counted["selected"], counted["counts"]) == (1, {})
    await start(http, "patient", execution_id="later")
    body = {"where": where | {"created_before": counted["as_of"]}}
    hit = (await http.post(f"{EXECUTIONS}/cancel", json=body)).json()
    assert hit["counts"] == {"CANCELLED": 1}
    assert await status_of(http, "later") == "PENDING"
