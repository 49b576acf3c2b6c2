"""Children of agents over loopback."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from rescind_proto.flovyn.v1 import agent_pb2

from .wire import Wire, refusal

pytestmark = pytest.mark.asyncio

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOBODY = "00000000-0000-4000-8000-000000000000"


async def spawn(wire: Wire, parent_id: str, kind: str = "child", **fields: Any) -> str:
    given = {"mode": "REMOTE"} | fields
    reply = await wire.agents.SpawnChildAgent(parent_execution_id=parent_id, agent_kind=kind, **given)
    assert reply.status == "PENDING"
    return str(reply.child_execution_id)


async def running_child(wire: Wire, parent_id: str, kind: str = "child") -> str:
    child_id = await spawn(wire, parent_id, kind)
    assert (await wire.poll_agent(kind)).id == child_id
    return child_id


async def events(wire: Wire, parent_id: str, *child_ids: str) -> list[Any]:
    reply = await wire.agents.PollChildEvents(parent_execution_id=parent_id, child_execution_ids=child_ids)
    return list(reply.events)


async def wait_for(wire: Wire, parent_id: str, *child_ids: str, any_of: bool) -> None:
    waiting: dict[str, Any] = (
        {"wait_for_child_event": agent_pb2.WaitForChildEvent(child_execution_ids=child_ids)}
        if any_of
        else {"wait_for_all_children": agent_pb2.WaitForAllChildren(child_execution_ids=child_ids)}
    )
    await wire.agents.SuspendAgent(agent_execution_id=parent_id, **waiting)


async def test_a_child_knows_its_parent_and_is_claimed_in_its_queue(wire: Wire) -> None:
    parent_id = await wire.claimed_agent()
    child_id = await spawn(wire, parent_id, input=b"1", mode="LOCAL", model="small")
    claimed = await wire.poll_agent("child")
    assert (claimed.id, claimed.parent_execution_id, claimed.input) == (child_id, parent_id, b"1")
    assert claimed.persistence_mode == "LOCAL"
    assert b'"model": "small"' in claimed.metadata


async def test_each_call_spawns_another_child(wire: Wire) -> None:
    parent_id = await wire.claimed_agent()
    assert await spawn(wire, parent_id) != await spawn(wire, parent_id)


async def test_a_parent_goes_on_when_all_children_have_ended(wire: Wire) -> None:
    parent_id = await wire.claimed_agent()
    children = [await running_child(wire, parent_id) for _ in range(2)]
    await wait_for(wire, parent_id, *children, any_of=False)
    await wire.agents.CompleteAgent(agent_execution_id=children[0], output=b"1")
    assert await wire.status_of(parent_id) == "WAITING"
    await wire.agents.FailAgent(agent_execution_id=children[1], error="no luck")
    assert await wire.status_of(parent_id) == "PENDING"


async def test_an_end_is_told_each_time_that_it_is_asked_for(wire: Wire) -> None:
    parent_id = await wire.claimed_agent()
    first, second = [await running_child(wire, parent_id) for _ in range(2)]
    await wire.agents.FailAgent(agent_execution_id=second, error="no luck")
    await wire.agents.CompleteAgent(agent_execution_id=first, output=b"1")
    for _ in range(2):
        told = await events(wire, parent_id, first, second)
        assert [(event.child_execution_id, event.event_type) for event in told] == [
            (second, "failed"),
            (first, "completed"),
        ]
        assert (told[0].error, told[1].output) == ("no luck", b"1")


async def test_a_signal_of_a_child_wakes_its_parent_is_told_once_and_stays_in_the_queue(wire: Wire) -> None:
    parent_id = await wire.claimed_agent()
    child_id = await running_child(wire, parent_id)
    await wait_for(wire, parent_id, child_id, any_of=True)
    sent = await wire.agents.SendParentSignal(child_execution_id=child_id, signal_name="half", payload=b"2")
    assert sent.delivered
    assert (await wire.poll_agent("chat")).id == parent_id
    (told,) = await events(wire, parent_id, child_id)
    assert (told.event_type, told.signal_name, told.signal_payload) == ("signal", "half", b"2")
    assert not await events(wire, parent_id, child_id)
    assert (await wire.agents.HasSignal(agent_execution_id=parent_id, signal_name="half")).has_signal


async def test_a_parent_that_waits_for_what_has_happened_already_goes_on_at_once(wire: Wire) -> None:
    parent_id = await wire.claimed_agent()
    child_id = await running_child(wire, parent_id)
    await wire.agents.CompleteAgent(agent_execution_id=child_id)
    for any_of in (True, False):
        await wait_for(wire, parent_id, child_id, any_of=any_of)
        assert (await wire.poll_agent("chat")).id == parent_id


async def test_a_child_takes_signals_until_it_has_ended(wire: Wire) -> None:
    parent_id = await wire.claimed_agent()
    child_id = await running_child(wire, parent_id)
    names = {"parent_execution_id": parent_id, "child_execution_id": child_id, "signal_name": "go"}
    assert (await wire.agents.SendChildSignal(**names)).delivered
    assert (await wire.agents.HasSignal(agent_execution_id=child_id, signal_name="go")).has_signal
    await wire.agents.CompleteAgent(agent_execution_id=child_id)
    assert not (await wire.agents.SendChildSignal(**names)).delivered


async def test_a_parent_that_has_ended_takes_no_signal(wire: Wire) -> None:
    parent_id = await wire.claimed_agent()
    child_id = await running_child(wire, parent_id)
    await wire.agents.CompleteAgent(agent_execution_id=parent_id)
    sent = await wire.agents.SendParentSignal(child_execution_id=child_id, signal_name="half")
    assert not sent.delivered
    assert await refusal(spawn(wire, parent_id)) is grpc.StatusCode.FAILED_PRECONDITION


async def test_an_agent_without_a_parent_has_nobody_to_signal(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    sending = wire.agents.SendParentSignal(child_execution_id=agent_id, signal_name="half")
    assert await refusal(sending) is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_child_of_another_is_not_told_of_and_not_signalled(wire: Wire) -> None:
    child_id = await running_child(wire, await wire.claimed_agent())
    stranger = await wire.claimed_agent()
    signalling = wire.agents.SendChildSignal(
        parent_execution_id=stranger, child_execution_id=child_id, signal_name="go"
    )
    for call in (signalling, events(wire, stranger, child_id)):
        assert await refusal(call) is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"mode": "SOMEWHERE"}, INVALID),
        ({"mode": "EXTERNAL"}, grpc.StatusCode.UNIMPLEMENTED),
        ({"template_slug": "poet"}, grpc.StatusCode.NOT_FOUND),
        ({"max_budget_tokens": -1}, INVALID),
        ({"input": b"{"}, INVALID),
        ({"org_id": "here"}, INVALID),
    ],
)
async def test_a_child_that_cannot_be_meant_is_refused(
    wire: Wire, fields: dict[str, Any], code: grpc.StatusCode
) -> None:
    assert await refusal(spawn(wire, await wire.claimed_agent(), **fields)) is code


async def test_a_parent_that_is_not_there_is_not_found(wire: Wire) -> None:
    assert await refusal(spawn(wire, NOBODY)) is grpc.StatusCode.NOT_FOUND
