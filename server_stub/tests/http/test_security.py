"""Who is let in, and what each may do: the same over HTTP and over gRPC."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import trustme

from rescind import (
    ExecutionEnded,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    RateLimited,
    ServerUnavailable,
)
from rescind.client.connecting import Client
from rescind.errors import RescindError
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import Instant
from rescind.worker.connecting import Worker
from rescind_server.access.certificates import certificates_of
from rescind_server.access.tokens import Role
from rescind_server.app import Server
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.organisations import SEPARATOR

from .calls import EXECUTIONS, TASKS, start, tasks_of
from .guarded import Guarded, guarded_server, now
from .work import AGENTS, LONGEST, eventually, happens, patient
from .work import TASKS as WORK

pytestmark = pytest.mark.asyncio
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def problem_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["error"])


# ── tokens ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("token", [None, "nonsense", "rescind_000000000000_" + "x" * 43])
async def test_who_brings_no_valid_token_is_refused(guarded: Guarded, token: str | None) -> None:
    http = await guarded.http(token)
    answer = await http.get(EXECUTIONS)
    assert await problem_of(answer) == (401, "NotAuthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    with pytest.raises(NotAuthenticated):
        await (await guarded.grpc(token)).start(patient)
    for path in ("/health", "/ready", "/openapi.json"):
        assert (await http.get(path)).status_code == 200


async def test_a_revoked_token_is_refused_at_once(guarded: Guarded) -> None:
    token = guarded.token("web", Role.CLIENT)
    http, client = await guarded.http(token), await guarded.grpc(token)
    await start(http, "patient")
    await client.start(patient)
    guarded.file.revoke(token.split("_")[1], now())
    assert await problem_of(await http.get(EXECUTIONS)) == (401, "NotAuthenticated")
    with pytest.raises(NotAuthenticated, match="is revoked"):
        await client.start(patient)


async def test_an_expired_token_is_refused(guarded: Guarded) -> None:
    soon = Instant(now() + 50_000)
    _, token = guarded.file.create("web", Role.CLIENT, now(), expires_at=soon)
    http = await guarded.http(token)

    async def is_refused() -> bool:
        return (await http.get(EXECUTIONS)).status_code == 401

    await eventually(is_refused)
    assert "is expired" in (await http.get(EXECUTIONS)).json()["message"]


async def test_a_stream_ends_when_its_token_does(tmp_path: Path) -> None:
    async with guarded_server(tmp_path, Limits(heartbeat_s=0.01)) as guarded:
        token = guarded.token("web", Role.CLIENT)
        http = await guarded.http(token)
        execution_id = await start(http, "patient")
        async with http.stream("GET", f"{EXECUTIONS}/{execution_id}/events") as answer:
            lines = answer.aiter_lines()
            while await anext(lines) != ": heartbeat":
                pass
            guarded.file.revoke(token.split("_")[1], now())
            async with asyncio.timeout(LONGEST):
                rest = [line async for line in lines]
        assert "event: closing" in rest
        assert any("NotAuthenticated" in line for line in rest)


async def test_each_role_does_its_own(guarded: Guarded) -> None:
    worker = guarded.token("w", Role.WORKER)
    http = await guarded.http(worker)
    for method, path in (("GET", EXECUTIONS), ("GET", "/stuck"), ("GET", TASKS), ("GET", "/api/v1/workers")):
        assert await problem_of(await http.request(method, path)) == (403, "NotPermitted")
    with pytest.raises(NotPermitted, match=r"worker:w may not do this\. It takes a token of role client or operator"):
        await (await guarded.grpc(worker)).start(patient)
    client = await guarded.client("web")
    for path in ("/stuck", "/api/v1/workers"):
        assert await problem_of(await client.get(path)) == (403, "NotPermitted")
    joining = Worker(guarded.server.address, agents=AGENTS, tasks=WORK, token=guarded.token("web", Role.CLIENT))
    with pytest.raises(NotPermitted, match="role worker"):
        async with asyncio.timeout(LONGEST):
            await joining.run()


async def test_a_token_may_ask_so_often(tmp_path: Path) -> None:
    async with guarded_server(tmp_path, Limits(calls_per_second=0.001, calls_at_once=3)) as guarded:
        token = guarded.token("web", Role.CLIENT)
        http, client = await guarded.http(token), await guarded.grpc(token)
        statuses = [(await http.get(EXECUTIONS)).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        answer = await http.get(EXECUTIONS)
        assert (await problem_of(answer), answer.headers["retry-after"]) == ((429, "RateLimited"), "1")
        with pytest.raises(RateLimited):
            await client.start(patient)
        assert (await (await guarded.client("other")).get(EXECUTIONS)).status_code == 200


async def test_secrets_are_never_logged(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = guarded.token("web", Role.CLIENT)
    http = await guarded.http(token)
    await start(http, "patient")
    await http.post(EXECUTIONS, content=b"{", headers={"content-type": "application/json"})
    await (await guarded.http(token + "x")).get(EXECUTIONS)
    await (await guarded.grpc(token)).start(patient)
    with pytest.raises(RescindError):
        await (await guarded.grpc(token[:-1] + "?")).start(patient)
    secret = token.split("_", 2)[2]
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not [line for line in logged if secret[:-1] in line]


# ── ownership ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_another_started_and_what_is_not_there_are_refused_in_the_same_words(guarded: Guarded) -> None:
    await guarded.worker()
    owner, stranger = await guarded.client("owner"), await guarded.client("stranger")
    execution_id = await start(owner, "hanging", "secure-1", "secret")
    await happens("secure-1 runs")
    (task,) = await tasks_of(owner, execution_id)

    async def said(method: str, path: str, body: Any = None) -> list[tuple[int, str]]:
        """What a stranger gets for what is there, and for what is not; ids taken out."""
        found = []
        for execution, task_id in (("secret", task["task_id"]), ("nothing", UNKNOWN)):
            url = path.format(execution=execution, task=task_id)
            answer = await stranger.request(method, url, json=body)
            found.append((answer.status_code, answer.text.replace(execution, "…").replace(task_id, "…")))
        return found

    for method, path, body, status in (
        ("GET", EXECUTIONS + "/{execution}", None, 404),
        ("GET", EXECUTIONS + "/{execution}/history", None, 404),
        ("GET", EXECUTIONS + "/{execution}/events", None, 404),
        ("GET", TASKS + "/{task}", None, 404),
        ("GET", TASKS + "?execution_id={execution}", None, 404),
        ("POST", EXECUTIONS + "/{execution}/signal", {"name": "go"}, 403),
        ("POST", EXECUTIONS + "/{execution}/retry", {}, 403),
        ("POST", EXECUTIONS + "/{execution}/cancel", {}, 403),
        ("POST", TASKS + "/{task}/cancel", {}, 403),
        ("DELETE", TASKS + "/{task}", None, 403),
        ("DELETE", TASKS + "/{task}?execution_id={execution}", None, 403),
    ):
        there, not_there = await said(method, path, body)
        assert there == not_there, path
        assert there[0] == status, path
    assert (await stranger.get(EXECUTIONS)).json()["executions"] == []
    assert (await stranger.get(TASKS)).json()["tasks"] == []
    assert (await owner.get(f"{EXECUTIONS}/secret")).json()["status"] == "WAITING"
    assert (await owner.post(f"{EXECUTIONS}/secret/cancel", json={})).json()["result"] == "CANCELLED"


async def test_over_grpc_the_same_rule_holds(guarded: Guarded) -> None:
    owner = await guarded.grpc(guarded.token("owner", Role.CLIENT))
    stranger = await guarded.grpc(guarded.token("stranger", Role.CLIENT))
    operator = await guarded.grpc(guarded.token("ops", Role.OPERATOR))
    handle = await owner.start(patient, id="mine")
    for execution_id in ("mine", "none"):
        other = stranger.handle(execution_id)
        for call in (other.cancel(), other.cancel_task(UNKNOWN), other.signal("go")):
            with pytest.raises(NotPermitted):
                await call
        for question in (other.describe, other.history, other.result):
            with pytest.raises(NotFound, match=f"no execution '{execution_id}'"):
                await question()
    assert [view async for view in stranger.list()] == []
    with pytest.raises(NotPermitted):
        _ = [view async for view in stranger.list(ExecutionFilter(created_by="client:owner"))]
    for selection in (ExecutionFilter(), TaskFilter()):
        assert [dict(each) async for each in stranger.cancel_where(selection)][-1] == {}
    assert (await operator.handle("mine").describe()).created_by == "client:owner"
    assert await operator.handle("mine").cancel() == "CANCELLED"
    assert await handle.cancel() == "ALREADY_CANCELLED"


async def test_an_id_that_another_has_is_taken_and_nothing_more_is_told(guarded: Guarded) -> None:
    owner, stranger = await guarded.client("owner"), await guarded.client("stranger")
    await start(owner, "patient", {"salary": 1}, "same")
    for body in ({"kind": "patient", "input": {"salary": 1}}, {"kind": "echoing"}):
        answer = await stranger.post(EXECUTIONS, json={**body, "execution_id": "same"})
        assert answer.status_code == 409
        assert answer.json()["message"] == "execution 'same' exists. Choose another id."


async def test_tokens_of_one_name_are_one_caller(guarded: Guarded) -> None:
    old, new = await guarded.client("web"), await guarded.client("web")
    execution_id = await start(old, "patient")
    assert (await new.post(f"{EXECUTIONS}/{execution_id}/cancel", json={})).status_code == 200


# ── organisations ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_organisations_are_kept_apart(guarded: Guarded) -> None:
    """Each has its own ids, queues and workers; an operator sees none but its own."""
    await guarded.worker("w-1", "acme")
    acme, apex = await guarded.operator("acme"), await guarded.operator("apex")
    for http, name in ((acme, "org-acme"), (apex, "org-apex")):
        assert await start(http, "hanging", name, "same") == "same"
    await happens("org-acme runs")
    assert (await acme.get(f"{EXECUTIONS}/same")).json()["status"] == "WAITING"
    assert (await apex.get(f"{EXECUTIONS}/same")).json()["status"] == "PENDING", "no worker of apex is there"
    (task,) = (await acme.get(TASKS, params={"worker_id": "w-1"})).json()["tasks"]
    assert (task["execution_id"], task["queue"], task["worker_id"]) == ("same", "default", "w-1")
    assert (await apex.delete(f"{TASKS}/{task['task_id']}")).status_code == 404
    assert (await apex.get(TASKS)).json()["tasks"] == []
    (worker,) = (await acme.get("/api/v1/workers")).json()["workers"]
    assert (worker["worker_id"], worker["queues"]) == ("w-1", ["default"])
    assert (await apex.get("/api/v1/workers")).json()["workers"] == []
    (waiting,) = (await apex.get("/stuck")).json()["waiting"]
    assert (waiting["queue"], waiting["kind"]) == ("default", "hanging")
    assert (await acme.get("/stuck")).json()["waiting"] == []
    listed = (await acme.get(EXECUTIONS, params={"queue": "default"})).json()["executions"]
    assert [(each["execution_id"], each["queue"]) for each in listed] == [("same", "default")]
    counts = (await apex.post(f"{EXECUTIONS}/cancel", json={"where": {}})).json()["counts"]
    assert counts == {"CANCELLED": 1}
    assert (await acme.delete(f"{TASKS}/{task['task_id']}")).status_code == 200
    await happens("org-acme stopped")


async def test_an_id_is_looked_for_by_its_beginning_within_the_organisation(guarded: Guarded) -> None:
    default, acme = await guarded.operator(), await guarded.operator("acme")
    for http in (default, acme):
        for name in ("order-1", "order-2", "quote-1"):
            await start(http, "nobody-runs-this", None, name)
    for http in (default, acme):
        found = (await http.get(EXECUTIONS, params={"id_prefix": "order-"})).json()["executions"]
        assert [each["execution_id"] for each in found] == ["order-2", "order-1"]
        assert (await http.get("/api/v1/counts", params={"id_prefix": "order-1"})).json()["total"] == 1
    assert (await default.get(EXECUTIONS, params={"id_prefix": "acme"})).json()["executions"] == []
    body = {"where": {"id_prefix": "order-"}, "dry_run": True}
    assert (await acme.post(f"{EXECUTIONS}/cancel", json=body)).json()["selected"] == 2


async def test_an_organisation_sees_its_own_names_in_events_and_errors(guarded: Guarded) -> None:
    await guarded.worker("w-1", "acme")
    token = guarded.token("ops", Role.OPERATOR, "acme")
    http, client = await guarded.http(token), await guarded.grpc(token)
    await start(http, "hanging", "org-names", "named")
    await happens("org-names runs")
    await http.post(f"{EXECUTIONS}/named/cancel", json={"mode": "WAIT"})
    handle = client.handle("named")
    told = [
        (await http.get(f"{EXECUTIONS}/named/history")).text,
        (await http.get(f"{EXECUTIONS}/named/events")).text,
        str(list(await handle.history())),
        str([event async for event in handle.follow()]),
    ]
    for text in told:
        assert "w-1" in text
        assert "default" in text
        assert SEPARATOR not in text
    with pytest.raises(ExecutionEnded, match="execution 'named' is CANCELLED"):
        await handle.signal("go")


async def test_no_name_reaches_into_another_organisation(guarded: Guarded) -> None:
    acme, default = await guarded.operator("acme"), await guarded.operator()
    await start(acme, "patient", execution_id="e")
    for execution_id in ("acme\u25b8e", "\u25b8e"):
        answer = await default.get(f"{EXECUTIONS}/{execution_id}")
        assert await problem_of(answer) == (400, "InvalidInput")
    body = {"kind": "patient", "queue": "acme\u25b8default"}
    assert await problem_of(await default.post(EXECUTIONS, json=body)) == (400, "InvalidInput")
    reaching = Worker(
        guarded.server.address,
        agents=AGENTS,
        tasks=WORK,
        queues=["acme\u25b8default"],
        token=guarded.token("w", Role.WORKER),
    )
    with pytest.raises(InvalidInput):
        async with asyncio.timeout(LONGEST):
            await reaching.run()


# ── what is served where ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("addresses", [("0.0.0.0:0", None), ("127.0.0.1:0", "0.0.0.0:0")])
async def test_without_tokens_no_other_machine_is_let_in(addresses: tuple[str, str | None]) -> None:
    address, http_address = addresses
    with pytest.raises(InvalidInput, match=r"0\.0\.0\.0:0 can be reached from other machines, and there are no tokens"):
        async with Server(None, address, http_address=http_address):
            pass


async def test_a_file_of_tokens_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there are no tokens in"):
        async with Server(None, "127.0.0.1:0", tokens=tmp_path / "none"):
            pass


class Certified:
    """Files of an authority, and of a server that it vouches for."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.root, self.certificate, self.key = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
        self.authority.cert_pem.write_to_path(self.root)
        issued = self.authority.issue_cert("localhost", "127.0.0.1")
        for blob in issued.cert_chain_pems:
            blob.write_to_path(self.certificate)
        issued.private_key_pem.write_to_path(self.key)

    def context(self, *, with_certificate: bool) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.root))
        if with_certificate:
            self.authority.issue_cert("client").configure_cert(context)
        return context

    def credentials(self, *, with_certificate: bool) -> grpc.ChannelCredentials:
        root = self.root.read_bytes()
        if not with_certificate:
            return grpc.ssl_channel_credentials(root)
        own = self.authority.issue_cert("client")
        return grpc.ssl_channel_credentials(root, own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes())


@pytest.mark.parametrize("is_mutual", [False, True])
async def test_both_ports_serve_tls_and_ask_for_certificates_if_told(tmp_path: Path, is_mutual: bool) -> None:
    files = Certified(tmp_path)
    certificates = certificates_of(files.certificate, files.key, files.root if is_mutual else None)
    async with Server(None, "127.0.0.1:0", http_address="127.0.0.1:0", certificates=certificates) as server:
        url = f"https://{server.http_address}{EXECUTIONS}"
        async with httpx.AsyncClient(verify=files.context(with_certificate=is_mutual)) as http:
            assert (await http.get(url)).status_code == 200
        async with Client(server.address, credentials=files.credentials(with_certificate=is_mutual)) as client:
            await client.start(patient)
        if is_mutual:
            async with httpx.AsyncClient(verify=files.context(with_certificate=False)) as http:
                with pytest.raises(httpx.TransportError):
                    await http.get(url)
            async with Client(server.address, credentials=files.credentials(with_certificate=False)) as client:
                with pytest.raises(ServerUnavailable):
                    await client.start(patient)


async def test_files_that_do_not_fit_are_refused_before_anything_is_served(tmp_path: Path) -> None:
    files, others = Certified(tmp_path), tmp_path / "others"
    others.mkdir()
    wrong = Certified(others)
    for given in (
        (files.certificate, None, None),
        (None, files.key, None),
        (files.certificate, wrong.key, None),
        (files.certificate, tmp_path / "none", None),
        (files.certificate, files.key, files.key),
    ):
        with pytest.raises(InvalidInput):
            certificates_of(*given)
