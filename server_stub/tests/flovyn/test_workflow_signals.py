"""WorkflowDispatch and WorkflowQuery over a real channel: what comes to a workflow from outside."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import pytest
from rescind_proto.flovyn.v1 import flovyn_pb2 as wire

from .workflow_calls import STRANGE, Wire, command, data, refused

pytestmark = pytest.mark.asyncio

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


# ── signals and promises ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_signal_wakes_a_workflow_that_waits(calls: Wire) -> None:
    execution_id = await calls.claimed()
    await calls.submit(execution_id, command("suspend_workflow"))
    reply = await calls.call(
        "SignalWorkflow", workflow_execution_id=execution_id, signal_name="go", signal_value=data({"n": 1})
    )
    events = await calls.events(execution_id)
    assert events[reply.signal_event_sequence - 1] == ("SIGNAL_RECEIVED", {"signalName": "go", "signalValue": {"n": 1}})
    assert (await calls.poll("worker-1", "w")).id == execution_id


async def test_a_signal_that_cannot_be_delivered_is_refused(calls: Wire) -> None:
    with refused(NOT_FOUND):
        await calls.call("SignalWorkflow", workflow_execution_id=STRANGE, signal_name="go")
    execution_id = await calls.claimed()
    with refused(INVALID):
        await calls.call("SignalWorkflow", workflow_execution_id=execution_id, signal_name="")
    with refused(INVALID):
        await calls.call("SignalWorkflow", workflow_execution_id=execution_id, signal_name="go", signal_value=b"{")
    await calls.submit(execution_id, command("complete_workflow"), status="COMPLETED")
    with refused(FAILED_PRECONDITION):
        await calls.call("SignalWorkflow", workflow_execution_id=execution_id, signal_name="go")


async def test_of_two_signals_with_start_one_starts_and_both_are_in_the_log(calls: Wire) -> None:
    fields = {"workflow_id": "order-7", "workflow_kind": "w", "signal_name": "go"}
    made = await asyncio.gather(*(calls.call("SignalWithStartWorkflow", **fields) for _ in range(2)))
    assert sorted(each.workflow_created for each in made) == [False, True]
    (execution_id,) = {each.workflow_execution_id for each in made}
    assert sorted(each.signal_event_sequence for each in made) == [2, 3]
    assert await calls.types(execution_id) == ["WORKFLOW_STARTED", "SIGNAL_RECEIVED", "SIGNAL_RECEIVED"]


async def test_signal_with_start_takes_no_workflow_that_has_ended(calls: Wire) -> None:
    fields = {"workflow_id": "order-7", "workflow_kind": "w", "signal_name": "go"}
    first = (await calls.call("SignalWithStartWorkflow", **fields)).workflow_execution_id
    assert (await calls.poll("worker-1", "w")).id == first
    await calls.submit(first, command("complete_workflow"), status="COMPLETED")
    again = await calls.call("SignalWithStartWorkflow", **fields)
    assert again.workflow_created
    assert again.workflow_execution_id != first
    with refused(INVALID):
        await calls.call("SignalWithStartWorkflow", workflow_kind="w", signal_name="go")


async def test_a_promise_is_settled_once_from_outside(calls: Wire) -> None:
    execution_id = await calls.claimed()
    await calls.submit(
        execution_id, command("create_promise", promise_id="p"), command("create_promise", promise_id="q")
    )
    made = [told["promiseId"] for kind, told in await calls.events(execution_id) if kind == "PROMISE_CREATED"]
    await calls.call("ResolvePromise", promise_id=made[0], value=b"5")
    await calls.call("ResolvePromise", promise_id=made[0], value=b"6")
    await calls.call("RejectPromise", promise_id=f"{execution_id}/q", error="no")
    events = await calls.events(execution_id)
    told = dict(events)
    assert [kind for kind, _ in events].count("PROMISE_RESOLVED") == 1
    assert (told["PROMISE_RESOLVED"]["value"], told["PROMISE_RESOLVED"]["promiseId"]) == (5, made[0])
    assert (told["PROMISE_REJECTED"]["error"], told["PROMISE_REJECTED"]["promiseName"]) == ("no", "q")


async def test_an_unknown_promise_cannot_be_settled(calls: Wire) -> None:
    for name in ("ResolvePromise", "RejectPromise"):
        with refused(NOT_FOUND):
            await calls.call(name, promise_id=STRANGE)
        with refused(INVALID):
            await calls.call(name, promise_id="no-uuid")
        with refused(INVALID):
            await calls.call(name, promise_id="")
    with refused(INVALID):
        await calls.call("ResolvePromise", promise_id=STRANGE, value=b"{")


# ── queries and spans ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_workflow_is_asked_for_its_state_and_its_status(calls: Wire) -> None:
    execution_id = await calls.claimed()
    await calls.submit(execution_id, command("set_state", key="k", value=b"[1]"))

    async def ask(name: str) -> wire.QueryWorkflowResponse:
        found: wire.QueryWorkflowResponse = await calls.call(
            "QueryWorkflow", workflow_execution_id=execution_id, query_name=name
        )
        return found

    assert json.loads((await ask("state")).result) == {"k": [1]}
    assert json.loads((await ask("status")).result) == "WAITING"
    assert "unknown query" in (await ask("weather")).error
    with refused(NOT_FOUND):
        await calls.call("QueryWorkflow", workflow_execution_id=STRANGE, query_name="state")


async def test_spans_are_counted_and_bad_ones_are_no_error(calls: Wire) -> None:
    execution_id = await calls.start()

    def span(**fields: Any) -> wire.ExecutionSpan:
        usual: dict[str, Any] = {"span_id": "s", "span_type": "workflow.execute", "workflow_id": execution_id}
        times = {"start_time_unix_ns": 1, "end_time_unix_ns": 2}
        return wire.ExecutionSpan(**{**usual, **times, **fields})

    reply = await calls.call(
        "ReportExecutionSpans",
        sdk_info=wire.SdkInfo(language="rust", sdk_version="1"),
        spans=[
            span(),
            span(workflow_id="standalone", span_type="task.execute"),
            span(workflow_id=STRANGE),
            span(span_type="weather"),
            span(span_id=""),
            span(task_id="no-uuid"),
        ],
    )
    assert (reply.accepted_count, reply.rejected_count) == (2, 4)
