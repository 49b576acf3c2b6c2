"""Webhooks over HTTP: what operators do with them, and what the audit trail tells of that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from rescind_server.webhooks import schedule
from server_stub.tests.webhooks.receiver import Receiver, receiver

from .guarded import Guarded
from .work import LONGEST

pytestmark = pytest.mark.asyncio

WEBHOOKS = "/api/v1/webhooks"


@pytest_asyncio.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as opened:
        yield opened


async def added(http: httpx.AsyncClient, url: str, **body: Any) -> dict[str, Any]:
    answer = await http.post(WEBHOOKS, json={"url": url, **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{WEBHOOKS}/{found['webhook']['webhook_id']}"
    return found


async def shown_as(http: httpx.AsyncClient, webhook_id: str, *, waiting: int, dead: int) -> dict[str, Any]:
    """Wait until so much of a webhook is left."""
    async with asyncio.timeout(LONGEST):
        while True:
            shown: dict[str, Any] = (await http.get(f"{WEBHOOKS}/{webhook_id}")).json()
            if (shown["waiting"], shown["dead"]) == (waiting, dead):
                return shown
            await asyncio.sleep(0.01)


async def audited(http: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """What the audit trail tells of webhooks, the last first."""
    records = (await http.get("/api/v1/audit", params=query)).json()["records"]
    return [each for each in records if "WEBHOOK" in each["action"]]


async def test_a_webhook_is_added_listed_tested_and_removed(http: httpx.AsyncClient, there: Receiver) -> None:
    made = await added(http, there.url, events=["execution.*"], labels={"team": "a"}, description="for the shop")
    webhook = made["webhook"]
    webhook_id = webhook["webhook_id"]
    assert made["secret"].startswith("whsec_")
    assert (webhook["labels"], webhook["description"], webhook["disabled"]) == ({"team": "a"}, "for the shop", None)
    assert (await http.get(WEBHOOKS)).json() == {"webhooks": [webhook]}
    ping = (await http.post(f"{WEBHOOKS}/{webhook_id}/test")).json()["delivery_id"]
    (arrived,) = await there.wait_for(1)
    assert (arrived.id, arrived.type) == (ping, "webhook.ping")
    assert arrived.is_signed_with(made["secret"])
    assert (await http.delete(f"{WEBHOOKS}/{webhook_id}")).json()["webhook_id"] == webhook_id
    assert (await http.get(WEBHOOKS)).json() == {"webhooks": []}
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/rotate"), ("POST", "/test")):
        answer = await http.request(method, f"{WEBHOOKS}/{webhook_id}{path}")
        assert (answer.status_code, answer.json()["error"]) == (404, "NotFound")


async def test_both_secrets_sign_after_a_rotation(http: httpx.AsyncClient, there: Receiver) -> None:
    first = await added(http, there.url)
    webhook_id = first["webhook"]["webhook_id"]
    second = (await http.post(f"{WEBHOOKS}/{webhook_id}/rotate", json={"overlap_ms": 60_000})).json()
    assert second["webhook"]["old_secret_until"] is not None
    await http.post(f"{WEBHOOKS}/{webhook_id}/test")
    (arrived,) = await there.wait_for(1)
    assert arrived.is_signed_with(first["secret"])
    assert arrived.is_signed_with(second["secret"])


async def test_dead_letters_are_listed_in_pages_and_tried_anew(
    http: httpx.AsyncClient, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "PAUSES_S", ())
    webhook_id = (await added(http, there.url))["webhook"]["webhook_id"]
    there.answers = ["500 No", "500 No"]
    pings = {(await http.post(f"{WEBHOOKS}/{webhook_id}/test")).json()["delivery_id"] for _ in range(2)}
    await shown_as(http, webhook_id, waiting=0, dead=2)
    first = (await http.get(f"{WEBHOOKS}/dead", params={"page_size": 1})).json()
    query = {"webhook_id": webhook_id, "page_token": first["next_page_token"]}
    last = (await http.get(f"{WEBHOOKS}/dead", params=query)).json()
    letters = [*first["deliveries"], *last["deliveries"]]
    assert {each["delivery_id"] for each in letters} == pings
    assert {(each["event"], each["execution_id"], each["attempts"]) for each in letters} == {("webhook.ping", None, 1)}
    assert last["next_page_token"] == ""
    one = letters[0]["delivery_id"]
    assert (await http.post(f"{WEBHOOKS}/retry", json={"delivery_id": one})).json() == {"count": 1}
    assert (await http.post(f"{WEBHOOKS}/retry", json={"webhook_id": webhook_id})).json() == {"count": 1}
    await shown_as(http, webhook_id, waiting=0, dead=0)
    assert (await http.post(f"{WEBHOOKS}/retry", json={"delivery_id": one})).status_code == 404


async def test_a_disabled_webhook_is_told_again_when_it_is_enabled(http: httpx.AsyncClient, there: Receiver) -> None:
    webhook_id = (await added(http, there.url))["webhook"]["webhook_id"]
    there.answers = ["410 Gone"]
    await http.post(f"{WEBHOOKS}/{webhook_id}/test")
    assert (await shown_as(http, webhook_id, waiting=0, dead=1))["disabled"] == "it answered 410 Gone"
    assert (await http.post(f"{WEBHOOKS}/{webhook_id}/test")).status_code == 409
    assert (await http.post(f"{WEBHOOKS}/{webhook_id}/enable")).json()["disabled"] is None
    assert (await http.post(f"{WEBHOOKS}/{webhook_id}/test")).status_code == 200
    await there.wait_for(2)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "http://example.com/"},
        {"url": "ftp://example.com/"},
        {"url": "https://169.254.169.254/"},
        {"url": "https://example.com/", "events": ["execution.finished"]},
        {"url": "https://example.com/", "description": "x" * 1_001},
        {"url": "https://example.com/", "secret": "mine"},
    ],
)
async def test_a_webhook_that_cannot_be_meant_is_refused(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await http.post(WEBHOOKS, json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidInput")
    assert (await http.get(WEBHOOKS)).json() == {"webhooks": []}


async def test_webhooks_are_for_operators_and_of_their_organisation_alone(guarded: Guarded) -> None:
    client, ops, others = await guarded.client("web"), await guarded.operator(), await guarded.operator("acme")
    webhook_id = (await added(ops, "https://example.com/"))["webhook"]["webhook_id"]
    wanted = {"url": "https://example.com/"}
    for method, path, body in (
        ("GET", "", None),
        ("POST", "", wanted),
        ("GET", "/dead", None),
        ("POST", "/retry", {}),
        ("DELETE", f"/{webhook_id}", None),
        ("POST", f"/{webhook_id}/test", None),
    ):
        answer = await client.request(method, f"{WEBHOOKS}{path}", json=body)
        assert (answer.status_code, answer.json()["error"]) == (403, "NotPermitted")
    assert (await others.get(WEBHOOKS)).json() == {"webhooks": []}
    assert (await others.delete(f"{WEBHOOKS}/{webhook_id}")).status_code == 404
    assert await audited(others) == []
    assert len(await audited(ops)) == 1


async def test_the_audit_trail_tells_who_changed_a_webhook(guarded: Guarded) -> None:
    ops = await guarded.operator()
    webhook_id = (await added(ops, "https://example.com/hook?key=k-1"))["webhook"]["webhook_id"]
    await ops.post(f"{WEBHOOKS}/{webhook_id}/rotate")
    await ops.post(f"{WEBHOOKS}/{webhook_id}/enable")
    await ops.delete(f"{WEBHOOKS}/{webhook_id}")
    records = await audited(ops)
    assert [(each["action"], each["result"]) for each in records] == [
        ("REMOVE_WEBHOOK", "REMOVED"),
        ("ENABLE_WEBHOOK", "ENABLED"),
        ("ROTATE_WEBHOOK_SECRET", "ROTATED"),
        ("ADD_WEBHOOK", "ADDED"),
    ]
    # The URL's query may be a secret.
    assert {(each["who"], each["subject"]) for each in records} == {
        ("operator:ops", f"{webhook_id} https://example.com/hook?…")
    }
    assert await audited(ops, who="operator:other") == []
    assert await audited(ops, execution_id="order-1") == []


async def test_the_audit_trail_tells_of_webhooks_in_pages(http: httpx.AsyncClient) -> None:
    for number in range(3):
        await added(http, f"https://example.com/{number}")
        await http.post("/api/v1/executions", json={"kind": "nobody-runs-this"})
    told: list[dict[str, Any]] = []
    token = ""
    while token or not told:
        page = (await http.get("/api/v1/audit", params={"page_size": 1, "page_token": token})).json()
        told += page["records"]
        token = page["next_page_token"]
    assert [each["action"] for each in told] == ["START", "ADD_WEBHOOK"] * 3
    assert [each["at"] for each in told] == sorted((each["at"] for each in told), reverse=True)
