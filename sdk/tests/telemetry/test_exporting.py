"""Spans are sent where the variables of OpenTelemetry say so, or the option; and nothing is set up otherwise."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider

from rescind.errors import InvalidInput
from rescind.telemetry.exporting import export_spans
from sdk.tests.cli.programs import LONGEST, PATHS, invoke
from sdk.tests.telemetry.collector import Collector

VARIABLES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
    "OTEL_SERVICE_NAME",
)


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[TracerProvider]]:
    """The providers that were set."""
    found: list[TracerProvider] = []
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("opentelemetry.trace.set_tracer_provider", found.append)
    yield found
    for provider in found:
        provider.shutdown()


def test_nothing_is_set_up_where_nobody_asks_for_it(providers: list[TracerProvider]) -> None:
    export_spans("rescind-worker")
    assert providers == []


@pytest.mark.parametrize(("variable", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_it_can_be_switched_off(
    variable: str, value: str, providers: list[TracerProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    export_spans("rescind-worker", "http://localhost:4318")
    assert providers == []


def test_a_provider_that_the_program_has_set_is_left_alone(
    providers: list[TracerProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = TracerProvider(shutdown_on_exit=False)
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: own)
    export_spans("rescind-worker", "http://localhost:4318")
    assert providers == []


@pytest.mark.parametrize(("said", "service"), [(None, "rescind-worker"), ("shop", "shop")])
def test_spans_come_under_the_services_name(
    said: str | None, service: str, providers: list[TracerProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    if said is not None:
        monkeypatch.setenv("OTEL_SERVICE_NAME", said)
    with Collector() as collector:
        export_spans("rescind-worker", f"{collector.endpoint}/")
        (provider,) = providers
        provider.get_tracer("a").start_span("b").end()
        provider.shutdown()
        assert [(each.service, each.name) for each in collector.spans] == [(service, "b")]
        assert collector.paths == {"/v1/traces"}


def test_an_endpoint_that_is_no_url_is_refused_in_one_line(providers: list[TracerProvider]) -> None:
    with pytest.raises(InvalidInput, match="Give a URL, as http://localhost:4318"):
        export_spans("rescind-worker", "localhost:4318")
    done = invoke("worker", "json", "--otlp", "localhost:4318")
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)


def test_without_the_extra_an_option_is_refused_and_a_variable_is_warned_of(
    providers: list[TracerProvider], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in ("opentelemetry", "opentelemetry.sdk.resources"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InvalidInput, match=r"pip install 'rescind\[telemetry\]'"):
        export_spans("rescind-worker", "http://localhost:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    with caplog.at_level(logging.WARNING):
        export_spans("rescind-worker")
    assert "pip install 'rescind[telemetry]'" in caplog.text


def test_a_protocol_that_is_not_installed_is_named(
    providers: list[TracerProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc", None)
    with pytest.raises(InvalidInput, match="opentelemetry-exporter-otlp-proto-grpc"):
        export_spans("rescind-worker", "http://localhost:4317")


UNTRACED = """
import asyncio, sys
import rescind, rescind.client.connecting, rescind.worker.connecting, rescind.cli.worker, rescind_server.app
from rescind import AgentContext, TaskContext, agent, task

@task("one")
async def one(ctx: TaskContext) -> int:
    return 1

@agent("ask-one")
async def ask_one(ctx: AgentContext) -> int:
    return await ctx.schedule(one)

async def story() -> int:
    async with rescind.embedded(agents=[ask_one], tasks=[one]) as environment:
        return await (await environment.start(ask_one)).result()

assert asyncio.run(story()) == 1
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_nothing_of_opentelemetry_is_imported_where_nobody_uses_it() -> None:
    environment = {**os.environ, "PYTHONPATH": PATHS}
    done = subprocess.run(
        [sys.executable, "-c", UNTRACED], env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
