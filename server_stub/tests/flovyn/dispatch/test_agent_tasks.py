"""AgentDispatch over loopback: scheduling, results, waiting, signals and cancels."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from uuid import UUID

import grpc
import pytest
from rescind_proto.flovyn.v1 import agent_pb2

from .wire import Wire, refusal

pytestmark = pytest.mark.asyncio

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
DENIED = grpc.StatusCode.PERMISSION_DENIED
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("kind", "canonical", "task_id"),
    [
        ("slow-task", '{"sleepMs":100,"source":"fast"}', "94e249d7-65d4-5d69-a5dd-0705ae0512ac"),
        ("echo-task", '{"message":"alpha"}', "cea8661b-fc26-571d-9545-7b896930c7b4"),
        ("t", "null", "afc3041f-707f-527f-9f09-7e5e384c6954"),
    ],
)
async def test_a_tasks_id_is_what_its_worker_derived_from_the_key(
    wire: Wire, kind: str, canonical: str, task_id: str
) -> None:
    agent = UUID("3f2504e0-4f89-41d3-9a0c-0305e82c3301").bytes
    key = "task:" + hashlib.sha256(agent + f":{kind}:{canonical}".encode()).digest()[:16].hex()
    scheduled = await wire.schedule(await wire.claimed_agent(), kind, key=key)
    assert (scheduled.task_execution_id, scheduled.idempotency_key_used) == (task_id, True)


async def test_an_input_comes_in_pieces(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    text = json.dumps({"text": "x" * 200_000}).encode()
    await wire.schedule(agent_id, chunks=[text[at : at + 65_536] for at in range(0, len(text), 65_536)])
    assert (await wire.poll_task()).input == text


async def test_a_task_without_input_has_null(wire: Wire) -> None:
    await wire.schedule(await wire.claimed_agent())
    assert (await wire.poll_task()).input == b"null"


async def test_an_input_that_is_no_json_is_refused(wire: Wire) -> None:
    assert await refusal(wire.schedule(await wire.claimed_agent(), chunks=[b"{"])) is INVALID


async def test_a_task_is_sent_as_one_header_and_then_pieces(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    header = agent_pb2.ScheduleAgentTaskChunk(
        header=agent_pb2.ScheduleAgentTaskHeader(agent_execution_id=agent_id, task_kind="work")
    )
    piece = agent_pb2.ScheduleAgentTaskChunk(input_chunk=b"1")
    orders: list[Sequence[agent_pb2.ScheduleAgentTaskChunk]] = [[], [piece], [piece, header], [header, header]]
    assert {await refusal(wire.agents.ScheduleAgentTask(order)) for order in orders} == {INVALID}


async def test_the_same_key_is_the_same_task_whatever_its_status(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    first = await wire.schedule(agent_id, key="k")
    running = await wire.schedule(agent_id, key="k")
    await wire.agents.CancelAgentTask(agent_execution_id=agent_id, task_execution_id=first.task_execution_id)
    cancelled = await wire.schedule(agent_id, key="k")
    assert {each.task_execution_id for each in (first, running, cancelled)} == {first.task_execution_id}
    assert [each.idempotency_key_new for each in (first, running, cancelled)] == [True, False, False]
    assert (await wire.agents.GetAgentTaskCount(agent_execution_id=agent_id)).task_count == 1
    assert not (await wire.poll_task()).task_execution_id


async def test_a_key_that_another_agent_has_used_is_taken(wire: Wire) -> None:
    await wire.schedule(await wire.claimed_agent(), key="k")
    assert await refusal(wire.schedule(await wire.claimed_agent(), key="k")) is grpc.StatusCode.ALREADY_EXISTS


async def test_a_task_goes_to_its_own_queue_or_its_agents(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    await wire.schedule(agent_id, "far", queue="far")
    await wire.schedule(agent_id, "near")
    assert [(await wire.poll_task(queue=queue)).kind for queue in ("far", "default")] == ["far", "near"]


async def test_results_come_one_per_id_in_the_order_asked_for_also_twice(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    done, failed, open_task = [
        (await wire.schedule(agent_id, kind, max_retries=0)).task_execution_id for kind in ("a", "b", "c")
    ]
    for _ in range(2):
        await wire.poll_task()
    await wire.complete(done, b'{"n": 1}')
    await wire.tasks.FailTask(task_execution_id=failed, error="no luck")
    asked = [open_task, failed, done, failed]
    results = await wire.results(agent_id, asked)
    assert [result.task_execution_id for result in results] == asked
    assert [result.status for result in results] == ["PENDING", "FAILED", "COMPLETED", "FAILED"]
    assert [result.HasField("output") for result in results] == [False, False, True, False]
    assert [result.error for result in results] == ["", "no luck", "", "no luck"]
    assert results[2].output == b'{"n": 1}'


async def test_a_result_of_anothers_task_is_denied_and_one_of_nobodys_not_found(wire: Wire) -> None:
    other = (await wire.schedule(await wire.claimed_agent())).task_execution_id
    agent_id = await wire.claimed_agent()
    own = (await wire.schedule(agent_id)).task_execution_id
    one = wire.agents.GetAgentTaskResult
    assert await refusal(one(agent_execution_id=agent_id, task_execution_id=other)) is DENIED
    assert await refusal(one(agent_execution_id=agent_id, task_execution_id=NOBODY)) is NOT_FOUND
    assert await refusal(wire.results(agent_id, [own, other])) is DENIED
    assert await refusal(wire.results(agent_id, [own, NOBODY])) is NOT_FOUND
    assert await refusal(wire.results(agent_id, [own, "no-uuid"])) is INVALID


# ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_agent_goes_on_when_all_that_it_waits_for_has_ended_however(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    ids = [(await wire.schedule(agent_id, kind, max_retries=0)).task_execution_id for kind in ("a", "b", "c")]
    for _ in ids:
        await wire.poll_task()
    await wire.suspend_for(agent_id, ids)
    await wire.complete(ids[0])
    await wire.tasks.FailTask(task_execution_id=ids[1], error="no luck")
    assert await wire.status_of(agent_id) == "WAITING"
    await wire.tasks.CancelTask(task_execution_id=ids[2])
    assert await wire.status_of(agent_id) == "PENDING"
    assert (await wire.poll_agent("chat")).id == agent_id


async def test_an_agent_that_races_goes_on_with_the_first_that_completed(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    ids = [(await wire.schedule(agent_id, kind, max_retries=0)).task_execution_id for kind in ("a", "b", "c")]
    for _ in ids:
        await wire.poll_task()
    await wire.suspend_for(agent_id, ids, any_of=True)
    await wire.tasks.FailTask(task_execution_id=ids[0], error="no luck")
    assert await wire.status_of(agent_id) == "WAITING"
    await wire.complete(ids[1])
    assert await wire.status_of(agent_id) == "PENDING"


async def test_an_agent_that_races_goes_on_when_none_can_complete_any_more(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    ids = await wire.scheduled(agent_id, "a", "b")
    await wire.suspend_for(agent_id, ids, any_of=True)
    for task_id in ids:
        assert await wire.status_of(agent_id) == "WAITING"
        await wire.tasks.CancelTask(task_execution_id=task_id)
    assert await wire.status_of(agent_id) == "PENDING"


async def test_an_agent_that_waits_for_what_holds_already_is_claimable_at_once(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    task_id = await wire.running_task(agent_id)
    await wire.complete(task_id)
    await wire.agents.SuspendAgent(agent_execution_id=agent_id, wait_for_task=task_id)
    assert (await wire.poll_agent("chat")).id == agent_id


@pytest.mark.parametrize("any_of", [True, False])
async def test_a_wait_for_nothing_holds_at_once(wire: Wire, any_of: bool) -> None:
    agent_id = await wire.claimed_agent()
    await wire.suspend_for(agent_id, [], any_of=any_of)
    assert await wire.status_of(agent_id) == "PENDING"


async def test_a_wait_is_for_something_that_the_agent_has(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    other = (await wire.schedule(await wire.claimed_agent())).task_execution_id
    assert await refusal(wire.agents.SuspendAgent(agent_execution_id=agent_id)) is INVALID
    assert await refusal(wire.suspend_for(agent_id, [other])) is INVALID
    assert await refusal(wire.suspend_for(agent_id, [NOBODY])) is INVALID
    assert await refusal(wire.agents.SuspendAgent(agent_execution_id=agent_id, wait_for_signal="")) is INVALID
    assert await wire.status_of(agent_id) == "RUNNING"


async def test_no_interleaving_of_ends_and_waits_loses_a_wake_up(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    for _ in range(20):
        task_id = await wire.running_task(agent_id)
        waiting = wire.agents.SuspendAgent(agent_execution_id=agent_id, wait_for_task=task_id)
        await asyncio.gather(waiting, wire.complete(task_id))
        assert (await wire.poll_agent("chat", wait_s=10)).id == agent_id


async def test_an_agent_that_waits_is_claimed_directly_by_one(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    await wire.agents.SuspendAgent(agent_execution_id=agent_id, wait_for_signal="go")
    claims = [wire.agents.ResumeAgent(agent_execution_id=agent_id, worker_id=f"worker-{n}") for n in range(10)]
    replies = await asyncio.gather(*claims)
    assert [reply.agent.id for reply in replies if reply.success] == [agent_id]
    assert not any(reply.HasField("agent") for reply in replies if not reply.success)
    assert await wire.status_of(agent_id) == "RUNNING"


# ── signals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_signal_that_is_waited_for_wakes_the_agent_and_stays_until_it_is_consumed(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    await wire.agents.SuspendAgent(agent_execution_id=agent_id, wait_for_signal="go")
    send = wire.agents.SignalAgent
    other = await send(agent_execution_id=agent_id, signal_name="stop", signal_value=b"1")
    wanted = await send(agent_execution_id=agent_id, signal_name="go", signal_value=b"2")
    again = await send(agent_execution_id=agent_id, signal_name="go", signal_value=b"3")
    assert [reply.agent_resumed for reply in (other, wanted, again)] == [False, True, False]
    assert len({UUID(reply.signal_id) for reply in (other, wanted, again)}) == 3
    await wire.poll_agent("chat")
    assert (await wire.agents.HasSignal(agent_execution_id=agent_id, signal_name="go")).has_signal
    taken = (await wire.agents.ConsumeSignals(agent_execution_id=agent_id, signal_name="go")).signals
    assert [(signal.signal_name, signal.signal_value) for signal in taken] == [("go", b"2"), ("go", b"3")]
    assert all(signal.created_at_ms > 0 for signal in taken)
    assert not (await wire.agents.HasSignal(agent_execution_id=agent_id, signal_name="go")).has_signal


async def test_a_signal_that_came_before_the_wait_ends_it_at_once(wire: Wire) -> None:
    agent_id = await wire.start_agent()
    await wire.agents.SignalAgent(agent_execution_id=agent_id, signal_name="go")
    await wire.poll_agent("chat")
    await wire.agents.SuspendAgent(agent_execution_id=agent_id, wait_for_signal="go")
    assert await wire.status_of(agent_id) == "PENDING"


@pytest.mark.parametrize(
    ("selecting", "taken"),
    [
        ({}, ["a.b", "a.b.c", "x"]),
        ({"signal_name": "x"}, ["x"]),
        ({"signal_pattern": "a.*"}, ["a.b"]),
        ({"signal_pattern": "a.**", "signal_name": "x"}, ["a.b", "a.b.c"]),
        ({"signal_pattern": "?"}, []),
    ],
)
async def test_signals_are_consumed_by_glob_or_name_or_all(
    wire: Wire, selecting: dict[str, str], taken: list[str]
) -> None:
    agent_id = await wire.claimed_agent()
    for name in ("a.b", "a.b.c", "x"):
        await wire.agents.SignalAgent(agent_execution_id=agent_id, signal_name=name)
    reply = await wire.agents.ConsumeSignals(agent_execution_id=agent_id, **selecting)
    assert [signal.signal_name for signal in reply.signals] == taken


async def test_no_two_callers_get_the_same_signal(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    for n in range(50):
        await wire.agents.SignalAgent(agent_execution_id=agent_id, signal_name=f"s{n}")
    replies = await asyncio.gather(*(wire.agents.ConsumeSignals(agent_execution_id=agent_id) for _ in range(10)))
    assert len([signal for reply in replies for signal in reply.signals]) == 50


async def test_a_signal_has_a_name_and_json(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    send = wire.agents.SignalAgent
    assert await refusal(send(agent_execution_id=agent_id, signal_name="")) is INVALID
    assert await refusal(send(agent_execution_id=agent_id, signal_name="go", signal_value=b"{")) is INVALID


# ── cancelling a task ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_cancelled_is_answered_to_one_request_of_many(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    task_id = await wire.running_task(agent_id)
    cancel = wire.agents.CancelAgentTask
    replies = await asyncio.gather(*(cancel(agent_execution_id=agent_id, task_execution_id=task_id) for _ in range(20)))
    assert [reply.cancelled for reply in replies].count(True) == 1
    assert {reply.status for reply in replies} == {"CANCELLED"}


async def test_a_task_that_has_ended_is_not_cancelled(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    done = await wire.running_task(agent_id, "a")
    await wire.complete(done)
    failed = await wire.running_task(agent_id, "b", max_retries=0)
    await wire.tasks.FailTask(task_execution_id=failed, error="no luck")
    cancel = wire.agents.CancelAgentTask
    replies = [await cancel(agent_execution_id=agent_id, task_execution_id=task_id) for task_id in (done, failed)]
    assert [(reply.cancelled, reply.status) for reply in replies] == [(False, "COMPLETED"), (False, "FAILED")]


async def test_a_strangers_task_is_not_cancelled(wire: Wire) -> None:
    owner = await wire.claimed_agent()
    task_id = (await wire.schedule(owner)).task_execution_id
    agent_id = await wire.claimed_agent()
    cancel = wire.agents.CancelAgentTask
    assert await refusal(cancel(agent_execution_id=agent_id, task_execution_id=task_id)) is DENIED
    assert await refusal(cancel(agent_execution_id=agent_id, task_execution_id=NOBODY)) is NOT_FOUND
    assert await refusal(cancel(agent_execution_id=agent_id, task_execution_id="task-1")) is INVALID
    assert [result.status for result in await wire.results(owner, [task_id])] == ["PENDING"]


async def test_a_late_result_of_a_cancelled_task_changes_nothing_and_wakes_nobody(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    cancelled = await wire.running_task(agent_id, "a")
    other = await wire.running_task(agent_id, "b")
    await wire.agents.CancelAgentTask(agent_execution_id=agent_id, task_execution_id=cancelled)
    await wire.suspend_for(agent_id, [cancelled, other])
    assert await refusal(wire.complete(cancelled, b'"late"')) is grpc.StatusCode.FAILED_PRECONDITION
    assert await wire.status_of(agent_id) == "WAITING"
    (result,) = await wire.results(agent_id, [cancelled])
    assert (result.status, result.HasField("output"), result.HasField("error")) == ("CANCELLED", False, False)


async def test_a_cancelled_task_is_never_claimed_also_not_as_a_retry(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    waiting = (await wire.schedule(agent_id, "a")).task_execution_id
    await wire.agents.CancelAgentTask(agent_execution_id=agent_id, task_execution_id=waiting)
    tried = await wire.running_task(agent_id, "b")
    await wire.agents.CancelAgentTask(agent_execution_id=agent_id, task_execution_id=tried)
    await refusal(wire.tasks.FailTask(task_execution_id=tried, error="late"))
    assert not (await wire.poll_task()).task_execution_id


async def test_what_an_agent_leaves_running_runs_on(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    task_id = await wire.running_task(agent_id)
    await wire.agents.CompleteAgent(agent_execution_id=agent_id)
    await wire.complete(task_id)
    assert [result.status for result in await wire.results(agent_id, [task_id])] == ["COMPLETED"]
