"""AgentDispatch over loopback: claiming, entries, checkpoints and the end."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import grpc
import pytest

from rescind.model.events import EventType
from rescind.model.ids import ExecutionId

from .wire import Wire, refusal

pytestmark = pytest.mark.asyncio

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
NOBODY = "00000000-0000-4000-8000-000000000000"


async def entries_of(wire: Wire, agent_id: str, **fields: Any) -> list[Any]:
    return [chunk.entry async for chunk in wire.agents.GetEntries(agent_execution_id=agent_id, **fields)]


async def append(wire: Wire, agent_id: str, **fields: Any) -> Any:
    given = {"entry_type": "message", "role": "user", "content": b'"hi"'} | fields
    return await wire.agents.AppendEntry(agent_execution_id=agent_id, **given)


async def test_an_agent_is_claimed_with_all_that_its_worker_needs(wire: Wire) -> None:
    agent_id = await wire.start_agent(value=b'{"topic": "rain"}')
    claimed = await wire.poll_agent("chat")
    assert (claimed.id, claimed.kind, claimed.input, claimed.queue) == (
        agent_id,
        "chat",
        b'{"topic": "rain"}',
        "default",
    )
    assert claimed.current_checkpoint_seq == -1
    assert claimed.persistence_mode == "REMOTE"
    assert await wire.status_of(agent_id) == "RUNNING"


async def test_a_poll_that_finds_nothing_is_no_error(wire: Wire) -> None:
    reply = await wire.agents.PollAgent(worker_id="worker", timeout_seconds=0)
    assert not reply.HasField("agent_execution")


async def test_a_poll_takes_the_kinds_that_it_names_and_any_if_it_names_none(wire: Wire) -> None:
    first, second = await wire.start_agent("one"), await wire.start_agent("two")
    assert (await wire.poll_agent("two")).id == second
    assert (await wire.poll_agent()).id == first


async def test_a_poll_takes_from_its_queue_alone(wire: Wire) -> None:
    agent_id = await wire.start_agent(queue="other")
    assert not (await wire.poll_agent()).id
    assert (await wire.poll_agent(queue="other")).id == agent_id


async def test_the_agent_that_was_started_first_is_claimed_first_also_across_kinds(wire: Wire) -> None:
    started = [await wire.start_agent(kind) for kind in ("b", "a", "b", "c")]
    assert [(await wire.poll_agent("a", "b", "c")).id for _ in started] == started


async def test_a_poll_that_waits_is_answered_when_an_agent_is_started(wire: Wire) -> None:
    polling = asyncio.create_task(wire.poll_agent("chat", wait_s=10))
    agent_id = await wire.start_agent()
    assert (await polling).id == agent_id


async def test_each_agent_is_claimed_once_by_however_many_pollers(wire: Wire) -> None:
    polls = [asyncio.create_task(wire.poll_agent("chat", worker=f"worker-{n}", wait_s=2)) for n in range(30)]
    started = {await wire.start_agent() for _ in range(10)}
    claimed = [(await poll).id for poll in polls]
    assert sorted(filter(None, claimed)) == sorted(started)


@pytest.mark.parametrize("worker", ["", "x" * 1_001])
async def test_a_poll_names_who_polls(wire: Wire, worker: str) -> None:
    assert await refusal(wire.poll_agent(worker=worker)) is INVALID


async def test_entries_are_read_in_the_order_in_which_they_were_appended(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    ids = [str(uuid4()) for _ in range(3)]
    for place, entry_id in enumerate(ids):
        parent = {"parent_id": ids[place - 1]} if place else {}
        await append(wire, agent_id, idempotency_key=entry_id, entry_type="MESSAGE", **parent)
    found = await entries_of(wire, agent_id)
    assert [entry.id for entry in found] == ids
    assert [entry.parent_id for entry in found] == ["", *ids[:2]]
    assert [entry.HasField("parent_id") for entry in found] == [False, True, True]
    assert {entry.entry_type for entry in found} == {"message"}


async def test_entries_are_read_behind_one(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    ids = [(await append(wire, agent_id)).entry_id for _ in range(3)]
    assert [entry.id for entry in await entries_of(wire, agent_id, after_entry_id=ids[0])] == ids[1:]
    assert await refusal(entries_of(wire, agent_id, after_entry_id=NOBODY)) is NOT_FOUND


async def test_an_entrys_key_that_is_a_uuid_is_its_id(wire: Wire) -> None:
    agent_id, key = await wire.claimed_agent(), str(uuid4())
    assert (await append(wire, agent_id, idempotency_key=key)).entry_id == key


@pytest.mark.parametrize("key", ["5d0e4f2c-9a0b-4a3e-8f6b-2f4f0a9a7c11", "turn-1"])
async def test_appending_under_a_known_key_changes_nothing(wire: Wire, key: str) -> None:
    agent_id = await wire.claimed_agent()
    first = await append(wire, agent_id, idempotency_key=key)
    again = await append(wire, agent_id, idempotency_key=key, content=b'"other"')
    assert (again.entry_id, first.already_existed, again.already_existed) == (first.entry_id, False, True)
    assert [entry.content for entry in await entries_of(wire, agent_id)] == [b'"hi"']


async def test_what_a_language_model_took_is_kept_with_its_entry(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    usage = {"input_tokens": 12, "output_tokens": 3, "cache_read_tokens": 0}
    await append(wire, agent_id, entry_type="llm_call", role=None, token_usage=usage, turn_id="t")
    (entry,) = await entries_of(wire, agent_id)
    assert (entry.token_usage.input_tokens, entry.token_usage.output_tokens, entry.turn_id) == (12, 3, "t")
    assert entry.token_usage.HasField("cache_read_tokens")
    assert not entry.token_usage.HasField("cache_write_tokens")
    assert not entry.HasField("role")


@pytest.mark.parametrize(
    "fields", [{"entry_type": "poem"}, {"entry_type": ""}, {"role": "narrator"}, {"content": b"{no json"}]
)
async def test_an_entry_that_cannot_be_meant_is_refused(wire: Wire, fields: dict[str, Any]) -> None:
    agent_id = await wire.claimed_agent()
    assert await refusal(append(wire, agent_id, **fields)) is INVALID


async def test_an_entry_of_an_agent_that_nobody_runs_is_refused(wire: Wire) -> None:
    agent_id = await wire.start_agent()
    assert await refusal(append(wire, agent_id)) is PRECONDITION


async def test_checkpoints_are_numbered_from_1_and_the_newest_is_read(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    assert not (await wire.agents.GetLatestCheckpoint(agent_execution_id=agent_id)).HasField("checkpoint")
    submit = wire.agents.SubmitCheckpoint
    numbers = [(await submit(agent_execution_id=agent_id, state=b"%d" % n)).sequence for n in range(3)]
    newest = await submit(agent_execution_id=agent_id, state=b"", leaf_entry_id=NOBODY)
    read = (await wire.agents.GetLatestCheckpoint(agent_execution_id=agent_id)).checkpoint
    assert [*numbers, newest.sequence] == [1, 2, 3, 4]
    assert (read.id, read.sequence, read.state, read.leaf_entry_id) == (newest.checkpoint_id, 4, b"null", NOBODY)


async def test_an_agent_is_claimed_again_with_the_number_of_its_newest_checkpoint(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    await wire.agents.SubmitCheckpoint(agent_execution_id=agent_id, state=b"{}")
    await wire.agents.SuspendAgent(agent_execution_id=agent_id, wait_for_signal="go")
    await wire.agents.SignalAgent(agent_execution_id=agent_id, signal_name="go")
    claimed = await wire.poll_agent("chat")
    assert (claimed.id, claimed.current_checkpoint_seq) == (agent_id, 1)


async def test_an_agent_ends_with_its_output(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    await wire.agents.CompleteAgent(agent_execution_id=agent_id, output=b'"done"')
    assert await wire.status_of(agent_id) == "COMPLETED"


async def test_an_agent_that_fails_is_not_tried_again(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    await wire.agents.FailAgent(agent_execution_id=agent_id, error="no such poem", failure_type="BUSINESS_LOGIC")
    assert await wire.status_of(agent_id) == "FAILED"
    assert not (await wire.poll_agent("chat")).id


async def test_the_stack_trace_of_a_failed_agent_stands_in_its_history(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    await wire.agents.FailAgent(agent_execution_id=agent_id, error="no such poem", stack_trace="at poems.rs:7")
    (*_, last) = wire.server.host.history(ExecutionId(agent_id))
    assert last.type is EventType.EXECUTION_FAILED
    assert (last.details or {})["stack_trace"] == "at poems.rs:7"


async def test_an_agent_that_has_ended_takes_no_other_end(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    await wire.agents.CompleteAgent(agent_execution_id=agent_id)
    for call in (
        wire.agents.CompleteAgent(agent_execution_id=agent_id),
        wire.agents.FailAgent(agent_execution_id=agent_id, error="late"),
        wire.agents.SuspendAgent(agent_execution_id=agent_id, wait_for_signal="go"),
        wire.agents.SubmitCheckpoint(agent_execution_id=agent_id),
        wire.agents.SignalAgent(agent_execution_id=agent_id, signal_name="go"),
        wire.schedule(agent_id),
    ):
        assert await refusal(call) is PRECONDITION
    assert await wire.status_of(agent_id) == "COMPLETED"


def calls_of_an_agent(wire: Wire, agent_id: str) -> list[Any]:
    agents = wire.agents
    return [
        agents.AppendEntry(agent_execution_id=agent_id, entry_type="message", content=b"1"),
        agents.GetLatestCheckpoint(agent_execution_id=agent_id),
        agents.SubmitCheckpoint(agent_execution_id=agent_id),
        agents.CompleteAgent(agent_execution_id=agent_id),
        agents.FailAgent(agent_execution_id=agent_id),
        agents.SuspendAgent(agent_execution_id=agent_id, wait_for_signal="go"),
        agents.ResumeAgent(agent_execution_id=agent_id, worker_id="worker"),
        agents.SignalAgent(agent_execution_id=agent_id, signal_name="go"),
        agents.ConsumeSignals(agent_execution_id=agent_id),
        agents.HasSignal(agent_execution_id=agent_id, signal_name="go"),
        agents.GetAgentTaskResult(agent_execution_id=agent_id, task_execution_id=NOBODY),
        agents.GetAgentTaskResults(agent_execution_id=agent_id, task_execution_ids=[NOBODY]),
        agents.GetAgentTaskCount(agent_execution_id=agent_id),
        agents.CancelAgentTask(agent_execution_id=agent_id, task_execution_id=NOBODY),
        wire.schedule(agent_id),
        entries_of(wire, agent_id),
    ]


@pytest.mark.parametrize("agent_id", ["", "chat-1", "6ba7b812-9dad-11d1-80b4", NOBODY[:-1] + "g"])
async def test_an_id_that_is_no_uuid_is_refused_by_every_call(wire: Wire, agent_id: str) -> None:
    assert {await refusal(call) for call in calls_of_an_agent(wire, agent_id)} == {INVALID}


async def test_an_agent_that_is_not_there_is_not_found_by_any_call(wire: Wire) -> None:
    assert {await refusal(call) for call in calls_of_an_agent(wire, NOBODY)} == {NOT_FOUND}
