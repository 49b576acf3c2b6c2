"""Who may ask what over flovyn's HTTP interface: tokens, roles, organisations; health and the document."""

from __future__ import annotations

from typing import Any

import grpc
import httpx
import jsonschema
import pytest

from rescind_server.access.tokens import Role
from rescind_server.app import Server

from ..http.documents import check_whole
from .rest import AGENTS, HERE, STRANGE, WORKFLOWS, Guarded, http_client
from .workflow_calls import command, connected, refused

pytestmark = pytest.mark.asyncio

READS = ("agent-executions", "workflow-executions", "task-executions")
MORE = ("workers", "workflow-definitions", "task-definitions")


async def test_nothing_but_health_is_told_without_a_token(guarded: Guarded) -> None:
    async with http_client(guarded.server) as nobody:
        for path in READS + MORE:
            assert (await nobody.get(f"{HERE}/{path}")).status_code == 401
        assert (await nobody.get("/_/metrics")).status_code == 401
        for path in ("/_/health", "/_/health/live", "/_/health/ready", "/_/health/startup"):
            found = await nobody.get(path)
            assert (found.status_code, found.json()["status"]) == (200, "UP")
        assert (await nobody.get("/api/docs/openapi.json")).status_code == 200


async def test_a_path_of_another_organisation_is_403_and_its_ids_look_as_if_they_were_not(guarded: Guarded) -> None:
    ours = await guarded.caller(Role.OPERATOR, "ops")
    theirs = await guarded.caller(Role.OPERATOR, "spy", "acme")
    agent = (await ours.post(AGENTS, json={"kind": "a"})).json()["id"]
    workflow = (await ours.post(WORKFLOWS, json={"kind": "w"})).json()["workflowExecutionId"]
    for path in READS + MORE:
        assert (await theirs.get(f"{HERE}/{path}")).status_code == 403
    for method, path in (
        ("GET", f"agent-executions/{agent}"),
        ("DELETE", f"agent-executions/{agent}"),
        ("GET", f"workflow-executions/{workflow}"),
        ("GET", f"workflow-executions/{workflow}/events"),
        ("POST", f"workflow-executions/{workflow}/cancel"),
    ):
        assert (await theirs.request(method, f"{HERE}/{path}")).status_code == 403
        assert (await theirs.request(method, f"/api/orgs/acme/{path}")).status_code == 404
    assert (await theirs.get("/api/orgs/acme/workflow-executions")).json()["total"] == 0


async def test_an_organisation_of_its_own_is_served_whole(guarded: Guarded) -> None:
    people = await guarded.caller(Role.OPERATOR, "ops", "acme")
    base = "/api/orgs/acme/workflow-executions"
    async with connected(guarded.server, guarded.token(Role.WORKER, "w", "acme")) as worker:
        started = (await people.post(base, json={"kind": "w", "queue": "q"})).json()["workflowExecutionId"]
        found = await worker.poll("worker-1", queue="q")
        assert (found.id, found.queue) == (started, "q")
        child = "11111111-1111-4111-8111-111111111111"
        made = command(
            "schedule_child_workflow",
            child_execution_name="c",
            workflow_kind="child",
            child_workflow_execution_id=child,
        )
        await worker.submit(started, made, command("create_promise", promise_id="p"))
        told = dict(await worker.events(started))
        assert told["CHILD_WORKFLOW_INITIATED"]["childExecutionId"] == child
        await worker.call("ResolvePromise", promise_id=f"{started}/p", value=b"1")
        assert (await worker.poll("worker-1", "child", queue="q")).id == child
        await worker.submit(child, command("fail_workflow", error="no luck"), status="FAILED")
    assert (await people.get(f"{base}/{started}")).json()["queue"] == "q"
    (shown,) = (await people.get(f"{base}/{started}/children")).json()["children"]
    assert (shown["childWorkflowExecutionId"], shown["status"]) == (child, "FAILED")
    task = await people.post("/api/orgs/acme/task-executions", json={"kind": "t"})
    assert task.status_code == 201, task.text
    assert (await people.delete(f"/api/orgs/acme/task-executions/{task.json()['id']}")).status_code == 204


async def test_a_client_sees_and_cancels_what_it_has_started(guarded: Guarded) -> None:
    one = await guarded.caller(Role.CLIENT, "one")
    two = await guarded.caller(Role.CLIENT, "two")
    workflow = f"{WORKFLOWS}/{(await one.post(WORKFLOWS, json={'kind': 'w'})).json()['workflowExecutionId']}"
    agent = f"{AGENTS}/{(await one.post(AGENTS, json={'kind': 'a'})).json()['id']}"
    for path in (workflow, agent):
        assert (await one.get(path)).status_code == 200
        assert (await two.get(path)).status_code == 404
    assert (await two.post(f"{workflow}/cancel")).status_code == 404
    assert (await two.delete(agent)).status_code == 404
    assert (await two.get(WORKFLOWS)).json()["total"] == 0
    assert (await one.get(WORKFLOWS)).json()["total"] == 1
    assert (await one.get(f"{HERE}/workers")).status_code == 403


async def test_a_key_leads_no_stranger_to_what_a_client_has_started(guarded: Guarded) -> None:
    one = await guarded.caller(Role.CLIENT, "one")
    two = await guarded.caller(Role.CLIENT, "two")
    signal = {"workflow_id": "order-7", "workflow_kind": "w", "signal_name": "go"}
    made = (await one.post(f"{WORKFLOWS}/signal-with-start", json=signal)).json()["workflow_execution_id"]
    started = {"kind": "w", "idempotencyKey": "order-7"}
    for path, body in ((f"{WORKFLOWS}/signal-with-start", signal), (WORKFLOWS, started)):
        refusal = await two.post(path, json=body)
        assert (refusal.status_code, made in refusal.text) == (409, False)
        assert (await one.post(path, json=body)).status_code == 200
    async with connected(guarded.server, guarded.token(Role.CLIENT, "two")) as stranger:
        with refused(grpc.StatusCode.ALREADY_EXISTS):
            await stranger.call("SignalWithStartWorkflow", **signal)
        with refused(grpc.StatusCode.ALREADY_EXISTS):
            await stranger.start(idempotency_key="order-7")
    async with connected(guarded.server, guarded.token(Role.WORKER, "w")) as worker:
        assert await worker.types(made) == ["WORKFLOW_STARTED", "SIGNAL_RECEIVED", "SIGNAL_RECEIVED"]
        assert (await worker.poll()).id == made
        await worker.submit(made, command("complete_workflow"), status="COMPLETED")
    assert (await two.post(WORKFLOWS, json=started)).status_code == 409
    assert (await one.post(WORKFLOWS, json=started)).status_code == 200


async def test_a_worker_is_no_person_and_a_viewer_changes_nothing(guarded: Guarded) -> None:
    worker = await guarded.caller(Role.WORKER, "w")
    viewer = await guarded.caller(Role.VIEWER, "v")
    for path in READS:
        assert (await worker.get(f"{HERE}/{path}")).status_code == 403
        assert (await viewer.get(f"{HERE}/{path}")).status_code == 200
        assert (await viewer.post(f"{HERE}/{path}", json={"kind": "k"})).status_code == 403
    operator = await guarded.caller(Role.OPERATOR, "ops")
    path = f"{WORKFLOWS}/{(await operator.post(WORKFLOWS, json={'kind': 'w'})).json()['workflowExecutionId']}"
    assert (await viewer.get(path)).status_code == 200
    assert (await viewer.post(f"{path}/cancel")).status_code == 403
    assert (await viewer.post(f"{path}/signal", json={"signalName": "go"})).status_code == 403


async def test_calls_over_grpc_ask_for_a_token_and_a_role(guarded: Guarded) -> None:
    async with connected(guarded.server) as nobody:
        with refused(grpc.StatusCode.UNAUTHENTICATED):
            await nobody.start()
        with refused(grpc.StatusCode.UNAUTHENTICATED):
            await nobody.poll()
    async with connected(guarded.server, guarded.token(Role.WORKER, "w")) as worker:
        execution_id = await worker.start()
        assert (await worker.poll()).id == execution_id
        with refused(grpc.StatusCode.PERMISSION_DENIED):
            await worker.start(org_id=STRANGE)
    async with connected(guarded.server, guarded.token(Role.CLIENT, "c")) as client:
        with refused(grpc.StatusCode.PERMISSION_DENIED):
            await client.poll()
        with refused(grpc.StatusCode.NOT_FOUND):
            await client.events(execution_id)
    async with connected(guarded.server, guarded.token(Role.WORKER, "spy", "acme")) as stranger:
        with refused(grpc.StatusCode.NOT_FOUND):
            await stranger.events(execution_id)
        with refused(grpc.StatusCode.NOT_FOUND):
            await stranger.submit(execution_id, command("complete_workflow"), status="COMPLETED")
        with refused(grpc.StatusCode.NOT_FOUND):
            await stranger.call("SignalWorkflow", workflow_execution_id=execution_id, signal_name="go")
        assert (await stranger.poll(seconds=0)).id == ""


async def test_registered_workers_are_listed_with_what_they_run(server: Server, http: httpx.AsyncClient) -> None:
    async with connected(server) as calls:
        registered = await calls.call(
            "RegisterWorker",
            worker_name="known",
            worker_version="1.2",
            worker_type="UNIFIED",
            host_name="box",
            process_id="7",
            workflows=[{"kind": "w", "name": "W", "version": "2.0"}],
            tasks=[{"kind": "t", "name": "T", "input_schema": b'{"type":"object"}'}],
        )
    (worker,) = (await http.get(f"{HERE}/workers")).json()["workers"]
    assert (worker["id"], worker["workerName"], worker["status"]) == (registered.worker_id, "known", "ONLINE")
    assert (worker["workerVersion"], worker["hostName"], worker["processId"]) == ("1.2", "box", "7")
    details = (await http.get(f"{HERE}/workers/{registered.worker_id}")).json()
    assert [each["kind"] for each in details["workflowCapabilities"]] == ["w"]
    assert [each["kind"] for each in details["taskCapabilities"]] == ["t"]
    assert (await http.get(f"{HERE}/workers?type=TASK")).json()["total"] == 0
    assert (await http.get(f"{HERE}/workers/{STRANGE}")).status_code == 404
    definition = (await http.get(f"{HERE}/workflow-definitions/w")).json()
    assert (definition["latestVersion"], definition["availabilityStatus"]) == ("2.0", "AVAILABLE")
    (task,) = (await http.get(f"{HERE}/task-definitions")).json()["taskDefinitions"]
    assert task["inputSchema"] == {"type": "object"}
    assert (await http.get(f"{HERE}/task-definitions/none")).status_code == 404


async def test_agent_definitions_are_not_offered(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{HERE}/agent-definitions")).status_code == 501
    assert (await http.post(f"{HERE}/agent-definitions")).status_code == 501
    assert (await http.delete(f"{HERE}/agent-definitions/x")).status_code == 501


async def test_the_document_describes_every_route_and_is_whole(server: Server, http: httpx.AsyncClient) -> None:
    assert server.http_gateway is not None
    document = (await http.get("/api/docs/openapi.json")).json()
    served = {
        (method.lower(), route.path)
        for route in server.http_gateway.flovyn.routes
        if not route.path.startswith("/api/docs")
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert {(method, path) for path, methods in document["paths"].items() for method in methods} == served
    check_whole(document)
    assert (await http.get("/api/docs")).json() == document


async def test_what_is_answered_is_what_the_document_says(http: httpx.AsyncClient) -> None:
    document = (await http.get("/api/docs/openapi.json")).json()

    async def call(method: str, path: str, status: int, body: Any = None, **names: str) -> Any:
        answer = await http.request(method, path.format(org="default", **names), json=body)
        assert answer.status_code == status, answer.text
        described = document["paths"][path][method.lower()]["responses"][str(status)]
        schema = described["content"][answer.headers["content-type"].partition(";")[0]]["schema"]
        whole = {"components": document["components"], **schema}
        jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(answer.json())
        return answer.json()

    org = "/api/orgs/{org}"
    agent = (await call("POST", f"{org}/agent-executions", 201, {"kind": "a"}))["id"]
    await call("GET", f"{org}/agent-executions", 200)
    for path in ("", "/tasks", "/entries", "/checkpoints"):
        await call("GET", f"{org}/agent-executions/{{id}}{path}", 200, id=agent)
        await call("GET", f"{org}/agent-executions/{{id}}{path}", 404, id=STRANGE)
    workflow = (await call("POST", f"{org}/workflow-executions", 201, {"kind": "w"}))["workflowExecutionId"]
    await call("GET", f"{org}/workflow-executions", 200)
    for path in ("", "/events", "/state", "/tasks", "/children"):
        await call("GET", f"{org}/workflow-executions/{{id}}{path}", 200, id=workflow)
        await call("GET", f"{org}/workflow-executions/{{id}}{path}", 404, id=STRANGE)
    await call("POST", f"{org}/workflow-executions/{{id}}/signal", 200, {"name": "go"}, id=workflow)
    await call("POST", f"{org}/workflow-executions/{{id}}/cancel", 200, {}, id=workflow)
    await call("POST", f"{org}/workflow-executions/{{id}}/signal", 409, {"name": "go"}, id=workflow)
    task = (await call("POST", f"{org}/task-executions", 201, {"kind": "t"}))["id"]
    await call("GET", f"{org}/task-executions/{{task_id}}", 200, task_id=task)
    await call("GET", f"{org}/task-executions/{{task_id}}/attempts", 200, task_id=task)
    await call("GET", f"{org}/task-executions", 200)
    await call("GET", f"{org}/workers", 200)
    await call("GET", "/_/health", 200)
