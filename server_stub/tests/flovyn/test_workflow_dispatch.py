"""WorkflowDispatch over a real channel: starting, polling, the log, and what a pass may ask for."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import grpc
import pytest
from rescind_proto.flovyn.v1 import flovyn_pb2 as wire

from .workflow_calls import STRANGE, Wire, child_command, command, refused, task_command

pytestmark = pytest.mark.asyncio

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


# ── start ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_started_workflow_has_one_event(calls: Wire) -> None:
    execution_id = await calls.start("greet", {"name": "Ada"}, metadata={"team": "red"})
    assert await calls.events(execution_id) == [
        ("WORKFLOW_STARTED", {"workflowKind": "greet", "input": {"name": "Ada"}, "metadata": {"team": "red"}})
    ]


async def test_a_key_finds_what_it_has_started(calls: Wire) -> None:
    first = await calls.call("StartWorkflow", workflow_kind="w", idempotency_key="k")
    second = await calls.call("StartWorkflow", workflow_kind="other", idempotency_key="k")
    unkeyed = await calls.call("StartWorkflow", workflow_kind="w")
    assert (first.idempotency_key_used, first.idempotency_key_new) == (True, True)
    assert (second.idempotency_key_used, second.idempotency_key_new) == (True, False)
    assert second.workflow_execution_id == first.workflow_execution_id
    assert (unkeyed.idempotency_key_used, unkeyed.idempotency_key_new) == (False, True)


async def test_of_many_starts_with_one_key_one_creates(calls: Wire) -> None:
    made = await asyncio.gather(
        *(calls.call("StartWorkflow", workflow_kind="w", idempotency_key="k") for _ in range(20))
    )
    assert sum(each.idempotency_key_new for each in made) == 1
    assert len({each.workflow_execution_id for each in made}) == 1


async def test_what_cannot_be_started_is_refused(calls: Wire) -> None:
    with refused(INVALID):
        await calls.call("StartWorkflow", workflow_kind="")
    with refused(INVALID):
        await calls.call("StartWorkflow", workflow_kind="w", input=b"{not json")
    with refused(INVALID):
        await calls.call("StartWorkflow", workflow_kind="w", org_id="no-uuid")
    with refused(NOT_FOUND):
        await calls.call("StartWorkflow", workflow_kind="w", parent_workflow_execution_id=STRANGE)
    with refused(grpc.StatusCode.UNIMPLEMENTED):
        await calls.call("StartWorkflow", workflow_definition_id="drawn")
    with refused(grpc.StatusCode.UNIMPLEMENTED):
        await calls.call("GetVisualWorkflowDefinitionById", workflow_definition_id="drawn")


# ── poll ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_claimed_workflow_is_told_whole(calls: Wire) -> None:
    execution_id = await calls.start("w", [1], workflow_version="1.2.0", priority_seconds=7)
    found = await calls.poll("worker-1", "w")
    assert (found.id, found.kind, found.queue, found.input) == (execution_id, "w", "default", b"[1]")
    assert (found.workflow_version, found.priority_ms, found.current_sequence) == ("1.2.0", 7_000, 1)
    assert found.workflow_task_time_millis >= found.created_at_ms > 0


async def test_the_older_one_goes_first_its_priority_counted(calls: Wire) -> None:
    later = await calls.start("w")
    first = await calls.start("w", priority_seconds=60)
    assert [(await calls.poll()).id, (await calls.poll()).id] == [first, later]


async def test_a_poll_waits_until_there_is_work(calls: Wire) -> None:
    polling = asyncio.ensure_future(calls.poll("worker-1", "w", seconds=60))
    await asyncio.sleep(0.05)
    assert not polling.done()
    execution_id = await calls.start("w")
    assert (await polling).id == execution_id


async def test_a_poll_for_nothing_is_answered_empty(calls: Wire) -> None:
    await calls.start("other")
    assert (await calls.poll("worker-1", "w", seconds=0)).id == ""


async def test_of_many_workers_that_race_for_one_workflow_one_wins(calls: Wire) -> None:
    polls = [asyncio.ensure_future(calls.poll(f"worker-{n}", "w", seconds=1)) for n in range(30)]
    execution_id = await calls.start("w")
    found = [each.id for each in await asyncio.gather(*polls)]
    assert sorted(found) == [""] * 29 + [execution_id]


async def test_of_a_hundred_polls_for_ten_workflows_each_workflow_is_given_to_one(calls: Wire) -> None:
    polls = [asyncio.ensure_future(calls.poll(f"worker-{n}", "w", seconds=1)) for n in range(100)]
    started = await asyncio.gather(*(calls.start("w") for _ in range(10)))
    found = [each.id for each in await asyncio.gather(*polls) if each.id]
    assert sorted(found) == sorted(started)


async def test_a_poller_that_has_gone_is_given_nothing(calls: Wire) -> None:
    gone = calls.call("PollWorkflow", worker_id="gone", queue="default", timeout_seconds=60)
    await asyncio.sleep(0.05)
    gone.cancel()
    await asyncio.sleep(0.05)
    execution_id = await calls.start("w")
    assert (await calls.poll("here", "w")).id == execution_id


async def test_the_kinds_that_a_worker_registered_are_found_by_its_name_and_its_id(calls: Wire) -> None:
    registered = await calls.call(
        "RegisterWorker",
        worker_name="known",
        worker_version="1",
        worker_type="WORKFLOW",
        workflows=[wire.WorkflowCapability(kind="mine")],
    )
    await calls.start("strange")
    assert (await calls.poll("known", seconds=0)).id == ""
    assert (await calls.poll(registered.worker_id, seconds=0)).id == ""
    mine = await calls.start("mine")
    assert (await calls.poll(registered.worker_id)).id == mine
    assert (await calls.poll("nobody-knows-it", seconds=0)).kind == "strange"


async def test_whoever_follows_a_queue_is_told_of_work(calls: Wire) -> None:
    told = calls.call("SubscribeToNotifications", worker_id="worker-1", queue="default")
    reading = asyncio.ensure_future(told.read())
    await asyncio.sleep(0.05)
    await calls.start("w")
    hint = await reading
    assert (hint.queue, hint.timestamp_ms > 0) == ("default", True)
    told.cancel()


# ── a pass ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_command_is_written_as_its_event(calls: Wire) -> None:
    execution_id = await calls.claimed()
    child_id, task_id = str(uuid4()), str(uuid4())
    await calls.submit(
        execution_id,
        command("record_operation", operation_name="o", result=b"1"),
        command("set_state", key="k", value=b'"v"'),
        command("set_state", key="gone", value=b"2"),
        command("clear_state", key="gone"),
        task_command("t", task_id, input=b"[3]"),
        command("create_promise", promise_id="p", timeout_ms=60_000),
        command("resolve_promise", promise_id="p", value=b"4"),
        child_command("c", child_id),
        command("start_timer", timer_id="sleep-1", duration_ms=3_600_000),
        command("cancel_timer", timer_id="sleep-1"),
        command("suspend_workflow", reason="waits"),
    )
    events = await calls.events(execution_id)
    assert [event_type for event_type, _ in events] == [
        "WORKFLOW_STARTED",
        "OPERATION_COMPLETED",
        "STATE_SET",
        "STATE_SET",
        "STATE_CLEARED",
        "TASK_SCHEDULED",
        "PROMISE_CREATED",
        "PROMISE_RESOLVED",
        "CHILD_WORKFLOW_INITIATED",
        "TIMER_STARTED",
        "TIMER_CANCELLED",
        "WORKFLOW_SUSPENDED",
    ]
    told = dict(events)
    assert told["OPERATION_COMPLETED"] == {"operationName": "o", "result": 1}
    assert told["TASK_SCHEDULED"] == {"kind": "t", "taskExecutionId": task_id, "input": [3]}
    assert told["CHILD_WORKFLOW_INITIATED"]["childExecutionId"] == child_id
    assert told["CHILD_WORKFLOW_INITIATED"]["childWorkflowExecutionId"] == child_id
    assert told["PROMISE_CREATED"]["promiseName"] == "p"
    assert told["PROMISE_RESOLVED"]["promiseId"] == told["PROMISE_CREATED"]["promiseId"]
    assert told["TIMER_STARTED"] == {"timerId": "sleep-1", "durationMs": 3_600_000}
    assert (await calls.events(child_id))[0][1]["workflowKind"] == "child"


async def test_a_completed_workflow_tells_its_output(calls: Wire) -> None:
    execution_id = await calls.claimed()
    await calls.submit(execution_id, command("complete_workflow", output=b'{"a":1}'), status="COMPLETED")
    assert (await calls.events(execution_id))[-1] == ("WORKFLOW_COMPLETED", {"output": {"a": 1}})


async def test_a_failed_workflow_tells_its_error(calls: Wire) -> None:
    execution_id = await calls.claimed()
    await calls.submit(execution_id, command("fail_workflow", error="broken"), status="FAILED")
    told = dict(await calls.events(execution_id))
    assert told["WORKFLOW_EXECUTION_FAILED"]["error"] == "broken"


@pytest.mark.parametrize("first", [2, 1, 0])
async def test_both_habits_of_numbering_are_taken(calls: Wire, first: int) -> None:
    execution_id = await calls.claimed()
    await calls.submit(execution_id, command("set_state", first, key="a"), command("set_state", first + 1, key="b"))
    assert (await calls.types(execution_id))[:3] == ["WORKFLOW_STARTED", "STATE_SET", "STATE_SET"]


async def test_a_gap_in_the_numbers_is_refused(calls: Wire) -> None:
    execution_id = await calls.claimed()
    with refused(INVALID):
        await calls.submit(execution_id, command("set_state", 9, key="a"))
    assert await calls.types(execution_id) == ["WORKFLOW_STARTED"]


async def test_a_repeated_batch_is_recorded_once(calls: Wire) -> None:
    execution_id = await calls.claimed()
    batch = (command("set_state", 2, key="a", value=b"1"), command("suspend_workflow", 3))
    await calls.submit(execution_id, *batch)
    before = await calls.types(execution_id)
    with refused(FAILED_PRECONDITION):
        await calls.submit(execution_id, *batch)
    assert await calls.types(execution_id) == before


async def test_a_pass_that_is_older_than_the_claim_is_refused(calls: Wire) -> None:
    execution_id = await calls.claimed()
    await calls.submit(execution_id, command("set_state", 2, key="a"), command("set_state", 3, key="b"))
    await calls.call("SignalWorkflow", workflow_execution_id=execution_id, signal_name="go")
    assert (await calls.poll()).id == execution_id
    with refused(FAILED_PRECONDITION):
        await calls.submit(execution_id, command("set_state", 2, key="a"))
    assert (await calls.types(execution_id)).count("STATE_SET") == 2


async def test_of_two_submissions_under_one_claim_one_is_taken(calls: Wire) -> None:
    execution_id = await calls.claimed()
    batch = (command("set_state", key="a"), command("suspend_workflow"))
    answers = await asyncio.gather(*(calls.submit(execution_id, *batch) for _ in range(5)), return_exceptions=True)
    assert sum(each is None for each in answers) == 1
    assert (await calls.types(execution_id)).count("STATE_SET") == 1


async def test_nothing_is_taken_from_whoever_holds_no_claim(calls: Wire) -> None:
    execution_id = await calls.start()
    with refused(FAILED_PRECONDITION):
        await calls.submit(execution_id, command("set_state", key="a"))
    with refused(NOT_FOUND):
        await calls.submit(STRANGE, command("set_state", key="a"))


async def test_a_finished_workflow_takes_no_commands(calls: Wire) -> None:
    execution_id = await calls.claimed()
    await calls.submit(execution_id, command("complete_workflow"), status="COMPLETED")
    with refused(FAILED_PRECONDITION):
        await calls.submit(execution_id, command("set_state", key="late"))
    assert "STATE_SET" not in await calls.types(execution_id)


BAD = {
    "an unknown type": wire.WorkflowCommand.FromString(b"\x08\x63"),
    "the data of another type": wire.WorkflowCommand(
        command_type=wire.CommandType.SET_STATE, clear_state=wire.ClearStateCommand(key="k")
    ),
    "a payload that is no JSON": command("set_state", key="k", value=b"{"),
    "bytes that are no text": command("record_operation", operation_name="o", result=b"\xff"),
    "a task's id that is none": task_command("t", "no-uuid"),
    "a task without a kind": task_command(""),
    "a child's id that is none": child_command("c", "no-uuid"),
    "a child without a name": child_command(""),
    "a timer without an id": command("start_timer", duration_ms=1),
    "a promise without a name": command("create_promise"),
    "an operation without a name": command("record_operation"),
    "a child to cancel without an id": command("request_cancel_child_workflow", child_execution_name="c"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_of_a_batch_with_a_bad_command_nothing_is_recorded(calls: Wire, bad: wire.WorkflowCommand) -> None:
    execution_id = await calls.claimed()
    with refused(INVALID):
        await calls.submit(execution_id, command("set_state", key="good", value=b"1"), bad)
    assert await calls.types(execution_id) == ["WORKFLOW_STARTED"]
    await calls.submit(execution_id, command("complete_workflow"), status="COMPLETED")


async def test_a_command_of_no_type_is_passed_over(calls: Wire) -> None:
    execution_id = await calls.claimed()
    await calls.submit(execution_id, wire.WorkflowCommand(), command("complete_workflow"), status="COMPLETED")
    assert await calls.types(execution_id) == ["WORKFLOW_STARTED", "WORKFLOW_COMPLETED"]


async def test_a_submission_says_how_its_pass_ended(calls: Wire) -> None:
    execution_id = await calls.claimed()
    with refused(INVALID):
        await calls.submit(execution_id, status="WORKFLOW_STATUS_UNSPECIFIED")


async def test_ids_are_uuids(calls: Wire) -> None:
    with refused(INVALID):
        await calls.events("no-uuid")
    with refused(INVALID):
        await calls.submit("no-uuid")
    with refused(NOT_FOUND):
        await calls.events(STRANGE)


async def test_a_timer_that_is_used_twice_is_refused(calls: Wire) -> None:
    execution_id = await calls.claimed()
    timer = command("start_timer", timer_id="sleep-1", duration_ms=3_600_000)
    with refused(FAILED_PRECONDITION):
        await calls.submit(execution_id, timer, timer)
    assert await calls.types(execution_id) == ["WORKFLOW_STARTED"]


async def test_the_name_of_a_child_is_used_once(calls: Wire) -> None:
    execution_id = await calls.claimed()
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        await calls.submit(execution_id, child_command("c"), child_command("c"))
    assert await calls.types(execution_id) == ["WORKFLOW_STARTED"]


async def test_what_a_dead_process_had_claimed_goes_to_the_one_that_takes_its_place(calls: Wire) -> None:
    async def register(process_id: str) -> None:
        place = {"host_name": "host", "process_id": process_id}
        await calls.call("RegisterWorker", worker_name="known", worker_type="UNIFIED", **place)

    await register("1")
    execution_id = await calls.start("w")
    assert (await calls.poll("known", "w")).id == execution_id
    await register("1")
    assert (await calls.poll("known", "w", seconds=0)).id == ""
    await register("2")
    assert (await calls.poll("known", "w")).id == execution_id


async def test_a_promise_that_was_resolved_is_resolved_again_behind_the_end_without_effect(calls: Wire) -> None:
    execution_id = await calls.claimed()
    create = command("create_promise", promise_id="p")
    await calls.submit(execution_id, create, command("resolve_promise", promise_id="p", value=b"1"))
    await calls.call("SignalWorkflow", workflow_execution_id=execution_id, signal_name="go")
    assert (await calls.poll()).id == execution_id
    await calls.submit(execution_id, command("complete_workflow"), status="COMPLETED")
    await calls.call("ResolvePromise", promise_id=f"{execution_id}/p", value=b"1")
    with refused(grpc.StatusCode.NOT_FOUND):
        await calls.call("ResolvePromise", promise_id=f"{execution_id}/q", value=b"1")


async def test_a_timer_fires_and_the_workflow_goes_on(calls: Wire) -> None:
    execution_id = await calls.claimed()
    await calls.submit(execution_id, command("start_timer", timer_id="sleep-1", duration_ms=1))
    assert (await calls.poll("worker-1", "w")).id == execution_id
    assert ("TIMER_FIRED", {"timerId": "sleep-1"}) in await calls.events(execution_id)


async def test_what_comes_while_a_pass_runs_leads_to_another_pass(calls: Wire) -> None:
    execution_id = await calls.claimed()
    await calls.call("SignalWorkflow", workflow_execution_id=execution_id, signal_name="go")
    await calls.submit(execution_id, command("suspend_workflow"))
    assert (await calls.poll("worker-1", "w", seconds=0)).id == execution_id


# ── children ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_end_of_a_child_is_told_to_its_parent(calls: Wire) -> None:
    parent = await calls.claimed("parent")
    await calls.submit(parent, child_command("good"), child_command("bad"))
    good, bad = await calls.poll("worker-1", "child"), await calls.poll("worker-1", "child")
    await calls.submit(good.id, command("complete_workflow", output=b"1"), status="COMPLETED")
    await calls.submit(bad.id, command("fail_workflow", error="no luck"), status="FAILED")
    told = dict(await calls.events(parent))
    assert told["CHILD_WORKFLOW_COMPLETED"]["output"] == 1
    assert "no luck" in told["CHILD_WORKFLOW_FAILED"]["error"]
    assert (await calls.poll("worker-1", "parent")).id == parent


async def test_a_parent_cancels_a_child_by_its_id_alone(calls: Wire) -> None:
    parent, child_id = await calls.claimed("parent"), str(uuid4())
    await calls.submit(parent, child_command("c", child_id))
    assert (await calls.poll("worker-1", "child")).id == child_id
    await calls.submit(child_id, command("suspend_workflow"))
    await calls.call("SignalWorkflow", workflow_execution_id=parent, signal_name="go")
    assert (await calls.poll("worker-1", "parent")).id == parent
    await calls.submit(parent, command("request_cancel_child_workflow", child_workflow_execution_id=child_id))
    assert dict(await calls.events(child_id))["CANCELLATION_REQUESTED"]["requestedBy"] == parent
    assert (await calls.poll("worker-1", "child")).id == child_id
    await calls.submit(child_id, command("cancel_workflow", reason="asked"), status="CANCELLED")
    told = dict(await calls.events(parent))
    assert told["CHILD_WORKFLOW_CANCELLATION_REQUESTED"]["childExecutionName"] == "c"
    assert "cancelled" in told["CHILD_WORKFLOW_FAILED"]["error"].lower()


async def test_an_unknown_child_cannot_be_cancelled(calls: Wire) -> None:
    parent = await calls.claimed("parent")
    await calls.submit(parent, command("request_cancel_child_workflow", child_workflow_execution_id=STRANGE))
    assert "CHILD_WORKFLOW_CANCELLATION_FAILED" in await calls.types(parent)


async def test_a_child_that_is_started_from_outside_is_not_in_the_parents_log(calls: Wire) -> None:
    parent = await calls.start("parent")
    reply = await calls.call(
        "StartChildWorkflow", parent_workflow_execution_id=parent, child_execution_name="c", workflow_kind="child"
    )
    assert await calls.types(reply.child_workflow_execution_id) == ["WORKFLOW_STARTED"]
    assert await calls.types(parent) == ["WORKFLOW_STARTED"]
    with refused(NOT_FOUND):
        await calls.call(
            "StartChildWorkflow", parent_workflow_execution_id=STRANGE, child_execution_name="c", workflow_kind="child"
        )
    with refused(grpc.StatusCode.UNIMPLEMENTED):
        await calls.call(
            "StartChildWorkflow",
            parent_workflow_execution_id=parent,
            child_execution_name="d",
            workflow_definition_id="drawn",
        )
