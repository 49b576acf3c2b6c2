"""Spans that are made in the test's own process."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sdk.tests.telemetry.made_spans import Made


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """OpenTelemetry as a program sets it up, for the length of one test."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    return Made(exporter, provider.get_tracer("of the program"))
