"""What a page for operators asks: how many of what, who asked for what, who one is."""

from __future__ import annotations

import httpx
import pytest

from rescind.model.commands import StartExecution
from rescind.model.ids import ExecutionId
from rescind.model.payload import Payload
from rescind.worker.connecting import Worker
from rescind_server.app import Server
from rescind_server.store.port import Store
from rescind_server.store.sqlite import SqliteStore

from .calls import EXECUTIONS, start, tasks_of
from .calls import TASKS as TASKS_URL
from .guarded import Guarded
from .work import AGENTS, TASKS, happens

pytestmark = pytest.mark.asyncio
COUNTS = "/api/v1/counts"
AUDIT = "/api/v1/audit"
WORKERS = "/api/v1/workers"
WHO = "/api/v1/whoami"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store | None:
    if request.param == "memory":
        return None
    return SqliteStore(tmp_path_factory.mktemp("store") / "store.db")


async def test_executions_are_counted_by_status(http: httpx.AsyncClient) -> None:
    for number in range(3):
        await start(http, "patient", execution_id=f"p-{number}")
    await start(http, "other")
    await http.post(f"{EXECUTIONS}/p-0/cancel", json={})
    assert (await http.get(COUNTS)).json() == {"counts": {"PENDING": 3, "CANCELLED": 1}, "total": 4, "stopping": 0}
    assert (await http.get(COUNTS, params={"kind": "patient", "status": "PENDING"})).json()["total"] == 2
    twice = await http.get(COUNTS, params={"label": ["a=1", "a=2"]})
    assert twice.json() == {"counts": {}, "total": 0, "stopping": 0}


async def test_what_a_worker_holds_is_counted_too(http: httpx.AsyncClient, worker: Worker) -> None:
    held = await start(http, "hanging", "counted-1")
    await happens("counted-1 runs")
    await start(http, "nobody-runs-this")
    assert (await http.get(COUNTS, params={"worker_id": "w-1"})).json()["total"] == 1
    await http.post(f"{EXECUTIONS}/{held}/cancel", json={"mode": "WAIT"})


async def test_a_worker_is_shown_with_what_it_runs(http: httpx.AsyncClient, worker: Worker) -> None:
    held = await start(http, "hanging", "worked-1")
    await happens("worked-1 runs")
    (task,) = await tasks_of(http, held)
    (shown,) = (await http.get(WORKERS)).json()["workers"]
    assert shown["attempts"] == [
        {
            "subject": "task",
            "execution_id": held,
            "agent": "hanging",
            "kind": "hang",
            "task_id": task["task_id"],
            "attempt": 1,
            "since": task["started_at"],
            "stopping": False,
        }
    ]
    await http.post(f"{EXECUTIONS}/{held}/cancel", json={"mode": "WAIT"})


async def test_of_a_worker_that_runs_much_a_bounded_part_is_shown(server: Server, http: httpx.AsyncClient) -> None:
    async with Worker(server.address, agents=AGENTS, tasks=TASKS, worker_id="w-2", slots=60):
        for number in range(55):
            await start(http, "hanging", f"much-{number}", f"much-{number}")
        for number in range(55):
            await happens(f"much-{number} runs")
        (shown,) = (await http.get(WORKERS)).json()["workers"]
        assert (shown["running"], len(shown["attempts"])) == (55, 50)
        assert sorted(shown["attempts"], key=lambda each: each["since"]) == shown["attempts"]
        await http.post(f"{EXECUTIONS}/cancel", json={"where": {"kind": "hanging"}, "force": True})


async def test_each_caller_counts_what_it_may_see(guarded: Guarded) -> None:
    web, other, operator = await guarded.client("web"), await guarded.client("other"), await guarded.operator()
    await start(web, "patient")
    assert [(await each.get(COUNTS)).json()["total"] for each in (web, other, operator)] == [1, 0, 1]


async def test_an_operator_sees_who_asked_for_what(guarded: Guarded) -> None:
    web, operator = await guarded.client("web"), await guarded.operator()
    await start(web, "patient", execution_id="p")
    await web.post(f"{EXECUTIONS}/p/cancel", json={"reason": "not needed"})
    refused = await web.get(AUDIT)
    assert (refused.status_code, refused.json()["error"]) == (403, "NotPermitted")
    page = (await operator.get(AUDIT, params={"execution_id": "p"})).json()
    assert [(each["who"], each["action"], each["result"], each["reason"]) for each in page["records"]] == [
        ("client:web", "CANCEL", "CANCELLED", "not needed"),
        ("client:web", "START", "CREATED", None),
    ]


async def test_the_audit_trail_tells_what_was_asked_for_by_force(guarded: Guarded) -> None:
    operator = await guarded.operator()
    for name, force in (("gently", False), ("at-once", True)):
        await start(operator, "nobody-runs-this", execution_id=name)
        body = {"where": {"id_prefix": name}, "force": force}
        assert (await operator.post(f"{EXECUTIONS}/cancel", json=body)).json()["counts"] == {"CANCELLED": 1}
    records = (await operator.get(AUDIT)).json()["records"]
    assert [(each["execution_id"], each["forced"]) for each in records if each["action"] == "CANCEL"] == [
        ("at-once", True),
        ("gently", False),
    ]


async def test_the_audit_trail_comes_in_pages_and_by_who_asked(guarded: Guarded) -> None:
    web, operator = await guarded.client("web"), await guarded.operator()
    for number in range(3):
        await start(web, "patient", execution_id=f"p-{number}")
    found: list[str] = []
    token = ""
    while True:
        params: dict[str, str | int] = {"who": "client:*", "page_size": 2, "page_token": token}
        page = (await operator.get(AUDIT, params=params)).json()
        found += [each["execution_id"] for each in page["records"]]
        token = page["next_page_token"]
        if not token:
            break
    assert found == ["p-2", "p-1", "p-0"]


async def test_a_caller_is_told_who_it_is(guarded: Guarded, http: httpx.AsyncClient) -> None:
    web, operator, nobody = await guarded.client("web", "team"), await guarded.operator(), await guarded.http(None)
    assert (await web.get(WHO)).json() == {
        "by": "client:web",
        "organisation": "team",
        "roles": ["client"],
        "asks_for_tokens": True,
    }
    assert (await operator.get(WHO)).json()["roles"] == ["operator"]
    assert (await nobody.get(WHO)).status_code == 401
    anybody = (await http.get(WHO)).json()
    assert (anybody["by"], anybody["asks_for_tokens"]) == (None, False)
    assert anybody["roles"] == ["client", "worker", "viewer", "operator"]


async def test_what_is_no_json_is_shown_with_its_encoding_as_in_the_command_line(
    server: Server, http: httpx.AsyncClient
) -> None:
    for name, payload in (("octets", Payload(b"\xff\x00", "octets")), ("broken", Payload(b"{"))):
        await server.host.ask(StartExecution("patient", payload, ExecutionId(name)))
        shown = (await http.get(f"{EXECUTIONS}/{name}")).json()["input"]
        assert shown == {"encoding": payload.encoding, "base64": {"octets": "/wA=", "broken": "ew=="}[name]}


async def test_force_is_another_word_for_the_mode(http: httpx.AsyncClient, worker: Worker) -> None:
    for number, query in enumerate(({"force": "true"}, {"mode": "FORCE"}, {"mode": "WAIT", "force": "true"})):
        execution_id = await start(http, "hanging", f"force-{number}")
        await happens(f"force-{number} runs")
        (task,) = await tasks_of(http, execution_id)
        assert (await http.delete(f"{TASKS_URL}/{task['task_id']}", params=query)).status_code == 200
        await happens(f"force-{number} stopped")
        (stop,) = (await tasks_of(http, execution_id))[0]["stops"]
        assert stop["forced_at"] is not None


async def test_many_tasks_are_cancelled_by_force(http: httpx.AsyncClient, worker: Worker) -> None:
    execution_id = await start(http, "hanging", "by-force")
    await happens("by-force runs")
    body = {"where": {"execution_id": execution_id}, "force": True}
    assert (await http.post(f"{TASKS_URL}/cancel", json=body)).json()["counts"] == {"CANCELLED": 1}
    await happens("by-force stopped")
    (stop,) = (await tasks_of(http, execution_id))[0]["stops"]
    assert stop["forced_at"] is not None
    records = (await http.get(AUDIT, params={"execution_id": execution_id})).json()["records"]
    assert [each["forced"] for each in records if each["action"] == "CANCEL_TASK"] == [True]
