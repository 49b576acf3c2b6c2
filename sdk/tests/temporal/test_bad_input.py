"""What goes wrong with a cluster is told in our errors: each says what happened, to whom, and what to do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, ExecutionHandle, TaskContext, agent, task
from rescind.errors import (
    ExecutionFailed,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    ServerUnavailable,
    TaskFailed,
    UnknownKind,
)
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import WorkerId
from rescind.temporal import TemporalClient, TemporalWorker

from .world import TASKS, nap, world

pytestmark = pytest.mark.asyncio


@task("unheard-of")
async def unheard_of(ctx: TaskContext) -> None: ...


@agent("known")
async def known(ctx: AgentContext) -> None: ...


@agent("unknown-to-the-worker")
async def unknown_to_the_worker(ctx: AgentContext) -> None: ...


@agent("reads-a-file")
async def reads_a_file(ctx: AgentContext, path: str) -> str:
    return Path(path).read_text("utf-8")  # noqa: ASYNC240 - that is what is refused


@agent("schedules-the-unheard-of")
async def schedules_the_unheard_of(ctx: AgentContext) -> None:
    await ctx.schedule(unheard_of)


@agent("takes-text")
async def takes_text(ctx: AgentContext, text: str) -> None:
    await ctx.schedule(nap, 0.0)


async def result_once_known(handle: ExecutionHandle[Any]) -> Any:
    """Its result, as soon as a worker has tried it that knows its agent."""
    while True:
        try:
            return await handle.result()
        except UnknownKind:
            await asyncio.sleep(0.1)


async def test_where_no_server_is_the_error_names_the_address() -> None:
    with pytest.raises(ServerUnavailable, match=r"no Temporal server answers at 127\.0\.0\.1:1: "):
        async with TemporalClient("127.0.0.1:1"):
            pass
    with pytest.raises(ServerUnavailable, match=r"no Temporal server answers at 127\.0\.0\.1:1: "):
        async with TemporalWorker("127.0.0.1:1", agents=[known]):
            pass


async def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is no address of a Temporal server"):
        async with TemporalClient("not an address"):
            pass


async def test_a_namespace_that_is_not_there_is_named(development_server: DevelopmentServer) -> None:
    with pytest.raises(NotFound, match="has no namespace 'elsewhere'"):
        async with TemporalClient(development_server.address, namespace="elsewhere"):
            pass


async def test_an_agent_that_its_workers_do_not_know_is_told_to_whoever_asks_and_in_one_line_of_their_log(
    development_server: DevelopmentServer, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = "no agent of kind 'unknown-to-the-worker' is registered here"
    async with world(development_server.address, [known]) as here:
        handle = await here.start(unknown_to_the_worker)
        with pytest.raises(UnknownKind, match=unknown):
            await handle.result()
    told = [each for each in caplog.records if unknown in each.getMessage()]
    assert told
    assert {(each.exc_info, "\n" in each.getMessage()) for each in told} == {(None, False)}


async def test_an_execution_that_no_worker_knew_is_run_by_one_that_does(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [known]) as here:
        handle = await here.start(unknown_to_the_worker)
        with pytest.raises(UnknownKind):
            await handle.result()
    async with world(development_server.address) as elsewhere:
        elsewhere.queue = here.queue
        async with elsewhere.worker([unknown_to_the_worker]):
            assert await result_once_known(elsewhere.client.handle(handle.id)) is None


async def test_a_task_that_its_workers_do_not_know_fails(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [schedules_the_unheard_of], TASKS) as here:
        with pytest.raises(TaskFailed, match="no task of kind 'unheard-of' is registered here"):
            await (await here.start(schedules_the_unheard_of)).result()


async def test_an_agent_that_reaches_outside_is_told_the_line(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [reads_a_file]) as here:
        with pytest.raises(ExecutionFailed, match=r"NotDurableError: open .*test_bad_input.py:\d+ reaches outside"):
            await (await here.start(reads_a_file, __file__)).result()


async def test_an_input_over_our_limit_is_refused_before_it_is_sent(development_server: DevelopmentServer) -> None:
    async with TemporalClient(development_server.address, payload_limit=1_000) as client:
        with pytest.raises(PayloadTooLarge, match="limit"):
            await client.start(takes_text, "x" * 2_000)


async def test_an_input_over_the_clusters_limit_is_the_same_error(development_server: DevelopmentServer) -> None:
    async with TemporalClient(development_server.address, payload_limit=4_000_000) as client:
        with pytest.raises(PayloadTooLarge, match="more than the cluster takes"):
            await client.start(takes_text, "x" * 3_000_000)


@agent("returns-too-much")
async def returns_too_much(ctx: AgentContext) -> str:
    return "x" * 3_000_000


@task("gives-too-much")
async def gives_too_much(ctx: TaskContext) -> str:
    return "x" * 3_000_000


@agent("gets-too-much")
async def gets_too_much(ctx: AgentContext) -> str:
    return await ctx.schedule(gives_too_much)


async def test_an_output_over_the_limit_fails_with_the_same_error(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [returns_too_much, gets_too_much], [gives_too_much]) as here:
        with pytest.raises(ExecutionFailed, match="PayloadTooLarge"):
            await (await here.start(returns_too_much)).result()
        with pytest.raises(TaskFailed, match="limit"):
            await (await here.start(gets_too_much)).result()


async def test_a_filter_that_no_cluster_can_carry_out_is_refused(development_server: DevelopmentServer) -> None:
    async with TemporalClient(development_server.address) as client:
        with pytest.raises(InvalidInput, match="does not tell executions by their worker"):
            [each async for each in client.list(ExecutionFilter(worker_id=WorkerId("w")))]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cancel_within_ms": 99}, "cancel_within_ms is 99; give a whole number of 100 or more"),
        ({"slots": 0}, "slots is 0"),
        ({"queues": []}, "queues is"),
        ({"queues": "one"}, "give a list"),
        ({"queue": "a", "queues": ["b"]}, "both given"),
    ],
)
async def test_an_option_that_cannot_be_meant_is_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        TemporalWorker("localhost:1", agents=[known], **options)  # type: ignore[arg-type]


async def test_a_worker_with_nothing_to_do_is_refused() -> None:
    with pytest.raises(InvalidInput, match="nothing to do"):
        TemporalWorker("localhost:1")
