"""`GET /metrics`: what operators' Prometheus reads."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rescind.client.connecting import Client
from rescind.model.ids import Instant
from rescind.worker.connecting import Worker
from rescind_server.access.token_file import TokenFile, beside
from rescind_server.access.tokens import Role
from rescind_server.app import Server
from rescind_server.store.memory import MemoryStore
from rescind_server.store.port import Store
from rescind_server.store.sqlite import SqliteStore

from .calls import TASKS, start, tasks_of
from .work import LONGEST, eventually, happens

pytestmark = pytest.mark.asyncio


async def figures(http: httpx.AsyncClient) -> dict[tuple[str, str], float]:
    """Each figure by its name and its labels."""
    answer = await http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store.db")
    yield opened
    opened.close()


async def test_what_happened_is_told_with_how_long_stopping_took(
    http: httpx.AsyncClient, worker: Worker, store: Store
) -> None:
    name = f"metrics-{type(store).__name__}"
    execution_id = await start(http, "hanging", name)
    await happens(f"{name} runs")
    (task,) = await tasks_of(http, execution_id)
    await http.delete(f"{TASKS}/{task['task_id']}", params={"execution_id": execution_id})
    await happens(f"{name} stopped")

    async def stopped() -> bool:
        return ("rescind_stop_seconds_count", "executor=async,stage=stopped") in await figures(http)

    await eventually(stopped)
    told = await figures(http)
    assert told["rescind_stop_seconds_count", "executor=async,stage=stopped"] == 1
    assert told["rescind_stop_seconds_count", "executor=async,stage=delivered"] == 1
    assert told["rescind_executions_started_total", "kind=hanging"] == 1
    assert told["rescind_cancel_requests_total", "result=CANCELLED,source=request,target=task"] == 1
    assert told["rescind_workers", "session=connected"] == 1
    assert told["rescind_commit_decisions_count", ""] > 0


async def test_what_waits_for_a_worker_is_told(http: httpx.AsyncClient) -> None:
    for number in range(3):
        await start(http, "patient", execution_id=f"p-{number}")
    told = await figures(http)
    assert told["rescind_queue_depth", "kind=patient,queue=default,sort=agent"] == 3
    assert told["rescind_queue_workers", "kind=patient,queue=default,sort=agent"] == 0


async def test_without_prometheus_client_the_answer_says_what_to_install(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "rescind_server.telling.exposition", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = await http.get("/metrics")
    assert answer.status_code == 501
    assert answer.json()["action"] == "Install it there: pip install 'rescind[telemetry]'."


async def test_figures_are_for_operators_and_of_their_organisation(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    file = TokenFile(beside(store))

    def token(name: str, role: Role, organisation: str = "default") -> dict[str, str]:
        return {"authorization": f"Bearer {file.create(name, role, Instant(1), organisation=organisation)[1]}"}

    web, operator, stranger = token("web", Role.CLIENT), token("ops", Role.OPERATOR), token("far", Role.OPERATOR, "far")
    async with (
        Server(store, "127.0.0.1:0", http_address="127.0.0.1:0") as server,
        httpx.AsyncClient(base_url=f"http://{server.http_address}", timeout=LONGEST) as http,
    ):
        http.headers = httpx.Headers(web)
        await start(http, "patient")
        assert (await http.get("/metrics")).status_code == 403
        http.headers = httpx.Headers(operator)
        assert ("rescind_executions_started_total", "kind=patient") in await figures(http)
        http.headers = httpx.Headers(stranger)
        assert ("rescind_executions_started_total", "kind=patient") not in await figures(http)
        assert not [labels for name, labels in await figures(http) if "kind=" in labels]


async def test_deliveries_to_webhooks_are_counted_and_what_waits_for_them(
    http: httpx.AsyncClient, server: Server
) -> None:
    assert (await figures(http))["rescind_webhook_deliveries", "state=waiting"] == 0
    async with Client(server.address) as client:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            # Nobody listens there.
            added = await client.webhooks.add(f"http://127.0.0.1:{taken.getsockname()[1]}/")
            await client.webhooks.test(added.webhook.webhook_id)

            async def failed() -> bool:
                return ("rescind_webhook_attempts_total", "result=failed") in await figures(http)

            await eventually(failed)
    assert (await figures(http))["rescind_webhook_deliveries", "state=waiting"] == 1
