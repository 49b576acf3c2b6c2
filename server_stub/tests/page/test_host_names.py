"""A server without tokens answers nobody whom another site's name has led to it: DNS rebinding."""

from __future__ import annotations

import httpx
import pytest

from rescind_server.access.tokens import Role
from rescind_server.app import Server
from server_stub.tests.http.calls import EXECUTIONS
from server_stub.tests.http.guarded import Guarded
from server_stub.tests.http.work import LONGEST

pytestmark = pytest.mark.asyncio
FOREIGN = (
    "evil.example",
    "evil.example:7234",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "192.0.2.1:7234",
    "x@[::1]",
)
OWN = (
    "127.0.0.1",
    "127.0.0.1:1",
    "localhost",
    "LOCALHOST:7234",
    "rescind.localhost:80",
    "[::1]:7234",
    "127.3.2.1",
    "localhost.",
)
PATHS = ("/", "/page/executions", EXECUTIONS, "/openapi.json", "/metrics", "/api/docs", "/api/v1/events")


@pytest.mark.parametrize("host", FOREIGN)
async def test_what_was_sent_to_another_host_is_refused_before_anything_is_done(
    http: httpx.AsyncClient, host: str
) -> None:
    for path in PATHS:
        answer = await http.get(path, headers={"host": host})
        assert (answer.status_code, answer.json()["error"]) == (403, "NotPermitted"), path
        assert "--http-name" in answer.json()["action"]
    started = await http.post(EXECUTIONS, json={"kind": "patient"}, headers={"host": host})
    assert started.status_code == 403
    assert (await http.get(EXECUTIONS)).json()["executions"] == []


@pytest.mark.parametrize("host", OWN)
async def test_every_name_of_the_loopback_is_answered(http: httpx.AsyncClient, host: str) -> None:
    assert (await http.get(EXECUTIONS, headers={"host": host})).status_code == 200


async def test_a_name_that_the_server_was_given_is_answered_and_no_other() -> None:
    async with (
        Server(None, "127.0.0.1:0", http_address="127.0.0.1:0", http_names=("Agents.Example",)) as server,
        httpx.AsyncClient(base_url=f"http://{server.http_address}", timeout=LONGEST) as http,
    ):
        for host, status in (("agents.example:8080", 200), ("localhost", 200), ("x.agents.example", 403)):
            assert (await http.get(EXECUTIONS, headers={"host": host})).status_code == status, host


async def test_a_server_that_asks_for_tokens_takes_any_name(guarded: Guarded) -> None:
    http = await guarded.http(guarded.token("ops", Role.OPERATOR))
    assert (await http.get(EXECUTIONS, headers={"host": "agents.example"})).status_code == 200
