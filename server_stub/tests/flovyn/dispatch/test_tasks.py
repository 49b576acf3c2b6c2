"""TaskExecution over loopback: claiming, ending, retries, state, logs and standalone tasks."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import grpc
import pytest
from rescind_proto.flovyn.v1 import flovyn_pb2

from rescind.model.ids import ExecutionId
from rescind.model.messages import StreamedEvent

from .wire import Wire, refusal

pytestmark = pytest.mark.asyncio

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
NOBODY = "00000000-0000-4000-8000-000000000000"


async def submit(wire: Wire, kind: str = "work", **fields: Any) -> Any:
    return await wire.tasks.SubmitTask(kind=kind, **fields)


async def test_a_task_of_an_agent_is_claimed_with_all_that_its_worker_needs(wire: Wire) -> None:
    scheduled = await wire.schedule(await wire.claimed_agent(), chunks=[b'{"n": ', b"1}"])
    claimed = await wire.poll_task()
    assert claimed.task_execution_id == scheduled.task_execution_id
    assert (claimed.kind, claimed.input, claimed.queue) == ("work", b'{"n": 1}', "default")
    assert (claimed.workflow_execution_id, claimed.execution_count) == ("", 1)


async def test_a_poll_that_finds_nothing_is_no_error(wire: Wire) -> None:
    reply = await wire.tasks.PollTask(worker_id="worker", timeout_seconds=0)
    assert not reply.HasField("task")


async def test_a_poll_that_waits_is_answered_when_a_task_comes(wire: Wire) -> None:
    polling = asyncio.create_task(wire.poll_task(wait_s=10))
    task_id = (await submit(wire)).task_execution_id
    assert (await polling).task_execution_id == task_id


async def test_each_task_is_claimed_once_by_however_many_pollers(wire: Wire) -> None:
    polls = [asyncio.create_task(wire.poll_task(f"worker-{n}", wait_s=2)) for n in range(100)]
    submitted = [(await submit(wire)).task_execution_id for _ in range(10)]
    claimed = [(await poll).task_execution_id for poll in polls]
    assert sorted(filter(None, claimed)) == sorted(submitted)


async def test_tasks_are_claimed_in_the_order_of_scheduling(wire: Wire) -> None:
    submitted = [(await submit(wire, kind)).task_execution_id for kind in ("b", "a", "c")]
    assert [(await wire.poll_task()).task_execution_id for _ in submitted] == submitted


@pytest.mark.parametrize("waits", [True, False])
async def test_a_poller_that_has_hung_up_is_given_no_work(wire: Wire, waits: bool) -> None:
    polling = wire.tasks.PollTask(worker_id="gone", timeout_seconds=30)
    if waits:
        # A round trip later it is held, on the same connection.
        await wire.poll_task(queue="another")
    polling.cancel()
    task_id = (await submit(wire)).task_execution_id
    agent_poll = wire.agents.PollAgent(worker_id="gone", timeout_seconds=30)
    agent_poll.cancel()
    agent_id = await wire.start_agent()
    assert (await wire.poll_task(wait_s=10)).task_execution_id == task_id
    assert (await wire.poll_agent(wait_s=10)).id == agent_id


async def test_a_task_that_fails_is_tried_again_as_often_as_it_may_be(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    (task_id,) = await wire.scheduled(agent_id, "work")
    await wire.suspend_for(agent_id, [task_id])
    for attempt in range(1, 5):
        assert await wire.status_of(agent_id) == "WAITING"
        assert (await wire.poll_task()).execution_count == attempt
        await wire.tasks.FailTask(task_execution_id=task_id, error=f"failure {attempt}")
    assert await wire.status_of(agent_id) == "PENDING"
    (result,) = await wire.results(agent_id, [task_id])
    assert (result.status, result.error) == ("FAILED", "failure 4")


async def test_no_retries_is_one_attempt(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    task_id = await wire.running_task(agent_id, max_retries=0)
    await wire.tasks.FailTask(task_execution_id=task_id, error="no luck")
    assert not (await wire.poll_task()).task_execution_id


@pytest.mark.parametrize("claimed", [True, False])
async def test_a_task_whose_time_has_come_fails_for_good(wire: Wire, claimed: bool) -> None:
    agent_id = await wire.claimed_agent()
    scheduled = await wire.schedule(agent_id, timeout_ms=30)
    if claimed:
        await wire.poll_task()
    await wire.suspend_for(agent_id, [scheduled.task_execution_id])
    assert (await wire.poll_agent("chat", wait_s=10)).id == agent_id
    (result,) = await wire.results(agent_id, [scheduled.task_execution_id])
    assert result.status == "FAILED"
    assert "timed out" in result.error
    assert await refusal(wire.complete(scheduled.task_execution_id)) is PRECONDITION


async def test_a_task_that_nobody_has_claimed_is_not_ended_by_a_worker(wire: Wire) -> None:
    task_id = (await submit(wire)).task_execution_id
    assert await refusal(wire.complete(task_id)) is PRECONDITION
    assert await refusal(wire.tasks.FailTask(task_execution_id=task_id, error="e")) is PRECONDITION
    assert await refusal(wire.tasks.Heartbeat(task_execution_id=task_id)) is PRECONDITION
    assert (await wire.poll_task()).task_execution_id == task_id


async def test_a_task_ends_once(wire: Wire) -> None:
    task_id = await wire.running_task(await wire.claimed_agent())
    await wire.complete(task_id)
    assert await refusal(wire.complete(task_id, b"2")) is PRECONDITION
    assert await refusal(wire.tasks.FailTask(task_execution_id=task_id, error="e")) is PRECONDITION


async def test_a_result_that_is_no_json_is_refused_and_its_task_runs_on(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    task_id = await wire.running_task(agent_id)
    assert await refusal(wire.complete(task_id, b"\xff")) is INVALID
    assert [result.status for result in await wire.results(agent_id, [task_id])] == ["RUNNING"]


async def test_a_heartbeat_tells_a_worker_that_its_task_was_cancelled(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    task_id = await wire.running_task(agent_id)
    await wire.tasks.Heartbeat(task_execution_id=task_id)
    await wire.tasks.CancelTask(task_execution_id=task_id)
    assert await refusal(wire.tasks.Heartbeat(task_execution_id=task_id)) is PRECONDITION


async def test_a_task_is_cancelled_and_again_without_effect(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    task_id = await wire.running_task(agent_id)
    for _ in range(2):
        await wire.tasks.CancelTask(task_execution_id=task_id)
    assert [result.status for result in await wire.results(agent_id, [task_id])] == ["CANCELLED"]


async def test_a_task_that_has_completed_or_failed_is_not_cancelled(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    done = await wire.running_task(agent_id, "a")
    await wire.complete(done)
    failed = await wire.running_task(agent_id, "b", max_retries=0)
    await wire.tasks.FailTask(task_execution_id=failed, error="no luck")
    for task_id in (done, failed):
        assert await refusal(wire.tasks.CancelTask(task_execution_id=task_id)) is PRECONDITION


def calls_of_a_task(wire: Wire, task_id: str) -> list[Any]:
    tasks = wire.tasks
    return [
        tasks.CompleteTask(task_execution_id=task_id),
        tasks.FailTask(task_execution_id=task_id, error="e"),
        tasks.ReportProgress(task_execution_id=task_id, progress=0.5),
        tasks.Heartbeat(task_execution_id=task_id),
        tasks.CancelTask(task_execution_id=task_id),
        tasks.LogMessage(task_execution_id=task_id, level="INFO"),
        tasks.GetState(task_execution_id=task_id, key="k"),
        tasks.SetState(task_execution_id=task_id, key="k"),
        tasks.ClearState(task_execution_id=task_id, key="k"),
        tasks.ClearAllState(task_execution_id=task_id),
        tasks.GetStateKeys(task_execution_id=task_id),
        tasks.StreamTaskData(task_execution_id=task_id, type=flovyn_pb2.StreamEventType.TOKEN),
    ]


@pytest.mark.parametrize("task_id", ["", "work-1", NOBODY[:-1] + "g"])
async def test_an_id_that_is_no_uuid_is_refused_by_every_call(wire: Wire, task_id: str) -> None:
    assert {await refusal(call) for call in calls_of_a_task(wire, task_id)} == {INVALID}


async def test_a_task_that_is_not_there_is_not_found_by_any_call(wire: Wire) -> None:
    assert {await refusal(call) for call in calls_of_a_task(wire, NOBODY)} == {NOT_FOUND}


# ── what a task notes ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_state_of_a_task_outlives_its_attempt(wire: Wire) -> None:
    tasks, task_id = wire.tasks, await wire.running_task(await wire.claimed_agent())
    for key in ("b", "a"):
        await tasks.SetState(task_execution_id=task_id, key=key, value=b"1")
    await tasks.SetState(task_execution_id=task_id, key="a", value=b"2")
    await tasks.FailTask(task_execution_id=task_id, error="once more")
    await wire.poll_task()
    assert (await tasks.GetStateKeys(task_execution_id=task_id)).keys == ["a", "b"]
    found = await tasks.GetState(task_execution_id=task_id, key="a")
    assert (found.found, found.value) == (True, b"2")


async def test_keys_are_removed_one_or_all_and_an_absent_one_is_no_error(wire: Wire) -> None:
    tasks, task_id = wire.tasks, await wire.running_task(await wire.claimed_agent())
    for key in ("a", "b"):
        await tasks.SetState(task_execution_id=task_id, key=key, value=b"")
    for key in ("a", "a", "never"):
        await tasks.ClearState(task_execution_id=task_id, key=key)
    assert not (await tasks.GetState(task_execution_id=task_id, key="a")).found
    assert (await tasks.GetState(task_execution_id=task_id, key="b")).value == b"null"
    await tasks.ClearAllState(task_execution_id=task_id)
    assert not (await tasks.GetStateKeys(task_execution_id=task_id)).keys


async def test_what_is_noted_has_a_key_json_a_level_and_a_fraction(wire: Wire) -> None:
    tasks, task_id = wire.tasks, await wire.running_task(await wire.claimed_agent())
    for call in (
        tasks.SetState(task_execution_id=task_id, key="", value=b"1"),
        tasks.SetState(task_execution_id=task_id, key="k", value=b"{"),
        tasks.LogMessage(task_execution_id=task_id, level="LOUD"),
        tasks.ReportProgress(task_execution_id=task_id, progress=1.5),
        tasks.ReportProgress(task_execution_id=task_id, progress=float("nan")),
    ):
        assert await refusal(call) is INVALID


async def test_those_who_watch_see_progress_logs_and_events(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    task_id = await wire.running_task(agent_id)
    async with wire.server.host.watchers.subscribe(ExecutionId(agent_id)) as watching:
        await wire.tasks.ReportProgress(task_execution_id=task_id, progress=0.5, details="half")
        await wire.tasks.LogMessage(task_execution_id=task_id, level="WARN", message="slow")
        reply = await wire.tasks.StreamTaskData(
            task_execution_id=task_id, type=flovyn_pb2.StreamEventType.TOKEN, payload='{"type":"token","text":"a"}'
        )
        seen = [event for event in watching.get_arrived() if isinstance(event, StreamedEvent)]
    assert reply.acknowledged
    assert [(event.kind, event.task_id) for event in seen] == [
        ("progress", task_id),
        ("log", task_id),
        ("token", task_id),
    ]


async def test_an_event_of_a_type_that_nobody_knows_is_passed_over(wire: Wire) -> None:
    task_id = await wire.running_task(await wire.claimed_agent())
    assert not (await wire.tasks.StreamTaskData(task_execution_id=task_id, type=99)).acknowledged


# ── standalone tasks ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_standalone_task_ends_with_its_result(wire: Wire) -> None:
    submitted = await submit(wire, input=b'{"n": 1}')
    claimed = await wire.poll_task()
    assert (claimed.task_execution_id, claimed.workflow_execution_id) == (submitted.task_execution_id, "")
    assert UUID(claimed.task_execution_id)
    await wire.complete(claimed.task_execution_id, b"2")
    assert await wire.status_of(submitted.task_execution_id) == "COMPLETED"


async def test_a_standalone_tasks_retries_are_none_unless_said(wire: Wire) -> None:
    task_id = (await submit(wire)).task_execution_id
    await wire.poll_task()
    await wire.tasks.FailTask(task_execution_id=task_id, error="no luck")
    assert await wire.status_of(task_id) == "FAILED"


async def test_a_standalone_task_is_cancelled(wire: Wire) -> None:
    task_id = (await submit(wire)).task_execution_id
    await wire.tasks.CancelTask(task_execution_id=task_id)
    assert await wire.status_of(task_id) == "CANCELLED"
    assert not (await wire.poll_task()).task_execution_id


async def test_a_key_names_the_same_task_until_that_fails_or_is_cancelled(wire: Wire) -> None:
    first = await submit(wire, idempotency_key="k")
    again = await submit(wire, idempotency_key="k")
    assert (again.task_execution_id, again.idempotency_key_new) == (first.task_execution_id, False)
    await wire.tasks.CancelTask(task_execution_id=first.task_execution_id)
    freed = await submit(wire, idempotency_key="k")
    assert freed.task_execution_id != first.task_execution_id
    assert (first.idempotency_key_new, freed.idempotency_key_new) == (True, True)
    await wire.poll_task()
    await wire.complete(freed.task_execution_id)
    assert (await submit(wire, idempotency_key="k")).task_execution_id == freed.task_execution_id


async def test_of_many_that_submit_under_one_key_one_creates(wire: Wire) -> None:
    replies = await asyncio.gather(*(submit(wire, idempotency_key="k") for _ in range(50)))
    assert len({reply.task_execution_id for reply in replies}) == 1
    assert [reply.idempotency_key_new for reply in replies].count(True) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": ""},
        {"input": b"{"},
        {"max_retries": -1},
        {"timeout_ms": -1},
        {"idempotency_key": "k", "idempotency_key_ttl_seconds": 2_592_001},
        {"workflow_execution_id": NOBODY},
        {"org_id": "here"},
    ],
)
async def test_a_task_that_cannot_be_meant_is_refused(wire: Wire, fields: dict[str, Any]) -> None:
    assert await refusal(submit(wire, **fields)) is INVALID
