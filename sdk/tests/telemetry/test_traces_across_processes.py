"""A client, a server, a worker for agents and a worker for tasks: four processes, one trace."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rescind.cli.options import ADDRESS_VARIABLE
from rescind.client.connecting import Client
from rescind.errors import ExecutionWasCancelled
from sdk.tests.cli.programs import Programs, ended, in_time, next_event
from sdk.tests.telemetry.collector import Collector
from sdk.tests.telemetry.made_spans import Made, span_id, trace_id

WORK = """
import asyncio

from opentelemetry import trace
from rescind import AgentContext, TaskContext, agent, task


@task("hanging", queue="tasks")
async def hanging(ctx: TaskContext) -> None:
    with trace.get_tracer("of the program").start_as_current_span("made by the code"):
        pass
    await asyncio.Event().wait()


@agent("waiting")
async def waiting(ctx: AgentContext) -> None:
    await ctx.schedule(hanging)


AGENTS, TASKS = [waiting], [hanging]
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as opened:
        yield opened


@pytest.fixture
def deployed(tmp_path: Path, collector: Collector) -> Iterator[tuple[Programs, str]]:
    """A server, two workers, and the address of HTTP."""
    (tmp_path / "traced_work.py").write_text(WORK)
    programs = Programs(tmp_path)
    programs.environment |= {"OTEL_BSP_SCHEDULE_DELAY": "50"}
    try:
        serving = next_event(programs.begin("server", "--store", "store.db", "--address", "127.0.0.1:0", "--json"))
        programs.environment[ADDRESS_VARIABLE] = serving["address"]
        programs.environment["OTEL_SERVICE_NAME"] = "tasks"
        told_by_option = ("--otlp", collector.endpoint, "--json")
        next_event(programs.begin("worker", "traced_work:TASKS", "--queue", "tasks", *told_by_option))
        programs.environment |= {"OTEL_SERVICE_NAME": "agents", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        next_event(programs.begin("worker", "traced_work:AGENTS", "--json"))
        yield programs, serving["http"]
    finally:
        programs.end()


def test_agent_task_and_cancel_are_joined_across_processes(
    deployed: tuple[Programs, str], collector: Collector, made: Made
) -> None:
    programs, _ = deployed

    async def story() -> None:
        async with Client(programs.environment[ADDRESS_VARIABLE]) as client:
            with made.tracer.start_as_current_span("the request"):
                handle = await client.start("waiting", id="order-1")
            await asyncio.to_thread(in_time, lambda: collector.one("made by the code"))
            await handle.cancel("not needed")
            with pytest.raises(ExecutionWasCancelled):
                await handle.result()

    asyncio.run(story())
    agents = in_time(lambda: collector.one("agent waiting"))
    stop = in_time(lambda: collector.one("stop"))
    attempt = in_time(lambda: collector.one("task hanging"))
    own = in_time(lambda: collector.one("made by the code"))
    assert {each.trace_id for each in collector.spans} == {f"{trace_id(made.one('the request')):032x}"}
    assert (agents.service, attempt.service) == ("agents", "tasks")
    assert agents.parent_id == f"{span_id(made.one('start waiting')):016x}"
    assert (attempt.parent_id, stop.parent_id, own.parent_id) == (agents.span_id, attempt.span_id, attempt.span_id)
    assert stop.linked == agents.linked == (f"{span_id(made.one('cancel execution')):016x}",)
    assert (stop.attributes["rescind.status"], agents.attributes["rescind.status"]) == ("STOPPED", "CANCELLED")
    assert collector.paths == {"/v1/traces"}


def test_http_callers_say_their_trace_in_the_header_of_w3c(
    deployed: tuple[Programs, str], collector: Collector
) -> None:
    _, http = deployed
    started_in, cancelled_in = (f"00-{digit * 32}-{digit * 16}-01" for digit in "12")
    with httpx.Client(base_url=f"http://{http}") as client:
        client.post(
            "/api/v1/executions", json={"kind": "waiting", "execution_id": "h-1"}, headers={"traceparent": started_in}
        )
        in_time(lambda: collector.one("made by the code"))
        client.post("/api/v1/executions/h-1/cancel", json={}, headers={"traceparent": cancelled_in})
    agents = in_time(lambda: collector.one("agent waiting"))
    stop = in_time(lambda: collector.one("stop"))
    assert (agents.trace_id, agents.parent_id) == ("1" * 32, "1" * 16)
    assert (stop.trace_id, stop.linked) == ("1" * 32, ("2" * 16,))


def test_a_server_that_was_killed_still_knows_the_trace_of_what_waits(tmp_path: Path, collector: Collector) -> None:
    (tmp_path / "traced_work.py").write_text(WORK)
    programs = Programs(tmp_path)
    given = f"00-{'3' * 32}-{'4' * 16}-01"
    programs.environment |= {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
    try:
        server = programs.begin("server", "--store", "store.db", "--address", "127.0.0.1:0", "--json")
        address = next_event(server)["address"]
        programs.environment |= {ADDRESS_VARIABLE: address, "TRACEPARENT": given}
        programs.json("start", "waiting", "--id", "w-1")
        ended(server, signal.SIGKILL)
        next_event(programs.begin("server", "--store", "store.db", "--address", address, "--json"))
        next_event(programs.begin("worker", "traced_work", "--queue", "default", "--queue", "tasks", "--json"))
        in_time(lambda: collector.one("made by the code"))
        programs.json("cancel", "w-1")
        agents = in_time(lambda: collector.one("agent waiting"))
        assert (agents.trace_id, agents.parent_id) == ("3" * 32, "4" * 16)
    finally:
        programs.end()
