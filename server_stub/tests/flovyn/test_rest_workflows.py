"""Workflows and promises over flovyn's HTTP interface, with a worker that speaks gRPC."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from .rest import AGENTS, HERE, STRANGE, WORKFLOWS, reached
from .workflow_calls import Wire, child_command, command, task_command

pytestmark = pytest.mark.asyncio


async def start(http: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await http.post(WORKFLOWS, json={"kind": "w", **body})
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def claimed(http: httpx.AsyncClient, calls: Wire, **body: Any) -> str:
    """A workflow that a worker has claimed; returns its id."""
    execution_id = str((await start(http, **body))["workflowExecutionId"])
    assert (await calls.poll()).id == execution_id
    return execution_id


async def test_a_started_workflow_is_answered_with_where_it_is_found(http: httpx.AsyncClient) -> None:
    answer = await http.post(WORKFLOWS, json={"kind": "w", "input": [1], "labels": {"a": "b"}, "version": "2.0"})
    assert answer.status_code == 201
    started = answer.json()
    assert (started["status"], started["kind"]) == ("PENDING", "w")
    assert (started["idempotencyKeyUsed"], started["idempotencyKeyNew"]) == (False, True)
    workflow = (await http.get(started["links"]["self"])).json()
    assert (workflow["id"], workflow["workflowKind"]) == (started["workflowExecutionId"], "w")
    assert (workflow["input"], workflow["output"], workflow["metadata"]) == ([1], None, {"a": "b"})
    assert workflow["workflowVersion"] == "2.0"
    UUID(workflow["orgId"])
    (event,) = (await http.get(started["links"]["events"])).json()
    assert (event["sequenceNumber"], event["eventType"]) == (1, "WORKFLOW_STARTED")
    assert event["data"]["workflowKind"] == "w"
    assert event["createdAt"].endswith("Z")


async def test_a_key_is_answered_with_what_it_has_started(http: httpx.AsyncClient) -> None:
    first = await http.post(WORKFLOWS, json={"kind": "w", "idempotencyKey": "k", "idempotencyKeyTTL": "2h"})
    second = await http.post(WORKFLOWS, json={"kind": "w", "idempotencyKey": "k"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["workflowExecutionId"] == first.json()["workflowExecutionId"]
    assert (second.json()["idempotencyKeyUsed"], second.json()["idempotencyKeyNew"]) == (True, False)


@pytest.mark.parametrize(
    "body", [{}, {"kind": ""}, {"kind": "w", "idempotencyKeyTTL": "soon"}, {"kind": "w", "prioritySeconds": "high"}]
)
async def test_what_cannot_be_started_is_400(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await http.post(WORKFLOWS, json=body)
    assert (answer.status_code, set(answer.json())) == (400, {"error", "code"})


async def test_workflows_and_agents_are_listed_apart(http: httpx.AsyncClient) -> None:
    made = [(await start(http))["workflowExecutionId"] for _ in range(3)]
    agent = (await http.post(AGENTS, json={"kind": "a"})).json()["id"]
    page = (await http.get(WORKFLOWS, params={"limit": "2", "status": "PENDING", "kind": "w"})).json()
    assert [each["id"] for each in page["workflows"]] == [made[2], made[1]]
    assert (page["total"], page["limit"], page["offset"]) == (3, 2, 0)
    assert [each["id"] for each in (await http.get(AGENTS)).json()["agents"]] == [agent]
    assert (await http.get(f"{AGENTS}/{made[0]}")).status_code == 404
    assert (await http.get(f"{WORKFLOWS}/{agent}")).status_code == 404


async def test_what_a_pass_has_done_is_shown(http: httpx.AsyncClient, calls: Wire) -> None:
    execution_id = await claimed(http, calls)
    child = child_command("c")
    await calls.submit(execution_id, command("set_state", key="k", value=b"[1]"), task_command("t", input=b"{}"), child)
    path = f"{WORKFLOWS}/{execution_id}"
    assert (await http.get(f"{path}/state")).json() == {"state": {"k": [1]}}
    assert (await http.get(f"{path}/state", params={"key": "other"})).json() == {"state": {}}
    (task,) = (await http.get(f"{path}/tasks")).json()["tasks"]
    assert (task["kind"], task["status"], task["executionCount"]) == ("t", "PENDING", 0)
    assert (await http.get(f"{path}/tasks/{task['id']}/attempts")).json() == {"attempts": []}
    assert (await http.get(f"{path}/tasks/{STRANGE}/attempts")).status_code == 404
    assert (await http.get(f"{path}/tasks/{task['id']}/logs")).json()["total"] == 0
    assert (await http.get(f"{path}/tasks/{STRANGE}/logs")).status_code == 404
    assert (await http.get(f"{path}/tasks/{task['id']}/logs?level=LOUD")).status_code == 400
    (found,) = (await http.get(f"{path}/children")).json()["children"]
    child_id = child.schedule_child_workflow.child_workflow_execution_id
    assert (found["childWorkflowExecutionId"], found["childExecutionName"]) == (child_id, "c")
    assert found["status"] == "PENDING"
    assert (await http.get(f"{WORKFLOWS}/{child_id}")).json()["parentWorkflowExecutionId"] == execution_id
    behind = (await http.get(f"{path}/events", params={"sinceSequence": "1"})).json()
    assert [each["eventType"] for each in behind][:2] == ["STATE_SET", "TASK_SCHEDULED"]


@pytest.mark.parametrize(
    ("name", "value"), [("signalName", "signalValue"), ("signal_name", "signal_value"), ("name", "payload")]
)
async def test_a_signal_is_taken_in_each_spelling(http: httpx.AsyncClient, calls: Wire, name: str, value: str) -> None:
    execution_id = str((await start(http))["workflowExecutionId"])
    answer = await http.post(f"{WORKFLOWS}/{execution_id}/signal", json={name: "go", value: {"n": 1}})
    assert (answer.status_code, answer.json()) == (200, {"signalEventSequence": 2})
    assert (await calls.events(execution_id))[1] == ("SIGNAL_RECEIVED", {"signalName": "go", "signalValue": {"n": 1}})


async def test_a_signal_that_cannot_be_delivered_is_refused(http: httpx.AsyncClient, calls: Wire) -> None:
    execution_id = await claimed(http, calls)
    assert (await http.post(f"{WORKFLOWS}/{execution_id}/signal", json={})).status_code == 400
    assert (await http.post(f"{WORKFLOWS}/{STRANGE}/signal", json={"signalName": "go"})).status_code == 404
    await calls.submit(execution_id, command("complete_workflow"), status="COMPLETED")
    assert (await http.post(f"{WORKFLOWS}/{execution_id}/signal", json={"signalName": "go"})).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {"workflow_id": "o", "workflow_kind": "w", "workflow_input": [1], "signal_name": "go", "signal_value": 2},
        {"workflowId": "o", "workflowKind": "w", "workflowInput": [1], "signalName": "go", "signalValue": 2},
    ],
)
async def test_signal_with_start_is_taken_in_both_casings(
    http: httpx.AsyncClient, calls: Wire, body: dict[str, Any]
) -> None:
    first = await http.post(f"{WORKFLOWS}/signal-with-start", json=body)
    second = await http.post(f"{WORKFLOWS}/signal-with-start", json=body)
    assert (first.status_code, second.status_code) == (201, 200)
    made = first.json()
    assert (made["workflow_created"], made["signal_event_sequence"], made["signal_delivered"]) == (True, 2, True)
    assert second.json() == {**made, "workflow_created": False, "signal_event_sequence": 3}
    log = await calls.events(made["workflow_execution_id"])
    assert (log[0][1]["input"], log[1][1]["signalValue"]) == ([1], 2)
    del body[next(iter(body))]
    assert (await http.post(f"{WORKFLOWS}/signal-with-start", json=body)).status_code == 400


async def test_a_cancel_reaches_the_children_and_is_repeated_without_harm(http: httpx.AsyncClient, calls: Wire) -> None:
    execution_id = await claimed(http, calls)
    child = child_command("c")
    await calls.submit(execution_id, child)
    child_id = child.schedule_child_workflow.child_workflow_execution_id
    path = f"{WORKFLOWS}/{execution_id}"
    cancelled = (await http.post(f"{path}/cancel", json={"reason": "not needed"})).json()
    assert cancelled == {"status": "CANCELLING", "cancelledChildren": 1}
    assert (await reached(http, f"{WORKFLOWS}/{child_id}", "CANCELLED"))["status"] == "CANCELLED"
    assert (await calls.poll("worker-1", "w")).id == execution_id
    await calls.submit(execution_id, command("cancel_workflow", reason="not needed"), status="CANCELLED")
    assert (await http.get(path)).json()["status"] == "CANCELLED"
    again = (await http.post(f"{path}/cancel", json={})).json()
    assert again == {"status": "ALREADY_TERMINAL", "cancelledChildren": 0}


async def test_children_of_one_name_or_of_none_are_all_there(http: httpx.AsyncClient, calls: Wire) -> None:
    execution_id = await claimed(http, calls)
    from_outside = [await calls.start("child", parent_workflow_execution_id=execution_id) for _ in range(2)]
    reply = await calls.call(
        "StartChildWorkflow", parent_workflow_execution_id=execution_id, child_execution_name="c", workflow_kind="child"
    )
    of_its_code = child_command("c")
    await calls.submit(execution_id, of_its_code)
    path = f"{WORKFLOWS}/{execution_id}"
    found = (await http.get(f"{path}/children")).json()["children"]
    assert {each["childWorkflowExecutionId"] for each in found} == {
        *from_outside,
        reply.child_workflow_execution_id,
        of_its_code.schedule_child_workflow.child_workflow_execution_id,
    }
    assert (await http.post(f"{path}/cancel", json={})).json()["cancelledChildren"] == 4


async def test_a_workflow_that_never_ran_is_cancelled_at_once(http: httpx.AsyncClient) -> None:
    execution_id = (await start(http))["workflowExecutionId"]
    cancelled = await http.post(f"{WORKFLOWS}/{execution_id}/cancel")
    assert cancelled.json() == {"status": "CANCELLED", "cancelledChildren": 0}
    assert (await http.post(f"{WORKFLOWS}/{STRANGE}/cancel")).status_code == 404
    spared = await http.post(f"{WORKFLOWS}/{execution_id}/cancel", json={"cascadeToChildren": False})
    assert spared.status_code == 501


async def test_a_failed_workflow_is_retried_by_hand_and_no_other(http: httpx.AsyncClient, calls: Wire) -> None:
    execution_id = await claimed(http, calls)
    path = f"{WORKFLOWS}/{execution_id}"
    assert (await http.post(f"{path}/retry", json={})).status_code == 400
    await calls.submit(execution_id, command("fail_workflow", error="broken"), status="FAILED")
    assert (await http.get(path)).json()["error"] == "broken"
    retried = (await http.post(f"{path}/retry", json={"note": "mended"})).json()
    assert (retried["status"], retried["retryAttempt"], retried["success"]) == ("PENDING", 1, True)
    assert (await calls.poll("worker-1", "w")).id == execution_id
    assert "RETRY_REQUESTED" in await calls.types(execution_id)
    await calls.submit(execution_id, command("complete_workflow", output=b"1"), status="COMPLETED")
    assert (await http.get(path)).json()["output"] == 1


async def test_a_promise_is_settled_by_its_id_and_by_its_key_once(http: httpx.AsyncClient, calls: Wire) -> None:
    execution_id = await claimed(http, calls)
    await calls.submit(
        execution_id,
        command("create_promise", promise_id="p"),
        command("create_promise", promise_id="q", idempotency_key="order:7"),
    )
    made = [told["promiseId"] for kind, told in await calls.events(execution_id) if kind == "PROMISE_CREATED"]
    first = await http.post(f"{HERE}/promises/id:{made[0]}/resolve", json={"value": {"ok": True}})
    assert (first.status_code, first.json()) == (200, {"resolved": True, "promiseId": made[0]})
    second = await http.post(f"{HERE}/promises/id:{made[0]}/reject", json={"error": "late"})
    assert second.json() == {"resolved": False, "alreadyResolved": True, "promiseId": made[0]}
    by_key = await http.post(f"{HERE}/promises/key:order:7/reject", json={"error": "no"})
    assert by_key.json() == {"resolved": True, "promiseId": made[1]}
    told = dict(await calls.events(execution_id))
    assert told["PROMISE_RESOLVED"]["value"] == {"ok": True}
    assert told["PROMISE_REJECTED"]["error"] == "no"


@pytest.mark.parametrize(
    ("ref", "status"), [(f"id:{STRANGE}", 404), ("key:none", 404), ("id:no-uuid", 400), ("name", 400), ("id:", 400)]
)
async def test_a_promise_that_is_not_there_is_not_settled(http: httpx.AsyncClient, ref: str, status: int) -> None:
    assert (await http.post(f"{HERE}/promises/{ref}/resolve", json={})).status_code == status
    assert (await http.post(f"{HERE}/promises/{ref}/reject", json={"error": "no"})).status_code == status


@pytest.mark.parametrize("path", ["", "/events", "/state", "/tasks", "/children", "/stream", "/tasks/stream"])
async def test_an_id_of_nothing_is_404_and_what_is_no_id_400(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(f"{WORKFLOWS}/{STRANGE}{path}")).status_code == 404
    assert (await http.get(f"{WORKFLOWS}/no-uuid{path}")).status_code == 400
