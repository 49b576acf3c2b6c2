"""Many cancelled at once over HTTP: counted before, by force, and seen while it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from rescind import AgentContext, agent
from rescind.model.commands import StartExecution
from rescind.model.filters import ExecutionFilter
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import ExecutionStatus
from rescind.worker.connecting import Worker
from rescind_server.app import Server
from rescind_server.engine.state import Decision
from rescind_server.store.sqlite import SqliteStore

from .calls import EXECUTIONS, start, status_of
from .calls import TASKS as TASKS_URL
from .work import AGENTS, LONGEST, TASKS, eventually, hang, happens

pytestmark = pytest.mark.asyncio


async def stands(http: httpx.AsyncClient, execution_id: str, status: str) -> None:
    """Wait until an execution stands so."""

    async def does() -> bool:
        return await status_of(http, execution_id) == status

    await eventually(does)


@agent("tree")
async def tree(ctx: AgentContext, depth: int) -> None:
    """Agents below each other, the last of which runs a task that never ends."""
    if depth:
        await (await ctx.spawn_agent(tree, depth - 1))
    else:
        await ctx.schedule(hang, "leaf")


async def test_a_dry_run_tells_all_that_would_be_hit(server: Server, http: httpx.AsyncClient) -> None:
    async with Worker(server.address, agents=[*AGENTS, tree], tasks=TASKS, worker_id="w-2"):
        await start(http, "hanging", "hit-1", "root")
        await start(http, "tree", 2, "tree")
        await happens("hit-1 runs")
        await happens("leaf runs")
        body = {"where": {}, "dry_run": True}
        dry = (
            await http.post(f"{EXECUTIONS}/cancel", json=body | {"where": {"kind": "tree", "id_prefix": "tree"}})
        ).json()
        assert dry["hits"] == {"executions": 1, "descendants": 2, "tasks": 1, "attempts": 1}
        dry = (await http.post(f"{EXECUTIONS}/cancel", json=body)).json()
        assert dry["hits"] == {"executions": 4, "descendants": 0, "tasks": 2, "attempts": 2}
        dry = (await http.post(f"{TASKS_URL}/cancel", json=body)).json()
        assert dry["hits"] == {"executions": 0, "descendants": 0, "tasks": 2, "attempts": 2}
        assert await status_of(http, "root") == "WAITING", "nothing was cancelled"
        await http.post(f"{EXECUTIONS}/cancel", json={"where": {}})


async def test_many_are_cancelled_by_force(http: httpx.AsyncClient, worker: Worker) -> None:
    for number in range(3):
        await start(http, "patient", execution_id=f"f-{number}")
        await stands(http, f"f-{number}", "WAITING")
    done = (await http.post(f"{EXECUTIONS}/cancel", json={"where": {"id_prefix": "f-"}, "force": True})).json()
    assert done["counts"] == {"CANCELLED": 3}
    for number in range(3):
        history = (await http.get(f"{EXECUTIONS}/f-{number}/history")).json()["events"]
        (asked,) = (each for each in history if each["type"] == "EXECUTION_CANCEL_REQUESTED")
        assert asked["details"]["hard"] is True
        assert await status_of(http, f"f-{number}") == "CANCELLED"


class GatedStore(SqliteStore):
    """Once it is shut, one commit that cancels something goes through, and the next ones wait for `is_open`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_open = asyncio.Event()
        self.is_shut = False
        self.waits = asyncio.Event()
        self.counted = asyncio.Event()
        self._passed = 0

    async def commit(self, decisions: Sequence[Decision]) -> None:
        """See `Store.commit`."""
        if self.is_shut:
            self._passed += 1
            if self._passed > 1:
                self.waits.set()
                await self.is_open.wait()
        await super().commit(decisions)

    async def count_executions(self, selection: ExecutionFilter) -> Mapping[ExecutionStatus, int]:
        """See `Store.count_executions`."""
        counts = await super().count_executions(selection)
        self.counted.set()
        return counts


@pytest.fixture
def store(tmp_path: Path) -> GatedStore:
    return GatedStore(tmp_path / "store.db")


async def test_how_far_a_cancel_of_many_has_come_is_seen_while_it_goes_on(
    server: Server, http: httpx.AsyncClient, store: GatedStore
) -> None:
    # More than the first step takes.
    many = 150
    await server.host.ask_all([StartExecution("patient", NULL_PAYLOAD) for _ in range(many)])
    store.is_shut = True
    cancelling = asyncio.create_task(http.post(f"{EXECUTIONS}/cancel", json={"where": {"kind": "patient"}}))
    async with asyncio.timeout(LONGEST):
        await store.waits.wait()
    asked = asyncio.create_task(http.get("/api/v1/counts"))
    async with asyncio.timeout(LONGEST):
        await store.counted.wait()
    store.is_open.set()
    counts = (await asked).json()["counts"]
    assert 0 < counts["CANCELLED"] < many
    assert counts["CANCELLED"] + counts["PENDING"] == many
    assert (await cancelling).json()["counts"] == {"CANCELLED": many}
