"""WorkerLifecycle, and who may do what: registration, heartbeats, tokens, organisations, restarts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from rescind_proto.flovyn.v1 import flovyn_pb2

from rescind.model.commands import StartExecution
from rescind.model.ids import ExecutionId, Instant
from rescind.model.workflows import StartWorkflow
from rescind_server.access.token_file import TokenFile
from rescind_server.access.tokens import Role
from rescind_server.app import Server

from .wire import Wire, refusal

pytestmark = pytest.mark.asyncio

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOBODY = "00000000-0000-4000-8000-000000000000"


async def register(wire: Wire, name: str = "worker", *kinds: str, process: str = "1", **fields: Any) -> str:
    tasks = [flovyn_pb2.TaskCapability(kind=kind) for kind in kinds]
    given = {"worker_type": "UNIFIED", "host_name": "here", "process_id": process} | fields
    reply = await wire.workers.RegisterWorker(worker_name=name, tasks=tasks, **given)
    assert reply.success
    return str(reply.worker_id)


async def test_a_name_that_registers_again_gets_the_same_id(wire: Wire) -> None:
    first = await register(wire, "one", "work")
    assert await register(wire, "one", "other") == first
    assert await register(wire, "two", "work") != first


@pytest.mark.parametrize("by_id", [True, False])
async def test_a_registered_worker_is_given_tasks_of_its_kinds_alone(wire: Wire, by_id: bool) -> None:
    worker_id = await register(wire, "worker", "known")
    agent_id = await wire.claimed_agent()
    _, known = await wire.scheduled(agent_id, "unknown", "known")
    claimed = await wire.poll_task(worker_id if by_id else "worker")
    assert claimed.task_execution_id == known
    assert not (await wire.poll_task(worker_id if by_id else "worker")).task_execution_id


async def test_processes_of_one_name_are_given_the_kinds_of_all(wire: Wire) -> None:
    await register(wire, "worker", "a", process="1")
    await register(wire, "worker", "b", process="2")
    agent_id = await wire.claimed_agent()
    scheduled = await wire.scheduled(agent_id, "a", "b")
    assert [(await wire.poll_task()).task_execution_id for _ in scheduled] == scheduled


async def test_a_process_that_registers_again_runs_what_it_says_now(wire: Wire) -> None:
    await register(wire, "worker", "a")
    await register(wire, "worker", "b")
    await wire.scheduled(await wire.claimed_agent(), "a")
    assert not (await wire.poll_task()).task_execution_id


async def test_a_worker_that_is_not_known_is_given_tasks_of_any_kind(wire: Wire) -> None:
    (task_id,) = await wire.scheduled(await wire.claimed_agent(), "whatever")
    assert (await wire.poll_task("nobody-knows-it")).task_execution_id == task_id


@pytest.mark.parametrize("fields", [{"worker_type": "AGENT"}, {"worker_type": ""}, {"org_id": "here"}])
async def test_a_registration_that_cannot_be_meant_is_refused(wire: Wire, fields: dict[str, str]) -> None:
    assert await refusal(register(wire, **fields)) is INVALID
    assert await refusal(register(wire, "")) is INVALID


async def test_a_heartbeat_is_of_a_registered_worker(wire: Wire) -> None:
    worker_id = await register(wire)
    await wire.workers.SendHeartbeat(worker_id=worker_id)
    assert await refusal(wire.workers.SendHeartbeat(worker_id=NOBODY)) is grpc.StatusCode.NOT_FOUND
    assert await refusal(wire.workers.SendHeartbeat(worker_id="worker")) is INVALID


async def test_no_poll_outlives_its_server(tmp_path: Path) -> None:
    async with Server(tmp_path / "store.db", "127.0.0.1:0") as server:
        channel = grpc.aio.insecure_channel(server.address)
        wire = Wire(server, channel)
        polls = [asyncio.create_task(refusal(wire.poll_agent(wait_s=60))) for _ in range(3)]
        polls += [asyncio.create_task(refusal(wire.poll_task(wait_s=60))) for _ in range(3)]
        await register(wire)
    # One that had not arrived yet is cancelled with its connection.
    assert {await poll for poll in polls} <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    await channel.close()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Wire]:
    """A server on the file in a folder, for as long as the block lasts."""
    async with (
        Server(folder / "store.db", "127.0.0.1:0") as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield Wire(server, channel)


async def test_a_restart_keeps_what_was_claimed_and_what_is_waited_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as wire:
        waiting = await wire.claimed_agent()
        task_id = await wire.running_task(waiting, "a")
        await wire.tasks.SetState(task_execution_id=task_id, key="k", value=b"1")
        await wire.suspend_for(waiting, [task_id])
        listening = await wire.claimed_agent("listening")
        await wire.agents.SuspendAgent(agent_execution_id=listening, wait_for_signal="go")
        running = await wire.claimed_agent("running")
        entry = await wire.agents.AppendEntry(
            agent_execution_id=running, entry_type="message", parent_id=NOBODY, content=b"1"
        )
    async with serving(tmp_path) as wire:
        agents = (waiting, listening, running)
        assert [await wire.status_of(each) for each in agents] == ["WAITING", "WAITING", "RUNNING"]
        (read,) = [chunk.entry async for chunk in wire.agents.GetEntries(agent_execution_id=running)]
        assert (read.id, read.parent_id) == (entry.entry_id, NOBODY)
        await wire.agents.CompleteAgent(agent_execution_id=running)
        assert (await wire.tasks.GetState(task_execution_id=task_id, key="k")).value == b"1"
        await wire.complete(task_id)
        assert (await wire.poll_agent("chat")).id == waiting
        assert (await wire.agents.SignalAgent(agent_execution_id=listening, signal_name="go")).agent_resumed


async def test_a_restart_knows_the_workers_that_have_registered(tmp_path: Path) -> None:
    async with serving(tmp_path) as wire:
        worker_id = await register(wire, "worker", "known", process="1")
        await register(wire, "worker", "more", process="2")
        agent_id = await wire.claimed_agent()
        _, *known = await wire.scheduled(agent_id, "unknown", "known", "more")
    async with serving(tmp_path) as wire:
        await wire.workers.SendHeartbeat(worker_id=worker_id)
        assert [(await wire.poll_task(worker_id)).task_execution_id for _ in known] == known
        assert not (await wire.poll_task("worker")).task_execution_id
        assert await register(wire, "worker", "known", process="1") == worker_id
        assert not (await wire.poll_task("worker")).task_execution_id


async def test_what_has_an_id_that_is_no_uuid_is_given_to_no_poll(wire: Wire) -> None:
    await wire.server.host.ask(StartExecution("chat", execution_id=ExecutionId("by-name")))
    await wire.server.host.ask(StartWorkflow("flow", execution_id=ExecutionId("also-by-name")))
    agent_id = await wire.start_agent()
    assert (await wire.poll_agent("chat")).id == agent_id
    assert not (await wire.poll_agent("chat")).id
    polled = await wire.workflows.PollWorkflow(worker_id="w", workflow_capabilities=["flow"])
    assert not polled.workflow_execution.id


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Guarded:
    """A server that asks for tokens."""

    def __init__(self, server: Server, file: TokenFile, channel: grpc.aio.Channel) -> None:
        self._server = server
        self._file = file
        self._channel = channel

    def caller(self, role: Role, organisation: str = "default", name: str = "somebody") -> Wire:
        """Somebody with a new token."""
        at = Instant(time.time_ns() // 1_000)
        _, token = self._file.create(name, role, at, organisation=organisation)
        return Wire(self._server, self._channel, token)

    def stranger(self, token: str | None) -> Wire:
        """Somebody with a token that is none."""
        return Wire(self._server, self._channel, token)


@pytest_asyncio.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    file = TokenFile(tmp_path / "store.db.tokens")
    file.create("first", Role.OPERATOR, Instant(time.time_ns() // 1_000))
    async with (
        Server(tmp_path / "store.db", "127.0.0.1:0") as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield Guarded(server, file, channel)


@pytest.mark.parametrize("token", [None, "flovyn_wk_of_nobody"])
async def test_a_call_without_a_known_token_is_refused(guarded: Guarded, token: str | None) -> None:
    stranger = guarded.stranger(token)
    for call in (stranger.poll_agent(), stranger.poll_task(), stranger.schedule(NOBODY), register(stranger)):
        assert await refusal(call) is grpc.StatusCode.UNAUTHENTICATED


async def test_workers_calls_take_a_workers_token(guarded: Guarded) -> None:
    worker, client = guarded.caller(Role.WORKER), guarded.caller(Role.CLIENT)
    await register(worker)
    assert not (await worker.poll_agent()).id
    for call in (client.poll_agent(), client.poll_task(), register(client)):
        assert await refusal(call) is grpc.StatusCode.PERMISSION_DENIED


async def test_a_viewer_changes_nothing(guarded: Guarded) -> None:
    worker, viewer = guarded.caller(Role.WORKER), guarded.caller(Role.VIEWER)
    agent_id = await worker.claimed_agent()
    task_id = await worker.running_task(agent_id)
    for call in (
        viewer.agents.SignalAgent(agent_execution_id=agent_id, signal_name="go"),
        viewer.agents.CancelAgentTask(agent_execution_id=agent_id, task_execution_id=task_id),
        viewer.agents.CompleteAgent(agent_execution_id=agent_id),
        viewer.tasks.SubmitTask(kind="work"),
        viewer.tasks.CancelTask(task_execution_id=task_id),
        viewer.tasks.CompleteTask(task_execution_id=task_id),
        viewer.tasks.SetState(task_execution_id=task_id, key="k", value=b"1"),
        viewer.workflows.StartWorkflow(workflow_kind="flow"),
        viewer.workflows.SignalWithStartWorkflow(workflow_id="x", workflow_kind="flow", signal_name="go"),
        viewer.poll_agent(),
        viewer.poll_task(),
        register(viewer),
    ):
        assert await refusal(call) is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("role", [Role.CLIENT, Role.WORKER, Role.OPERATOR])
async def test_whoever_may_start_a_task_cancels_it(guarded: Guarded, role: Role) -> None:
    caller = guarded.caller(role)
    task_id = (await caller.tasks.SubmitTask(kind="work")).task_execution_id
    await caller.tasks.CancelTask(task_execution_id=task_id)
    assert await caller.status_of(task_id) == "CANCELLED"


@pytest.mark.parametrize(
    ("role", "code"),
    [
        (Role.CLIENT, grpc.StatusCode.NOT_FOUND),
        (Role.WORKER, grpc.StatusCode.OK),
        (Role.OPERATOR, grpc.StatusCode.OK),
    ],
)
async def test_a_client_acts_on_nothing_that_others_started(
    guarded: Guarded, role: Role, code: grpc.StatusCode
) -> None:
    worker, caller = guarded.caller(Role.WORKER, name="worker"), guarded.caller(role, name="caller")
    agent_id = await worker.claimed_agent()
    task_id = await worker.running_task(agent_id)
    assert await refusal(caller.agents.SignalAgent(agent_execution_id=agent_id, signal_name="go")) is code
    assert await refusal(caller.tasks.CancelTask(task_execution_id=task_id)) is code


async def test_another_organisations_tasks_and_agents_seem_not_to_exist(guarded: Guarded) -> None:
    here, there = guarded.caller(Role.WORKER), guarded.caller(Role.WORKER, "other")
    agent_id = await here.claimed_agent()
    task_id = await here.running_task(agent_id)
    for call in (
        there.agents.GetLatestCheckpoint(agent_execution_id=agent_id),
        there.tasks.CompleteTask(task_execution_id=task_id),
        there.tasks.CancelTask(task_execution_id=task_id),
        there.tasks.GetState(task_execution_id=task_id, key="k"),
    ):
        assert await refusal(call) is grpc.StatusCode.NOT_FOUND
    assert not (await there.poll_task()).task_execution_id


async def test_an_organisation_that_is_not_the_tokens_own_is_refused(guarded: Guarded) -> None:
    worker = guarded.caller(Role.WORKER)
    polled = worker.agents.PollAgent(worker_id="w", org_id=NOBODY)
    assert await refusal(polled) is grpc.StatusCode.PERMISSION_DENIED
