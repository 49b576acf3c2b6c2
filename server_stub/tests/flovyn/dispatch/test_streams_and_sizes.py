"""What agents stream to those who watch, and payloads that are too large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from rescind_proto.flovyn.v1 import agent_pb2, flovyn_pb2

from rescind.model.ids import ExecutionId
from rescind.model.messages import StreamedEvent
from rescind_server.app import Server
from rescind_server.gateway.limits import Limits

from .wire import Wire, refusal

pytestmark = pytest.mark.asyncio

TYPES = agent_pb2.AgentStreamEventType
NOBODY = "00000000-0000-4000-8000-000000000000"


def events(agent_id: str, *types: agent_pb2.AgentStreamEventType, payload: str = "1") -> list[Any]:
    """What an agent streams: one event of each type."""
    return [
        agent_pb2.StreamAgentDataRequest(agent_execution_id=agent_id, event_type=each, payload=payload)
        for each in types
    ]


async def test_those_who_watch_see_what_an_agent_streams_in_its_order(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    sent = (TYPES.AGENT_TOKEN, TYPES.AGENT_TOOL_START, TYPES.AGENT_TOOL_END, TYPES.AGENT_PROGRESS, TYPES.AGENT_DATA)
    async with wire.server.host.watchers.subscribe(ExecutionId(agent_id)) as watching:
        reply = await wire.agents.StreamAgentData(iter(events(agent_id, *sent)))
        seen = [event.kind for event in watching.get_arrived() if isinstance(event, StreamedEvent)]
    assert reply.acknowledged
    assert seen == ["token", "tool_start", "tool_end", "progress", "data"]


async def test_an_event_that_nobody_knows_is_passed_over_and_those_around_it_are_seen(wire: Wire) -> None:
    agent_id = await wire.claimed_agent()
    async with wire.server.host.watchers.subscribe(ExecutionId(agent_id)) as watching:
        reply = await wire.agents.StreamAgentData(
            iter(events(agent_id, TYPES.AGENT_TOKEN, cast(Any, 99), TYPES.AGENT_ERROR))
        )
        seen = [event.kind for event in watching.get_arrived() if isinstance(event, StreamedEvent)]
    assert (reply.acknowledged, seen) == (False, ["token", "error"])


@pytest.mark.parametrize(
    ("agent_id", "payload", "code"),
    [
        ("", "1", grpc.StatusCode.INVALID_ARGUMENT),
        (NOBODY, "1", grpc.StatusCode.NOT_FOUND),
        (None, "{", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_a_stream_that_cannot_be_meant_is_refused(
    wire: Wire, agent_id: str | None, payload: str, code: grpc.StatusCode
) -> None:
    known = await wire.claimed_agent()
    given = events(known if agent_id is None else agent_id, TYPES.AGENT_TOKEN, payload=payload)
    assert await refusal(wire.agents.StreamAgentData(iter(given))) is code


async def test_an_input_that_is_too_large_is_refused_by_every_call_that_takes_one() -> None:
    large = b"[" + b"1" * 2_000 + b"]"

    async with (
        Server(None, "127.0.0.1:0", limits=Limits(payload=1_000)) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        wire = Wire(server, channel)
        agent_id = await wire.claimed_agent()
        task_id = await wire.running_task(agent_id)
        for call in calls_with(wire, agent_id, task_id, large):
            assert await refusal(call) is grpc.StatusCode.RESOURCE_EXHAUSTED
        for call in calls_with(wire, agent_id, task_id, b"1"):
            assert await refusal(call) is grpc.StatusCode.OK


def calls_with(wire: Wire, agent_id: str, task_id: str, value: bytes) -> Iterator[Any]:
    """Every call that takes a payload, those behind which nothing more can be said last."""
    agents, tasks, workflows = wire.agents, wire.tasks, wire.workflows
    yield agents.AppendEntry(agent_execution_id=agent_id, entry_type="message", content=value)
    yield agents.SubmitCheckpoint(agent_execution_id=agent_id, state=value)
    yield agents.SignalAgent(agent_execution_id=agent_id, signal_name="s", signal_value=value)
    yield agents.StreamAgentData(iter(events(agent_id, TYPES.AGENT_DATA, payload=value.decode())))
    yield wire.schedule(agent_id, chunks=(value[:1], value[1:]))
    yield tasks.SubmitTask(kind="t", input=value)
    yield tasks.SetState(task_execution_id=task_id, key="k", value=value)
    yield tasks.StreamTaskData(task_execution_id=task_id, type=flovyn_pb2.StreamEventType.DATA, payload=value.decode())
    yield workflows.StartWorkflow(workflow_kind="w", input=value)
    yield workflows.SignalWithStartWorkflow(
        workflow_id="w", workflow_kind="w", signal_name="s", workflow_input=value, signal_value=b"1"
    )
    yield workflows.SignalWithStartWorkflow(
        workflow_id="w", workflow_kind="w", signal_name="s", workflow_input=b"1", signal_value=value
    )
    yield tasks.CompleteTask(task_execution_id=task_id, output=value)
    yield agents.CompleteAgent(agent_execution_id=agent_id, output=value)
