"""A server whose disk is full: what callers, workers and the health service see of it, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rescind_proto.rescind.v1 import client_pb2

from rescind import StoreError, WorkflowContext, workflow
from rescind.client.connecting import Client
from rescind.model.events import HistoryEvent
from rescind.transport.grpc_errors import ERROR_NAME
from rescind.worker.connecting import Worker
from rescind_server.app import SERVICES, Server

from .work import AGENTS, LONGEST, TASKS, WATCHED, eventually, patient, race, watch

pytestmark = pytest.mark.asyncio
LARGE = "x" * 3_000_000


def pragma(server: Server, setting: str) -> Any:
    writer: Any = server.host._store._writer  # type: ignore[attr-defined]
    return writer.execute(f"pragma {setting}").fetchone()[0]


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    pragma(server, f"max_page_count = {pragma(server, 'page_count')}")
    yield
    pragma(server, "max_page_count = 1000000")


async def fill(server: Server, client: Client) -> None:
    """Ask for what the disk does not take."""
    with pytest.raises(StoreError, match=r"store\.db did not take a commit: database or disk is full. Free space"):
        await client.start("any", LARGE)


async def open_again(server: Server) -> None:
    await eventually(lambda: server.host.availability.is_open())


async def health_of(server: Server) -> dict[str, bool]:
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        replies = {name: await stub.Check(health_pb2.HealthCheckRequest(service=name)) for name in ("", *SERVICES)}
        return {name: reply.status == health_pb2.HealthCheckResponse.SERVING for name, reply in replies.items()}


async def test_callers_are_told_what_to_do_and_can_read_on(server: Server, client: Client) -> None:
    before = await client.start(patient, id="before")
    with full_disk(server):
        await fill(server, client)
        for asked in (client.start(patient, id="new"), before.signal("go"), before.cancel()):
            with pytest.raises(StoreError, match="Free space or mend the file; nothing that was answered is lost"):
                await asked
        assert (await before.describe()).status == "PENDING"
        assert len(await before.history()) == 1
        assert [view.execution_id async for view in client.list()] == ["before"]
        assert not server.host.failure
    await open_again(server)
    assert (await client.start(patient, id="new")).id == "new"
    await before.cancel()


async def test_the_error_has_its_code_and_its_name(server: Server, client: Client) -> None:
    with full_disk(server):
        await fill(server, client)
        async with grpc.aio.insecure_channel(server.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await channel.unary_unary("/rescind.v1.Client/Start")(
                    client_pb2.StartRequest(kind="k").SerializeToString()
                )
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert dict(raised.value.trailing_metadata() or ())[ERROR_NAME] == "StoreError"


async def test_health_tells_that_the_server_lives_and_that_its_services_are_not_whole(
    server: Server, client: Client
) -> None:
    whole, not_whole = dict.fromkeys(("", *SERVICES), True), {"": True, **dict.fromkeys(SERVICES, False)}
    await eventually(lambda: says(server, whole))
    with full_disk(server):
        await fill(server, client)
        await eventually(lambda: says(server, not_whole))
    await open_again(server)
    await eventually(lambda: says(server, whole))


async def says(server: Server, expected: dict[str, bool]) -> bool:
    return await health_of(server) == expected


async def test_work_goes_on_behind_it_and_nothing_is_run_twice(
    server: Server, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    events = watch("full-1", "full-2")
    async with Worker(server.address, agents=AGENTS, tasks=TASKS, worker_id="w-1"):
        handle = await client.start(race, "full")
        await eventually(lambda: all(event.is_set() for event in events[:2]))
        waiting = asyncio.create_task(handle.result())
        following = asyncio.create_task(follow(handle))
        with full_disk(server):
            await fill(server, client)
            for _ in range(20):
                with pytest.raises(StoreError):
                    await handle.signal("go", "too early")
        await open_again(server)
        await handle.signal("go", "after")
        async with asyncio.timeout(LONGEST):
            assert await waiting == ["after", 2]
        assert [task.attempts for task in await handle.tasks()] == [1, 1, 1]
        followed = await following
        assert followed == list(range(1, len(followed) + 1)), "nothing is missed, and nothing told twice"
    said = [record for record in caplog.records if record.name.startswith("rescind_server")]
    assert [record.levelno for record in said] == [logging.ERROR, logging.WARNING], "not once per request"


@workflow("resting")
async def resting(ctx: WorkflowContext, name: str) -> Any:
    async def rest() -> int:
        WATCHED[f"{name} runs"].set()
        await WATCHED[f"{name} stopped"].wait()
        return 1

    return await ctx.run(rest)


async def test_workflows_are_run_behind_it_and_a_pass_that_was_made_meanwhile_counts(
    server: Server, client: Client
) -> None:
    runs, stopped = watch("full-3")
    async with Worker(server.address, workflows=[resting], worker_id="w-1"):
        handle = await client.start(resting, "full-3")
        async with asyncio.timeout(LONGEST):
            await runs.wait()
        with full_disk(server):
            await fill(server, client)
            stopped.set()
            # More than one poll and one submission are refused.
            await asyncio.sleep(2)
        await open_again(server)
        async with asyncio.timeout(3 * LONGEST):
            assert await handle.result() == 1
            assert await (await client.start(resting, "full-3")).result() == 1


async def follow(handle: Any) -> list[int]:
    return [event.sequence async for event in handle.follow() if isinstance(event, HistoryEvent)]
